"""Figures of merit from scores: ranks, what a threshold does to rows, places and boards, intervals by resampling the
places behind the rows.

Higher scores are worse. A score equal to the threshold is good, as at the station.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from calibration.bounds import DEFAULT_CONFIDENCE
from calibration.line_figures import BoardFigures, Counts, board_figures

BOOTSTRAP_ROUNDS = 500  # the interval's ends then move by about 0.003 from seed to seed

Scores = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided interval."""

    lower: float
    upper: float


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


def counts_of(called: Mask, is_good: Mask) -> Counts:
    """Rows (N,) that were called defective, counted by what they are."""
    return Counts(
        n_good=int(is_good.sum()),
        false_calls=int((called & is_good).sum()),
        n_defect=int((~is_good).sum()),
        caught=int((called & ~is_good).sum()),
    )


def place_counts(called: Mask, is_good: Mask, units: NDArray[np.int64]) -> Counts:
    """Each physical place (`units`, one number a row) once, by its worst picture.

    A defective place is caught when every picture of it was called, a good one is a false call when any was. The rates
    of places are therefore no better than those of their pictures on average, and places, unlike pictures of one
    place, may count as independent: bounds from these counts are safe where those from rows flatter.
    """
    good, bad = (_units_with(units[of], called[of]) for of in (is_good, ~is_good))
    return Counts(
        n_good=good.n,
        false_calls=good.any_marked,
        n_defect=bad.n,
        caught=bad.n - _units_with(units[~is_good], ~called[~is_good]).any_marked,
    )


def board_counts(
    called: Mask, is_good: Mask, boards: NDArray[np.str_], confidence: float = DEFAULT_CONFIDENCE
) -> BoardFigures:
    """Whole boards (`boards` (N,), the board of each row): without a false call, and held for nothing."""
    with_good = set(boards[is_good])
    stopped = set(boards[is_good & called])
    defect_free = with_good - set(boards[~is_good])
    return board_figures(
        boards=len(with_good),
        without_false_call=len(with_good - stopped),
        defect_free_boards=len(defect_free),
        held_for_nothing=len(defect_free & stopped),
        confidence=confidence,
    )


def recall_at_false_call_frac(good: Scores, defect: Scores, frac: float) -> float:
    """Recall at the threshold that the evaluated good places themselves would give; a property of the ranking only."""
    return float((defect > np.quantile(good, 1.0 - frac, method="higher")).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """How many different units there are, and how many of them have a row that is marked."""

    n: int
    any_marked: int


def _units_with(units: NDArray[np.int64], marked: Mask) -> _Units:
    return _Units(n=len(np.unique(units)), any_marked=len(np.unique(units[marked])))


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
