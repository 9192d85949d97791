"""Limits of joints in X-ray slices from good joints: typical values, and bounds that almost all of them keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.scorers.slice_features import FEATURES, STATION_MEASURES, STATIONS
from edge.scorers.slice_rules import MAX_SLICES, SIDES, Kind, Side, SliceLimit

GOOD_QUANTILE = 0.995  # of good joints keep each limit; a calibrated threshold absorbs what some 70 limits add up to
MIN_GOOD_OF_COUNT = 100  # fewer joints of one number of slices share limits with the other rare numbers
ROI_FENCE = 3.0  # interquartile ranges beyond the quartiles, Tukey's outer fence
ROI_ROOM = 0.15  # at least, between the typical value and the bound: crowding is 0 on most boards

SideOf = tuple[str, Side]

# The sides that faults are known to break, and which fault that is: what a process engineer would write down. A pin
# without solder has a light wall; solder without a pin has a wall as dark as its core; a short lies beyond the disc.
_MEANING: Mapping[str, Mapping[Side, Kind]] = {
    "core": {"low": "missing"},
    "radius": {"low": "insufficient"},
    "wall": {"low": "insufficient"},
    "crown": {"low": "insufficient", "high": "missing"},
    "area": {"low": "insufficient", "high": "short"},
    "dip": {"high": "insufficient"},
    "edge": {"high": "insufficient"},
    "unround": {"high": "short"},
    "light_spot": {"high": "insufficient"},
    "gap": {"high": "short"},
    "gap_mean": {"high": "short"},
    "one_sided": {"high": "short"},
    "strip": {"high": "short"},
    "strip_least": {"high": "short"},
    "contrast": {"low": "missing"},
    "fill": {"low": "insufficient"},
    "least_wall": {"low": "insufficient"},
    "worst_dip": {"high": "insufficient"},
    "worst_gap": {"high": "short"},
    "worst_strip": {"high": "short"},
    "worst_light_spot": {"high": "insufficient"},
    "barrel_radius": {"low": "missing"},
}
ENGINEERS_SIDES: Mapping[SideOf, Kind] = {
    (feature, side): kind
    for measure, sides in _MEANING.items()
    for feature in ([f"{measure}_{k}" for k in range(STATIONS)] if measure in STATION_MEASURES else [measure])
    for side, kind in sides.items()
}
ALL_SIDES: tuple[SideOf, ...] = tuple((feature, side) for feature in FEATURES for side in SIDES)
ROI_SIDES: tuple[SideOf, ...] = (
    ("offset", "high"),
    ("widest_radius", "low"),  # of the widest slice: a barrel that is not filled to its top is no reason to doubt
    ("barrel_radius", "high"),
    ("crowding", "high"),
)


@dataclass(frozen=True, slots=True)
class GoodJoints:
    """Good joints as numbers: features (N, F) float32 and numbers of slices (N,)."""

    features: Floats
    counts: NDArray[np.int64]

    def limits(self, sides: Sequence[SideOf], quantile: float = GOOD_QUANTILE) -> list[SliceLimit]:
        """A limit for each of the sides and each number of slices."""
        found = []
        for slices, features in self._groups():
            for feature, side in sides:
                values = features[:, list(FEATURES).index(feature)].astype(np.float64)
                typical = float(np.median(values))
                bound = float(np.quantile(values, quantile if side == "high" else 1.0 - quantile))
                found.append(_limit(feature, side, typical, bound, slices, ENGINEERS_SIDES.get((feature, side))))
        return found

    def roi_limits(self) -> list[SliceLimit]:
        """What is unusual of the place and size of the joint found. Quartiles do not care that some good joints stand
        in wrong regions."""
        found = []
        for feature, side in ROI_SIDES:
            low, typical, high = np.quantile(self.features[:, list(FEATURES).index(feature)], (0.25, 0.5, 0.75))
            reach = ROI_FENCE * (high - low)
            bound = max(high + reach, typical + ROI_ROOM) if side == "high" else min(low - reach, typical - ROI_ROOM)
            found.append(_limit(feature, side, float(typical), float(bound), tuple(range(1, MAX_SLICES + 1)), None))
        return found

    def _groups(self) -> Iterator[tuple[tuple[int, ...], Floats]]:
        common = [n for n in range(1, MAX_SLICES + 1) if int((self.counts == n).sum()) >= MIN_GOOD_OF_COUNT]
        for n in common:
            yield (n,), self.features[self.counts == n]
        rare = tuple(n for n in range(1, MAX_SLICES + 1) if n not in common)
        if rare:
            yield rare, self.features  # all good joints: too few have just so many slices


def _limit(
    feature: str, side: Side, typical: float, bound: float, slices: tuple[int, ...], kind: Kind | None
) -> SliceLimit:
    # Half a thousandth of the typical value apart at least: a limit on top of it would make any change a defect.
    room = max(5e-4 * abs(typical), 1e-3)
    bound = max(bound, typical + room) if side == "high" else min(bound, typical - room)
    unit = FEATURES[feature]
    return SliceLimit(feature=feature, side=side, unit=unit, typical=typical, bound=bound, kind=kind, slices=slices)
