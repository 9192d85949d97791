"""Light and perspective on a component board: from planes to the flat picture the camera takes.

Plastic is lit by its slopes, metal shows the room through the mirror ball, tall parts throw shadows. Then every pixel
looks from the camera's place down to the first thing in its way: tall parts lean outwards and hide what is behind them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from export.simulator.artwork import PX_PER_MM
from export.simulator.board import lamp_haze, soft_field
from export.simulator.camera import Image, Pose
from export.simulator.components.planes import BareBoard, Planes
from export.simulator.components.sprite import Plane
from export.simulator.imaging import Imaging, draw
from export.simulator.light import Light, MirrorBall, shade_slopes

_VIEW_SLICES = 18
_SHADOW_SLICES = 14
_STEEPEST = 1.6  # slopes are cut here: an edge is a rounded edge
_SHADOW_DARK_FRAC = 0.5
_CORNER_DARK_FRAC = 0.3


def light_planes(
    planes: Planes,
    bare: BareBoard,
    pose: Pose,
    light: Light,
    ball: MirrorBall,
    imaging: Imaging,
    rng: np.random.Generator,
) -> tuple[Image, Plane]:
    """The lit board as the camera sees it from its place: (H,W,3) uint8 in the canvas frame, and its cover (H,W)."""
    level = _level(planes, bare, light, imaging, rng)
    lit = _surfaces(planes, bare, level, light, ball, rng)
    flat, cover = _look_from(planes, lit, level, pose, light)
    haze_frac = draw(imaging.glare_frac, rng)
    if haze_frac > 0.01:
        height, width = cover.shape
        flat += (haze_frac * lamp_haze(rng, width, height) * (1 - 0.6 * cover))[..., None]
    return cv2.convertScaleAbs(flat, alpha=255.0), np.maximum(cover, bare.artwork.board)


def _level(planes: Planes, bare: BareBoard, light: Light, imaging: Imaging, rng: np.random.Generator) -> Plane:
    """How much light falls on every place, (H,W): fall-off, shadows, corners."""
    height, width = planes.cover.shape
    lx, ly, lz = light.direction
    level = soft_field(rng, 1 - draw(imaging.uneven_frac, rng), 1.0, width, height, (lx, ly))
    level *= np.float32(light.fill * 0.55 + 0.45 * max(lz, 0.4))
    level *= _shadow(planes.shape[..., 0], light)
    return level


def _shadow(height_px: Plane, light: Light) -> Plane:
    """Factor 1 in the open, less where something stands between a place and the lamp, or close beside it."""
    rows, columns = height_px.shape
    small = cv2.resize(height_px, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    lx, ly, lz = light.direction
    slope = lz / max(1e-3, math.hypot(lx, ly))
    top = float(small.max())
    reach_px = min(top / slope, 12 * PX_PER_MM)
    dark = np.zeros_like(small)
    step_px = max(reach_px / _SHADOW_SLICES, 0.5)
    soft_px = 0.6 * step_px * slope + 1.0
    for number in range(1, _SHADOW_SLICES + 1):
        away_px = number * step_px
        move = np.array(
            [[1, 0, -lx / math.hypot(lx, ly) * away_px / 2], [0, 1, -ly / math.hypot(lx, ly) * away_px / 2]]
        )
        towards = cv2.warpAffine(small, move, small.shape[::-1], flags=cv2.INTER_LINEAR)
        np.maximum(dark, (towards - small - away_px * slope) / soft_px, out=dark)
    dark = cv2.GaussianBlur(np.clip(dark, 0, 1), (0, 0), 1.0 + 6 * light.lamp_size)
    beside = np.clip((cv2.GaussianBlur(small, (0, 0), 6.0) - small) / (2.5 * PX_PER_MM), 0, 1)
    factor = (1 - _SHADOW_DARK_FRAC * dark) * (1 - _CORNER_DARK_FRAC * beside)
    return cv2.resize(factor, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _surfaces(
    planes: Planes, bare: BareBoard, level: Plane, light: Light, ball: MirrorBall, rng: np.random.Generator
) -> Plane:
    """Colour of every place as seen from above, (H,W,3)."""
    lx, ly, lz = light.direction
    level_facing_up = 0.5 + 0.5 * lz / max(lz, 0.5)
    share = level * np.float32(level_facing_up)
    share -= (1 - planes.cover) * (0.55 * lx * bare.artwork.emboss_x + 0.55 * ly * bare.artwork.emboss_y)
    lit = planes.colour * cv2.merge([share * np.float32(gain) for gain in light.colour_bgr])

    metal = planes.shape[..., 2].ravel()
    at = np.flatnonzero((planes.cover.ravel() > 0.02) | (metal > 0.02))  # the rest is flat and dull
    dx, dy = (slope.ravel()[at] for slope in _slopes(planes, bare))
    facing = np.clip((lz - lx * dx - ly * dy) / np.sqrt(1 + dx * dx + dy * dy), 0, None)
    level_there = level.ravel()[at]
    tone = level_there * (0.5 + 0.5 / max(lz, 0.5) * facing)
    satin, polished = shade_slopes(dx, dy, ball, 0.0), shade_slopes(dx, dy, ball, 1.0)
    is_metal, shine = metal[at, None], planes.shape[..., 3].ravel()[at, None]
    grain = rng.standard_normal((len(at), 1), np.float32) * np.float32(0.012)
    dimmed = np.clip(level_there[:, None] * np.float32(1.15), 0, 1.1)
    colour = planes.colour.reshape(-1, 3)[at]
    as_metal = (satin + shine * (polished - satin) + grain) * colour * dimmed
    sheen = (np.clip(polished - 0.55, 0, 1) * (0.55 * shine) + shine * 0.05) * dimmed
    gains = np.array(light.colour_bgr, np.float32)
    as_plastic = colour * (tone[:, None] * (1 + grain)) * gains + sheen
    lit.reshape(-1, 3)[at] = as_plastic + is_metal * (as_metal - as_plastic)
    return lit


def _slopes(planes: Planes, bare: BareBoard) -> tuple[Plane, Plane]:
    """How the surface leans along x and y, each (H,W)."""
    relief = np.ascontiguousarray(planes.shape[..., 1])
    open_ = 1 - planes.cover
    along_x = np.clip(cv2.Sobel(relief, -1, 1, 0, ksize=1, scale=0.5), -_STEEPEST, _STEEPEST)
    along_y = np.clip(cv2.Sobel(relief, -1, 0, 1, ksize=1, scale=0.5), -_STEEPEST, _STEEPEST)
    return along_x + bare.metal_dx * open_, along_y + bare.metal_dy * open_


def _look_from(planes: Planes, lit: Plane, level: Plane, pose: Pose, light: Light) -> tuple[Plane, Plane]:
    """The picture from the camera's place, in the canvas frame, and the parts' cover in it."""
    height = np.ascontiguousarray(planes.shape[..., 0])
    rows, columns = height.shape
    eye_x, eye_y, eye_z = (float(v) for v in pose.camera)
    unit_px = max(float(height.max()), 1.0) / 255  # whole numbers to 255: three times as fast, and refined below
    coarse = cv2.convertScaleAbs(height, alpha=1 / unit_px)
    seen = np.zeros_like(coarse)
    slices = np.unique(np.round(255 * np.linspace(0, 1, _VIEW_SLICES + 1)[1:] ** 1.4)).astype(int)
    for number in slices:
        sight = _sight(number * unit_px, eye_x, eye_y, eye_z)
        there = cv2.warpAffine(coarse, sight, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        _, reached = cv2.threshold(there, float(number - 1), float(number), cv2.THRESH_BINARY)
        cv2.max(seen, reached, dst=seen)
    seen_z = seen * np.float32(unit_px)
    step = np.float32((slices[-1] - slices[-2]) * unit_px)
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    at_x = at_y = seen_z
    for _ in range(2):  # from the slice up to the surface itself, unless a wall goes on
        share = seen_z / np.float32(eye_z)
        at_x, at_y = x + (np.float32(eye_x) - x) * share, y + (np.float32(eye_y) - y) * share
        surface = cv2.remap(height, at_x, at_y, cv2.INTER_LINEAR)
        wall = surface > seen_z + step
        seen_z = np.where(wall, seen_z, np.minimum(surface, seen_z + step))
    flat = cv2.remap(lit, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(planes.cover, at_x, at_y, cv2.INTER_LINEAR)
    walls = np.flatnonzero(wall)
    flat.reshape(-1, 3)[walls] *= _wall_tone(walls, columns, eye_x, eye_y, light)[:, None]
    return flat, cover


def _sight(z_px: float, eye_x: float, eye_y: float, eye_z: float) -> np.ndarray:
    """Where the line of sight through a canvas place is at that height, as an affine matrix."""
    share = z_px / eye_z
    return np.array([[1 - share, 0.0, eye_x * share], [0.0, 1 - share, eye_y * share]])


def _wall_tone(walls: np.ndarray, columns: int, eye_x: float, eye_y: float, light: Light) -> Plane:
    """A wall that shows faces the camera; it is as light as the lamp stands on that side."""
    x, y = eye_x - walls % columns, eye_y - walls // columns
    reach = np.maximum(1.0, np.hypot(x, y))
    lx, ly, _ = light.direction
    return (0.62 + 0.3 * (x * lx + y * ly) / reach).astype(np.float32)
