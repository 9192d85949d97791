"""Limits of package rules: what almost all good packages keep, and how tight each is where defects are known.

`fitted_limits` takes a quantile of good packages, and never less than the room an engineer would leave anyway.
`tuned_limits` widens or tightens one limit after another while that catches more of the known defects, kind by kind, at
the same share of false calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.scorers.package_rules import exceedance
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_kinds import MEASURES
from edge.scorers.package_rules_measure import NO_GRID, planes_of
from edge.scorers.package_rules_outline import find_outline
from export.rules import RulesFault

GOOD_QUANTILE = 0.998  # of good packages keep each limit; the threshold absorbs what 14 limits add up to
FALSE_CALL_FRAC = 0.01  # at which recalls are compared
FACTORS = (0.8, 0.9, 1.0, 1.15, 1.4, 2.0)  # of the limit from good packages
MAX_ROUNDS = 4
MIN_GAIN = 0.002  # of mean recall
OUTLINE_STEPS_GREY = (60.0, 40.0, 25.0)
OUTLINE_SHOWS_FRAC, OUTLINE_STRAIGHT_PX = 0.95, 4.0

MAX_ABSENT_LIMIT = 0.9  # a package without a grid stays over it

EVEN_MEASURES = frozenset(
    {"max_absent_frac", "max_undersize_frac", "max_oversize_frac", "max_shift_frac", "max_out_of_round_frac"}
)

# No limit is tighter, however alike the good packages are.
ROOM: Mapping[str, float] = MappingProxyType(
    {
        "max_absent_frac": 0.15,
        "max_flat_frac": 0.15,
        "max_dense_frac": 0.10,
        "max_undersize_frac": 0.05,
        "max_oversize_frac": 0.05,
        "max_shift_frac": 0.05,
        "max_out_of_round_frac": 0.02,
        "max_extra_frac": 0.2,
        "max_bridge_density_frac": 0.06,
        "max_speck_load_frac": 0.004,
        "max_foreign_area_frac": 0.004,
        "max_line_length_px": 8.0,
        "max_field_offset_px": 1.5,
        "max_chip_px": 2.0,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`values` (N, len(MEASURES)) of packages, and `labels` (N,): `good` or the defect."""

    values: Floats
    labels: NDArray[np.str_]


def fitted_limits(good: Floats) -> Floats:
    """Limits (len(MEASURES),) from values (N, len(MEASURES)) of good packages. The few without a grid set none."""
    shown = good[good[:, 0] < NO_GRID]
    room = np.array([ROOM[measure.limit] for measure in MEASURES], np.float32)
    limits = np.maximum(np.quantile(shown, GOOD_QUANTILE, axis=0), room)
    limits[0] = min(limits[0], MAX_ABSENT_LIMIT)
    return np.asarray(limits, np.float32)


def tuned_limits(known: Measured, limits: Floats) -> Floats:
    """The limits, each times one of FACTORS. Raises RulesFault where no defect is known."""
    kinds = sorted(set(known.labels.tolist()) - {"good"})
    if not kinds:
        raise RulesFault("no package with a defect to tune on")
    chosen = np.ones(len(limits), np.float32)
    reached = _merit(known, limits, kinds)
    for _ in range(MAX_ROUNDS):
        before = reached
        for k in range(len(limits)):
            for factor in FACTORS:
                trial = chosen.copy()
                trial[k] = factor
                merit = _merit(known, limits * trial, kinds)
                if merit > reached + MIN_GAIN:
                    chosen, reached = trial, merit
        if reached - before < MIN_GAIN:
            break
    tuned = limits * chosen
    tuned[0] = min(tuned[0], MAX_ABSENT_LIMIT)
    return np.asarray(tuned, np.float32)


def with_limits(rules: PackageRulesFile, limits: Floats) -> PackageRulesFile:
    """The rules with these limits, checked."""
    update = {measure.limit: float(limit) for measure, limit in zip(MEASURES, limits, strict=True)}
    return PackageRulesFile.model_validate(rules.model_dump() | update)


def with_outline(rules: PackageRulesFile, good: Image) -> PackageRulesFile:
    """The rules with the largest step that shows a straight outline on good packages (N, h, w, 3); 0 where none does,
    as where the package fills its picture."""
    greys = [planes_of(picture, rules).ground for picture in good[:: max(1, len(good) // 40)]]
    for step_grey in OUTLINE_STEPS_GREY:
        outlines = [find_outline(grey, step_grey) for grey in greys]
        straight = [o is not None and o.chip_px <= OUTLINE_STRAIGHT_PX for o in outlines]
        if np.mean(straight) >= OUTLINE_SHOWS_FRAC:
            return rules.model_copy(update={"outline_step_grey": step_grey})
    return rules


def shows_grid_frac(values: Floats) -> float:
    """Share of packages (N, len(MEASURES)) on which a grid was found."""
    return float(np.mean(values[:, 0] < NO_GRID))


def unevenness(values: Floats) -> float:
    """How much the balls of packages (N, len(MEASURES)) differ from one another, in the limits' own shares."""
    sizes = [k for k, measure in enumerate(MEASURES) if measure.limit in EVEN_MEASURES]
    return float(np.median(values[:, sizes].sum(1)))


def _merit(known: Measured, limits: Floats, kinds: list[str]) -> float:
    """Mean over kinds of the recall at FALSE_CALL_FRAC."""
    scores = exceedance(known.values, limits).max(1)
    level = np.quantile(scores[known.labels == "good"], 1 - FALSE_CALL_FRAC)
    return float(np.mean([np.mean(scores[known.labels == kind] > level) for kind in kinds]))
