"""Figures of the study of the paper's tables: of one network's score, and over seeds with 95 % t-intervals."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from calibration.thresholds import quantile_threshold
from edge.board import Floats
from export.datasets import Row
from export.metrics import auroc, counts_of

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows and their scores (N,), higher is worse."""

    rows: Sequence[Row]
    score: Floats

    def of(self, label: str) -> Floats:
        """The scores of one label."""
        return self.score[np.array([row.label == label for row in self.rows])]

    @property
    def good(self) -> np.ndarray:
        """Which rows are good, (N,) bool."""
        return np.array([row.is_good for row in self.rows])

    @property
    def defects(self) -> list[str]:
        """The labels of defects there are."""
        return sorted({row.label for row in self.rows if not row.is_good})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One score of one network. Precision is 0 where nothing was called; F1 then is 0 too. AUROC by label."""

    threshold: float
    caught: int
    n_defect: int
    false_calls: int
    n_good: int
    precision: float
    recall: float
    f1: float
    auroc: dict[str, float]
    val_auroc: dict[str, float]


def figures_of(val: Scored, test: Scored) -> Figures:
    """Threshold from the good of `val`, figures from `test` at it."""
    threshold = quantile_threshold(val.score[val.good])
    counts = counts_of(test.score > threshold, test.good)
    called = counts.caught + counts.false_calls
    return Figures(
        threshold=threshold,
        caught=counts.caught,
        n_defect=counts.n_defect,
        false_calls=counts.false_calls,
        n_good=counts.n_good,
        precision=counts.caught / called if called else 0.0,
        recall=counts.caught / counts.n_defect,
        f1=2 * counts.caught / (called + counts.n_defect),
        auroc=_aurocs(test),
        val_auroc=_aurocs(val),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Mean and deviation over `n` seeds, and the two-sided 95 % t-interval of the mean; None of one seed."""

    mean: float
    n: int
    deviation: float | None
    lower: float | None
    upper: float | None


def summary_of(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a network and score over its seeds: each figure as a `Mean`, and which seeds gave a network that
    `boardgate train` would refuse."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        for score in entry["scores"]:
            groups[entry["variant"], score].append(entry)
    rows = []
    for (variant, score), group in groups.items():
        found = [_flat(entry["scores"][score]) for entry in group]
        rows.append(
            {
                "variant": variant,
                "score": score,
                "beta": group[0]["beta"],
                "seeds": sorted(entry["seed"] for entry in group),
                "refused_seeds": sorted(entry["seed"] for entry in group if entry["refused"]),
                "figures": {name: asdict(_mean([one[name] for one in found])) for name in found[0]},
            }
        )
    return rows


def _flat(figures: dict[str, Any]) -> dict[str, float]:
    plain = {name: figures[name] for name in ("precision", "recall", "f1")}
    false_call_frac = figures["false_calls"] / figures["n_good"]
    return {**plain, "false_call_frac": false_call_frac, **{f"auroc {k}": v for k, v in figures["auroc"].items()}}


def _mean(values: Sequence[float]) -> Mean:
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Mean(mean=mean, n=n, deviation=None, lower=None, upper=None)
    deviation = statistics.stdev(values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * deviation / n**0.5
    return Mean(mean=mean, n=n, deviation=deviation, lower=mean - reach, upper=mean + reach)


def _aurocs(scored: Scored) -> dict[str, float]:
    good = scored.score[scored.good]
    return {label: auroc(good, scored.of(label)) for label in scored.defects}
