"""What every training loop keeps of itself: its losses epoch by epoch, its best weights, how long it took."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from export.faults import WorkshopFault


class TrainingFault(WorkshopFault):
    """A training that must not become a bundle, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """One finished epoch, for the progress bar and the record."""

    epoch: int  # from 1
    train_loss: float
    val_loss: float
    learning_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a training did. `best_epoch` is the one whose weights the network holds now."""

    epochs: int
    best_epoch: int
    best_val_loss: float
    seconds: float
    history: tuple[EpochReport, ...]


class TrainingRecord:
    """The epochs of one training; its clock starts when it is made.

    The weights of the best validation loss are held where `add` is told to keep them; of a training that keeps none,
    the last epoch counts as the best.
    """

    def __init__(self, on_epoch: Callable[[EpochReport], None]) -> None:
        self._started_s = time.monotonic()
        self._on_epoch = on_epoch
        self._history: list[EpochReport] = []
        self._best: EpochReport | None = None
        self._best_weights: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """Since the training began."""
        return time.monotonic() - self._started_s

    @property
    def flat_epochs(self) -> int:
        """Epochs since the best one that was kept."""
        return len(self._history) - (self._best.epoch if self._best else 0)

    def add(self, train_loss: float, val_loss: float, learning_rate: float, *, keep: nn.Module | None = None) -> None:
        """Record an epoch and tell of it; hold the weights of `keep` if none was better before.

        Raises TrainingFault when a loss says that the training broke.
        """
        epoch = len(self._history) + 1
        if not math.isfinite(train_loss) or math.isnan(val_loss):
            raise TrainingFault(
                f"epoch {epoch}: training loss {train_loss}, validation loss {val_loss}; "
                "lower the learning rate or look at the data"
            )
        report = EpochReport(epoch=epoch, train_loss=train_loss, val_loss=val_loss, learning_rate=learning_rate)
        self._history.append(report)
        if keep is not None and (self._best is None or val_loss < self._best.val_loss):
            self._best, self._best_weights = report, copy.deepcopy(keep.state_dict())
        self._on_epoch(report)

    def restore(self, network: nn.Module) -> None:
        """Give `network` the weights that were kept, if any were."""
        if self._best is not None:
            network.load_state_dict(self._best_weights)

    def report(self) -> FitReport:
        """The whole training so far. Raises TrainingFault before its first epoch."""
        if not self._history:
            raise TrainingFault("no epoch was trained")
        best = self._best or self._history[-1]
        return FitReport(
            epochs=len(self._history),
            best_epoch=best.epoch,
            best_val_loss=best.val_loss,
            seconds=self.seconds,
            history=tuple(self._history),
        )
