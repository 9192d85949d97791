"""ROC and precision-recall curves with exact bands.

ROC: every threshold is one working point: a false-call rate and a recall. Each has its two-sided Clopper-Pearson
interval at 1 - (1 - confidence) / 2, so that both hold together with at least `confidence` (Bonferroni) at one
threshold chosen beforehand. The lower curve joins the bad corners (more false calls *and* less recall), the upper one
the good ones. Precision and recall: of so many calls so many were true, which is one rate with its own two-sided
Clopper-Pearson interval. Unlike a bootstrap's, such bands do not close where the test set saw no mistake.

Rows that show the same place again are not new trials: the counts are scaled to the number of different places before
they are bounded (the effective sample size of Korn and Graubard, Survey Methodology 24 (1998), at its most cautious, as
if pictures of one place told nothing more than one of them). Where every row is a place of its own this is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.metrics import roc_curve

from calibration.bounds import DEFAULT_CONFIDENCE

MAX_POINTS = 400  # more cannot be told apart in a figure
_NONE = 1e-9  # events below this are none

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingPoints:
    """The working points of thresholds from high to low, all (K,): rates with two-sided bounds, 0 to 1."""

    threshold: Points
    false_call_frac: Points
    false_call_lower: Points
    false_call_upper: Points
    recall: Points
    recall_lower: Points
    recall_upper: Points
    precision: Points  # at the rows' own mix; 1 where nothing was called, as scikit-learn has it
    precision_lower: Points
    precision_upper: Points
    defect_frac: float  # that mix: the share of defects among the rows


def working_points(
    good: Points, defect: Points, n_good_units: int, n_defect_units: int, confidence: float = DEFAULT_CONFIDENCE
) -> WorkingPoints:
    """Every distinct threshold of scores of good rows (N,) and defects (M,), thinned to MAX_POINTS evenly.

    `n_good_units` and `n_defect_units` places stand behind them. Raises ValueError without rows of both kinds.
    """
    if not (len(good) and len(defect)):
        raise ValueError(f"{len(good)} good and {len(defect)} defective scores: both kinds are needed")
    truth = np.concatenate([np.zeros(len(good)), np.ones(len(defect))])
    scores = np.concatenate([good, defect]).astype(np.float64)
    false_calls, recall, threshold = roc_curve(truth, scores, drop_intermediate=False)
    kept = np.unique(np.linspace(0, len(threshold) - 1, min(len(threshold), MAX_POINTS)).round().astype(int))
    false_calls, recall = false_calls[kept], recall[kept]
    called, precision = recall * len(defect) + false_calls * len(good), _precision(recall, false_calls, defect, good)
    one_tail, shared_tail = (1.0 - confidence) / 2.0, (1.0 - confidence) / 4.0  # one rate, or two that hold together
    false_lower, false_upper = rate_bounds(false_calls, np.full(len(kept), n_good_units), shared_tail)
    recall_lower, recall_upper = rate_bounds(recall, np.full(len(kept), n_defect_units), shared_tail)
    places_called = called * (n_good_units + n_defect_units) / len(scores)
    precision_lower, precision_upper = rate_bounds(precision, places_called, one_tail)
    return WorkingPoints(
        threshold=threshold[kept],
        false_call_frac=false_calls,
        false_call_lower=false_lower,
        false_call_upper=false_upper,
        recall=recall,
        recall_lower=recall_lower,
        recall_upper=recall_upper,
        precision=precision,
        precision_lower=precision_lower,
        precision_upper=precision_upper,
        defect_frac=len(defect) / len(scores),
    )


def roc_band(points: WorkingPoints, false_call_frac: Points) -> tuple[Points, Points]:
    """Between what the recall lies where the true false-call rate is `false_call_frac` (G,): lower, upper, each (G,).

    A threshold whose false-call bound is below the rate gives at most that many, and its recall is at least its bound:
    what holds at a stricter threshold holds here. The upper side the same way round.
    """
    reached = points.false_call_upper[None, :] <= false_call_frac[:, None]
    beyond = points.false_call_lower[None, :] > false_call_frac[:, None]
    lower = np.where(reached, points.recall_lower[None, :], 0.0).max(axis=1)
    upper = np.where(beyond, points.recall_upper[None, :], 1.0).min(axis=1)
    return lower, upper


def rate_bounds(rate_frac: Points, trials: Points, tail: float) -> tuple[Points, Points]:
    """Clopper-Pearson bounds of rates (K,) over `trials` (K,), each missed with probability `tail` at most.

    Events and trials need not be whole: the beta distribution does not mind. No trials give 0 to 1.
    """
    events = np.clip(rate_frac * trials, 0.0, trials)
    lower = beta.ppf(tail, np.maximum(events, _NONE), trials - events + 1.0)
    upper = beta.ppf(1.0 - tail, events + 1.0, np.maximum(trials - events, _NONE))
    return np.where(events > _NONE, lower, 0.0), np.where(trials - events > _NONE, upper, 1.0)


def _precision(recall: Points, false_call_frac: Points, defect: Points, good: Points) -> Points:
    true, false = len(defect) * recall, len(good) * false_call_frac
    called = true + false
    return np.divide(true, called, out=np.ones_like(called), where=called > 0.0)
