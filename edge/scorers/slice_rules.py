"""Classical inspection of joints in X-ray slices: what an AXI machine's own algorithms do, without anything learned.

Every joint is measured (`slice_features`) and each measure held against limits from good joints, of their own for each
number of slices. The score is the worst exceedance of any limit, 1 at the limit and 0 at what is typical. Where the
file has `weightings`, exceedances are summed with a weight each instead, as machines let their user do, and the score
is the share of all kinds of defect against good. A region in which the joint found is too far off, of the wrong size or
among too many others is doubted. Everything stands in `rules.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from edge.board import Floats, Image
from edge.bundle import ROI_LIMIT, Bundle, BundleFault
from edge.references import Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.scorers.slice_features import FEATURES, measured
from edge.scorers.slice_polar import CROP_PX
from edge.settings import Settings

Kind = Literal["insufficient", "missing", "short"]
Side = Literal["low", "high"]
KINDS: tuple[Kind, ...] = ("insufficient", "missing", "short")
SIDES: tuple[Side, ...] = ("low", "high")
MAX_SLICES = 6
MAX_LIMITS = 1024
MAX_SCORE = 1e3  # a limit next to the typical value must not make a score the float32 verdict record cannot tell apart
CONTRAST = list(FEATURES).index("contrast")

Finite = Annotated[float, Field(allow_inf_nan=False)]


class SliceLimit(Settings):
    """One side of what one measure may be: 0 at `typical`, 1 at `bound`. `kind` is the defect that breaks it, where it
    speaks for one; `slices` the numbers of slices it holds for."""

    feature: str
    side: Side
    unit: str
    typical: Finite
    bound: Finite
    kind: Kind | None = None
    slices: Annotated[tuple[Annotated[int, Field(ge=1, le=MAX_SLICES)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> SliceLimit:
        if self.feature not in FEATURES:
            raise ValueError(f"{self.feature!r} is not one of {sorted(FEATURES)}")
        if not (self.bound < self.typical if self.side == "low" else self.typical < self.bound):
            raise ValueError(f"{self.feature}: typical {self.typical}, {self.side} bound {self.bound}")
        return self


class Weight(Settings):
    """How much one side of one measure counts, by the exceedance of its limit, 1 at most."""

    feature: str
    side: Side
    weight: Finite


class Weighting(Settings):
    """A linear discriminant between one kind of defect and good joints: the logarithm of their odds."""

    kind: Kind
    intercept: Finite
    weights: Annotated[tuple[Weight, ...], Field(min_length=1, max_length=2 * len(FEATURES))]


class SliceRulesFile(Settings):
    """`rules.json` of a bundle of slice rules."""

    schema_version: Literal[1] = 1
    limits: Annotated[tuple[SliceLimit, ...], Field(min_length=1, max_length=MAX_LIMITS)]
    roi_limits: Annotated[tuple[SliceLimit, ...], Field(max_length=64)] = ()
    least_contrast: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0  # below it there is no joint to doubt the region by
    weightings: Annotated[tuple[Weighting, ...], Field(max_length=len(KINDS))] = ()

    @model_validator(mode="after")
    def _once_each(self) -> SliceRulesFile:
        for limits in (self.limits, self.roi_limits):
            keys = [(limit.feature, limit.side, n) for limit in limits for n in limit.slices]
            if len(set(keys)) != len(keys):
                raise ValueError("a side of a feature is limited twice for the same number of slices")
        without = set(range(1, MAX_SLICES + 1)) - {n for limit in self.limits for n in limit.slices}
        if without:
            raise ValueError(f"no limit for joints with {sorted(without)} slices")
        return self

    @model_validator(mode="after")
    def _weightings_fit(self) -> SliceRulesFile:
        if self.weightings and sorted(w.kind for w in self.weightings) != sorted(KINDS):
            raise ValueError(f"weightings of {[w.kind for w in self.weightings]}, expected each of {KINDS} or none")
        for weighting in self.weightings:
            keys = [(w.feature, w.side) for w in weighting.weights]
            unknown = {feature for feature, _ in keys} - FEATURES.keys()
            if unknown or len(set(keys)) != len(keys):
                raise ValueError(f"weighting {weighting.kind}: {sorted(unknown)} unknown, or a side weighted twice")
        return self


class SliceRulesScorer:
    """Scores crops by a bundle's `rules.json`. Raises BundleFault when that holds no slice rules."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        """`choice` is taken like every scorer does; the work of one board is too small to share out to threads."""
        try:
            rules = SliceRulesFile.model_validate_json(bundle.model(choice.precision))
        except ValidationError as err:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors(include_url=False))
            raise BundleFault(f"{bundle.folder}/rules.json: {faults}") from None
        self._judge = SliceJudge(rules)

    def embed(self, crops: Image) -> Floats:
        """Rules of joints compare nothing: raises ScorerFault."""
        raise ScorerFault("rules of joints compare nothing and give no embedding")

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, CROP_PX, CROP_PX, MAX_SLICES) uint8, slices that are not there 0, to score (N,), kind (N, len(KINDS)) and
        roi (N,). Raises ScorerFault for crops of another size."""
        crops = crops_of(inputs)
        if not len(crops):
            raise ScorerFault("no crops to score")
        if crops.dtype != np.uint8 or crops.shape[1:] != (CROP_PX, CROP_PX, MAX_SLICES):
            expected = f"uint8 (N, {CROP_PX}, {CROP_PX}, {MAX_SLICES})"
            raise ScorerFault(f"crops: {crops.dtype} {crops.shape}, expected {expected}")
        return self._judge.judged(*measured(np.asarray(crops, np.uint8)))


@dataclass(frozen=True, slots=True)
class Scales:
    """Limits as arrays: by number of slices (0 to MAX_SLICES) and by side and feature, low ones first."""

    typical: Floats  # (MAX_SLICES + 1, 2 F)
    per_bound: Floats  # the same: 1 / (bound - typical), 0 where there is no limit

    def exceedances(self, features: Floats, counts: NDArray[np.int64]) -> Floats:
        """(N, F) features of joints with so many slices (N,) to (N, 2 F) float32: 0 typical or better, 1 at a limit."""
        both = np.concatenate([features, features], axis=1)
        found = (both - self.typical[counts]) * self.per_bound[counts]
        return np.asarray(np.clip(found, 0.0, MAX_SCORE), np.float32)


def scales_of(limits: Sequence[SliceLimit]) -> Scales:
    """Limits made ready."""
    typical = np.zeros((MAX_SLICES + 1, 2 * len(FEATURES)), np.float32)
    per_bound = np.zeros_like(typical)
    for limit in limits:
        at = column(limit.feature, limit.side)
        typical[list(limit.slices), at] = limit.typical
        per_bound[list(limit.slices), at] = 1.0 / (limit.bound - limit.typical)
    return Scales(typical, per_bound)


def column(feature: str, side: Side) -> int:
    """Where a side of a feature stands among exceedances."""
    return list(FEATURES).index(feature) + SIDES.index(side) * len(FEATURES)


class SliceJudge:
    """Rules made ready: from measures to scores."""

    def __init__(self, rules: SliceRulesFile) -> None:
        """Prepares arrays once."""
        self._limits, self._roi = scales_of(rules.limits), scales_of(rules.roi_limits)
        self._least_contrast = rules.least_contrast
        self._speaks_for = np.zeros((len(KINDS), 2 * len(FEATURES)), np.bool_)
        for limit in rules.limits:
            if limit.kind is not None:
                self._speaks_for[KINDS.index(limit.kind), column(limit.feature, limit.side)] = True
        self._weights = np.zeros((2 * len(FEATURES), len(KINDS)), np.float32)
        self._intercepts = np.zeros(len(KINDS), np.float32)
        self._weighted = bool(rules.weightings)
        for weighting in rules.weightings:
            kind = KINDS.index(weighting.kind)
            self._intercepts[kind] = weighting.intercept
            for weight in weighting.weights:
                self._weights[column(weight.feature, weight.side), kind] = weight.weight

    def judged(self, features: Floats, counts: NDArray[np.int64]) -> ScoreBatch:
        """Features (N, F) of joints with so many slices (N,). A joint with no slice at all scores worst, and its region
        is wrong: there is nothing to look at."""
        over = self._limits.exceedances(features, counts)
        if self._weighted:
            score, kind = self._odds(np.minimum(over, np.float32(1.0)))
        else:
            score = over.max(axis=1)
            kind = np.stack([(over * mask).max(axis=1) for mask in self._speaks_for], axis=1)
        blind = counts == 0
        score[blind] = 1.0 if self._weighted else MAX_SCORE
        return ScoreBatch(score=score, kind=kind, roi=np.where(blind, np.float32(1.0), self.doubts(features, counts)))

    def doubts(self, features: Floats, counts: NDArray[np.int64]) -> Floats:
        """How doubtful each region is (N,) float32, 0 to 1, ROI_LIMIT at the limit. Where no disc is found the region
        is not doubted: a joint that is missing looks the same."""
        off = self._roi.exceedances(features, counts).max(axis=1) * np.float32(ROI_LIMIT)
        found = features[:, CONTRAST] >= self._least_contrast
        return np.asarray(np.where(found, np.minimum(off, 1.0), 0.0), np.float32)

    def _odds(self, over: Floats) -> tuple[Floats, Floats]:
        """The share of all kinds and of each, (N,) and (N, K), against good, from the weighted sums."""
        sums = np.clip(over @ self._weights + self._intercepts, -40.0, 40.0)
        odds = np.exp(sums.astype(np.float64))
        total = 1.0 + odds.sum(axis=1, keepdims=True)
        return (1.0 - 1.0 / total[:, 0]).astype(np.float32), (odds / total).astype(np.float32)
