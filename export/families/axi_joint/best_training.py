"""Trains the network of `best`: cosine schedule, running mean of the weights, freshly cut and lit joints every step.

Half of a batch are defective joints. The weights kept are the running mean of the epoch with the best AUROC on
validation. Losses of three heads are added; a region that shows another joint teaches nothing about this one's defect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from edge.board import Image
from export.datasets import Row
from export.families.axi_joint.augment import random_cut
from export.families.axi_joint.best_net import Answers, JointNet
from export.families.axi_joint.labels import NEIGHBOUR, NOT_THIS_JOINT, ROI_OK, Mask, defective, kinds, roi_faults
from export.families.axi_joint.paper_training import MIN_DEFECTIVE, as_input
from export.metrics import auroc
from export.one_cycle import OneCycle
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

WARM_UP_FRAC = 0.15
KIND_SHARE, ROI_SHARE = 0.5, 0.3  # of the defect's loss
CHUNK = 128
ROI_FALSE_ALARM_FRAC = 0.01  # of right regions of validation, those that may be called wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class BestTraining:
    """How `best` is trained. An epoch is `steps` batches drawn at random."""

    epochs: int
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    smoothing_frac: float  # of the labels
    mean_decay: float  # per step, of the running mean of the weights
    defective_frac: float = 0.5  # of a batch
    bfloat16: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Canvases (N, 128, 128, 6) uint8 and what the table says of them: defective (N,), kinds (N, 3), whether the
    region is wrong (N,), whether it shows another joint or none (N,), and whether another, as if it were right (N,)."""

    canvases: Image
    defective: Mask
    kinds: NDArray[np.float32]
    wrong: Mask
    elsewhere: Mask
    neighbour: Mask

    @classmethod
    def of(cls, rows: Sequence[Row], canvases: Image) -> Lesson:
        """What rows teach. Raises TrainingFault where they are too few of a kind."""
        is_bad, faults = defective(rows), roi_faults(rows)
        if min(n_bad := int(is_bad.sum()), len(rows) - n_bad) < MIN_DEFECTIVE:
            raise TrainingFault(f"{n_bad} defective of {len(rows)} joints: need at least {MIN_DEFECTIVE} of each")
        return cls(
            canvases=canvases,
            defective=is_bad,
            kinds=kinds(rows),
            wrong=np.array([fault != ROI_OK for fault in faults]),
            elsewhere=np.array([fault in NOT_THIS_JOINT for fault in faults]),
            neighbour=np.array([fault == NEIGHBOUR for fault in faults]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Validation joints as the graph takes them, uint8 (M, 128, 128, 6), defective (M,), region wrong (M,)."""

    slices: Image
    defective: Mask
    wrong: Mask


def fit_best(
    network: JointNet,
    lesson: Lesson,
    val: Judged,
    settings: BestTraining,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place, set its `roi_limit`, leave it in evaluation mode.

    The same seed, data and thread count give the same weights. `val_loss` of the reports is 1 - AUROC on validation.
    Raises TrainingFault when the loss stops being finite.
    """
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    run = _Run(network, settings)
    for _ in range(settings.epochs):
        loss = run.epoch(lesson, rng)
        mean: JointNet = run.cycle.mean.module
        score = answers_of(mean, val.slices).defect.numpy()
        missed = 1.0 - auroc(score[~val.defective], score[val.defective])
        record.add(loss, missed, run.cycle.learning_rate, keep=mean)
    record.restore(network)
    network.eval()
    network.roi_limit.fill_(roi_limit(answers_of(network, val.slices).roi.numpy()[~val.wrong]))
    return record.report()


def running_mean(decay: float) -> Callable[[Tensor, Tensor, int | Tensor], Tensor]:
    """The mean of weights after a step; it forgets the first ones sooner, so that a short training has a mean too."""

    def mean(averaged: Tensor, current: Tensor, steps: int | Tensor) -> Tensor:
        n = float(steps)
        return averaged + (current - averaged) * (1.0 - min(decay, (1.0 + n) / (10.0 + n)))

    return mean


def roi_limit(right: NDArray[np.floating]) -> float:
    """The logit that ROI_FALSE_ALARM_FRAC of right regions are above."""
    return float(np.quantile(right, 1.0 - ROI_FALSE_ALARM_FRAC))


@torch.no_grad()
def answers_of(network: JointNet, slices: Image) -> Answers:
    """Logits for uint8 slices (M, 128, 128, 6)."""
    network.eval()
    parts = [network(as_input(slices[n : n + CHUNK])) for n in range(0, len(slices), CHUNK)]
    return Answers(*(torch.cat(part) for part in zip(*parts, strict=True)))


class _Run:
    """One training: what is drawn for a step, and its loss."""

    def __init__(self, network: JointNet, settings: BestTraining) -> None:
        self.settings = settings
        self.network = network.to(memory_format=torch.contiguous_format)
        mean = AveragedModel(network, avg_fn=running_mean(settings.mean_decay), use_buffers=True)
        self.cycle = OneCycle(network, settings, warm_up_frac=WARM_UP_FRAC, mean=mean)

    def epoch(self, lesson: Lesson, rng: np.random.Generator) -> float:
        """`steps` batches; the mean loss."""
        self.network.train()
        good, bad = np.flatnonzero(~lesson.defective), np.flatnonzero(lesson.defective)
        n_bad = round(self.settings.defective_frac * self.settings.batch)
        total = 0.0
        for _ in range(self.settings.steps):
            chosen = np.concatenate([rng.choice(bad, n_bad), rng.choice(good, self.settings.batch - n_bad)])
            total += self._step(lesson, np.sort(chosen), rng)
        return total / self.settings.steps

    def _step(self, lesson: Lesson, chosen: NDArray[np.int64], rng: np.random.Generator) -> float:
        wrong, elsewhere = lesson.wrong[chosen], lesson.elsewhere[chosen]
        cut = random_cut(lesson.canvases[chosen], ~wrong, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            answers = self.network.judged(cut.small, cut.present)
        loss = self._loss(
            Answers(*(value.float() for value in answers)),
            torch.from_numpy(lesson.defective[chosen].astype(np.float32)),
            torch.from_numpy(lesson.kinds[chosen]),
            torch.from_numpy((wrong | cut.made_wrong).astype(np.float32)),
            torch.from_numpy((~elsewhere).astype(np.float32)),
            torch.from_numpy((~lesson.neighbour[chosen]).astype(np.float32)),
        )
        return self.cycle.step(loss)

    def _loss(
        self, answers: Answers, is_bad: Tensor, kind: Tensor, wrong: Tensor, shown: Tensor, telling: Tensor
    ) -> Tensor:
        """`shown` is 1 where the region shows this joint: elsewhere the label says nothing of the picture. `telling` is
        0 where a wrong region looks like a right one."""
        smooth = self.settings.smoothing_frac
        defect = _cross_entropy(answers.defect, is_bad * (1 - 2 * smooth) + smooth)
        kind_loss = _cross_entropy(answers.kind, kind * (1 - 2 * smooth) + smooth).mean(dim=1)
        joint = _mean(defect + KIND_SHARE * kind_loss, shown)
        return joint + ROI_SHARE * _mean(_cross_entropy(answers.roi, wrong), telling)


def _mean(losses: Tensor, weights: Tensor) -> Tensor:
    return (losses * weights).sum() / weights.sum().clamp(min=1.0)


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
