"""Figures of pads' scores and their 95 % intervals, by bootstrap over runs: boards of one run are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats

LEVELS = 2000  # scores are told apart to so many steps of equal count
RESAMPLES = 500
CONFIDENCE = 0.95
RECALL_GRID = tuple(k / 20 for k in range(1, 21))

Counts = NDArray[np.float64]
Truth = NDArray[np.bool_]
Figure = list[float | None]  # value, lower, upper: as it stands in result files


class ByRun:
    """Scores of pads, higher is more defective, as counts (runs, levels) of defective and of good pads, worst first."""

    def __init__(self, scores: Sequence[Floats], truth: Sequence[Truth]) -> None:
        """One array a run of each, of any shape."""
        pooled = np.concatenate([s.ravel() for s in scores])
        edges = np.unique(np.quantile(pooled, np.linspace(0, 1, LEVELS + 1)))[1:-1]
        n = len(edges) + 1
        levels = [np.searchsorted(edges, s.ravel(), side="right") for s in scores]
        self.defect = np.stack([np.bincount(k[t.ravel()], minlength=n) for k, t in zip(levels, truth, strict=True)])
        self.good = np.stack([np.bincount(k[~t.ravel()], minlength=n) for k, t in zip(levels, truth, strict=True)])
        self.defect, self.good = self.defect[:, ::-1], self.good[:, ::-1]

    def auprc(self, runs: NDArray[np.int64] | slice = slice(None)) -> float:
        """Average precision of these runs together."""
        recall, precision = self._curve(runs)
        return float(np.sum(np.diff(recall, prepend=0.0) * precision))

    def best_f1(self) -> float:
        """The best F1 any threshold gives: rises with the share of defects alone, not to be compared across shares."""
        recall, precision = self._curve(slice(None))
        return float(np.max(2 * recall * precision / np.maximum(recall + precision, 1e-12)))

    def precision_at(self, grid: Sequence[float] = RECALL_GRID) -> list[float]:
        """Precision where recall first reaches each figure of the grid."""
        recall, precision = self._curve(slice(None))
        at = np.searchsorted(recall, np.array(grid) - 1e-9).clip(max=len(recall) - 1)
        return [float(p) for p in precision[at]]

    def _curve(self, runs: NDArray[np.int64] | slice) -> tuple[Counts, Counts]:
        found = np.cumsum(self.defect[runs].sum(axis=0))
        called = found + np.cumsum(self.good[runs].sum(axis=0))
        return found / max(1, found[-1]), found / np.maximum(called, 1)


def interval(statistic: Callable[[NDArray[np.int64]], float], n_runs: int, seed: int = 0) -> tuple[float, float]:
    """95 % of a statistic of runs, by their numbers, over resamples of them. A resample's NaN is left out, infinity is
    kept: a fault that is never found."""
    return _middle(np.array([statistic(runs) for runs in _resamples(n_runs, seed)]))


def ratio(part: Counts, whole: Counts, seed: int = 0) -> Figure:
    """Sum of `part` over sum of `whole`, both by run, with its interval; None where there is nothing."""
    if not whole.sum():
        return [None, None, None]
    runs = _resamples(len(part), seed)
    total = whole[runs].sum(axis=1)
    drawn = np.divide(part[runs].sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
    return figure(float(part.sum() / whole.sum()), *_middle(drawn))


def _resamples(n_runs: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, n_runs, (RESAMPLES, n_runs))


def _middle(drawn: Counts) -> tuple[float, float]:
    known = np.sort(drawn[~np.isnan(drawn)])
    if not len(known):
        return np.nan, np.nan
    outside = int((1 - CONFIDENCE) / 2 * len(known))
    return float(known[outside]), float(known[-1 - outside])


def figure(value: float, lower: float, upper: float) -> Figure:
    """To four places, None for what is no number."""
    return [round(v, 4) if np.isfinite(v) else None for v in (value, lower, upper)]
