"""Between a trained network and its bundle: does it reconstruct good boards, and does it not reconstruct defects?

A network that answers 0 everywhere leaves the good boards' own spread as residual; one that copies leaves none, of
defects neither. Good validation windows answer both questions: as they are, and with pads raised at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from edge.board import Floats
from export.families.paste_print.net import PrintNet

RAISED_Z = 5.0
RAISED_FRAC = 0.1  # of pads
MAX_COPIED_FRAC = 0.5  # beyond it more of a defect is in the reconstruction than in the residual
CHUNK = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCheck:
    """Of the last board of good validation windows, in sigmas of a pad, root mean squares over both channels."""

    residual_sigma: float
    plain_sigma: float  # of a network that answers 0, each pad's mean over good boards
    copied_frac: float  # how much of a raised pad's height came back in the reconstruction

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"leaves residuals of {self.residual_sigma:.3f} sigma on good validation boards, each pad's mean leaves "
            f"{self.plain_sigma:.3f}; copies {self.copied_frac:.0%} of a raised pad"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this network may not become a bundle; empty when it may."""
        found = []
        if not self.residual_sigma < self.plain_sigma:
            found.append(f"the network {self.summary}: the training collapsed or is not done; try more epochs")
        if not self.copied_frac < MAX_COPIED_FRAC:
            found.append(f"the network {self.summary}: it would hide defects; train with more noise and zeros")
        return found


@torch.no_grad()
def check_windows(network: PrintNet, good: Floats, seed: int = 0) -> WindowCheck:
    """Look at a network in evaluation mode. `good` (M, T, 3, S, S) are windows of validation."""
    window = torch.from_numpy(good)
    mask, last = window[:, -1, :1], window[:, -1, 1:]
    raised = torch.from_numpy(np.random.default_rng(seed).random(mask.shape) < RAISED_FRAC) * mask
    defective = window.clone()
    defective[:, -1, 1:] += RAISED_Z * raised
    plain = torch.cat([network.last_board(part) for part in window.split(CHUNK)])
    copied = torch.cat([network.last_board(part) for part in defective.split(CHUNK)]) - plain
    return WindowCheck(
        residual_sigma=float((((last - plain) ** 2).mean(dim=1, keepdim=True) * mask).sum() / mask.sum()) ** 0.5,
        plain_sigma=float(((last**2).mean(dim=1, keepdim=True) * mask).sum() / mask.sum()) ** 0.5,
        copied_frac=float((copied.mean(dim=1, keepdim=True) * raised).sum() / raised.sum()) / RAISED_Z,
    )
