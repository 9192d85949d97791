"""Kappa: agreement beyond chance, with intervals that count parts, not trials.

The coefficients are statsmodels' (Cohen 1960, Fleiss 1971). Their textbook standard errors take every judgement as
independent, which repeated judgements of one part are not, so the interval here is the delete-one-part jackknife with
Student's t (Efron & Stein 1981). Where no part disagrees the jackknife has nothing to say; the lower limit is then that
of the agreement's exact interval (Clopper & Pearson 1934), at the same chance agreement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from calibration.msa.rates import exact_interval_frac

Tables = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """A coefficient and its interval. All None where it is not defined: only one category was ever used."""

    value: float | None
    lower: float | None
    upper: float | None
    n_parts: int


def cohen(first: NDArray[np.int64], second: NDArray[np.int64], n_categories: int, confidence: float) -> Kappa:
    """Cohen's kappa of two appraisers, judgements (parts, trials) each, trial by trial."""
    parts = np.arange(len(first))[:, None]
    tables = np.zeros((len(first), n_categories, n_categories), np.int64)
    np.add.at(tables, (parts, first, second), 1)
    return _jackknifed(tables, _cohen_value, confidence)


def fleiss(judgements: NDArray[np.int64], n_categories: int, confidence: float) -> Kappa:
    """Fleiss' kappa of judgements (parts, raters); trials of one appraiser count as raters when asked about him."""
    counts = np.stack([(judgements == k).sum(axis=1) for k in range(n_categories)], axis=1)
    return _jackknifed(counts, _fleiss_value, confidence)


def _cohen_value(tables: Tables) -> float:
    return float(cohens_kappa(tables.sum(axis=0), return_results=False))


def _fleiss_value(counts: Tables) -> float:
    return float(fleiss_kappa(counts))


def _jackknifed(tables: Tables, coefficient: Callable[[Tables], float], confidence: float) -> Kappa:
    n = len(tables)
    if _one_category(tables):
        return Kappa(value=None, lower=None, upper=None, n_parts=n)
    value = coefficient(tables)
    if value >= 1.0 - 1e-12:
        lower = _lower_without_disagreement(tables, confidence)
        return Kappa(value=1.0, lower=lower, upper=1.0, n_parts=n)
    # parts with the same table leave the same rest behind: each is left out once, and counted
    kinds, first, counts = np.unique(tables.reshape(n, -1), axis=0, return_index=True, return_counts=True)
    rests = [np.delete(tables, i, axis=0) for i in first]
    if n < 3 or len(kinds) < 2 or any(_one_category(rest) for rest in rests):
        return Kappa(value=value, lower=None, upper=None, n_parts=n)
    left = np.array([coefficient(rest) for rest in rests])
    mean = float(np.average(left, weights=counts))
    error = float(np.sqrt((n - 1) / n * (counts * (left - mean) ** 2).sum()))
    half = float(student.ppf((1 + confidence) / 2, n - 1)) * error
    return Kappa(value=value, lower=max(value - half, -1.0), upper=min(value + half, 1.0), n_parts=n)


def _shares(tables: Tables) -> NDArray[np.float64]:
    """How often each category was used, over both sides of a square table or over all raters."""
    total = tables.sum(axis=0)
    used = total.sum(axis=0) + total.sum(axis=1) if total.ndim == 2 else total
    return np.asarray(used / used.sum(), np.float64)


def _one_category(tables: Tables) -> bool:
    return not len(tables) or bool((_shares(tables) > 0).sum() < 2)


def _lower_without_disagreement(tables: Tables, confidence: float) -> float:
    chance = float((_shares(tables) ** 2).sum())
    agreement = exact_interval_frac(len(tables), len(tables), confidence).lower
    return max((agreement - chance) / (1.0 - chance), -1.0)
