"""The light a board is photographed in, and how metal looks in it.

Solder is a mirror, so what it shows is the room. The room is drawn once per photograph into a *mirror ball*: a
square table that says, for every direction a surface can face, what colour a camera above sees in it. Shading a
surface is then one table look-up per pixel, which is what makes fifty joints cost milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

BALL_PX = 129  # odd, so that "straight up" has a cell of its own
_HALF = BALL_PX // 2

Pixels = NDArray[np.float32]  # H x W x 3, BGR, linear-ish 0..1, may exceed 1 before the sensor clips it


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One photograph's light, in the board's own frame (azimuth 0 = along x, clockwise as seen)."""

    azimuth_rad: float
    elevation_rad: float
    key: float  # strength of the main lamp's reflection
    lamp_size: float  # 0.02 a bulb, 0.3 a window
    fill: float  # light from everywhere
    ring: float  # strength of a ring lamp round the lens; 0 in a plain room
    colour_bgr: tuple[float, float, float]

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector towards the lamp: x right, y down, z to the camera."""
        flat = math.cos(self.elevation_rad)
        return flat * math.cos(self.azimuth_rad), flat * math.sin(self.azimuth_rad), math.sin(self.elevation_rad)


@dataclass(frozen=True, slots=True)
class MirrorBall:
    """Two (129,129,3) float32 BGR tables indexed by surface direction (ny, nx): polished metal and satin metal."""

    polished: Pixels
    satin: Pixels


def mirror_ball(light: Light, rng: np.random.Generator) -> MirrorBall:
    """Draw the room for one photograph: lamp, a second weaker one, ring lamp, walls, and the green board below."""
    axis = np.linspace(-1.0, 1.0, BALL_PX, dtype=np.float32)
    nx, ny = np.meshgrid(axis, axis)
    nz = np.sqrt(np.clip(1.0 - nx * nx - ny * ny, 0.0, 1.0))
    rx, ry, rz = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1  # the camera's line of sight, mirrored

    lx, ly, lz = light.direction
    lamp = np.exp((rx * lx + ry * ly + rz * lz - 1.0) / light.lamp_size) * light.key
    other = light.azimuth_rad + rng.uniform(1.8, 4.4)
    second = 0.35 * np.exp((rx * math.cos(other) * 0.8 + ry * math.sin(other) * 0.8 + rz * 0.6 - 1.0) / 0.12)
    ring = light.ring * np.exp(-(((rz - 0.62) / 0.16) ** 2))
    walls = _walls(rng)[
        np.clip(((rz + 1) * 4).astype(int), 0, 7),
        (np.arctan2(ry, rx) * (32 / (2 * math.pi))).astype(int) % 32,
    ]
    walls = 1 + (walls - 1) * np.clip((1 - rz) / 0.6, 0, 1)  # overhead all azimuths meet: one tone there
    sky = light.fill * (0.30 + 0.30 * np.clip(rz, 0, 1)) * walls
    facing = np.clip(nx * lx + ny * ly + nz * lz, 0, 1)
    above = np.clip((rz + 0.55) / 0.8, 0, 1)  # steep flanks mirror the board, not the room
    grey = (sky + 0.8 * second + ring + lamp) * above + (0.03 + 0.26 * facing * facing) * light.fill
    colour = np.array(light.colour_bgr, np.float32)
    board = np.array([0.10, 0.16, 0.06], np.float32) * light.fill * (0.4 + 0.6 * facing[..., None])
    polished = (grey[..., None] * colour + (1 - above)[..., None] * board).astype(np.float32)
    satin = cv2.GaussianBlur(polished, (0, 0), 11) * (0.8 + 0.25 * facing[..., None])
    return MirrorBall(cv2.GaussianBlur(polished, (0, 0), 2.5), satin.astype(np.float32))


def _walls(rng: np.random.Generator) -> NDArray[np.float32]:
    """(8,32) factors round 1: dark furniture and bright windows by elevation and azimuth, smooth."""
    coarse = rng.uniform(0.35, 1.55, size=(4, 8)).astype(np.float32)
    coarse = np.concatenate([coarse, coarse[:, :1]], axis=1)
    return cv2.resize(coarse, (33, 8), interpolation=cv2.INTER_CUBIC)[:, :32]


def shade(height_px: NDArray[np.float32], ball: MirrorBall, gloss_frac: float) -> Pixels:
    """What the camera sees of a metal surface of that height (H x W, pixels); `gloss_frac` 1 polished, 0 satin."""
    dy, dx = np.gradient(height_px)
    return shade_slopes(dx, dy, ball, gloss_frac)


def shade_slopes(dx: NDArray[np.float32], dy: NDArray[np.float32], ball: MirrorBall, gloss_frac: float) -> Pixels:
    """The same from slopes, of any shape; returns that shape + (3,)."""
    scale = _HALF / np.sqrt(1.0 + dx * dx + dy * dy)
    cell = (_HALF - dy * scale + 0.5).astype(np.intp) * BALL_PX + (_HALF - dx * scale + 0.5).astype(np.intp)
    polished = ball.polished.reshape(-1, 3)[cell]
    satin = ball.satin.reshape(-1, 3)[cell]
    return satin + np.float32(gloss_frac) * (polished - satin)
