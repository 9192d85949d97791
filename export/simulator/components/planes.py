"""The board as planes of colour and height, and how a drawn part is laid on them: turned, shifted, tilted.

`Planes` start as a copy of the bare board (drawn once per layout) and take one sprite after the other. Positions and
heights are canvas pixels, 13.2 a millimetre.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.artwork import Artwork, canvas_px, draw_artwork
from export.simulator.components.drawing import footprint_sprite
from export.simulator.components.layout import ComponentLayout, turned
from export.simulator.components.sprite import OVER, Plane, Sprite

_MAX_TILT_SLICES = 32  # a tilted body is stacked from slices, so that its side shows
_SIDE_TONE = 0.62  # of a slice that another one covers


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """`colour` (H,W,3) BGR reflectance; `shape` (H,W,4): height, relief, metal, gloss; `cover` (H,W) 1 on parts."""

    colour: Plane
    shape: Plane
    cover: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Where a sprite goes: its middle, its angle (clockwise as seen), and which way it is tilted by how much.

    `tilt_towards_deg` is the direction on the board of the end that is up; `half_px` how far it is from the middle.
    """

    x_px: float
    y_px: float
    angle_deg: float
    tilt_deg: float = 0.0
    tilt_towards_deg: float = 0.0
    half_px: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class BareBoard:
    """A board without its parts: its artwork, its planes, and the slopes of the artwork's own metal (H,W)."""

    artwork: Artwork
    planes: Planes
    metal_dx: Plane
    metal_dy: Plane


@functools.lru_cache(maxsize=3)  # 50 MB each
def bare_board(layout: ComponentLayout) -> BareBoard:
    """The board with pads, holes and print, before any part is on it; the arrays are shared and read-only."""
    artwork = draw_artwork(layout.board)
    size = artwork.board.shape
    colour, shape = artwork.colour.copy(), np.zeros((*size, 4), np.float32)
    shape[..., 3] = 0.12  # solder mask shines a little
    metal_dx, metal_dy = np.zeros(size, np.float32), np.zeros(size, np.float32)
    metal_dx.ravel()[artwork.metal_at] = artwork.metal_dx
    metal_dy.ravel()[artwork.metal_at] = artwork.metal_dy
    metal = np.zeros(size, np.float32)
    metal.ravel()[artwork.metal_at] = artwork.metal_cover
    shape[..., 2] = metal
    colour += metal[..., None] * (0.95 - colour)
    planes = Planes(colour, shape, np.zeros(size, np.float32))
    for site in layout.sites:
        at = Laid(x_px=canvas_px(site.x_mm), y_px=canvas_px(site.y_mm), angle_deg=site.part.mounted_deg)
        lay(planes, footprint_sprite(site.part), at)
    planes.cover[:] = 0
    for plane in (colour, shape, planes.cover, metal_dx, metal_dy):
        plane.flags.writeable = False
    return BareBoard(artwork, planes, metal_dx, metal_dy)


def lay(planes: Planes, sprite: Sprite, at: Laid, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    """Lay a sprite over what is there; `tint` are gains of blue, green, red."""
    tilt = math.radians(at.tilt_deg)
    up = np.array(turned(1.0, 0.0, at.tilt_towards_deg))
    turn = np.array([turned(1.0, 0.0, at.angle_deg), turned(0.0, 1.0, at.angle_deg)]).T
    linear = (np.eye(2) + (math.cos(tilt) - 1) * np.outer(up, up)) @ turn / OVER
    middle = np.array([at.x_px, at.y_px]) - at.half_px * (1 - math.cos(tilt)) * up  # the low end stays where it is
    if tilt < 1e-3:
        _lay_slice(planes, sprite, linear, middle, tint, None)
        return
    top_px = float(sprite.shape[..., 0].max())
    slices = int(np.clip(math.ceil(top_px * math.sin(tilt)), 4, _MAX_TILT_SLICES))  # shifted by a pixel or two
    for z_px in np.linspace(0.0, top_px, slices):
        ramp = (math.tan(tilt) * up, at.half_px * math.sin(tilt), math.cos(tilt))
        cut = _Cut(float(z_px), top_px / (slices - 1), ramp, middle)
        _lay_slice(planes, sprite, linear, middle - z_px * math.sin(tilt) * up, tint, cut)


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One slice of a tilted body: what reaches `z_px`, raised by the tilt's ramp (slope, offset, gain of heights)."""

    z_px: float
    step_px: float
    ramp: tuple[NDArray[np.float64], float, float]
    pivot: NDArray[np.float64]


def _lay_slice(
    planes: Planes,
    sprite: Sprite,
    linear: NDArray[np.float64],
    middle: NDArray[np.float64],
    tint: tuple[float, float, float],
    cut: _Cut | None,
) -> None:
    sprite_h, sprite_w = sprite.paint.shape[:2]
    half = np.abs(linear) @ np.array([sprite_w / 2, sprite_h / 2]) + 2
    size = planes.cover.shape[::-1]
    low = np.clip(np.floor(middle - half).astype(int), 0, size)
    high = np.clip(np.ceil(middle + half).astype(int) + 1, 0, size)
    if (high - low).min() < 1:
        return
    centre = np.array([sprite_w // 2, sprite_h // 2])
    matrix = np.column_stack([linear, middle - low - linear @ centre])
    window_size = (int(high[0] - low[0]), int(high[1] - low[1]))
    paint = cv2.warpAffine(sprite.paint, matrix, window_size, flags=cv2.INTER_LINEAR)
    shape = cv2.warpAffine(sprite.shape, matrix, window_size, flags=cv2.INTER_LINEAR)
    if cut is not None:
        _tilt_slice(paint, shape, cut, low)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    bare = 1 - paint[..., 3]
    planes.colour[window] *= bare[..., None]
    planes.colour[window] += paint[..., :3] * np.array(tint, np.float32)
    planes.shape[window] *= bare[..., None]
    planes.shape[window] += shape
    np.maximum(planes.cover[window], paint[..., 3], out=planes.cover[window])


def _tilt_slice(paint: Plane, shape: Plane, cut: _Cut, low: NDArray[np.int64]) -> None:
    """Keep what reaches the slice, darken what goes on above it, and raise it along the ramp."""
    cover = paint[..., 3]
    height = shape[..., 0] / np.maximum(cover, 1e-3)
    keep = (height >= cut.z_px - 0.5).astype(np.float32)
    goes_on = height > cut.z_px + cut.step_px
    paint *= keep[..., None]
    shape *= keep[..., None]
    paint[..., :3] *= np.where(goes_on, np.float32(_SIDE_TONE), np.float32(1))[..., None]
    slope, offset, gain = cut.ramp
    x = np.arange(cover.shape[1], dtype=np.float32)[None, :] + low[0] - cut.pivot[0]
    y = np.arange(cover.shape[0], dtype=np.float32)[:, None] + low[1] - cut.pivot[1]
    ramp = np.maximum(x * np.float32(slope[0]) + y * np.float32(slope[1]) + np.float32(offset), 0)
    shape[..., 0] = cover * keep * (ramp + gain * np.minimum(height, cut.z_px + cut.step_px))
    shape[..., 1] += cover * keep * ramp
