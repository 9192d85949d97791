"""What can be wrong with a package: balls missing, bridged, too small, too large, shifted; dirt, splatter, cracks,
scratches. Each at three strengths; sizes are shares of the pitch.

A crack is barely seen by X-ray and marked as not decidable there; a scratch of the surface is not seen at all, so the
X-ray look has none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.components.errors import Severity
from export.simulator.xray.packages.grid import PICTURE_PX, Balls, Look, PackageType
from export.simulator.xray.stack import Floats

Rng = np.random.Generator
Mask = Floats
Place = NDArray[np.float64]


class PackageDefect(enum.Enum):
    """What is wrong; the value is the label of tables."""

    MISSING = "missing"
    BRIDGE = "bridge"
    UNDERSIZED = "undersized"
    OVERSIZED = "oversized"
    SHIFTED = "shifted"
    FOREIGN = "foreign"
    SPLATTER = "splatter"
    CRACK = "crack"
    SCRATCH = "scratch"


DEFECTS_OF: Mapping[Look, tuple[PackageDefect, ...]] = MappingProxyType(
    {
        Look.OPTICAL: tuple(PackageDefect),
        Look.XRAY: tuple(kind for kind in PackageDefect if kind is not PackageDefect.SCRATCH),
    }
)
_SPANS: Mapping[PackageDefect, Mapping[Severity, tuple[float, float]]] = MappingProxyType(
    {
        kind: dict(zip(Severity, spans, strict=True))
        for kind, spans in {
            PackageDefect.MISSING: ((3, 3), (2, 2), (1, 1)),  # balls
            PackageDefect.BRIDGE: ((0.65, 1.0), (0.38, 0.65), (0.2, 0.38)),  # width of the neck, of the ball
            PackageDefect.UNDERSIZED: ((0.60, 0.68), (0.68, 0.77), (0.77, 0.85)),  # of the diameter
            PackageDefect.OVERSIZED: ((1.30, 1.40), (1.22, 1.30), (1.15, 1.22)),
            PackageDefect.SHIFTED: ((0.30, 0.40), (0.20, 0.30), (0.15, 0.20)),  # of the pitch, as all below
            PackageDefect.FOREIGN: ((1.2, 2.5), (0.6, 1.2), (0.3, 0.6)),
            PackageDefect.SPLATTER: ((22, 40), (11, 22), (5, 11)),  # specks
            PackageDefect.CRACK: ((0.18, 0.25), (0.10, 0.18), (0.05, 0.10)),  # contrast
            PackageDefect.SCRATCH: ((2.5, 5.0), (1.6, 2.5), (1.0, 1.6)),
        }.items()
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """Balls with a defect among them, and what is painted over the package: `solder` and `dirt` (h, w) 0..1, `line`
    (h, w) signed contrast of cracks and scratches. `box_px` x0, y0, x1, y1 holds all of the defect."""

    balls: Balls
    solder: Mask
    dirt: Mask
    line: Mask
    box_px: tuple[int, int, int, int]


def unspoilt(balls: Balls) -> Spoilt:
    """A good package."""
    none = np.zeros((PICTURE_PX, PICTURE_PX), np.float32)
    return Spoilt(balls=balls, solder=none, dirt=none, line=none, box_px=(0, 0, 0, 0))


def spoil(package: PackageType, balls: Balls, kind: PackageDefect, severity: Severity, rng: Rng) -> Spoilt:
    """The package with one defect. Raises ValueError for a defect the look cannot show."""
    if kind not in DEFECTS_OF[package.look]:
        raise ValueError(f"{kind.value} does not show in the {package.look.value} look")
    amount = float(rng.uniform(*_SPANS[kind][severity]))
    inside = _well_inside(package, balls)
    hit = int(rng.choice(inside))
    if kind in (PackageDefect.MISSING, PackageDefect.UNDERSIZED, PackageDefect.OVERSIZED, PackageDefect.SHIFTED):
        return _wrong_balls(package, balls, kind, amount, hit, rng)
    if kind is PackageDefect.BRIDGE:
        return _bridged(package, balls, amount, hit, rng)
    if kind is PackageDefect.SPLATTER:
        return _splattered(package, balls, round(amount), balls.places_px[hit], rng)
    if kind is PackageDefect.FOREIGN:
        return _dirty(package, balls, amount, rng)
    return _lined(package, balls, kind, amount, rng)


def _wrong_balls(package: PackageType, balls: Balls, kind: PackageDefect, amount: float, hit: int, rng: Rng) -> Spoilt:
    places, radii, present = balls.places_px.copy(), balls.radii_px.copy(), balls.present.copy()
    hits = [hit]
    if kind is PackageDefect.MISSING:
        hits = list(_nearest(balls, hit)[: round(amount)])
        present[hits] = False
    elif kind is PackageDefect.SHIFTED:
        angle = rng.uniform(0, 2 * np.pi)
        places[hit] += amount * package.pitch_px * np.array([np.cos(angle), np.sin(angle)])
    else:
        radii[hit] *= amount
    blank = unspoilt(Balls(places_px=places, radii_px=radii, present=present))
    reach = float(radii[hits].max()) + amount * package.pitch_px * (kind is PackageDefect.SHIFTED)
    return _with_box(blank, np.concatenate([balls.places_px[hits] - reach, balls.places_px[hits] + reach]))


def _bridged(package: PackageType, balls: Balls, amount: float, hit: int, rng: Rng) -> Spoilt:
    """A neck between two neighbours, both swollen towards it."""
    near = [int(n) for n in _nearest(balls, hit)[1:] if n in _well_inside(package, balls)][:4]
    beside = [n for n in near if np.hypot(*(balls.places_px[n] - balls.places_px[hit])) < 1.2 * package.pitch_px]
    other = beside[int(rng.integers(len(beside)))] if beside else near[0]
    begin, end = balls.places_px[hit], balls.places_px[other]
    step, radius = end - begin, float(balls.radii_px[hit])
    along, across = _axes(begin, step)
    length = float(np.hypot(*step))
    half = amount * radius * (0.75 + 0.25 * np.clip(2 * along / length - 1, -1, 1) ** 2)
    solder = np.clip(half - np.abs(across) + 0.5, 0, 1) * ((along > 0) & (along < length))
    places = balls.places_px.copy()
    swell = 0.06 * amount * step
    places[hit], places[other] = begin + swell, end - swell
    spoilt = unspoilt(Balls(places_px=places, radii_px=balls.radii_px, present=balls.present))
    spoilt = _replace(spoilt, solder=solder.astype(np.float32))
    return _with_box(spoilt, np.array([begin - radius, begin + radius, end - radius, end + radius]))


def _splattered(package: PackageType, balls: Balls, specks: int, around: Place, rng: Rng) -> Spoilt:
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    corners = []
    for _ in range(specks):
        place = around + rng.normal(0.0, 0.45 * package.pitch_px, 2)
        radius = package.pitch_px * float(rng.uniform(0.015, 0.075))
        _blob(mask, place, radius)
        corners += [place - radius, place + radius]
    return _with_box(_replace(unspoilt(balls), solder=mask.astype(np.float32) / 255), np.array(corners))


def _dirty(package: PackageType, balls: Balls, amount: float, rng: Rng) -> Spoilt:
    """A flake or fibre with angular edges."""
    centre = rng.uniform(0.15, 0.85, 2) * PICTURE_PX
    size = amount * package.pitch_px / 2
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 9))))
    reach = size * rng.uniform(0.5, 1.0, len(angles))
    thin = rng.uniform(0.25, 1.0)
    turn = rng.uniform(0, np.pi)
    flat = np.stack([reach * np.cos(angles), thin * reach * np.sin(angles)], 1)
    turned = flat @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = centre + turned
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return _with_box(_replace(unspoilt(balls), dirt=mask.astype(np.float32) / 255), points)


def _lined(package: PackageType, balls: Balls, kind: PackageDefect, amount: float, rng: Rng) -> Spoilt:
    """A crack, a random walk of 1 to 2 px, dark; a scratch, nearly straight, bright or dark, 1 to 4 px."""
    scratch = kind is PackageDefect.SCRATCH
    length = (amount if scratch else rng.uniform(0.8, 3.0)) * package.pitch_px
    width = rng.uniform(1.0, 3.5) if scratch else rng.uniform(1.0, 2.0)
    steps = max(4, int(length / 4))
    bend = rng.normal(0.0, 0.02 if scratch else 0.35, steps)
    heading = rng.uniform(0, 2 * np.pi) + (np.cumsum(bend) if scratch else bend + 0.3 * np.cumsum(bend))
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * length / steps, axis=0)
    points = walk - walk.mean(0) + rng.uniform(0.25, 0.75, 2) * PICTURE_PX
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    for begin, end in pairwise(points):
        _stroke(mask, begin, end, float(width))
    contrast = float(rng.choice((-1, 1)) * rng.uniform(0.15, 0.4)) if scratch else -amount
    return _with_box(_replace(unspoilt(balls), line=mask.astype(np.float32) * np.float32(contrast / 255)), points)


def _well_inside(package: PackageType, balls: Balls) -> NDArray[np.int64]:
    """Balls that are seen whole, or nearly."""
    rim = 0.35 * package.pitch_px
    return np.flatnonzero(((balls.places_px > rim) & (balls.places_px < PICTURE_PX - rim)).all(axis=1))


def _nearest(balls: Balls, hit: int) -> NDArray[np.int64]:
    return np.argsort(np.hypot(*(balls.places_px - balls.places_px[hit]).T), kind="stable")


def _axes(begin: Place, step: Place) -> tuple[Mask, Mask]:
    y, x = np.mgrid[:PICTURE_PX, :PICTURE_PX].astype(np.float32)
    unit = step / np.hypot(*step)
    dx, dy = x - np.float32(begin[0]), y - np.float32(begin[1])
    return dx * unit[0] + dy * unit[1], dy * unit[0] - dx * unit[1]


def _blob(mask: NDArray[np.uint8], place: Place, radius: float) -> None:
    centre = (round(float(place[0]) * 16), round(float(place[1]) * 16))
    cv2.circle(mask, centre, max(8, round(radius * 16)), 255, -1, cv2.LINE_AA, 4)


def _stroke(mask: NDArray[np.uint8], begin: Place, end: Place, width: float) -> None:
    step = end - begin
    side = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9) * width / 2
    corners = np.rint(np.array([begin + side, end + side, end - side, begin - side]) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, 4)


def _replace(spoilt: Spoilt, **masks: Mask) -> Spoilt:
    parts = {"solder": spoilt.solder, "dirt": spoilt.dirt, "line": spoilt.line} | masks
    return Spoilt(balls=spoilt.balls, box_px=spoilt.box_px, **parts)


def _with_box(spoilt: Spoilt, points: Place) -> Spoilt:
    low = np.clip(np.floor(points.min(0)) - 2, 0, PICTURE_PX).astype(int)
    high = np.clip(np.ceil(points.max(0)) + 3, 0, PICTURE_PX).astype(int)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    return Spoilt(balls=spoilt.balls, solder=spoilt.solder, dirt=spoilt.dirt, line=spoilt.line, box_px=box)
