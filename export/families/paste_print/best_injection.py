"""Faults added to windows of good boards, drawn anew every time: what `best` learns from.

They are of the same making as the protocol's (random pads; strips, ellipses, bands, patches, most of the panel; smears;
drift that is none): `best` is taught on their like, not on their places, sizes, strengths or courses, which are drawn
far more widely here. `without` leaves a kind out, to see what is found of a kind never taught.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.panel import Numbers
from edge.paste.table import PadTable

RATIO_MAX = 0.6
STRENGTH = (1.0, 6.0)  # units, drawn evenly in their logarithm: table sigmas or repeat sigmas of the pad, see `_unit`
SURE, NONE = 0.8, 0.25  # repeat sigmas on the last board: a fault from here on, none up to here, not judged between
SPREAD = 0.1  # units, of a fault from pad to pad (protocol 3.4)
DRIFT_MAX = 1.5  # table sigmas that a whole board may move within a window
GROUP_SPREAD = 0.4  # of the logarithm of what a drift is on an aperture group
KINDS = {"none": 0.2, "pads": 0.42, "strip": 0.08, "ellipse": 0.08, "bands": 0.08, "patches": 0.08, "most": 0.06}
SMEAR_FRAC = 0.06  # windows with a smear, on top of what else they have
DRIFT_FRAC = 0.3  # windows in which the whole board moves
REDRAWN_FRAC = 0.4
BOTH_SIGNS_FRAC = 0.1
ONE_CHANNEL_FRAC = 0.15
ALTERNATING_FRAC = 0.3
FEW_PADS_FRAC = 0.15
MAX_FEW = 8
PATCH = (0.025, 0.15)  # radius, of the longer side

Rng = np.random.Generator
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the P pads lie, from 0 to 1 over the longer side of the panel, their groups, and how much they repeat."""

    x: Numbers
    y: Numbers
    group: NDArray[np.int64]
    noise_z: Numbers  # (P, 2) from print to print, in table sigmas

    @classmethod
    def of(cls, table: PadTable, noise_z: Numbers) -> Places:
        """From a table's positions."""
        longer = max(float(np.ptp(table.x_mm)), float(np.ptp(table.y_mm)), 1e-9)
        x, y = ((at - at.min()) / longer for at in (table.x_mm, table.y_mm))
        return cls(x=x, y=y, group=table.group, noise_z=noise_z)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """`fault_z` (T, P, 2) to add to z, and `drift_z` (T, P, 2) by which the whole board moved, which is no fault."""

    fault_z: Floats
    drift_z: Floats
    kind: str

    def target(self, noise_z: Numbers) -> NDArray[np.int8]:
        """(P,) of the last board: 1 excess, -1 insufficient, 0 good, 2 too faint to be judged."""
        last = self.fault_z[-1] / noise_z
        larger = np.where(np.abs(last[:, 0]) >= np.abs(last[:, 1]), last[:, 0], last[:, 1])
        target = np.sign(larger)
        target[np.abs(larger) < SURE] = 2
        target[np.abs(larger) <= NONE] = 0
        return np.asarray(target, np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injector:
    """Draws injections for boards of one product."""

    places: Places
    boards: int
    without: frozenset[str] = field(default_factory=frozenset)  # kinds never drawn; also "smear"

    def draw(self, rng: Rng, stroke: NDArray[np.int64]) -> Injection:
        """For one window whose boards had `stroke` (T,) 0 or 1."""
        kinds = [kind for kind in KINDS if kind not in self.without]
        chance = np.array([KINDS[kind] for kind in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=chance / chance.sum()))]
        fault = np.zeros((self.boards, len(self.places.x), 2), np.float32)
        if kind == "pads":
            fault += _random_pads(rng, self.places, self.boards, stroke)
        elif kind != "none":
            fault += _region(rng, self.places, SHAPES[kind](rng, self.places), self.boards, stroke)
        if "smear" not in self.without and rng.random() < SMEAR_FRAC:
            fault += _smear(rng, self.places, self.boards)
        return Injection(fault_z=fault, drift_z=_drift(rng, self.places, self.boards), kind=kind)


def _random_pads(rng: Rng, places: Places, boards: int, stroke: NDArray[np.int64]) -> Numbers:
    """(T, P, 2): any share of pads, the same on all boards or drawn anew for each."""
    pads = len(places.x)
    few = rng.random() < FEW_PADS_FRAC
    ratio = rng.integers(1, MAX_FEW + 1) / pads if few else rng.uniform(0.01, RATIO_MAX)
    redrawn = rng.random() < REDRAWN_FRAC
    hit = rng.random((boards if redrawn else 1, pads)) < ratio
    sign = np.where(rng.random(pads) < 0.5, -1, 1) if rng.random() < BOTH_SIGNS_FRAC else rng.choice((-1, 1))
    noise = rng.normal(0.0, SPREAD, hit.shape)
    course = _course(rng, boards, stroke)
    return hit[..., None] * (sign * (_strength(rng) + noise) * course[:, None])[..., None] * _unit(rng, places)


def _region(rng: Rng, places: Places, share: Numbers, boards: int, stroke: NDArray[np.int64]) -> Numbers:
    """(T, P, 2) of a mask (P,) from 0 to 1, over any course of time."""
    noise = rng.normal(0.0, SPREAD, len(share))
    z = share * rng.choice((-1, 1)) * (_strength(rng) + noise) * _course(rng, boards, stroke)[:, None]
    return np.asarray(z[..., None] * _unit(rng, places))


def _unit(rng: Rng, places: Places) -> Numbers:
    """(P, 2): a fault of strength 1 on every pad: a table sigma, or a repeat sigma, which is less where days differ.
    Mostly as strong in area as in volume, at times in one alone."""
    unit = places.noise_z.copy() if rng.random() < 0.5 else np.ones_like(places.noise_z)
    if rng.random() < ONE_CHANNEL_FRAC:
        unit[:, rng.integers(2)] *= rng.uniform(0.0, 0.4)
    return unit


def _strength(rng: Rng) -> float:
    return float(np.exp(rng.uniform(*np.log(STRENGTH))))


def _course(rng: Rng, boards: int, stroke: NDArray[np.int64]) -> Numbers:
    """(T,) from 0 to 1: there all the time, from some board on, growing or fading; with one stroke only, at times."""
    at = np.arange(boards)
    kind = rng.integers(4)
    if kind == 0:
        course = np.ones(boards)
    elif kind == 1:
        course = (at >= rng.integers(boards)).astype(float)
    else:
        turned = (at - rng.uniform(-2, boards)) / rng.uniform(0.5, 6.0)
        course = 1 / (1 + np.exp(-turned if kind == 2 else turned))
    if rng.random() < ALTERNATING_FRAC:
        course = course * (stroke == rng.integers(2))
    return course


def _strip(rng: Rng, places: Places) -> Numbers:
    """Over the whole panel, along either side."""
    across = (places.x, places.y)[int(rng.integers(2))]
    return np.asarray(np.abs(across - rng.uniform(0, across.max())) < rng.uniform(0.015, 0.1), float)


def _ellipse(rng: Rng, places: Places) -> Numbers:
    """Anywhere and turned, with a soft edge."""
    turn = rng.uniform(0, np.pi)
    dx, dy = places.x - rng.uniform(0, places.x.max()), places.y - rng.uniform(0, places.y.max())
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / rng.uniform(0.08, 0.45)
    across = (dy * np.cos(turn) - dx * np.sin(turn)) / rng.uniform(0.08, 0.45)
    edge = rng.uniform(0.02, 0.3)
    return np.asarray(1 / (1 + np.exp(np.clip((np.hypot(along, across) - 1) / edge, -30, 30))))


def _bands(rng: Rng, places: Places) -> Numbers:
    """Along two opposite sides, or one of them."""
    across = (places.x, places.y)[int(rng.integers(2))]
    width = rng.uniform(0.04, 0.25)
    low, high = across < width, across > across.max() - width
    return np.asarray((low | high, low | high, low, high)[int(rng.integers(4))], float)


def _patches(rng: Rng, places: Places) -> Numbers:
    """One to four discs around pads, round or long, some with gaps."""
    near = np.zeros(len(places.x), bool)
    for _ in range(rng.integers(1, 5)):
        centre = rng.integers(len(places.x))
        long = np.exp(rng.uniform(-0.7, 0.7))
        dx, dy = (places.x - places.x[centre]) * long, (places.y - places.y[centre]) / long
        near |= np.hypot(dx, dy) < np.exp(rng.uniform(*np.log(PATCH)))
    return np.asarray(near & (rng.random(len(near)) < rng.choice((1.0, rng.uniform(0.5, 1.0)))), float)


def _most(rng: Rng, places: Places) -> Numbers:
    """55 to 95 % of the pads: any of them, or all but one side."""
    share = rng.uniform(0.55, 0.95)
    if rng.random() < 0.5:
        return np.asarray(rng.random(len(places.x)) < share, float)
    turn = rng.uniform(0, 2 * np.pi)
    across = places.x * np.cos(turn) + places.y * np.sin(turn)
    return np.asarray(across < np.quantile(across, share), float)


SHAPES: dict[str, Callable[[Rng, Places], Numbers]] = {
    "strip": _strip,
    "ellipse": _ellipse,
    "bands": _bands,
    "patches": _patches,
    "most": _most,
}


def _smear(rng: Rng, places: Places, boards: int) -> Numbers:
    """(T, P, 2): hardly any paste on a few pads, and around them less area at a volume as usual; from some board on."""
    centre = rng.integers(len(places.x))
    distance = np.hypot(places.x - places.x[centre], places.y - places.y[centre])
    wiped = rng.uniform(0.0, 0.06)
    ring = (distance >= wiped) & (distance < wiped + rng.uniform(0.02, 0.1))
    z = np.zeros((boards, len(distance), 2))
    z[:, distance < wiped] = -rng.uniform(4.0, 20.0)
    z[:, ring, 1] = rng.uniform(-8.0, -1.0, int(ring.sum()))
    return z * (np.arange(boards) >= rng.integers(boards))[:, None, None]


def _drift(rng: Rng, places: Places, boards: int) -> Floats:
    """(T, P, 2): nothing, or a slow move or a step of the whole board, more on some aperture groups than on others."""
    at = np.arange(boards)
    if rng.random() >= DRIFT_FRAC:
        return np.zeros((boards, len(places.x), 2), np.float32)
    step = at >= rng.integers(boards) if rng.random() < 0.3 else at / max(1, boards - 1)
    course = rng.normal(0.0, 0.5) + rng.uniform(-DRIFT_MAX, DRIFT_MAX) * step
    spread = GROUP_SPREAD * rng.random()
    gain = np.exp(rng.normal(0.0, spread, int(places.group.max()) + 1))[places.group]
    of_channel = np.array([1.0, rng.uniform(0.6, 1.1)])
    return np.asarray(course[:, None, None] * gain[:, None] * of_channel, np.float32)
