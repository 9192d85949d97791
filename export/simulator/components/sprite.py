"""A sheet to draw one component on, seen from straight above: colour, height, small relief, metal and gloss.

Everything is drawn with signed distances (millimetres, positive inside) on the part's own frame, twice as large as the
board's canvas, so that edges stay smooth at any angle. Heights and relief are kept in canvas pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.artwork import PX_PER_MM
from export.simulator.components.looks import Bgr
from export.simulator.silkscreen_font import ADVANCE, GLYPH_HEIGHT, text_strokes

OVER = 2  # sprite pixels to a canvas pixel
SCALE = PX_PER_MM * OVER  # sprite pixels to a millimetre
_SHIFT = 4

Plane = NDArray[np.float32]
Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A drawn part. `paint` (h,w,4): BGR times cover, cover; `shape` (h,w,4): height, relief, metal, gloss times cover.

    Height and relief are in canvas pixels; the part's origin is the middle of the array.
    """

    paint: Plane
    shape: Plane


class Sheet:
    """Draws from the bottom up; later bodies lie over earlier ones."""

    def __init__(self, width_mm: float, height_mm: float) -> None:
        half_w, half_h = (math.ceil(v / 2 * SCALE) for v in (width_mm, height_mm))
        self.x = (np.arange(-half_w, half_w + 1, dtype=np.float32) / SCALE)[None, :]
        self.y = (np.arange(-half_h, half_h + 1, dtype=np.float32) / SCALE)[:, None]
        self.cover = np.zeros((self.y.size, self.x.size), np.float32)
        self.colour = np.zeros((*self.cover.shape, 3), np.float32)
        self.shape = np.zeros((*self.cover.shape, 4), np.float32)

    # -- signed distances -----

    def box(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float, radius_mm: float = 0.0) -> Plane:
        """A rectangle with rounded corners."""
        dx = np.abs(self.x - x_mm) - (width_mm / 2 - radius_mm)
        dy = np.abs(self.y - y_mm) - (height_mm / 2 - radius_mm)
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
        return (radius_mm - outside - np.minimum(np.maximum(dx, dy), 0)).astype(np.float32)

    def disc(self, x_mm: float, y_mm: float, radius_mm: float) -> Plane:
        """A round."""
        return (radius_mm - np.hypot(self.x - x_mm, self.y - y_mm)).astype(np.float32)

    def line(self, start_mm: tuple[float, float], end_mm: tuple[float, float], width_mm: float) -> Plane:
        """A straight stroke with round ends."""
        (x0, y0), (x1, y1) = start_mm, end_mm
        along = np.array([x1 - x0, y1 - y0])
        t = ((self.x - x0) * along[0] + (self.y - y0) * along[1]) / max(1e-6, float(along @ along))
        t = np.clip(t, 0, 1)
        gap = np.hypot(self.x - x0 - t * along[0], self.y - y0 - t * along[1])
        return (width_mm / 2 - gap).astype(np.float32)

    # -- laying -----

    def body(
        self,
        inside_mm: Plane,
        colour: Bgr,
        *,
        height_mm: float | Plane,
        bevel_mm: float = 0.3,
        relief_mm: Plane | None = None,
        metal: float = 0.0,
        gloss: float = 0.3,
    ) -> None:
        """A body whose top is at that height; `relief_mm` its fine shape, else an edge rounded over `bevel_mm`."""
        window = _window(inside_mm)
        inside = inside_mm[window]
        share = np.clip(inside * SCALE + 0.5, 0, 1)
        if relief_mm is None:
            edge = np.clip(inside / bevel_mm, 0, 1)
            relief = bevel_mm * np.sqrt(edge * (2 - edge))
        else:
            relief = relief_mm[window]
        height = height_mm[window] if isinstance(height_mm, np.ndarray) else height_mm
        shape = self.shape[window]
        for plane, value in enumerate((height * PX_PER_MM, relief * PX_PER_MM, metal, gloss)):
            shape[..., plane] += share * (value - shape[..., plane])
        self._tint(window, share, colour)
        np.maximum(self.cover[window], share, out=self.cover[window])

    def ink(self, inside_mm: Plane, colour: Bgr, opacity: float = 1.0, metal: float | None = None) -> None:
        """Colour on what is already there; the shape under it stays. `metal` None keeps the surface as it was."""
        window = _window(inside_mm)
        share = np.clip(inside_mm[window] * SCALE + 0.5, 0, 1) * opacity * (self.cover[window] > 0)
        self._tint(window, share, colour)
        if metal is not None:
            surface = self.shape[window][..., 2]
            surface += share * (metal - surface)

    def carve(self, inside_mm: Plane, depth_mm: float, soft_mm: float = 0.25) -> None:
        """A groove pressed into the relief, with sloping sides."""
        window = _window(inside_mm)
        self.shape[window][..., 1] -= depth_mm * PX_PER_MM * np.clip(inside_mm[window] / soft_mm, 0, 1)

    def text(
        self,
        lines: tuple[str, ...],
        height_mm: float,
        colour: Bgr,
        *,
        at_mm: tuple[float, float] = (0.0, 0.0),
        fit_mm: float = 99.0,
        opacity: float = 0.85,
    ) -> None:
        """Printed lines, centred; set smaller where the longest would not fit the width."""
        if not lines:
            return
        longest = max(len(line) for line in lines)
        height_mm = min(height_mm, fit_mm * GLYPH_HEIGHT / (ADVANCE * longest))
        plane = np.zeros(self.cover.shape, np.uint8)
        middle = np.array([self.x.size // 2, self.y.size // 2])
        for number, line in enumerate(lines):
            down_mm = (number - (len(lines) - 1) / 2) * 1.5 * height_mm
            for stroke in text_strokes(line, height_mm):
                pixels = (stroke + np.array([at_mm[0], at_mm[1] + down_mm])) * SCALE + middle
                points = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
                width_px = max(1, round(0.15 * height_mm * SCALE))
                cv2.polylines(plane, [points], False, 255, width_px, cv2.LINE_AA, _SHIFT)
        x, y, width, height = cv2.boundingRect(plane)
        window = (slice(y, y + height), slice(x, x + width))
        share = plane[window].astype(np.float32) * np.float32(opacity / 255) * (self.cover[window] > 0)
        self._tint(window, share, colour)
        self.shape[window][..., 2] *= 1 - share

    def _tint(self, window: Window, share: Plane, colour: Bgr) -> None:
        patch = self.colour[window]
        patch += share[..., None] * (np.array(colour, np.float32) - patch)

    def finish(self) -> Sprite:
        """The drawing, with its cover multiplied in."""
        cover = self.cover[..., None]
        sprite = Sprite(np.concatenate([self.colour * cover, cover], axis=2), self.shape * cover)
        sprite.paint.flags.writeable = sprite.shape.flags.writeable = False
        return sprite


def _window(inside_mm: Plane) -> Window:
    """The rows and columns a shape touches; the sheet is mostly empty."""
    touched = inside_mm > -1 / SCALE
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
