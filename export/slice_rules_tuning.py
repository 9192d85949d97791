"""What labelled defects add to the rules of joints in X-ray slices: which limits are kept and how tight, or how much
each counts. Only ever from the splits a model is taught on; the split it is judged on stays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from edge.board import Floats
from edge.scorers.slice_features import FEATURES
from edge.scorers.slice_rules import KINDS, SIDES, SliceLimit, Weight, Weighting, scales_of
from export.rules import RulesFault
from export.slice_rules_limits import ENGINEERS_SIDES, GOOD_QUANTILE, GoodJoints, SideOf

GOOD = "good"
TUNED_QUANTILES = (0.90, 0.97, GOOD_QUANTILE)  # how tight a chosen limit is beside the others
MAX_ROUNDS = 4
MIN_GAIN = 0.001  # of mean AUROC; less is noise of a few joints
REGULARISATION = 0.1  # C of the logistic regression: the best of 0.03, 0.1 and 0.3 on types left out in turn
MIN_WEIGHT = 1e-4


@dataclass(frozen=True, slots=True)
class LabelledJoints:
    """Joints as numbers: features (N, F) float32, numbers of slices (N,), labels (N,): `good`, or what is wrong."""

    features: Floats
    counts: NDArray[np.int64]
    labels: NDArray[np.str_]

    @property
    def good(self) -> GoodJoints:
        """The good ones."""
        rows = self.labels == GOOD
        return GoodJoints(self.features[rows], self.counts[rows])


def chosen_limits(good: GoodJoints, lanes: Sequence[LabelledJoints]) -> list[SliceLimit]:
    """Choice by coordinates: each side in turn gets the tightness, or none, that adds most to the mean AUROC over kinds
    of defect and lanes (e.g. splits), from the engineer's limits on, until a whole round changes little. Raises
    RulesFault where no lane has a defect."""
    if all((lane.labels == GOOD).all() or not (lane.labels == GOOD).any() for lane in lanes):
        raise RulesFault("the joints to tune on hold no defect beside good ones")
    options = {side: [good.limits([side], quantile) for quantile in TUNED_QUANTILES] for side in ENGINEERS_SIDES}
    alone = {
        side: [
            [scales_of(limits).exceedances(lane.features, lane.counts).max(axis=1) for lane in lanes] for limits in each
        ]
        for side, each in options.items()
    }
    chosen: dict[SideOf, int | None] = dict.fromkeys(options, len(TUNED_QUANTILES) - 1)
    reached = _merit(_worst(alone, chosen, lanes), lanes)
    for _ in range(MAX_ROUNDS):
        before = reached
        for side in options:
            others = _worst(alone, {**chosen, side: None}, lanes)
            trials: list[int | None] = [None, *range(len(TUNED_QUANTILES))]
            merits = [_merit(_with(others, alone[side], trial), lanes) for trial in trials]
            best = int(np.argmax(merits))
            # Doing without a limit need not gain anything: fewer limits are easier to believe.
            if merits[best] >= reached + (MIN_GAIN if trials[best] is not None else 0.0):
                chosen[side], reached = trials[best], merits[best]
        if reached - before < MIN_GAIN:
            break
    return [limit for side, option in chosen.items() if option is not None for limit in options[side][option]]


def weightings(limits: Sequence[SliceLimit], joints: LabelledJoints) -> list[Weighting]:
    """Logistic regression of good and each kind on exceedances of the limits, 1 at most; rare kinds count as much as
    common ones. Raises RulesFault where a kind has no example."""
    rows = np.isin(joints.labels, [GOOD, *KINDS])
    missing = {GOOD, *KINDS} - set(joints.labels[rows].tolist())
    if missing:
        raise RulesFault(f"nothing labelled {sorted(missing)}: weights need examples of each")
    over = scales_of(limits).exceedances(joints.features[rows], joints.counts[rows])
    fit = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=3000)
    fit.fit(np.minimum(over, 1.0).astype(np.float64), joints.labels[rows])
    classes = fit.classes_.tolist()
    against_good = fit.coef_ - fit.coef_[classes.index(GOOD)]
    intercepts = fit.intercept_ - fit.intercept_[classes.index(GOOD)]
    columns: list[SideOf] = [(feature, side) for side in SIDES for feature in FEATURES]
    return [
        Weighting(
            kind=kind,
            intercept=float(intercepts[classes.index(kind)]),
            weights=tuple(
                Weight(feature=feature, side=side, weight=round(float(value), 6))
                for (feature, side), value in zip(columns, against_good[classes.index(kind)], strict=True)
                if abs(value) > MIN_WEIGHT
            ),
        )
        for kind in KINDS
    ]


def _worst(
    alone: dict[SideOf, list[list[Floats]]], chosen: dict[SideOf, int | None], lanes: Sequence[LabelledJoints]
) -> list[Floats]:
    """Per lane the worst exceedance of the chosen limits, (N,)."""
    worst = [np.zeros(len(lane.labels), np.float32) for lane in lanes]
    for side, option in chosen.items():
        worst = _with(worst, alone[side], option)
    return worst


def _with(worst: list[Floats], of_side: list[list[Floats]], option: int | None) -> list[Floats]:
    if option is None:
        return worst
    return [np.maximum(w, a) for w, a in zip(worst, of_side[option], strict=True)]


def _merit(scores: list[Floats], lanes: Sequence[LabelledJoints]) -> float:
    """Mean over kinds of defect of the mean over lanes that have it: a rare kind counts as much as a common one."""
    by_kind: dict[str, list[float]] = {}
    for lane_scores, lane in zip(scores, lanes, strict=True):
        good = np.sort(lane_scores[lane.labels == GOOD])
        if not len(good):
            continue
        for kind in sorted(set(lane.labels.tolist()) - {GOOD}):
            by_kind.setdefault(kind, []).append(_auroc(good, lane_scores[lane.labels == kind]))
    return float(np.mean([np.mean(values) for values in by_kind.values()]))


def _auroc(sorted_good: Floats, defect: Floats) -> float:
    """As `export.metrics.auroc`, ten times as fast: a choice asks for it a thousand times."""
    below = np.searchsorted(sorted_good, defect, "left") + np.searchsorted(sorted_good, defect, "right")
    return float(below.mean()) / (2 * len(sorted_good))
