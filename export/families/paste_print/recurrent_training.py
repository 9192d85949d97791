"""The training of the paper's networks: Adam, clipped gradients, denoising, scheduled sampling, early stopping.

Validation windows are clean ones of other days, corrupted once by a fixed seed: without corruption the least loss would
be that of a network that copies. Through the last part of the epochs BatchNorm keeps the statistics it has: its
batches are single boards of few windows, and a station uses running ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edge.board import Floats
from export.families.paste_print.corruption import Corruption, corrupted, shortened
from export.families.paste_print.net import CHANNELS, PrintNet
from export.training_record import EpochReport, FitReport, TrainingFault, TrainingRecord

MIN_WINDOWS = 2
VAL_SEED = 0
NORM_MOMENTUM = 0.05  # of a batch: running statistics are then those of some twenty
WARM_UP_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentSettings:
    """How a network is trained. The learning rate rises over the first steps and falls along a half cosine to 0.
    `teach_frac` of all steps is what epsilon of Eq. 5 takes to fall from 1 to 0; after `settle_frac` of them BatchNorm
    stands still. The first `brief_frac` of them see only the last `brief_boards` of a window, which costs less, and
    choose no weights."""

    epochs: int
    batch: int
    learning_rate: float
    corruption: Corruption
    max_gradient_norm: float = 1.0
    teach_frac: float = 0.4
    settle_frac: float = 0.15
    brief_frac: float = 0.6
    brief_boards: int = 2
    patience: int = 4  # epochs of whole windows without a better validation loss
    bfloat16: bool = False  # convolutions in bfloat16 while training


def fit_recurrent(
    network: PrintNet,
    train_windows: Floats,
    val_windows: Floats,
    settings: RecurrentSettings,
    seed: int,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> FitReport:
    """Train `network` in place on good windows (N, T, 3, S, S) float32 and leave it in evaluation mode with its best
    weights and its `residual_sigma`.

    `val_windows` (M, T, 3, S, S) are good ones of other days. The same seed, data and thread count give the same
    weights. Raises TrainingFault when the loss stops being finite or there is too little to train on.
    """
    if len(train_windows) < MIN_WINDOWS or not len(val_windows):
        raise TrainingFault(f"{len(train_windows)} training and {len(val_windows)} validation windows: need 2 and 1")
    record = TrainingRecord(on_epoch)
    run = _Run(network, torch.from_numpy(train_windows), torch.from_numpy(val_windows), settings)
    torch.manual_seed(seed)
    for _ in range(settings.epochs):
        record.add(*run.epoch(), keep=None if run.is_brief else network)
        if not run.is_brief and record.flat_epochs >= settings.patience:
            break
    record.restore(network)
    learn_residual_sigma(network, val_windows, settings.batch)
    return record.report()


@torch.no_grad()
def learn_residual_sigma(network: PrintNet, clean_windows: Floats, batch: int) -> None:
    """Measure how far the last board's residuals spread on clean windows (N, T, 3, S, S), root mean square by channel,
    and leave the network in evaluation mode. Raises TrainingFault when it is not a positive number."""
    network.eval()
    squares, pads = torch.zeros(CHANNELS), 0.0
    for window in torch.from_numpy(clean_windows).split(batch):
        last = window[:, -1]
        squares += ((last[:, 1:] - network.last_board(window)).square() * last[:, :1]).sum(dim=(0, 2, 3))
        pads += float(last[:, 0].sum())
    sigma = (squares / max(1.0, pads)).sqrt()
    if not (torch.isfinite(sigma) & (sigma > 0)).all():
        raise TrainingFault(f"residuals of {len(clean_windows)} clean windows have the deviations {sigma.tolist()}")
    network.residual_sigma.copy_(sigma)


class _Run:
    """One training: the network, its optimiser, and validation windows as they are shown each time."""

    def __init__(self, network: PrintNet, train: Tensor, val: Tensor, settings: RecurrentSettings) -> None:
        self.network, self.train, self.val, self.settings = network, train, val, settings
        self.optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
        self.steps, self.all_steps = 0, settings.epochs * math.ceil(len(train) / settings.batch)
        self.norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in self.norms:
            norm.momentum = NORM_MOMENTUM
        torch.manual_seed(VAL_SEED)
        self.val_seen = corrupted(val, settings.corruption)

    @property
    def is_brief(self) -> bool:
        """Whether the next step sees only the last boards of a window."""
        return self.steps < self.settings.brief_frac * self.all_steps

    def epoch(self) -> tuple[float, float, float]:
        """All training windows once: their loss, the validation loss, the learning rate."""
        self.network.train()
        total = 0.0
        for indices in torch.randperm(len(self.train)).split(self.settings.batch):
            total += self._step(self.train[indices]) * len(indices)
        rate = float(self.optimiser.param_groups[0]["lr"])
        return total / len(self.train), self._validation_loss(), rate

    def _step(self, window: Tensor) -> float:
        settings, progress = self.settings, self.steps / self.all_steps
        if progress >= settings.settle_frac:
            for norm in self.norms:
                norm.eval()
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (self.steps + 1) / WARM_UP_STEPS) * _falling(progress)
        if self.is_brief:
            window = window[:, -settings.brief_boards :]
        window = shortened(window, settings.corruption)
        seen = corrupted(window, settings.corruption)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            loss = self.network.loss(window, seen, truth_frac=max(0.0, 1.0 - progress / settings.teach_frac))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.max_gradient_norm)
        self.optimiser.step()
        self.steps += 1
        return float(loss.detach())

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self.network.eval()
        batch = self.settings.batch
        pairs = zip(self.val.split(batch), self.val_seen.split(batch), strict=True)
        return sum(float(self.network.loss(window, seen)) * len(window) for window, seen in pairs) / len(self.val)


def _falling(progress: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * progress))
