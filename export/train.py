"""The training loop: short, plain and seeded. Anything with `loss(x)` can be trained by it.

Keeps the weights of the best validation loss and stops early when the learning rate has decayed so far that nothing
moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from edge.board import Floats
from export.settle import fresh_statistics
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

SETTLING_BATCHES = 4  # 256 crops at the paper's batch: BatchNorm's means are then known to a few per cent
MIN_BATCH = 2  # BatchNorm has no statistics on one crop


class Trainable(Protocol):
    """A network that knows its own loss: (N, ...) float32 to a scalar, lower is better."""

    def loss(self, x: Tensor) -> Tensor:
        """Mean loss of a batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How a network is trained. `decay` is what the learning rate is multiplied by after `decay_patience` flat
    epochs."""

    epochs: int
    batch: int
    learning_rate: float
    decay: float
    decay_patience: int
    weight_decay: float
    flip: bool  # mirror half the crops left to right
    bfloat16: bool = False  # convolutions in bfloat16 while training: half the time on processors that have AMX
    stop_below_learning_rate: float = 2e-5  # three of the paper's decays: the weights no longer move


def fit(
    network: nn.Module,
    train: Floats,
    val: Floats,
    settings: TrainingSettings,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place on good crops (N, C, h, w) float32 and leave it in evaluation mode with its best
    weights.

    `val` (M, C, h, w) are good crops of other boards. The same seed, data and thread count give the same weights.
    Raises TrainingFault when the loss stops being finite or there is too little to train on.
    """
    if len(train) < MIN_BATCH or not len(val):
        raise TrainingFault(f"{len(train)} training and {len(val)} validation crops: need at least {MIN_BATCH} and 1")
    record = TrainingRecord(on_epoch)
    torch.manual_seed(seed)
    crops, val_crops = torch.from_numpy(train), torch.from_numpy(val)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=settings.decay, patience=settings.decay_patience
    )
    for _ in range(settings.epochs):
        train_loss = _epoch(network, crops, optimiser, settings)
        _settle_statistics(network, crops, settings.batch)
        val_loss = _validation_loss(network, val_crops, settings.batch)
        plateau.step(val_loss)
        rate = float(optimiser.param_groups[0]["lr"])
        record.add(train_loss, val_loss, rate, keep=network)
        if rate < settings.stop_below_learning_rate:
            break
    record.restore(network)
    network.eval()
    return record.report()


def _epoch(network: nn.Module, crops: Tensor, optimiser: torch.optim.Optimizer, settings: TrainingSettings) -> float:
    network.train()
    total = 0.0
    batches = [b for b in torch.randperm(len(crops)).split(settings.batch) if len(b) >= MIN_BATCH]
    for indices in batches:
        x = crops[indices]
        if settings.flip:
            x = _flipped(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            loss = network.loss(x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(indices)
    return total / sum(len(b) for b in batches)


@torch.no_grad()
def _settle_statistics(network: nn.Module, crops: Tensor, batch: int) -> None:
    """Take BatchNorm's statistics afresh from the weights as they are now, in evaluation mode otherwise.

    The running ones lag behind weights that move at a rate of 1e-2, and a VAE's are those of sampled latents where the
    score uses mu: validation losses then jump tenfold between epochs and decay the rate for nothing.
    """
    network.eval()
    with fresh_statistics([m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]):
        for x in crops[torch.randperm(len(crops))[: SETTLING_BATCHES * batch]].split(batch):
            network.loss(x)


def _flipped(x: Tensor) -> Tensor:
    mirrored = torch.rand(len(x)) < 0.5
    return torch.where(mirrored[:, None, None, None], x.flip(3), x)


@torch.no_grad()
def _validation_loss(network: nn.Module, crops: Tensor, batch: int) -> float:
    network.eval()
    return sum(float(network.loss(x)) * len(x) for x in crops.split(batch)) / len(crops)
