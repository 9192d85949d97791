"""Trains the paper's networks as the paper says: Adam at 1e-5 with Keras' decay per step, good joints down-sampled to
as many as there are defective ones, cross-entropy. The weights of the epoch with the best AUROC on validation are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.board import Image
from export.families.axi_joint.labels import Mask, balanced
from export.metrics import auroc
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

MIN_DEFECTIVE = 4  # fewer say nothing, of training or of validation
VAL_BALANCE_SEED = 0
CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTraining:
    """How the paper's networks are trained. The learning rate of step n is `learning_rate` / (1 + `decay` n), Keras'
    `decay`."""

    epochs: int
    batch: int
    learning_rate: float
    decay: float
    bfloat16: bool = False  # convolutions in bfloat16 while training


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCrops:
    """Joints as uint8 slices (N, h, w, 6) and whether each is defective, (N,) bool."""

    slices: Image
    defective: Mask

    def __post_init__(self) -> None:
        n_bad = int(self.defective.sum())
        if min(n_bad, len(self.defective) - n_bad) < MIN_DEFECTIVE:
            raise TrainingFault(
                f"{n_bad} defective and {len(self.defective) - n_bad} good joints: need at least {MIN_DEFECTIVE} of "
                "each to train on and to validate with"
            )

    def chosen(self, rows: NDArray[np.int64]) -> LabelledCrops:
        """Some of them."""
        return LabelledCrops(slices=self.slices[rows], defective=self.defective[rows])


class TwoSteps(Protocol):
    """A network whose convolutions, the costly part, may run in another precision than what classifies."""

    def features(self, x: Tensor) -> Tensor:
        """Slices to features."""
        ...

    def classify(self, given: Tensor) -> Tensor:
        """Features to logits."""
        ...


def fit_paper(
    network: nn.Module,
    train: LabelledCrops,
    val: LabelledCrops,
    settings: PaperTraining,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    max_seconds: float = math.inf,
) -> FitReport:
    """Train `network` in place and leave it in evaluation mode with its best weights. No epoch is begun that would end
    after `max_seconds`; but for that, the same seed, data and thread count give the same weights.

    `val_loss` of the reports is 1 - AUROC on validation, balanced as training is. Raises TrainingFault when the loss
    stops being finite.
    """
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    taught = train.chosen(balanced(train.defective, seed))
    judged = val.chosen(balanced(val.defective, VAL_BALANCE_SEED))
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, keras_decay(settings.decay))
    for epoch in range(1, settings.epochs + 1):
        loss = _epoch(network, taught, settings, optimiser, rate, rng)
        record.add(loss, 1.0 - _auroc(network, judged), rate.get_last_lr()[0], keep=network)
        if record.seconds * (epoch + 1) / epoch > max_seconds:
            break
    record.restore(network)
    network.eval()
    return record.report()


def keras_decay(decay: float) -> Callable[[int], float]:
    """What the learning rate of a step, from 0, is multiplied by."""
    return lambda step: 1.0 / (1.0 + decay * step)


def as_input(slices: Image) -> Tensor:
    """uint8 (N, h, w, 6) to the graph's input (N, 6, h, w) float32, 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(slices, -1, 1))).float() / 255.0


@torch.no_grad()
def probabilities(scored: nn.Module, slices: Image) -> list[NDArray[np.float32]]:
    """The outputs of a scored network for uint8 slices (N, h, w, 6), each (N, ...), a chunk at a time."""
    scored.eval()
    parts = [scored(as_input(slices[n : n + CHUNK])) for n in range(0, len(slices), CHUNK)]
    return [np.asarray(torch.cat(part).numpy(), np.float32) for part in zip(*parts, strict=True)]


def _epoch(
    network: nn.Module,
    taught: LabelledCrops,
    settings: PaperTraining,
    optimiser: torch.optim.Optimizer,
    rate: torch.optim.lr_scheduler.LRScheduler,
    rng: np.random.Generator,
) -> float:
    network.train()
    order, total = rng.permutation(len(taught.defective)), 0.0
    for n in range(0, len(order), settings.batch):
        rows = np.sort(order[n : n + settings.batch])
        x, y = as_input(taught.slices[rows]), torch.from_numpy(taught.defective[rows].astype(np.int64))
        loss = functional.cross_entropy(_logits(network, x, settings.bfloat16), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        total += float(loss.detach()) * len(rows)
    return total / len(order)


def _logits(network: nn.Module, x: Tensor, bfloat16: bool) -> Tensor:
    two_steps: TwoSteps = network
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        features = two_steps.features(x)
    return two_steps.classify(features.float())


def _auroc(network: nn.Module, judged: LabelledCrops) -> float:
    network.eval()
    with torch.no_grad():
        parts = [network(as_input(judged.slices[n : n + CHUNK])) for n in range(0, len(judged.defective), CHUNK)]
    logits = torch.cat(parts).numpy()
    score = logits[:, 1] - logits[:, 0]
    return auroc(score[~judged.defective], score[judged.defective])
