"""A package's outline: four edges found from the picture's border inwards, each held against its own straight line."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.board import Floats, Image

N_SCANS = 48
ENDS_FRAC = 0.06  # of the side: corners are rounded and not looked at
FAR_FRAC = 0.3  # of the side: an edge lies no deeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """`middle_px` x, y of the package; `chip_px` the farthest that any edge is off its line, at `chip_at_px` x, y."""

    middle_px: tuple[float, float]
    chip_px: float
    chip_at_px: tuple[int, int]


def find_outline(grey: Image, step_grey: float) -> Outline | None:
    """The outline of a package on a ground that differs by `step_grey` or more, in a picture (h, w) uint8; None where
    an edge is not seen on half of its length."""
    smooth = np.asarray(cv2.blur(grey, (3, 3)), np.uint8)
    lines, worst, worst_at = [], 0.0, (0, 0)
    for turns in range(4):  # top, right, bottom, left edge, turned to be the top
        turned = np.rot90(smooth, turns)
        depth, at = _depths(turned, step_grey)
        seen = np.isfinite(depth)
        if seen.mean() < 0.5:
            return None
        slope, level = _line(at[seen], depth[seen])
        off = np.where(seen, np.abs(depth - slope * at - level), 0.0)
        k = int(np.argmax(off))
        if off[k] > worst:
            worst, worst_at = float(off[k]), _turned_back(turned.shape, turns, float(at[k]), float(depth[k]))
        lines.append(level + slope * (turned.shape[1] - 1) / 2)
    top, right, bottom, left = lines
    height, width = grey.shape
    middle = ((left + width - 1 - right) / 2, (top + height - 1 - bottom) / 2)
    return Outline(middle_px=middle, chip_px=worst, chip_at_px=worst_at)


def _depths(picture: Image, step_grey: float) -> tuple[Floats, Floats]:
    """First row from the top that differs by half the step from the border, on N_SCANS columns; inf where none does."""
    height, width = picture.shape
    at = np.linspace(ENDS_FRAC * width, (1 - ENDS_FRAC) * width, N_SCANS).astype(np.int64)
    scans = picture[: int(FAR_FRAC * height), at].astype(np.float32)
    outside = np.median(scans[:2])
    differs = np.abs(scans - outside) >= step_grey / 2
    depth = np.where(differs.any(0), np.argmax(differs, axis=0), np.inf)
    return np.asarray(np.where(depth > 1, depth, np.inf), np.float32), at.astype(np.float32)


def _line(at: Floats, depth: Floats) -> tuple[float, float]:
    """Slope and level of a straight edge, by medians (Theil and Sen), so that a chip does not tilt it."""
    half = len(at) // 2
    slope = float(np.median((depth[-half:] - depth[:half]) / np.maximum(at[-half:] - at[:half], 1.0))) if half else 0.0
    return slope, float(np.median(depth - slope * at))


def _turned_back(shape: tuple[int, ...], turns: int, x: float, y: float) -> tuple[int, int]:
    """x, y in the picture of a place in one turned by so many right angles."""
    height, width = shape[0], shape[1]
    for _ in range(turns):  # rot90 takes (x, y) to (y, width - 1 - x); back again
        x, y = height - 1 - y, x
        height, width = width, height
    return round(x), round(y)
