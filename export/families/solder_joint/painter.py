"""Paints solder states over the picture of a real joint: an open ring with its pin, a dome, a bridge.

What is painted takes its brightness, tint and surroundings from the picture it is painted on, so that it fits the
camera and the light; its shape and shading are drawn at random, wider than real joints vary. Lengths are in pitches.
Every painter takes a float32 canvas (128, 128, 3), 0..255, changes it in place, and leaves the rest of the picture
alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.families.solder_joint.good_joints import CANVAS_PX, PITCH_PX

Plane = NDArray[np.float32]
Point = NDArray[np.float32]  # x and y, canvas pixels

PAD_RADIUS = (0.26, 0.345)  # pitches; what the solder side of 2.54 mm headers shows
PIN_HALF = (0.095, 0.15)
BRIDGE_HALF = (0.24, 0.34)
ERASE_RADIUS = 0.37
JOINT_WINDOW = 0.5  # half side of what a single joint can touch


@dataclass(frozen=True, slots=True, kw_only=True)
class Metal:
    """How the solder of one joint looks: dark and bright grey levels, and its tint with mean 1."""

    dark: float
    bright: float
    tint: NDArray[np.float32]  # (3,) BGR


def metal_of(canvas: Plane, centre_px: Point, rng: np.random.Generator) -> Metal:
    """The levels of the joint at `centre_px`, moved at random: no painted joint should copy its neighbour."""
    window = _Window(centre_px, centre_px, 0.27)
    pixels = canvas[window.rows, window.columns][np.hypot(window.x, window.y) < 0.27]
    grey = pixels.mean(axis=1)
    dark, middle, bright = np.percentile(grey, (15, 40, 92))
    tint = pixels[grey >= middle].mean(axis=0)
    bright = float(np.clip(bright * rng.uniform(0.75, 1.3), 90, 255))
    dark = float(np.clip(dark * rng.uniform(0.5, 1.3), 10, 0.8 * bright))
    return Metal(dark=dark, bright=bright, tint=(tint / max(float(tint.mean()), 1.0)).astype(np.float32))


def paint_missing(canvas: Plane, centre_px: Point, rng: np.random.Generator) -> None:
    """No solder: a bright tinned ring, a dark hole, and nearly always the square pin standing in it."""
    metal = metal_of(canvas, centre_px, rng)
    if rng.random() < 0.7:
        _erase(canvas, centre_px)
    window = _joint_window(centre_px, rng)
    soft_px = rng.uniform(1, 3)
    radius = rng.uniform(0.275, PAD_RADIUS[1])
    hole = radius * rng.uniform(0.5, 0.8)
    _outline(canvas, window, 1.12 * radius - window.distance, rng)
    ring = metal.bright * rng.uniform(0.6, 1.05) * (1 + window.clouds(rng, 0.12, 4))
    for _ in range(rng.integers(0, 4)):
        ring += metal.bright * rng.uniform(-0.35, 0.5) * window.lobe(rng, (0.2, 0.9))
    from_middle = np.abs(window.distance - (radius + hole) / 2) / ((radius - hole) / 2)
    ring *= 1 - rng.uniform(0, 0.35) * np.clip(from_middle, 0, 1) ** 2
    window.lay(canvas, ring, radius - window.distance, soft_px, metal.tint)
    gap = metal.dark * rng.uniform(0.4, 1.2) * (1 + window.clouds(rng, 0.2, 3))
    window.lay(canvas, gap, hole - window.distance, soft_px, metal.tint, opacity=rng.uniform(0.4, 1))
    if rng.random() < 0.92:
        _paint_pin(canvas, window, metal, soft_px, rng)


def paint_dome(canvas: Plane, centre_px: Point, rng: np.random.Generator) -> None:
    """A good joint, painted: a shaded cone or dome. Keeps 'this was painted' from meaning 'this is bad'."""
    metal = metal_of(canvas, centre_px, rng)
    if rng.random() < 0.7:
        _erase(canvas, centre_px)
    window = _joint_window(centre_px, rng)
    radius = rng.uniform(*PAD_RADIUS)
    span = metal.bright - metal.dark
    _outline(canvas, window, 1.12 * radius - window.distance, rng)
    lean = rng.normal(0, 0.07, 2)
    slide = np.clip(1 - window.distance / radius, 0, 1)
    x, y = window.x - lean[0] * slide, window.y - lean[1] * slide
    reach = np.hypot(x, y) / radius
    level = np.full_like(reach, metal.dark + span * rng.uniform(0, 0.4))
    for _ in range(rng.integers(1, 4)):
        at, width = rng.uniform(0.2, 0.8, 2)
        flank = np.exp(-((reach - at) ** 2) / (2 * width**2))
        level += span * rng.uniform(0.3, 1) * flank * window.lobe(rng, (0.25, 1.0), x, y)
    level *= 1 - rng.uniform(0.1, 0.6) * np.clip(reach, 0, 1) ** rng.uniform(2, 6)
    level += window.clouds(rng, 0.06 * metal.bright, 4)
    if rng.random() < 0.5:
        from_tip = (window.x - lean[0]) ** 2 + (window.y - lean[1]) ** 2
        level += span * rng.uniform(-0.5, 0.9) * np.exp(-from_tip / (2 * rng.uniform(0.03, 0.09) ** 2))
    window.lay(canvas, level, radius - window.distance, rng.uniform(1, 3), metal.tint)


def paint_bridge(canvas: Plane, start_px: Point, along_px: Point, metal: Metal, rng: np.random.Generator) -> None:
    """One sausage of solder from `start_px` over the vector `along_px`."""
    length = float(np.hypot(*along_px)) / PITCH_PX
    window = _Window(start_px + along_px / 2, start_px, length / 2 + JOINT_WINDOW)
    ux, uy = along_px / (length * PITCH_PX)
    along, across = window.x * ux + window.y * uy, window.y * ux - window.x * uy
    on_axis = np.clip(along, 0, length)
    bow = np.sin(on_axis / length * math.pi)
    across = across - rng.normal(0, 0.03) * bow
    half = rng.uniform(*BRIDGE_HALF) * (1 - (1 - rng.uniform(0.62, 1.15)) * bow**2)
    inside = half - np.hypot(along - on_axis, across)
    _outline(canvas, window, inside + 0.15 * half, rng)
    span, side = metal.bright - metal.dark, across / half
    level = metal.dark + span * (rng.uniform(0.1, 0.5) + rng.uniform(0.5, 1) * _ridge(side, rng, 0.6, (0.2, 0.6)))
    if rng.random() < 0.4:
        level += span * rng.uniform(0.2, 0.7) * _ridge(side, rng, 0.7, (0.1, 0.3))
    to_end = np.clip(np.abs(along - length / 2) / (length / 2 + half), 0, 1)
    level *= 1 - rng.uniform(0, 0.6) * to_end ** rng.uniform(3, 8)
    level *= 1 + window.clouds(rng, 0.12, 4)
    level += window.clouds(rng, 0.07 * metal.bright, 9)
    window.lay(canvas, level, inside, rng.uniform(1, 3), metal.tint)


class _Window:
    """The part of a canvas round `middle_px`, with coordinates in pitches from `origin_px`."""

    def __init__(self, middle_px: Point, origin_px: Point, half_pitches: float) -> None:
        half = half_pitches * PITCH_PX
        x0, y0 = (int(np.clip(math.floor(c - half), 0, CANVAS_PX - 2)) for c in middle_px)
        x1, y1 = (int(np.clip(math.ceil(c + half) + 1, 2, CANVAS_PX)) for c in middle_px)
        self.rows, self.columns = slice(y0, y1), slice(x0, x1)
        shape = (y1 - y0, x1 - x0)
        self.x = np.broadcast_to(((np.arange(x0, x1, dtype=np.float32) - origin_px[0]) / PITCH_PX)[None, :], shape)
        self.y = np.broadcast_to(((np.arange(y0, y1, dtype=np.float32) - origin_px[1]) / PITCH_PX)[:, None], shape)
        self.distance = np.hypot(self.x, self.y)

    def squash(self, ratio: float, turn_rad: float) -> None:
        """Look at the joint from the side: distances along one direction count for more."""
        c, s = math.cos(turn_rad), math.sin(turn_rad)
        u, v = self.x * c + self.y * s, (self.y * c - self.x * s) / ratio
        self.x, self.y = u * c - v * s, u * s + v * c
        self.distance = np.hypot(self.x, self.y)

    def clouds(self, rng: np.random.Generator, amount: float, cells: int) -> Plane:
        """A smooth uneven field with deviation about `amount`."""
        coarse = rng.standard_normal((cells, cells)).astype(np.float32) * np.float32(amount)
        return cv2.resize(coarse, self.x.shape[::-1], interpolation=cv2.INTER_CUBIC)

    def lobe(
        self, rng: np.random.Generator, width: tuple[float, float], x: Plane | None = None, y: Plane | None = None
    ) -> Plane:
        """1 in one random direction from the centre, falling to 0 away from it; `width` in radians, about."""
        x, y = (self.x, self.y) if x is None or y is None else (x, y)
        turn, wide = rng.uniform(-math.pi, math.pi), rng.uniform(*width)
        cosine = (x * math.cos(turn) + y * math.sin(turn)) / (np.hypot(x, y) + 1e-6)
        return np.exp(2 * (cosine - 1) / wide**2)

    def lay(
        self, canvas: Plane, level: Plane, inside: Plane, soft_px: float, tint: Point, opacity: float = 1.0
    ) -> None:
        """Cover what is `inside` (pitches, positive within) with `level` times `tint`, its edge `soft_px` wide."""
        cover = (np.clip(inside * (PITCH_PX / soft_px) + 0.5, 0, 1) * opacity)[..., None]
        part = canvas[self.rows, self.columns]
        part += cover * (np.clip(level[..., None] * tint, 0, 255) - part)


def _joint_window(centre_px: Point, rng: np.random.Generator) -> _Window:
    middle = centre_px + rng.normal(0, 0.02 * PITCH_PX, 2)
    window = _Window(middle, middle, JOINT_WINDOW)
    window.squash(rng.uniform(0.8, 1), rng.uniform(0, math.pi))
    return window


def _paint_pin(canvas: Plane, window: _Window, metal: Metal, soft_px: float, rng: np.random.Generator) -> None:
    turn, (lean_x, lean_y) = rng.uniform(0, math.pi / 2), rng.normal(0, 0.04, 2)
    x, y = window.x - lean_x, window.y - lean_y
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    half = rng.uniform(*PIN_HALF)
    square = np.maximum(np.abs(u), np.abs(v)) if rng.random() < 0.7 else (u**4 + v**4) ** 0.25
    slope_u, slope_v = rng.normal(0, 1, 2) * 0.25 * rng.random() / half
    level = metal.bright * rng.uniform(0.35, 1.0) * (1 + slope_u * u + slope_v * v + window.clouds(rng, 0.15, 7))
    if rng.random() < 0.5:  # the bevel of a cut pin: one band lighter or darker
        band = np.abs(u if rng.random() < 0.5 else v) < half / 2
        level = np.where(band, level * rng.uniform(0.6, 1.3), level)
    if rng.random() < 0.4:
        at_u, at_v = rng.uniform(-half, half, 2)
        level = level + metal.bright * rng.uniform(0.2, 0.8) * np.exp(-((u - at_u) ** 2 + (v - at_v) ** 2) / 0.00245)
    window.lay(canvas, level, half - square, soft_px, metal.tint)


def _outline(canvas: Plane, window: _Window, inside: Plane, rng: np.random.Generator) -> None:
    """The dark rim that solder mask and shadow leave round metal."""
    cover = np.clip(inside * (PITCH_PX / 3) + 0.5, 0, 1)
    canvas[window.rows, window.columns] *= (1 - 0.5 * rng.random() * cover)[..., None]


def _erase(canvas: Plane, centre_px: Point) -> None:
    """Take the joint away, filled from its surroundings; at half size, since the board there is smooth."""
    window = _Window(centre_px, centre_px, 0.7)
    part = canvas[window.rows, window.columns]
    gone = (window.distance < ERASE_RADIUS).astype(np.uint8)
    half = (max(part.shape[1] // 2, 2), max(part.shape[0] // 2, 2))
    small = cv2.resize(part, half, interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8)
    small = cv2.inpaint(small, cv2.resize(gone, half, interpolation=cv2.INTER_NEAREST), 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    cover = cv2.GaussianBlur(gone.astype(np.float32), (0, 0), 1.5)[..., None]
    part += cover * (filled - part)


def _ridge(side: Plane, rng: np.random.Generator, reach: float, width: tuple[float, float]) -> Plane:
    return np.exp(-((side - rng.uniform(-reach, reach)) ** 2) / (2 * rng.uniform(*width) ** 2))
