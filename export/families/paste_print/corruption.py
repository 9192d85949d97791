"""What the encoder is shown while training: the paper's denoising, noise added and part of the input set to zero.

The paper gives no amounts. Noise is Gaussian with a deviation drawn for each window up to `noise_sigma`: a network that
only ever saw faint noise would learn to copy a defect as well. Also a window may begin with boards that are missing, as
after a change of product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """`noise_sigma`: the largest deviation of the noise, in sigmas of a pad. `zero_frac`: values set to 0.
    `short_frac`: windows that lose a number of their first boards."""

    noise_sigma: float
    zero_frac: float
    short_frac: float


def shortened(window: Tensor, settings: Corruption) -> Tensor:
    """(N, T, C, S, S) windows, some of which begin later: all planes 0 before. Always the last board is left."""
    n, boards = window.shape[:2]
    first = torch.randint(1, boards, (n,)) if boards > 1 else torch.zeros(n, dtype=torch.long)
    first = torch.where(torch.rand(n) < settings.short_frac, first, torch.zeros_like(first))
    there = torch.arange(boards) >= first[:, None]
    return window * there[:, :, None, None, None]


def corrupted(window: Tensor, settings: Corruption) -> Tensor:
    """The channels of windows (N, T, 3, S, S), (N, T, 2, S, S), with noise and zeros on pads; 0 stays 0 where no pad
    is. What is kept grows by as much as is lost, as in dropout: a station's boards have no zeros, and a network that
    had learned to make good for them would see every board's level too high."""
    values, mask = window[:, :, 1:], window[:, :, :1]
    deviation = settings.noise_sigma * torch.rand(len(window), 1, 1, 1, 1)
    kept = torch.rand_like(values) >= settings.zero_frac
    return (values + deviation * torch.randn_like(values)) * (kept * mask / (1.0 - settings.zero_frac))
