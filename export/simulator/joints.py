"""One through-hole joint as seen from the solder side: its shape, then its picture.

A joint is a stack of layers, each a height map with a cover (0..1), a tint and a gloss; `joint_layers` builds the
stack for a state, `paint` shades and stacks it into a picture. Lengths are in pitches until they reach pixels, so a
joint looks the same at any scale. The shapes follow what boards show: a good joint is a glossy volcano round a pin
tip, insufficient solder is a low hollow fillet with pad copper round it, no solder leaves the pin standing in its
hole, excess solder is a ball without a tip, a bridge is one sausage over two or more pins.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.light import MirrorBall, shade

PAD_RADIUS = 0.335  # all in pitches: 1.7 mm pads, 1.0 mm holes, 0.64 mm pins at 2.54 mm
HOLE_RADIUS = 0.20
PIN_HALF = 0.135
WINDOW_RADIUS = 0.62  # half of what is painted for one joint

_TIN = (0.96, 0.95, 0.94)
_COPPER = (0.55, 0.69, 0.88)
_HOLE = (0.13, 0.16, 0.14)

Plane = NDArray[np.float32]


class JointState(enum.Enum):
    """What the soldering machine left at a pin."""

    GOOD = "good"
    MISSING = "missing"
    OPEN_HOLE = "open_hole"  # neither solder nor pin
    INSUFFICIENT = "insufficient"
    BRIDGE = "bridge"
    EXCESSIVE = "excessive"

    @property
    def label(self) -> str:
        """The name used in data sets: an open hole is one way of missing solder."""
        return "missing" if self is JointState.OPEN_HOLE else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """How a batch was soldered: shared by all joints of one board, so boards differ more than joints do."""

    gloss_frac: float  # 1 leaded mirror, 0 satin lead-free
    volume: float  # solder heights, about 1
    hollow: float  # 0 round domes .. 1 volcano flanks
    bare_tip_frac: float  # share of pin tips that solder does not cover
    warm: float  # tint of the metal: below 0 bluish, above 0 yellowish


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where a joint lies on the canvas and how the camera looks at it."""

    pitch_px: float
    lean: tuple[float, float]  # how far a point one pitch above the board appears moved, in pitches (x, y)
    offset_px: tuple[float, float]  # of the joint's centre from the middle pixel of its window


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Part of a joint: `height` and `cover` are HxW float32 (pixels; 0..1)."""

    height: Plane
    cover: Plane
    tint_bgr: tuple[float, float, float]
    gloss_frac: float


def draw_lot(rng: np.random.Generator) -> Lot:
    """A batch at random: from bright leaded to dull lead-free."""
    return Lot(
        gloss_frac=float(rng.uniform(0.3, 1.0)),
        volume=float(rng.uniform(0.85, 1.15)),
        hollow=float(rng.uniform(0.1, 0.9)),
        bare_tip_frac=float(rng.uniform(0.0, 0.35)),
        warm=float(rng.uniform(-0.05, 0.05)),
    )


def joint_layers(
    state: JointState,
    view: View,
    lot: Lot,
    rng: np.random.Generator,
    partners: Sequence[tuple[float, float]] = (),
) -> list[Layer]:
    """The stack for one joint, bottom first, in a square window of odd side with the joint in its middle.

    `partners` are the (x, y) offsets in pitches of the pins this one's bridge reaches out to; only a BRIDGE has any.
    Each bridged pair is painted from one end only, so the window grows to hold it.
    """
    grid = _Grid(view, 1.0 if partners else 0.0)
    match state:
        case JointState.GOOD:
            return _dome(grid, lot, rng)
        case JointState.EXCESSIVE:
            return _ball(grid, lot, rng)
        case JointState.INSUFFICIENT:
            return _hollow_fillet(grid, lot, rng)
        case JointState.MISSING:
            return [*_pad_with_hole(grid, lot, rng), _pin(grid, lot, rng, length=float(rng.uniform(0.25, 0.5)))]
        case JointState.OPEN_HOLE:
            return _pad_with_hole(grid, lot, rng)
        case JointState.BRIDGE:
            return _sausage(grid, lot, rng, partners)


def paint(layers: Sequence[Layer], ball: MirrorBall, lot: Lot) -> tuple[NDArray[np.float32], Plane]:
    """Shade and stack: an HxWx3 BGR picture and its HxW cover, both float32."""
    side = layers[0].cover.shape
    picture = np.zeros((*side, 3), np.float32)
    covered = np.zeros(side, np.float32)
    warm = np.array([1 - lot.warm, 1.0, 1 + lot.warm], np.float32)
    for layer in layers:
        colour = shade(layer.height, ball, layer.gloss_frac) * (np.array(layer.tint_bgr, np.float32) * warm)
        cover = layer.cover[..., None]
        picture += cover * (colour - picture)
        covered = np.maximum(covered, layer.cover)
    return picture, covered


class _Grid:
    """Coordinates of one window, in pitches from the joint's centre, and shapes drawn on them."""

    def __init__(self, view: View, reach: float) -> None:
        self.pitch_px = view.pitch_px
        self.lean = view.lean
        half = window_half_px(view.pitch_px, reach)
        axis = np.arange(-half, half + 1, dtype=np.float32)
        self.x = np.broadcast_to((axis - view.offset_px[0])[None, :] / view.pitch_px, (2 * half + 1,) * 2)
        self.y = np.broadcast_to((axis - view.offset_px[1])[:, None] / view.pitch_px, (2 * half + 1,) * 2)

    def cover(self, inside: Plane) -> Plane:
        """Anti-aliased cover from a signed distance in pitches, positive inside."""
        return np.clip(inside * self.pitch_px + 0.5, 0.0, 1.0)

    def wobbly_radius(self, x: Plane, y: Plane, rng: np.random.Generator, amount: float) -> Plane:
        """Distance from the centre with a slightly uneven outline: solder never wets a perfect circle."""
        radius = np.sqrt(x * x + y * y) + np.float32(1e-6)
        stretch, lobes = rng.uniform(-amount, amount, size=2)
        turn = rng.uniform(0, 2 * math.pi, size=2)
        c, s = x / radius, y / radius
        double = (c * c - s * s) * math.cos(turn[0]) + 2 * c * s * math.sin(turn[0])
        triple = c * (4 * c * c - 3) * math.cos(turn[1]) + s * (3 - 4 * s * s) * math.sin(turn[1])
        return radius * (1 + stretch * double + 0.6 * lobes * triple).astype(np.float32)

    def ripple(self, rng: np.random.Generator, amount: float, cells: int = 7) -> Plane:
        """A smooth uneven height, `amount` in pitches."""
        coarse = rng.standard_normal((cells, cells)).astype(np.float32) * amount
        return cv2.resize(coarse, self.x.shape[::-1], interpolation=cv2.INTER_CUBIC)

    def flat(self) -> Plane:
        return np.zeros(self.x.shape, np.float32)

    def layer(self, height: Plane, cover: Plane, tint: tuple[float, float, float], gloss: float) -> Layer:
        return Layer(height * self.pitch_px, cover, tint, min(1.0, max(0.0, gloss)))


def window_half_px(pitch_px: float, reach: float = 0.0) -> int:
    """Half side of the painted window: the window is 2 x half + 1 pixels; `reach` pitches more for a bridge."""
    return math.ceil((WINDOW_RADIUS + reach) * pitch_px) + 1


def _gloss(lot: Lot, rng: np.random.Generator) -> float:
    return float(lot.gloss_frac + rng.normal(0.0, 0.15))


def _dome(grid: _Grid, lot: Lot, rng: np.random.Generator) -> list[Layer]:
    """Good: a volcano or a round dome that wets the whole pad, with or without a bare pin tip."""
    radius = PAD_RADIUS * rng.uniform(0.95, 1.12)
    height = lot.volume * rng.uniform(0.19, 0.33)
    lean_x = grid.lean[0] * height + rng.normal(0, 0.025)
    lean_y = grid.lean[1] * height + rng.normal(0, 0.025)
    # The flank leans: the outline stays on the pad, the top moves to where the pin (or the view) takes it.
    plain = np.sqrt(grid.x**2 + grid.y**2) / radius
    slide = np.clip(1 - plain, 0, 1)
    x, y = grid.x - slide * lean_x, grid.y - slide * lean_y
    reach = grid.wobbly_radius(x, y, rng, 0.07) / radius
    inner = np.clip(1 - reach, 0, 1)
    hollow = float(np.clip(lot.hollow + rng.normal(0, 0.2), 0, 1))
    flank = inner ** rng.uniform(0.9, 1.5)
    round_top = np.sqrt(np.clip(1 - reach * reach, 0, 1))
    surface = height * (hollow * flank + (1 - hollow) * round_top) + grid.ripple(rng, 0.006)
    gloss = _gloss(lot, rng)
    bare = rng.random() < lot.bare_tip_frac
    tip = PIN_HALF * (rng.uniform(0.75, 0.95) if bare else rng.uniform(0.3, 0.9))
    edge = _square(grid.x - lean_x, grid.y - lean_y, rng.normal(0, 0.15))
    nub = height * rng.uniform(0.9, 1.2) - np.maximum(edge - tip, 0) * (3.0 if bare else rng.uniform(1.0, 2.0))
    nub = nub + rng.normal(0, 0.25) * grid.x + rng.normal(0, 0.25) * grid.y  # cut pins end at an angle
    surface = _smooth_max(surface, nub.astype(np.float32), 0.03 if bare else 0.06)
    layers = [grid.layer(surface, grid.cover((1 - reach) * radius), _TIN, gloss)]
    if bare:
        facet = grid.ripple(rng, 0.012, cells=4) - 0.25 * np.maximum(edge - 0.6 * tip, 0)
        layers.append(grid.layer(facet, 0.85 * grid.cover(tip - edge), (0.80, 0.88, 0.93), 0.5 * gloss))
    return layers


def _ball(grid: _Grid, lot: Lot, rng: np.random.Generator) -> list[Layer]:
    """Excessive: a ball wider than the pad that hides the pin."""
    radius = PAD_RADIUS * rng.uniform(1.12, 1.32)
    height = lot.volume * rng.uniform(0.34, 0.46)
    reach = grid.wobbly_radius(grid.x, grid.y, rng, 0.05) / radius
    slide = np.sqrt(np.clip(1 - reach * reach, 0, 1))
    x, y = grid.x - slide * grid.lean[0] * height, grid.y - slide * grid.lean[1] * height
    reach = np.sqrt(x * x + y * y) / radius
    surface = height * np.sqrt(np.clip(1 - reach**2.4, 0, 1)) + grid.ripple(rng, 0.008)
    return [grid.layer(surface.astype(np.float32), grid.cover((1 - reach) * radius), _TIN, _gloss(lot, rng))]


def _pad_with_hole(grid: _Grid, lot: Lot, rng: np.random.Generator) -> list[Layer]:
    """The bare pad: a thin tinned ring, uneven, round a dark hole."""
    radius = PAD_RADIUS * rng.uniform(0.95, 1.04)
    hole = HOLE_RADIUS * rng.uniform(1.05, 1.25)
    distance = np.sqrt(grid.x**2 + grid.y**2)
    # Tin on a bare ring stands up as a low round bead and mirrors the lamp on both sides.
    middle, half = (radius + hole) / 2, (radius - hole) / 2
    bead = 0.05 * np.sqrt(np.clip(1 - ((distance - middle) / half) ** 2, 0, 1)) * rng.uniform(0.4, 1.6)
    ring = bead.astype(np.float32) + grid.ripple(rng, 0.010)
    tint = _TIN if rng.random() < 0.85 else _COPPER
    dark = grid.cover(hole - distance)
    # The far wall of the hole catches a little light.
    wall = np.clip(0.7 * (grid.x * grid.lean[0] + grid.y * grid.lean[1]) + 0.15 * distance, 0, 0.2)
    return [
        grid.layer(ring, grid.cover(radius - distance), tint, 0.6 * _gloss(lot, rng)),
        grid.layer(wall.astype(np.float32), dark, _HOLE, 0.0),
    ]


def _pin(grid: _Grid, lot: Lot, rng: np.random.Generator, *, length: float) -> Layer:
    """The bare pin seen from above: a square with a bevelled end, its top moved by the view."""
    at_x = rng.normal(0, 0.02) + grid.lean[0] * length
    at_y = rng.normal(0, 0.02) + grid.lean[1] * length
    half = PIN_HALF * rng.uniform(0.95, 1.1)
    edge = _square(grid.x - at_x, grid.y - at_y, rng.normal(0, 0.12))
    bevel = length - 0.9 * np.maximum(edge - 0.55 * half, 0) + grid.ripple(rng, 0.008, cells=5)
    return grid.layer(bevel.astype(np.float32), grid.cover(half - edge), (0.86, 0.93, 0.97), 0.5 * _gloss(lot, rng))


def _hollow_fillet(grid: _Grid, lot: Lot, rng: np.random.Generator) -> list[Layer]:
    """Insufficient: a low hollow fillet that leaves pad copper bare, often on one side, and the pin standing tall."""
    layers = _pad_with_hole(grid, lot, rng)
    ring = layers[0]
    layers[0] = Layer(ring.height, ring.cover, _COPPER if rng.random() < 0.6 else _TIN, ring.gloss_frac)
    radius = PAD_RADIUS * rng.uniform(0.62, 0.82)
    side = rng.uniform(0, 2 * math.pi)
    shift = rng.uniform(0.0, 0.09)
    x, y = grid.x - shift * math.cos(side), grid.y - shift * math.sin(side)
    reach = grid.wobbly_radius(x, y, rng, 0.12) / radius
    height = lot.volume * rng.uniform(0.10, 0.2)
    surface = height * np.clip(1 - reach, 0, 1) ** rng.uniform(1.8, 2.8) + grid.ripple(rng, 0.006)
    wet = grid.cover((1 - reach) * radius)
    if rng.random() < 0.6:  # the solder did not climb round: a dark gap stays open beside the pin
        gap = (grid.x * math.cos(side) + grid.y * math.sin(side)) + rng.uniform(0.02, 0.14)
        wet = wet * grid.cover(gap.astype(np.float32))
    layers.append(grid.layer(surface.astype(np.float32), wet, _TIN, _gloss(lot, rng)))
    layers.append(_pin(grid, lot, rng, length=float(rng.uniform(0.3, 0.5))))
    return layers


def _sausage(grid: _Grid, lot: Lot, rng: np.random.Generator, partners: Sequence[tuple[float, float]]) -> list[Layer]:
    """Bridge: one body of solder from this pin to each partner, from a gross sausage to a thin strand between domes."""
    inside = grid.flat() - 9.0
    surface = grid.flat()
    strand = rng.random() < 0.25
    end = PAD_RADIUS * rng.uniform(0.92, 1.08)
    height = lot.volume * rng.uniform(0.26, 0.38)
    for to_x, to_y in partners:
        waist = PAD_RADIUS * (rng.uniform(0.36, 0.6) if strand else rng.uniform(0.75, 1.1))
        length2 = to_x * to_x + to_y * to_y
        along = np.clip((grid.x * to_x + grid.y * to_y) / length2, 0, 1)
        bow = rng.normal(0, 0.05) * 4 * along * (1 - along)
        off_x, off_y = grid.x - along * to_x - bow * to_y, grid.y - along * to_y + bow * to_x
        middle = (4 * along * (1 - along)) ** (1.5 if strand else 1.0)
        radius = end + (waist - end) * middle
        slide = np.clip(1 - np.sqrt(off_x**2 + off_y**2) / radius, 0, 1)
        off_x = off_x - slide * grid.lean[0] * height
        off_y = off_y - slide * grid.lean[1] * height
        distance = np.sqrt(off_x**2 + off_y**2)
        # Round across; along, tips may stand out a little where the pins end.
        crown = height * (radius / end) ** 0.7 * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
        tips = rng.uniform(0.0, 0.08) * np.clip(1 - 4 * along * (1 - along) * 2.2, 0, 1)
        crown = crown * (1 + tips / height)
        surface = np.maximum(surface, crown.astype(np.float32))
        inside = np.maximum(inside, (radius - distance).astype(np.float32))
    surface = cv2.GaussianBlur(surface, (0, 0), 0.02 * grid.pitch_px) + grid.ripple(rng, 0.010, cells=9)
    return [grid.layer(surface, grid.cover(inside), _TIN, _gloss(lot, rng))]


def _square(x: Plane, y: Plane, turn_rad: float) -> Plane:
    """Distance-like level of a rounded square, turned a little: equals its half side on the edge."""
    c, s = math.cos(turn_rad), math.sin(turn_rad)
    u2, v2 = np.square(c * x + s * y), np.square(c * y - s * x)
    return np.sqrt(np.sqrt(u2 * u2 + v2 * v2)).astype(np.float32)


def _smooth_max(a: Plane, b: Plane, blend: float) -> Plane:
    """Larger of two heights with a rounded seam `blend` pitches wide."""
    mix = np.clip(0.5 + 0.5 * (a - b) / blend, 0, 1)
    return b + mix * (a - b) + blend * mix * (1 - mix)
