"""Trains the defect classifier on painted pictures, and checks what it learned on painted pictures of boards it never
saw.

One cycle over a fixed number of epochs, each with freshly painted pictures; the network ends with the running mean of
its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge.board import Floats, Image
from export.families.solder_joint.augment import augmented, centred
from export.families.solder_joint.classifier import Classifier, DefectScore
from export.families.solder_joint.good_joints import Joints
from export.families.solder_joint.painted import GOOD, Lot, Mixture, Source, draw_pictures
from export.metrics import auroc
from export.one_cycle import OneCycle
from export.onnx import run_torch
from export.pca import YARDSTICK_COMPONENTS, fit_pca
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

MIN_GOOD = 8
VAL_PICTURES = 512
WARM_UP_FRAC = 0.15  # of the steps, in which the learning rate rises
CHECK_MIXTURE: Mixture = {Source.REAL_GOOD: 2.0, Source.PAINTED_MISSING: 1.0, Source.PAINTED_BRIDGE: 1.0}

GraphInput = Callable[[Image], Floats]  # crops (N, 64, 64, 3) uint8 BGR to (N, 3, 64, 64), as the station does it


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSettings:
    """How a classifier is trained. An epoch draws `pictures` anew and takes `steps` batches from them at random."""

    epochs: int
    steps: int
    pictures: int
    batch: int
    learning_rate: float
    weight_decay: float
    label_smoothing_frac: float
    mean_decay: float  # per step, of the running mean of the weights
    mixture: Mixture
    bfloat16: bool = False  # convolutions in bfloat16 while training: half the time on processors that have AMX


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintCheck:
    """AUROC of painted defects against good joints of validation boards: the network's, and PCA's on the same
    pictures."""

    network_auroc: float
    pca_auroc: float

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"finds defects painted on validation joints with AUROC {self.network_auroc:.4f}, "
            f"PCA-{YARDSTICK_COMPONENTS} with {self.pca_auroc:.4f}"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        if self.network_auroc > self.pca_auroc:
            return []
        return [f"the network {self.summary}: the training collapsed or is not done; try another seed or more epochs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a classifier is taught from, and how pictures become its input."""

    lot: Lot
    val_good: Joints  # of other boards; what is painted on them gives the validation loss, which chooses nothing
    graph_input: GraphInput
    region_scale: float


def fit_classifier(
    network: Classifier,
    lesson: Lesson,
    settings: ClassifierSettings,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place and leave it in evaluation mode with the mean weights.

    The same seed, data and thread count give the same weights. Raises TrainingFault when there is too little to train
    on or the loss stops being finite.
    """
    if (fewest := min(len(lesson.lot.good), len(lesson.val_good))) < MIN_GOOD:
        raise TrainingFault(f"{fewest} good joints to train on or to validate with: need at least {MIN_GOOD} of each")
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    validation = _batch(lesson, Lot(good=lesson.val_good), settings.mixture, np.random.default_rng(0))
    run = _Run(network, settings)
    for _ in range(settings.epochs):
        train_loss = run.epoch(lesson, rng)
        record.add(train_loss, run.mean_loss(*validation), run.cycle.learning_rate)
    run.cycle.take_mean()
    return record.report()


class _Run:
    """One training: what is drawn for an epoch, and the mean weights' loss."""

    def __init__(self, network: Classifier, settings: ClassifierSettings) -> None:
        self.settings = settings
        self.network = network.to(memory_format=torch.channels_last)
        mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.mean_decay), use_buffers=True)
        self.cycle = OneCycle(network, settings, warm_up_frac=WARM_UP_FRAC, mean=mean)

    def epoch(self, lesson: Lesson, rng: np.random.Generator) -> float:
        """Draw new pictures and take the steps of one epoch; the mean loss."""
        canvases, classes = draw_pictures(lesson.lot, self.settings.mixture, self.settings.pictures, rng)
        self.network.train()
        total = 0.0
        for _ in range(self.settings.steps):
            chosen = rng.integers(len(canvases), size=self.settings.batch)
            x = lesson.graph_input(augmented(canvases[chosen], lesson.region_scale, rng))
            total += self._step(torch.from_numpy(x), torch.from_numpy(classes[chosen]))
        return total / self.settings.steps

    def _step(self, x: Tensor, classes: Tensor) -> float:
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            loss = self.network.loss(x, classes, self.settings.label_smoothing_frac)
        return self.cycle.step(loss)

    @torch.no_grad()
    def mean_loss(self, x: Tensor, classes: Tensor) -> float:
        """The loss of the mean weights."""
        return float(self.cycle.mean.module.eval().loss(x, classes))


def _batch(lesson: Lesson, lot: Lot, mixture: Mixture, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    canvases, classes = draw_pictures(lot, mixture, VAL_PICTURES, rng)
    x = lesson.graph_input(augmented(canvases, lesson.region_scale, rng))
    return torch.from_numpy(x), torch.from_numpy(classes)


def check_paint(network: Classifier, lesson: Lesson) -> PaintCheck:
    """Hold a trained network against PCA on painted validation joints. Real defects take no part, so a customer without
    any has the check too."""
    canvases, classes = draw_pictures(Lot(good=lesson.val_good), CHECK_MIXTURE, VAL_PICTURES, np.random.default_rng(1))
    x = lesson.graph_input(centred(canvases, lesson.region_scale))
    scores = run_torch(DefectScore(network), x).score
    learned = lesson.graph_input(centred(lesson.lot.good.canvases, lesson.region_scale))
    errors = fit_pca(learned, YARDSTICK_COMPONENTS).reconstruction_error(x)
    good = classes == GOOD
    return PaintCheck(network_auroc=auroc(scores[good], scores[~good]), pca_auroc=auroc(errors[good], errors[~good]))
