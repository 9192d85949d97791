"""Joints as other boards, machines and careless regions would show them: cut from canvases at random.

Positions are in sides of a region (the crop is 1.5 of them). A region may be off by a little and is still right; one
that is off by more is wrong, and says so. Seeded by the generator given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edge.board import Image
from export.families.axi_joint.best_net import present_slices
from export.families.axi_joint.canvases import AROUND
from export.families.axi_joint.contract import PLACE_SCALE

Rng = np.random.Generator
Values = NDArray[np.float32]

WRONG_FRAC = 0.15  # of regions that were right, those made wrong
SHIFT_DEVIATION, SCALE_SPAN, ASPECT_SPAN = 0.05, (0.78, 1.28), (0.9, 1.1)  # of a region that is still right
WRONG_SHIFT, WRONG_SMALL, WRONG_LARGE = (0.18, 0.6), (0.5, 0.7), (1.4, 2.0)
GAIN_SPAN, GAMMA_SPAN = (0.85, 1.15), (0.7, 1.4)
HEIGHT_BLEND_MAX, BLUR_FRAC = 0.35, 0.3  # of a neighbouring slice in a slice: it was taken a little higher or lower
SLICE_GAIN_DEVIATION, SHADING_DEVIATION, NOISE_MAX = 0.06, 0.06, 0.04
SHORTER_FRAC, HOLES_FRAC = 0.12, 0.08  # of joints: seen in fewer slices; with slices missing in between


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Halved crops (B, 6, 64, 64), which slices there are (B, 6), and which regions were made wrong, (B,) bool."""

    small: Tensor
    present: Tensor
    made_wrong: NDArray[np.bool_]


def random_cut(canvases: Image, may_be_wrong: NDArray[np.bool_], rng: Rng) -> Cut:
    """Crops of canvases (B, 128, 128, 6) uint8. `may_be_wrong` are those whose regions are right and may be spoilt."""
    n = len(canvases)
    wrong = may_be_wrong & (rng.random(n) < WRONG_FRAC)
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(canvases, -1, 1))).float() / 255.0
    side = canvases.shape[1] // AROUND
    grid = functional.affine_grid(torch.from_numpy(_placements(n, wrong, rng)), [n, x.shape[1], side, side], False)
    small = functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    small = _blurred(_other_heights(small, rng), rng)
    small = torch.from_numpy(_fewer_slices(small.numpy(), rng))
    present = present_slices(small)
    return Cut(small=_other_light(small, rng) * present[:, :, None, None], present=present, made_wrong=wrong)


def _placements(n: int, wrong: NDArray[np.bool_], rng: Rng) -> Values:
    """(B, 2, 3): from a crop's place to a canvas's, both -1 to 1; mirrored and turned by lot."""
    shift = rng.normal(0.0, SHIFT_DEVIATION, (n, 2))
    scale = np.exp(rng.uniform(*np.log(SCALE_SPAN), n))
    way, turn = rng.integers(3, size=n), rng.uniform(0.0, 2 * np.pi, n)
    far = rng.uniform(*WRONG_SHIFT, n)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    shift = np.where((wrong & (way == 0))[:, None], far, shift)
    scale = np.where(wrong & (way == 1), rng.uniform(*WRONG_SMALL, n), scale)
    scale = np.where(wrong & (way == 2), rng.uniform(*WRONG_LARGE, n), scale)
    signs, turned = rng.choice([-1.0, 1.0], (n, 2)), rng.random(n) < 0.5
    theta = np.zeros((n, 2, 3))
    along, across = np.where(turned, 0.0, 1.0), np.where(turned, 1.0, 0.0)
    aspect = np.exp(rng.uniform(*np.log(ASPECT_SPAN), n))
    wide, tall = scale * aspect / AROUND * signs[:, 0], scale / aspect / AROUND * signs[:, 1]
    theta[:, 0, 0], theta[:, 0, 1] = wide * along, wide * across
    theta[:, 1, 0], theta[:, 1, 1] = tall * across, tall * along
    theta[:, :, 2] = shift * 2.0 / (AROUND * PLACE_SCALE)
    return theta.astype(np.float32)


def _other_heights(small: Tensor, rng: Rng) -> Tensor:
    """Each slice with some of the next one, all of a joint towards the same side by lot, where there is a next one."""
    there = present_slices(small)
    share = torch.from_numpy(rng.uniform(0.0, HEIGHT_BLEND_MAX, (len(small), small.shape[1])).astype(np.float32))
    upwards = torch.from_numpy(rng.random(len(small)) < 0.5)
    above = torch.cat([small[:, 1:], torch.zeros_like(small[:, :1])], dim=1)
    below = torch.cat([torch.zeros_like(small[:, :1]), small[:, :-1]], dim=1)
    other = torch.where(upwards[:, None, None, None], above, below)
    share = share * there * present_slices(other)
    return small + share[:, :, None, None] * (other - small)


def _blurred(small: Tensor, rng: Rng) -> Tensor:
    """Some joints a little softer, as an older machine sees them."""
    chosen = np.flatnonzero(rng.random(len(small)) < BLUR_FRAC)
    share = torch.from_numpy(rng.uniform(0.0, 1.0, len(chosen)).astype(np.float32))[:, None, None, None]
    soft = functional.avg_pool2d(small[chosen], 3, 1, 1, count_include_pad=False)
    small[chosen] += share * (soft - small[chosen])
    return small


def _fewer_slices(small: Values, rng: Rng) -> Values:
    """Some joints as a program with fewer slices sees them (from one end, the rest moves up), some with holes."""
    lot = rng.random(len(small))
    for n in np.flatnonzero(lot < SHORTER_FRAC + HOLES_FRAC):
        there = np.flatnonzero(small[n].any(axis=(1, 2)))
        if len(there) < 2:
            continue
        gone = int(rng.integers(1, len(there)))
        if lot[n] < SHORTER_FRAC:
            first = int(rng.integers(gone + 1))
            kept = small[n, there[first : first + len(there) - gone]].copy()
            small[n] = 0.0
            small[n, : len(kept)] = kept
        else:
            small[n, rng.choice(there, gone, replace=False)] = 0.0
    return small


def _other_light(small: Tensor, rng: Rng) -> Tensor:
    """Another grey scale, each slice a little by itself, a slope across the slice, noise."""
    n, slices, side, _ = small.shape

    def drawn(values: NDArray[np.float64], *shape: int) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).reshape(*shape)

    gamma = drawn(np.exp(rng.uniform(*np.log(GAMMA_SPAN), n)), n, 1, 1, 1)
    gain = drawn(rng.uniform(*GAIN_SPAN, n), n, 1, 1, 1)
    each = drawn(rng.normal(1.0, SLICE_GAIN_DEVIATION, (n, slices)), n, slices, 1, 1)
    axis = torch.linspace(-1.0, 1.0, side)
    slope = drawn(rng.normal(0.0, SHADING_DEVIATION, (n, 2)), n, 2)
    shading = 1.0 + (slope[:, :1] * axis)[:, None, None, :] + (slope[:, 1:] * axis)[:, None, :, None]
    noise = drawn(rng.uniform(0.0, NOISE_MAX, n), n, 1, 1, 1)
    grain = torch.randn(small.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31))))
    return (gain * each * shading * small.clamp(min=1e-6) ** gamma + noise * grain).clamp(0.0, 1.0)
