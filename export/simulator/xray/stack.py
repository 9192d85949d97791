"""What lies in the beam, cut into thin horizontal layers: attenuation on a canvas, one plane a height.

Joints and clutter are stamped into it; `physics` looks through it. A canvas is wider than its view by a margin on every
side, so that what lies beside a view throws its ghosts into it as on a real board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float32 throughout; NumPy's stubs lose the type in arithmetic
MAX_LAYERS = 120
MAX_CANVAS_PX = 2600


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """`heights_t` (K,) ascending and evenly spaced by `step_t`; `attenuation` (K, h, w) float32, what a ray loses in
    each layer, -ln. Pixel (x, y) of the view is [margin + y, margin + x] of the canvas."""

    heights_t: NDArray[np.float64]
    step_t: float
    margin_px: int
    attenuation: Floats

    @property
    def view_px(self) -> tuple[int, int]:
        """Height and width of the view."""
        height, width = self.attenuation.shape[1:]
        return height - 2 * self.margin_px, width - 2 * self.margin_px

    def layer(self, height_t: float) -> Floats:
        """The (h, w) plane nearest to a height: a view of the canvas, to be drawn on."""
        plane: Floats = self.attenuation[self.index(height_t)]
        return plane

    def index(self, height_t: float) -> int:
        """Which layer is nearest to a height."""
        return int(np.clip(np.rint((height_t - self.heights_t[0]) / self.step_t), 0, len(self.heights_t) - 1))

    def window(self, x_px: float, y_px: float, reach_px: float) -> Window | None:
        """The part of the canvas within `reach_px` of a place of the view; None where there is nothing of it."""
        height, width = self.attenuation.shape[1:]
        x, y = x_px + self.margin_px, y_px + self.margin_px
        x0, x1 = max(0, int(np.floor(x - reach_px))), min(width, int(np.ceil(x + reach_px)) + 1)
        y0, y1 = max(0, int(np.floor(y - reach_px))), min(height, int(np.ceil(y + reach_px)) + 1)
        if x0 >= x1 or y0 >= y1:
            return None
        return Window(
            attenuation=self.attenuation[:, y0:y1, x0:x1],
            dx_px=(np.arange(x0, x1, dtype=np.float32) - np.float32(x))[None, :],
            dy_px=(np.arange(y0, y1, dtype=np.float32) - np.float32(y))[:, None],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of the canvas around a place: (K, h, w) to draw into, and each pixel's offset from the place."""

    attenuation: Floats
    dx_px: Floats  # (1, w)
    dy_px: Floats  # (h, 1)


def empty_stack(
    view_px: tuple[int, int], lowest_t: float, highest_t: float, step_t: float, focus_t: Sequence[float]
) -> Stack:
    """A canvas for a view of (height, width) pixels that will be focused at `focus_t`. Raises ValueError when it would
    be larger than anybody needs."""
    heights = np.arange(lowest_t, highest_t + step_t / 2, step_t)
    reach = max(abs(lowest_t), abs(highest_t)) + max((abs(t) for t in focus_t), default=0.0)
    margin = int(np.ceil(reach)) + 12  # and a little for the machine's misregistration
    height, width = (side + 2 * margin for side in view_px)
    if len(heights) > MAX_LAYERS or max(height, width) > MAX_CANVAS_PX:
        raise ValueError(f"{len(heights)} layers of {width} x {height} px: at most {MAX_LAYERS} of {MAX_CANVAS_PX}")
    return Stack(
        heights_t=heights,
        step_t=step_t,
        margin_px=margin,
        attenuation=np.zeros((len(heights), height, width), np.float32),
    )


def disc(distance_px: Floats, radius_px: float | Floats) -> Floats:
    """How much of each pixel lies within a radius, 0..1, soft over one pixel."""
    return np.clip(radius_px - distance_px + np.float32(0.5), 0.0, 1.0)  # type: ignore[no-any-return]


def within(heights_t: NDArray[np.float64], low_t: float, high_t: float, step_t: float) -> NDArray[np.float32]:
    """(K,) how much of each layer lies between two heights, 0..1."""
    upper = np.minimum(heights_t + step_t / 2, high_t)
    lower = np.maximum(heights_t - step_t / 2, low_t)
    return np.asarray(np.clip(upper - lower, 0.0, None) / step_t, np.float32)
