"""Teaches a network to name the printer's fault from pictures, and asks it for probabilities.

Pictures are mirrored at random, left to right and top to bottom: faults lie anywhere, and the rails are two sides.
AdamW over a fixed number of epochs, one cycle of the learning rate; validation chooses nothing here but the rule
(`namer_figures.chosen_rule`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from export.families.paste_print.namer_data import PictureSet
from export.families.paste_print.namer_net import Named, new_network
from export.training_record import TrainingFault

LABEL_SMOOTHING_FRAC = 0.02
MAX_GRADIENT_NORM = 5.0
ASK_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NamerTraining:
    """How one network is trained; `pictures` is how many of the set an epoch takes, drawn anew, None for all."""

    epochs: int
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    pictures: int | None = None


TRAININGS: dict[str, NamerTraining] = {
    "own": NamerTraining(epochs=10),
    "resnet18": NamerTraining(epochs=3, pictures=2_500, learning_rate=1e-3),
    "inception_v4": NamerTraining(epochs=2, pictures=1_500, batch=32, learning_rate=1e-3),
}


def train_namer(
    name: str,
    pictures: PictureSet,
    training: NamerTraining,
    seed: int,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Named:
    """A network of NETWORKS in evaluation mode. The same seed, set and thread count give the same weights.

    Raises TrainingFault when the loss stops being finite.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = new_network(name, pictures.picture.shape[1]).train()
    optimiser = torch.optim.AdamW(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    drawn = min(training.pictures or len(pictures), len(pictures))
    steps = drawn // training.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, total_steps=steps * training.epochs
    )
    for epoch in range(training.epochs):
        order = rng.permutation(len(pictures))[: steps * training.batch].reshape(steps, training.batch)
        total = 0.0
        for rows in order:
            total += _step(network, optimiser, *_batch(pictures, rows, rng))
            schedule.step()
        if not math.isfinite(total):
            raise TrainingFault(f"{name}, epoch {epoch + 1}: loss {total}; lower the learning rate")
        on_epoch(epoch + 1, total / steps)
    return Named(network).eval()


@torch.no_grad()
def probabilities(named: nn.Module, picture: NDArray[np.floating]) -> NDArray[np.float32]:
    """(N, K) of pictures (N, C, 32, 32)."""
    chunks = [
        named(torch.from_numpy(picture[i : i + ASK_BATCH].astype(np.float32))).numpy()
        for i in range(0, len(picture), ASK_BATCH)
    ]
    return np.concatenate(chunks)


def _batch(pictures: PictureSet, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    picture = pictures.picture[rows].astype(np.float32)
    for axis in (1, 2):
        turned = rng.random(len(rows)) < 0.5
        picture[turned] = np.flip(picture[turned], axis + 1)
    return torch.from_numpy(picture), torch.from_numpy(pictures.label[rows])


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, picture: Tensor, label: Tensor) -> float:
    optimiser.zero_grad()
    loss = functional.cross_entropy(network(picture), label, label_smoothing=LABEL_SMOOTHING_FRAC)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
    optimiser.step()
    return float(loss.detach())
