"""Recall and false calls at thresholds, as the paper's tables have them, with intervals. Higher scores are worse; a
score equal to the threshold is good, as at the station.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

PAPER_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)  # Tables V and VI
RECALLS = (0.90, 0.95, 0.99)  # the paper's two, and the one a line would ask for
PREVALENCES = (0.001, 0.003, 0.01)
BOOTSTRAP_ROUNDS = 300
CONFIDENCE = 0.95
ROC_POINTS = 100

Scores = NDArray[np.floating]
Mask = NDArray[np.bool_]
Cell = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Joints of one split: `score` (N,), `defective` (N,) bool, `board` (N,) as small integers."""

    score: Scores
    defective: Mask
    board: NDArray[np.int64]

    def of(self, rows: Mask) -> Judged:
        """Some of them."""
        return Judged(score=self.score[rows], defective=self.defective[rows], board=self.board[rows])


def threshold_for(judged: Judged, recall: float) -> float:
    """The highest threshold that catches at least `recall` of the defective joints. Raises ValueError without any."""
    bad = np.sort(judged.score[judged.defective])[::-1]
    if not len(bad):
        raise ValueError("no defective joint to choose a threshold by")
    return float(np.nextafter(bad[math.ceil(recall * len(bad) - 1e-9) - 1], -np.inf))


def rate(called: Mask) -> Cell:
    """How many of (N,) were called, with Wilson's interval; without any joint the rate is None."""
    n, k = len(called), int(called.sum())
    if n == 0:
        return {"n": 0, "called": 0, "frac": None, "lower": None, "upper": None}
    lower, upper = wilson(k, n)
    return {"n": n, "called": k, "frac": k / n, "lower": lower, "upper": upper}


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's two-sided interval of a rate (E. B. Wilson 1927). Raises ValueError for impossible counts."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials}: from 0 to all of at least one")
    z = float(norm.ppf(0.5 + confidence / 2))
    share, correction = successes / trials, z * z / trials
    middle = (share + correction / 2) / (1 + correction)
    half = z * math.sqrt(share * (1 - share) / trials + correction / (4 * trials)) / (1 + correction)
    return (middle - half if successes else 0.0), (middle + half if successes < trials else 1.0)


def at_threshold(judged: Judged, threshold: float) -> Cell:
    """Recall and false-call rate of one threshold."""
    called = judged.score > threshold
    return {
        "threshold": threshold,
        "recall": rate(called[judged.defective]),
        "fpr": rate(called[~judged.defective]),
    }


def fpr_at_recall(judged: Judged, recall: float) -> float:
    """Read off the ROC of these joints themselves, as the paper's Table VIII: no threshold of a station's."""
    called = judged.score > threshold_for(judged, recall)
    return float(called[~judged.defective].mean())


def auroc_by_board(judged: Judged, rounds: int = BOOTSTRAP_ROUNDS) -> Cell:
    """AUROC with the interval of drawing whole boards anew: joints of one board share its machine, light and regions.
    Seeded."""
    levels = np.unique(judged.score, return_inverse=True)[1]
    rng, n_boards = np.random.default_rng(0), int(judged.board.max()) + 1
    drawn = []
    for _ in range(rounds):
        weight = np.bincount(rng.integers(n_boards, size=n_boards), minlength=n_boards)[judged.board]
        if weight[judged.defective].any() and weight[~judged.defective].any():
            drawn.append(_weighted_auroc(levels, judged.defective, weight))
    tail = (1.0 - CONFIDENCE) / 2.0
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail]) if drawn else (np.nan, np.nan)
    whole = _weighted_auroc(levels, judged.defective, np.ones(len(levels)))
    return {"auroc": whole, "lower": float(lower), "upper": float(upper), "boards": n_boards}


def _weighted_auroc(levels: NDArray[np.integer], defective: Mask, weight: NDArray[Any]) -> float:
    """Of joints that count `weight` times; `levels` are their scores as ranks, equal where scores are."""
    good, bad = (np.bincount(levels[of], weight[of], levels.max() + 1) for of in (~defective, defective))
    below = np.cumsum(good) - good
    return float((bad * (below + good / 2)).sum() / (good.sum() * bad.sum()))


def roc_points(judged: Judged) -> list[tuple[float, float]]:
    """(FPR, recall) of at most ROC_POINTS thresholds, from none called to all."""
    good, bad = np.sort(judged.score[~judged.defective]), np.sort(judged.score[judged.defective])
    levels = np.unique(np.quantile(good, np.linspace(0.0, 1.0, ROC_POINTS)))[::-1]
    called = [(1 - np.searchsorted(good, t, "right") / len(good), _above(bad, float(t))) for t in levels]
    return [(0.0, _above(bad, float(good[-1]))), *((float(f), r) for f, r in called), (1.0, 1.0)]


def of_called_true(recall: float, fpr: float, prevalence: float) -> float:
    """What share of calls are defects where so few joints are."""
    true, false = recall * prevalence, fpr * (1.0 - prevalence)
    return true / (true + false) if true + false else 1.0


def rounded(value: Any) -> Any:
    """Six significant digits throughout: a stored file stays small and its changes readable."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _above(ordered: Scores, threshold: float) -> float:
    return 1.0 - float(np.searchsorted(ordered, threshold, "right")) / len(ordered)
