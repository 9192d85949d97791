"""Teaches a Siamese network with triplets: a short, plain, seeded loop over the paper's loss.

Triplets are drawn once, as in the paper, or anew each epoch. The weights kept are those of the epoch with the best loss
on triplets of validation components, drawn once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import triplet_margin_loss

from export.families.pth_component.metrics import (
    PairDistances,
    best_threshold,
    embeddings_of,
    pair_distances,
    pair_figures,
    pixel_distances,
)
from export.families.pth_component.net import PartNet
from export.families.pth_component.part_crops import GraphInput, PartCrops, read_part_crops
from export.families.pth_component.triplets import Triplets, TripletSettings, draw_triplets
from export.metrics import auroc
from export.settle import fresh_statistics
from export.teaching import Taught, TeachingJob
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

MIN_GOOD = 8
VAL_SEED = 0  # the same validation triplets whatever the training's seed
SETTLING_BATCHES = 6
MIN_AUROC = 0.6  # of validation pairs; a collapsed network has 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletTraining:
    """How a network is trained. `redraw` paints new triplets each epoch; `decay` lowers the rate to nothing along a
    cosine; `settle` takes BatchNorm's statistics afresh after each epoch."""

    epochs: int
    triplets_per_epoch: int
    batch: int  # of triplets
    learning_rate: float
    margin: float
    triplets: TripletSettings
    redraw: bool
    decay: bool
    settle: bool
    patience_epochs: int  # without a better validation loss, before the training ends
    val_triplets: int = 384  # each good component of validation a few times
    weight_decay: float = 0.0
    bfloat16: bool = False  # convolutions in bfloat16 while training


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletCheck:
    """Pairs of validation components: how well the network parts them, and what comparing pixels reaches."""

    accuracy: float
    network_auroc: float
    pixel_auroc: float
    weights: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"parts validation pairs with AUROC {self.network_auroc:.4f}, pixels with {self.pixel_auroc:.4f} "
            f"(first weights: {self.weights})"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        if self.network_auroc > self.pixel_auroc:
            return []
        return [f"comparing pixels parts validation pairs as well ({self.pixel_auroc:.4f}) as this network does"]

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        if math.isfinite(self.network_auroc) and self.network_auroc > MIN_AUROC:
            return []
        return [f"the network {self.summary}: the training collapsed or is not done; try another seed or more epochs"]


def teach_triplets(job: TeachingJob) -> Taught:
    """Train on the good rows of train. Raises TrainingFault where parts are unknown or too few."""
    good = [row for row in job.samples.train_rows if row.is_good]
    val_good = [row for row in job.samples.val_rows if row.is_good]
    train = read_part_crops(job.folder, good, job.contract)
    val = read_part_crops(job.folder, val_good, job.contract)
    prepare = job.samples.graph_input
    report = fit_triplets(job.network, train, val, job.settings, job.seed, prepare, job.on_epoch)
    return Taught(report=report, check=check_triplets(job.network, val, job.settings, prepare))


def fit_triplets(
    network: PartNet,
    train: PartCrops,
    val: PartCrops,
    settings: TripletTraining,
    seed: int,
    graph_input: GraphInput,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place and leave it in evaluation mode with its best weights.

    The same seed, data and thread count give the same weights. Raises TrainingFault when there is too little to train
    on or the loss stops being finite.
    """
    if (fewest := min(len(train), len(val))) < MIN_GOOD:
        raise TrainingFault(f"{fewest} good components to train on or to validate with: need at least {MIN_GOOD} each")
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    val_triplets = validation_triplets(val, settings)
    run = _Run(network, settings, graph_input)
    drawn = None
    for _ in range(settings.epochs):
        if drawn is None or settings.redraw:
            drawn = draw_triplets(train, settings.triplets_per_epoch, settings.triplets, rng)
        train_loss = run.epoch(drawn, rng)
        val_loss = triplet_loss_of(triplet_distances(network, val_triplets, graph_input), settings.margin)
        record.add(train_loss, val_loss, run.learning_rate, keep=network)
        if record.flat_epochs >= settings.patience_epochs:
            break
    record.restore(network)
    network.to(memory_format=torch.contiguous_format).eval()
    return record.report()


def check_triplets(
    network: PartNet, val: PartCrops, settings: TripletTraining, graph_input: GraphInput
) -> TripletCheck:
    """Hold a trained network against pixels on the validation triplets. Real defects take no part."""
    triplets = validation_triplets(val, settings)
    pairs, pixels = triplet_distances(network, triplets, graph_input), pixel_distances(triplets)
    return TripletCheck(
        accuracy=pair_figures(pairs, best_threshold(pairs)).accuracy,
        network_auroc=auroc(pairs.positive, pairs.negative),
        pixel_auroc=auroc(pixels.positive, pixels.negative),
        weights=network.backbone.weights,
    )


def validation_triplets(val: PartCrops, settings: TripletTraining) -> Triplets:
    """The triplets that choose the epoch: always the same ones."""
    return draw_triplets(val, settings.val_triplets, settings.triplets, np.random.default_rng(VAL_SEED))


def triplet_distances(network: nn.Module, triplets: Triplets, graph_input: GraphInput) -> PairDistances:
    """A network's distances from the anchors, in evaluation mode."""
    pictures = (triplets.anchor, triplets.positive, triplets.negative)
    return pair_distances(*(embeddings_of(network, graph_input(crops)) for crops in pictures))


def triplet_loss_of(pairs: PairDistances, margin: float) -> float:
    """The mean loss of triplets whose distances are known."""
    return float(np.maximum(pairs.positive - pairs.negative + margin, 0.0).mean())


class _Run:
    """One training: the network, its optimiser, its rate."""

    def __init__(self, network: PartNet, settings: TripletTraining, graph_input: GraphInput) -> None:
        self.settings, self.graph_input = settings, graph_input
        self.network = network.to(memory_format=torch.channels_last)  # half the time on processors
        trained = [weights for weights in network.parameters() if weights.requires_grad]
        self.optimiser = torch.optim.Adam(trained, settings.learning_rate, weight_decay=settings.weight_decay)
        steps = settings.epochs * math.ceil(settings.triplets_per_epoch / settings.batch)
        self.cosine = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, steps) if settings.decay else None

    @property
    def learning_rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def epoch(self, triplets: Triplets, rng: np.random.Generator) -> float:
        """One pass over the triplets; the mean loss."""
        self.network.train()
        total = 0.0
        order = rng.permutation(len(triplets))
        for start in range(0, len(order), self.settings.batch):
            chosen = order[start : start + self.settings.batch]
            total += self._step(self._inputs(triplets, chosen)) * len(chosen)
        if self.settings.settle:
            self._settle(triplets, rng)
        return total / len(triplets)

    def _inputs(self, triplets: Triplets, chosen: np.ndarray) -> Tensor:
        pictures = np.concatenate([triplets.anchor[chosen], triplets.positive[chosen], triplets.negative[chosen]])
        return torch.from_numpy(self.graph_input(pictures)).contiguous(memory_format=torch.channels_last)

    def _step(self, x: Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            embeddings = self.network(x)
        loss = triplet_margin_loss(*embeddings.float().chunk(3), margin=self.settings.margin, p=2.0)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if self.cosine is not None:
            self.cosine.step()
        return float(loss.detach())

    @torch.no_grad()
    def _settle(self, triplets: Triplets, rng: np.random.Generator) -> None:
        """BatchNorm's statistics from the weights as they are now; the running ones lag (see export/train.py)."""
        self.network.train()
        norms = [m for m in self.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        chosen = rng.permutation(len(triplets))[: SETTLING_BATCHES * self.settings.batch]
        with fresh_statistics(norms):
            for start in range(0, len(chosen), self.settings.batch):
                self.network(self._inputs(triplets, chosen[start : start + self.settings.batch]))
