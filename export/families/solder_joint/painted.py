"""Training pictures for a classifier that has seen no real defect: good joints, and the same joints with defects
painted on.

Next to the defects there are painted good joints, joints pasted from other pictures and defects of *neighbours*, all
labelled good: the classifier must learn what an open ring and a bridge of this very pin look like, not what paint
looks like. Where a customer has labelled defects they join the mixture as they are.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.families.solder_joint.good_joints import CANVAS_PX, MIDDLE_PX, PITCH_PX, Joints
from export.families.solder_joint.painter import Plane, Point, metal_of, paint_bridge, paint_dome, paint_missing

GOOD, MISSING, BRIDGE = range(3)
CLASSES = ("good", "missing", "bridge")  # index = class of the classifier

NEIGHBOUR_LIMIT_PX = 50  # a neighbour further out than this is not on the canvas with its whole pad


class Source(enum.Enum):
    """Where one training picture comes from."""

    REAL_GOOD = "a good joint as it is"
    PASTED_GOOD = "another good joint pasted here"
    PAINTED_GOOD = "a dome painted here"
    OTHERS_BRIDGE = "a bridge painted between neighbours"
    OTHERS_MISSING = "a neighbour painted open"
    PAINTED_MISSING = "this joint painted open"
    PAINTED_BRIDGE = "a bridge painted from this joint"
    REAL_MISSING = "a labelled missing joint"
    REAL_BRIDGE = "a labelled bridged joint"


Mixture = Mapping[Source, float]  # relative shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What pictures are made from. `missing` and `bridge` hold labelled defects, (N, 128, 128, 3) uint8; empty
    without."""

    good: Joints
    missing: Image = field(default_factory=lambda: np.empty((0, CANVAS_PX, CANVAS_PX, 3), np.uint8))
    bridge: Image = field(default_factory=lambda: np.empty((0, CANVAS_PX, CANVAS_PX, 3), np.uint8))


def draw_pictures(lot: Lot, mixture: Mixture, n: int, rng: np.random.Generator) -> tuple[Image, NDArray[np.int64]]:
    """`n` canvases (n, 128, 128, 3) uint8 and their classes (n,). Sources the lot has nothing for are passed over."""
    shares = {s: share for s, share in mixture.items() if _available(lot, s)}
    sources = list(shares)
    odds = np.array(list(shares.values())) / sum(shares.values())
    canvases, classes = np.empty((n, CANVAS_PX, CANVAS_PX, 3), np.uint8), np.empty(n, np.int64)
    for k, choice in enumerate(rng.choice(len(sources), n, p=odds)):
        canvases[k], classes[k] = _picture(lot, sources[choice], rng)
    return canvases, classes


def _available(lot: Lot, source: Source) -> bool:
    match source:
        case Source.REAL_MISSING:
            return len(lot.missing) > 0
        case Source.REAL_BRIDGE:
            return len(lot.bridge) > 0
        case _:
            return True


def _picture(lot: Lot, source: Source, rng: np.random.Generator) -> tuple[Image, int]:
    if source is Source.REAL_MISSING:
        return lot.missing[rng.integers(len(lot.missing))], MISSING
    if source is Source.REAL_BRIDGE:
        return lot.bridge[rng.integers(len(lot.bridge))], BRIDGE
    index = int(rng.integers(len(lot.good)))
    if source is Source.REAL_GOOD:
        return lot.good.canvases[index], GOOD
    canvas = lot.good.canvases[index].astype(np.float32)
    kind = _PAINTERS[source](lot.good, index, canvas, rng)
    return canvas.clip(0, 255).astype(np.uint8), kind


def _paste(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    axis = np.arange(CANVAS_PX, dtype=np.float32) - MIDDLE_PX
    distance = np.hypot(axis[None, :], axis[:, None])
    cover = np.clip((rng.uniform(0.36, 0.46) * PITCH_PX - distance) / 3 + 0.5, 0, 1)[..., None]
    canvas += cover * (good.canvases[rng.integers(len(good))] - canvas)
    return GOOD


def _dome(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    paint_dome(canvas, good.centres_px[index], rng)
    return GOOD


def _missing(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    paint_missing(canvas, good.centres_px[index], rng)
    return MISSING


def _bridge(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    """To one neighbour, now and then in a straight run over three pins; a joint without neighbours stays good."""
    neighbours = good.neighbours_px[index]
    if not len(neighbours):
        return GOOD
    first = neighbours[rng.integers(len(neighbours))]
    reaches = [first]
    if rng.random() < 0.2:
        reaches += [v for v in neighbours if v @ first < -0.8 * PITCH_PX**2][:1]
    start = (good.centres_px[index] + rng.normal(0, 0.04 * PITCH_PX, 2)).astype(np.float32)
    for reach in reaches:
        paint_bridge(canvas, start, reach, metal_of(canvas, good.centres_px[index], rng), rng)
    return BRIDGE


def _others_bridge(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    """From a neighbour sideways or away: this pin has no part in it. Only where there is a header to speak of."""
    neighbours = good.neighbours_px[index]
    if len(neighbours) > 1:
        first = neighbours[rng.integers(len(neighbours))]
        away: tuple[Point, ...] = (np.array([first[1], -first[0]]), np.array([-first[1], first[0]]), first)
        metal = metal_of(canvas, good.centres_px[index], rng)
        paint_bridge(canvas, good.centres_px[index] + first, away[rng.integers(3)], metal, rng)
    return GOOD


def _others_missing(good: Joints, index: int, canvas: Plane, rng: np.random.Generator) -> int:
    neighbours = good.neighbours_px[index]
    if len(neighbours):
        first = neighbours[rng.integers(len(neighbours))]
        if np.abs(first).max() < NEIGHBOUR_LIMIT_PX:
            paint_missing(canvas, good.centres_px[index] + first, rng)
    return GOOD


_PAINTERS: dict[Source, Callable[[Joints, int, Plane, np.random.Generator], int]] = {
    Source.PASTED_GOOD: _paste,
    Source.PAINTED_GOOD: _dome,
    Source.PAINTED_MISSING: _missing,
    Source.PAINTED_BRIDGE: _bridge,
    Source.OTHERS_BRIDGE: _others_bridge,
    Source.OTHERS_MISSING: _others_missing,
}
