"""How hard is a setting for networks? The paper's 3D-CNN at a smaller picture, and a small residual network with
augmentation, taught and judged on the same joints. Needs torch; nothing that draws imports it.

Both are cheap stand-ins: the first for the paper's network at 128 px and a learning rate of 1e-5, the second for what a
better network can reach. Where the second is far ahead, the joints can be told apart and the first is what is weak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from export.families.axi_joint.net import Cnn3d

BATCH = 32
WIDTHS = (24, 48, 96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """`slices` (n, 6, side, side) uint8, missing ones zero; `is_defect` (n,) bool."""

    slices: NDArray[np.uint8]
    is_defect: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """Adam at `learning_rate`, falling evenly to nothing if `falling`; good joints down-sampled to as many as bad."""

    epochs: int
    learning_rate: float
    augmented: bool
    falling: bool


PAPER = Teaching(epochs=6, learning_rate=1e-4, augmented=False, falling=False)
SMALL = Teaching(epochs=10, learning_rate=1.5e-3, augmented=True, falling=True)


class SmallResidual(nn.Module):
    """Six slices as channels, three residual stages, mean and greatest of the last map: (N, 6, S, S) to (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(6, WIDTHS[0], 2)
        self.bodies, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        for n, width in enumerate(WIDTHS):
            before, stride = (WIDTHS[n - 1], 2) if n else (width, 1)
            self.bodies.append(nn.Sequential(_convolution(before, width, stride), _convolution(width, width, 1)))
            self.shortcuts.append(nn.Conv2d(before, width, 1, stride))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * WIDTHS[-1], 2)

    def forward(self, slices: Tensor) -> Tensor:
        """Logits, good and defective."""
        there = (slices.amax((2, 3), keepdim=True) > 0).to(slices.dtype)
        x = self.stem(3.0 * (slices - 0.5) * there)
        for body, shortcut in zip(self.bodies, self.shortcuts, strict=True):
            x = body(x) + shortcut(x)
        logits: Tensor = self.head(self.dropout(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)))
        return logits


def scores_of_paper(train: Crops, judged: Crops, seed: int, teaching: Teaching = PAPER) -> NDArray[np.float32]:
    """(n,) how likely each judged joint is defective, by the paper's 3D-CNN at the crops' size."""
    torch.manual_seed(seed)
    return _scores(_taught(Cnn3d(train.slices.shape[-1]), train, teaching, seed), judged)


def scores_of_small(train: Crops, judged: Crops, seed: int, teaching: Teaching = SMALL) -> NDArray[np.float32]:
    """(n,) the same by the small residual network."""
    torch.manual_seed(seed)
    return _scores(_taught(SmallResidual(), train, teaching, seed), judged)


def _taught(network: nn.Module, train: Crops, teaching: Teaching, seed: int) -> nn.Module:
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=teaching.learning_rate)
    bad, good = np.flatnonzero(train.is_defect), np.flatnonzero(~train.is_defect)
    each = min(len(bad), len(good))
    for epoch in range(teaching.epochs):
        network.train()
        for group in optimiser.param_groups if teaching.falling else ():
            group["lr"] = teaching.learning_rate * (1 - epoch / teaching.epochs)
        chosen = np.concatenate([rng.permutation(bad)[:each], rng.permutation(good)[:each]])
        for rows in np.array_split(rng.permutation(chosen), max(1, len(chosen) // BATCH)):
            x = torch.as_tensor(train.slices[rows]).float() / 255
            x = _augmented(x, rng) if teaching.augmented else x
            loss = functional.cross_entropy(network(x), torch.as_tensor(train.is_defect[rows].astype(np.int64)))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network


@torch.no_grad()
def _scores(network: nn.Module, judged: Crops) -> NDArray[np.float32]:
    network.eval()
    parts = [
        network(torch.as_tensor(judged.slices[n : n + 128]).float() / 255).softmax(1)[:, 1]
        for n in range(0, len(judged.slices), 128)
    ]
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def _augmented(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Turned, mirrored, shifted by up to two pixels as a batch; contrast, level and gamma for each joint."""
    there = (x.amax((2, 3), keepdim=True) > 0).to(x.dtype)
    x = torch.rot90(x, int(rng.integers(4)), (2, 3))
    x = x.flip(3) if rng.random() < 0.5 else x
    gamma, contrast, level = (
        torch.as_tensor(rng.uniform(*span, (len(x), 1, 1, 1)), dtype=x.dtype)
        for span in ((0.8, 1.25), (0.75, 1.3), (-0.1, 0.1))
    )
    x = ((x.clamp(1e-3, 1.0) ** gamma - 0.5) * contrast + 0.5 + level).clamp(0.0, 1.0) * there
    return torch.roll(x, tuple(int(n) for n in rng.integers(-2, 3, 2)), (2, 3))


def _convolution(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))
