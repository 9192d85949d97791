"""Shapes on a canvas that copper and parts are made of: discs, tracks, boxes, streaks of glass cloth, and the line at
which poured copper ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.stack import Floats, Stack

Rng = np.random.Generator
Place = tuple[float, float]

WEAVE_PX = (12.0, 2.5)  # glass cloth: streaks along x in the real slices, of 0.006 to 0.010
_SUBPIXEL = 4  # bits of cv2's fixed point


@dataclass(frozen=True, slots=True, kw_only=True)
class Shore:
    """The line at which the copper of all layers ends: beyond it vias stand, and the ground is light. On the real board
    it lies two rows of balls inside the array."""

    along: tuple[float, float]
    offset: float  # of the canvas's side

    @classmethod
    def drawn(cls, rng: Rng) -> Shore:
        """By lot: along x or y, on either side."""
        turn = rng.integers(4) * np.pi / 2
        return cls(along=(float(np.cos(turn)), float(np.sin(turn))), offset=float(rng.uniform(-0.35, 0.25)))

    def covers(self, stack: Stack, place: Place) -> bool:
        """Whether there is poured copper at a place of the view."""
        height, width = stack.view_px
        x, y = place[0] / width - 0.5, place[1] / height - 0.5
        return bool(x * self.along[0] + y * self.along[1] < self.offset)

    def cut(self, mask: NDArray[np.uint8], jitter: float) -> None:
        """Take the copper away beyond the line."""
        height, width = mask.shape
        x = np.arange(width)[None, :] / width - 0.5
        y = np.arange(height)[:, None] / height - 0.5
        mask[(x * self.along[0] + y * self.along[1]) >= self.offset + jitter] = 0


def streaks(shape: tuple[int, ...], deviation: float, rng: Rng) -> Floats:
    """(h, w) float32 streaks of that standard deviation."""
    long_px, short_px = WEAVE_PX
    coarse = rng.standard_normal((round(shape[0] / short_px), round(shape[1] / long_px)), dtype=np.float32)
    streaks = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(streaks * np.float32(deviation / 0.8), np.float32)  # interpolation leaves 0.8 of the deviation


def box(mask: Floats, x: float, y: float, half: tuple[float, float], value: float) -> None:
    """Set what lies within `half` of a place, along x and y."""
    x0, x1 = (int(np.clip(x + side * half[0], 0, mask.shape[1])) for side in (-1, 1))
    y0, y1 = (int(np.clip(y + side * half[1], 0, mask.shape[0])) for side in (-1, 1))
    mask[y0:y1, x0:x1] = np.float32(value)


def circle(mask: NDArray[np.uint8], x: float, y: float, radius: float, value: int) -> None:
    """A disc to a sixteenth of a pixel."""
    scale = 1 << _SUBPIXEL
    centre = (round(x * scale), round(y * scale))
    cv2.circle(mask, centre, round(radius * scale), value, -1, cv2.LINE_AA, _SUBPIXEL)


def polyline(mask: NDArray[np.uint8], path: NDArray[np.float64], width_px: float, value: int = 255) -> None:
    """Tracks as wide as asked, to half a pixel: drawn as polygons, because cv2's lines have whole widths."""
    scale = 1 << _SUBPIXEL
    for begin, end in pairwise(path):
        step = end - begin
        side = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9) * width_px / 2
        corners = np.rint(np.array([begin + side, end + side, end - side, begin - side]) * scale).astype(np.int32)
        circle(mask, float(end[0]), float(end[1]), width_px / 2, value)
        cv2.fillConvexPoly(mask, corners, value, cv2.LINE_AA, _SUBPIXEL)
