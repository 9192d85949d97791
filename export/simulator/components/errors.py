"""How a component stands: as it should with harmless differences, or wrong in one of the paper's five ways.

Errors are Table 2 of the paper on Siamese inspection of electronic components (Barbosa and others, 2023): missing,
wrong, shifted or rotated, lifted, misplaced; each plain, fair, or at the limit of what the twin calls an error. The
harmless differences stay clearly below that limit.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

import numpy as np

from export.simulator.components.drawing import BENDS_MM
from export.simulator.components.layout import ComponentLayout, Site, turned
from export.simulator.components.looks import PartClass
from export.simulator.components.parts import PartNumber, part_catalogue, sibling, stand_ins

Rng = np.random.Generator


class ErrorKind(enum.Enum):
    """What is wrong; the value is the label of tables."""

    MISSING = "missing"
    WRONG = "wrong"
    SHIFTED = "shifted"
    ROTATED = "rotated"
    LIFTED = "lifted"
    MISPLACED = "misplaced"


class Severity(enum.Enum):
    """How plainly it shows."""

    PLAIN = "plain"
    FAIR = "fair"
    LIMIT = "limit"


COMPONENT_ERRORS = tuple(kind.value for kind in ErrorKind)
SEVERITIES = tuple(severity.value for severity in Severity)

SHIFT_FRAC = {Severity.PLAIN: (0.35, 0.5), Severity.FAIR: (0.2, 0.28), Severity.LIMIT: (0.11, 0.15)}  # of the body
SKEW_DEG = {Severity.PLAIN: (55.0, 125.0), Severity.FAIR: (24.0, 40.0), Severity.LIMIT: (9.0, 14.0)}
TILT_DEG = {Severity.PLAIN: (38.0, 65.0), Severity.FAIR: (19.0, 28.0), Severity.LIMIT: (9.0, 13.0)}
GOOD_SHIFT_MM = 0.10  # standard deviation, cut at twice that
GOOD_SKEW_DEG = {"PTH": 1.3, "SMD": 0.8}
_TURNED_GOOD_FRAC = 0.4  # of parts that may be turned, those that are
_STANDING = frozenset(
    {PartClass.CAPACITOR, PartClass.CERAMIC_CAPACITOR, PartClass.CRYSTAL_OSCILLATOR, PartClass.TRANSISTOR}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentError:
    """One error to show."""

    kind: ErrorKind
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one component stands. `part` None: nothing there. `angle_deg` on the board, clockwise as seen; `tilt_deg`
    lifts the end that `tilt_towards_deg` (in the part's frame: 0, 90, 180, 270) points to; `fallen`: on its side."""

    part: PartNumber | None
    dx_mm: float = 0.0
    dy_mm: float = 0.0
    angle_deg: float = 0.0
    turn_deg: int = 0
    tilt_deg: float = 0.0
    tilt_towards_deg: int = 0
    fallen: bool = False
    bend: int = 2
    residue: int = 0  # on the bare pads of a part that is gone: 0 clean, 1 solder, 2 solder and broken leads


def good_standing(site: Site, rng: Rng) -> Standing:
    """The right part, in its place to within what a placement machine or a hand leaves, turned as it may be."""
    dx, dy = np.clip(rng.normal(0, GOOD_SHIFT_MM, 2), -2 * GOOD_SHIFT_MM, 2 * GOOD_SHIFT_MM)
    skew = GOOD_SKEW_DEG[site.part.mount] * float(np.clip(rng.normal(), -2, 2))
    turned_now = rng.random() < _TURNED_GOOD_FRAC
    turn = int(site.part.turns_deg[rng.integers(len(site.part.turns_deg))]) if turned_now else 0
    return Standing(
        part=site.part,
        dx_mm=float(dx),
        dy_mm=float(dy),
        angle_deg=site.part.mounted_deg + turn + skew,
        turn_deg=turn,
        bend=int(rng.integers(len(BENDS_MM))),
    )


def faulty_standing(layout: ComponentLayout, site: Site, error: ComponentError, good: Standing, rng: Rng) -> Standing:
    """The same site with that error, otherwise standing as `good` does."""
    return _FAULTS[error.kind](layout, site, error.severity, good, rng)


def _missing(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    """Plain: clean pads; fair: solder left on them; limit: broken leads, too."""
    return Standing(part=None, residue=(Severity.PLAIN, Severity.FAIR, Severity.LIMIT).index(severity))


def _wrong(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    """Plain: a part of another class; fair: another part number of the class; limit: another value of the series."""
    if severity is Severity.LIMIT:
        other = sibling(site.part, rng)
    else:
        others = stand_ins(site.part, part_catalogue(), same_class=severity is Severity.FAIR)
        other = others[rng.integers(len(others))]
    return _changed(good, part=other)


def _shifted(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    away = _open_direction(layout, site, rng)
    reach_mm = rng.uniform(*SHIFT_FRAC[severity]) * float(np.sqrt(np.prod(site.part.look.body_mm)))
    reach_mm = max(reach_mm, 0.5)
    return _changed(good, dx_mm=good.dx_mm + reach_mm * away[0], dy_mm=good.dy_mm + reach_mm * away[1])


def _rotated(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    """Plain: across; fair: turned round where that is forbidden, else well askew; limit: a little askew."""
    if severity is Severity.FAIR and 180 not in site.part.turns_deg:
        return _changed(good, angle_deg=good.angle_deg + 180.0, turn_deg=180)
    if severity is Severity.PLAIN and rng.random() < 0.5:
        quarter = int(rng.choice((90, 270)))
        return _changed(good, angle_deg=good.angle_deg + quarter, turn_deg=(good.turn_deg + quarter) % 360)
    skew = float(rng.choice((-1, 1)) * rng.uniform(*SKEW_DEG[severity]))
    return _changed(good, angle_deg=good.angle_deg + skew)


def _lifted(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    """One end up; long parts by an end, the others by any side."""
    length, width = site.part.extent_mm
    towards = (0, 180) if length > 1.6 * width else (0, 90, 180, 270)
    return _changed(
        good,
        tilt_deg=float(rng.uniform(*TILT_DEG[severity])),
        tilt_towards_deg=int(towards[rng.integers(len(towards))]),
    )


def _misplaced(layout: ComponentLayout, site: Site, severity: Severity, good: Standing, rng: Rng) -> Standing:
    """Plain: the body lies elsewhere; fair: it lies over beside its place; limit: half out of its place and askew."""
    away = _open_direction(layout, site, rng)
    side_mm = float(np.sqrt(np.prod(site.part.look.body_mm)))
    if severity is Severity.PLAIN:
        reach_mm, skew, fallen = 0.95 * side_mm, float(rng.uniform(-180, 180)), bool(rng.random() < 0.4)
    elif severity is Severity.FAIR:
        reach_mm, skew, fallen = 0.35 * side_mm, float(rng.uniform(-35, 35)), True
    else:
        reach_mm, skew, fallen = 0.3 * side_mm, float(rng.choice((-1, 1)) * rng.uniform(15, 30)), False
    if fallen and site.part.part_class not in _STANDING:
        fallen, skew = False, skew + 50.0
    return _changed(
        good,
        dx_mm=good.dx_mm + reach_mm * away[0],
        dy_mm=good.dy_mm + reach_mm * away[1],
        angle_deg=good.angle_deg + skew,
        fallen=fallen,
    )


_FAULTS = {
    ErrorKind.MISSING: _missing,
    ErrorKind.WRONG: _wrong,
    ErrorKind.SHIFTED: _shifted,
    ErrorKind.ROTATED: _rotated,
    ErrorKind.LIFTED: _lifted,
    ErrorKind.MISPLACED: _misplaced,
}


def _open_direction(layout: ComponentLayout, site: Site, rng: Rng) -> tuple[float, float]:
    """The unit vector with most room before a neighbour or the edge, of eight drawn by lot."""
    others = np.array([(s.x_mm, s.y_mm) for s in layout.sites if s is not site])
    middle = np.array([layout.board.width_mm, layout.board.height_mm]) / 2
    reach_mm = max(site.part.extent_mm)
    best, best_room = (1.0, 0.0), -np.inf
    for angle in rng.uniform(0, 360, 8):
        away = np.array(turned(1.0, 0.0, float(angle)))
        at = (site.x_mm, site.y_mm) + reach_mm * away
        room = float(min(np.hypot(*(others - at).T).min(), 8 + (middle - np.abs(at - middle)).min()))
        if room > best_room:
            best, best_room = (float(away[0]), float(away[1])), room
    return best


def _changed(good: Standing, **changes: object) -> Standing:
    return dataclasses.replace(good, **changes)
