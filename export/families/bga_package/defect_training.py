"""Trains the defect net on painted pictures, and checks what it learned on painted pictures of packages it never saw.

One-cycle AdamW over a fixed number of steps, pictures drawn anew for every one; the network ends with a running mean of
its weights. Validation pictures give a loss that is told and chooses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge.board import Floats
from export.families.bga_package.balls import Grey
from export.families.bga_package.compared_lessons import AnyShelf, ComparedLessons, PartShelf, draw_compared
from export.families.bga_package.compared_net import ComparedNet
from export.families.bga_package.defect_net import DefectNet, judged
from export.families.bga_package.lessons import Lessons, as_crops, draw_lessons
from export.families.bga_package.linear import cosine_scores
from export.metrics import auroc
from export.one_cycle import OneCycle
from export.pca import fit_pca
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

MIN_GOOD = 8
WARM_UP_FRAC = 0.2  # of the steps, in which the learning rate rises
VAL_PICTURES, CHECK_PICTURES = 96, 192

Net = DefectNet | ComparedNet
GraphInput = Callable[[NDArray[np.uint8]], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectSettings:
    """How a defect net is trained: `epochs` of `steps` batches, each of pictures drawn anew."""

    epochs: int
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    mean_decay: float  # per step, of the running mean of the weights
    bfloat16: bool = False  # convolutions in bfloat16 while training


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintCheck:
    """AUROC of painted defects against good packages of validation: the net's, and that of the linear line to beat."""

    network_auroc: float
    pca_auroc: float

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"finds defects painted on validation packages with AUROC {self.network_auroc:.4f}, "
            f"a linear reconstruction with {self.pca_auroc:.4f}"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        if self.network_auroc > max(self.pca_auroc, 0.5):
            return []
        return [f"the network {self.summary}: the training collapsed or is not done; try another seed or more epochs"]


def fit_defects(
    network: Net,
    train: AnyShelf,
    val: AnyShelf,
    graph_input: GraphInput,
    settings: DefectSettings,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place and leave it in evaluation mode with the mean weights.

    The same seed, data and thread count give the same weights. Raises TrainingFault when there is too little to train
    on or the loss stops being finite.
    """
    if (fewest := min(len(train), len(val))) < MIN_GOOD:
        raise TrainingFault(f"{fewest} good packages to train on or to validate with: need at least {MIN_GOOD} of each")
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    told = _tensors(_drawn(val, VAL_PICTURES, np.random.default_rng(0)), graph_input)
    run = _Run(network, settings)
    for _ in range(settings.epochs):
        losses = [run.step(*_tensors(_drawn(train, settings.batch, rng), graph_input)) for _ in range(settings.steps)]
        record.add(float(np.mean(losses)), run.mean_loss(*told), run.cycle.learning_rate)
    run.cycle.take_mean()
    return record.report()


class _Run:
    """One training: a step's loss, and that of the mean weights."""

    def __init__(self, network: Net, settings: DefectSettings) -> None:
        self.settings = settings
        self.network = network.to(memory_format=torch.channels_last)
        mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.mean_decay), use_buffers=True)
        self.cycle = OneCycle(network, settings, warm_up_frac=WARM_UP_FRAC, mean=mean)

    def step(self, *lessons: Tensor) -> float:
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            loss = self.network.loss(*lessons)
        return self.cycle.step(loss)

    @torch.no_grad()
    def mean_loss(self, *lessons: Tensor) -> float:
        """The loss of the mean weights."""
        return float(self.cycle.mean.module.eval().loss(*lessons))


def check_paint(network: Net, learned: Floats, val: AnyShelf, graph_input: GraphInput) -> PaintCheck:
    """Hold a trained net against a linear reconstruction of the good training inputs `learned` (N, 1, h, w), on painted
    packages of validation. Real defects take no part, so a customer without any has the check too."""
    drawn = _drawn(val, CHECK_PICTURES, np.random.default_rng(1))
    x, _, _, *beside = _tensors(drawn, graph_input)
    with torch.no_grad():
        scores = judged(network.eval().of_lessons(x, *beside))[0].numpy()
    line, bad = cosine_scores(fit_pca(learned, 8), x.numpy()), drawn.defective
    return PaintCheck(network_auroc=auroc(scores[~bad], scores[bad]), pca_auroc=auroc(line[~bad], line[bad]))


def _drawn(shelf: AnyShelf, n: int, rng: np.random.Generator) -> Lessons:
    return draw_compared(shelf, n, rng) if isinstance(shelf, PartShelf) else draw_lessons(shelf, n, rng)


def _tensors(lessons: Lessons, graph_input: GraphInput) -> tuple[Tensor, ...]:
    """What a net's loss takes."""
    told = torch.from_numpy(lessons.marks.astype(np.float32)), torch.from_numpy(lessons.counts.astype(np.float32))
    if not isinstance(lessons, ComparedLessons):
        return _pictures(lessons.pictures, graph_input), *told
    approved = _pictures(lessons.approved, graph_input), torch.from_numpy(lessons.compared)
    return _pictures(lessons.pictures, graph_input), *told, *approved


def _pictures(grey: Grey, graph_input: GraphInput) -> Tensor:
    return torch.from_numpy(graph_input(as_crops(grey))).contiguous(memory_format=torch.channels_last)
