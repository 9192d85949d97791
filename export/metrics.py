"""Figures of merit from scores: ranks, counts with exact bounds, intervals by resampling the places behind the rows.

Higher scores are worse. A score equal to the threshold is good, as at the station.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from calibration.bounds import DEFAULT_CONFIDENCE, lower_bound_frac, upper_bound_frac

BOOTSTRAP_ROUNDS = 500  # the interval's ends then move by about 0.003 from seed to seed
PPM = 1e6

Scores = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided interval."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a threshold does: `caught` of `n_defect`, `false_calls` of `n_good`, bounds one-sided at `confidence`."""

    n_good: int
    n_defect: int
    caught: int
    false_calls: int
    recall: float | None  # None where there was no defect
    recall_lower: float | None
    false_call_ppm: float
    false_call_ppm_upper: float
    f1: float | None
    confidence: float


def auroc(good: Scores, defect: Scores) -> float:
    """The chance that a defect scores above a good place, ties half; 0.5 says nothing."""
    return float(roc_auc_score(*_labelled(good, defect)))


def average_precision(good: Scores, defect: Scores) -> float:
    """Area under precision and recall."""
    return float(average_precision_score(*_labelled(good, defect)))


def auroc_interval(
    good: Scores,
    defect: Scores,
    good_units: NDArray[np.int64],
    defect_units: NDArray[np.int64],
    confidence: float = DEFAULT_CONFIDENCE,
) -> Interval:
    """AUROC's interval when the physical places (`*_units`, one number a row) are drawn anew, not the rows.

    Ten pictures of one pin are not ten pins. Seeded, so that a report is the same twice.
    """
    rng = np.random.default_rng(0)
    values = [
        _weighted_auroc(good, defect, _drawn(rng, good_units), _drawn(rng, defect_units))
        for _ in range(BOOTSTRAP_ROUNDS)
    ]
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(values, [tail, 1.0 - tail])
    return Interval(lower=float(lower), upper=float(upper))


def counts_at(threshold: float, good: Scores, defect: Scores, confidence: float = DEFAULT_CONFIDENCE) -> Counts:
    """Recall, false calls and F1 of a threshold that was chosen elsewhere."""
    caught, false_calls = int((defect > threshold).sum()), int((good > threshold).sum())
    missed = len(defect) - caught
    return Counts(
        n_good=len(good),
        n_defect=len(defect),
        caught=caught,
        false_calls=false_calls,
        recall=caught / len(defect) if len(defect) else None,
        recall_lower=lower_bound_frac(caught, len(defect), confidence) if len(defect) else None,
        false_call_ppm=PPM * false_calls / len(good),
        false_call_ppm_upper=PPM * upper_bound_frac(false_calls, len(good), confidence),
        f1=2 * caught / (2 * caught + false_calls + missed) if len(defect) else None,
        confidence=confidence,
    )


def recall_at_false_call_frac(good: Scores, defect: Scores, frac: float) -> float:
    """Recall at the threshold that the evaluated good places themselves would give; a property of the ranking only."""
    return float((defect > np.quantile(good, 1.0 - frac, method="higher")).mean())


def _labelled(good: Scores, defect: Scores) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if not (len(good) and len(defect)):
        raise ValueError(f"{len(good)} good and {len(defect)} defective scores: both kinds are needed")
    labels = np.concatenate([np.zeros(len(good), np.int64), np.ones(len(defect), np.int64)])
    return labels, np.concatenate([good, defect]).astype(np.float64)


def _weighted_auroc(good: Scores, defect: Scores, good_weight: Scores, defect_weight: Scores) -> float:
    """AUROC of rows that count several times or not at all; scikit-learn's own takes a hundred times as long."""
    order = np.argsort(good)
    ordered, below = good[order], np.concatenate([[0.0], np.cumsum(good_weight[order])])
    left, right = np.searchsorted(ordered, defect, "left"), np.searchsorted(ordered, defect, "right")
    pairs = (below[left] + below[right]) / 2.0
    return float((pairs * defect_weight).sum() / (below[-1] * defect_weight.sum()))


def _drawn(rng: np.random.Generator, units: NDArray[np.int64]) -> NDArray[np.float64]:
    """How often each row counts when its units are drawn with replacement, as many as there are."""
    distinct, index = np.unique(units, return_inverse=True)
    times = np.bincount(rng.integers(0, len(distinct), len(distinct)), minlength=len(distinct))
    return times[index].astype(np.float64)
