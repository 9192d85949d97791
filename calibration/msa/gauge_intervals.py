"""Components of variance from mean squares, and their generalised confidence intervals.

For each mean square, SS / chi-squared(df) takes the place of the unknown expected mean square; the components and every
ratio of them follow by the same arithmetic as the estimates, negative ones at 0. The limits are quantiles of 100,000
such draws of a fixed seed (Hamada & Weerahandi 2000; Burdick, Borror & Montgomery, "Design and Analysis of Gauge R&R
Studies", SIAM 2005). One way for every figure, ndc included, where the closed approximations need one each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 100_000  # the limits move by less than 1 % of themselves from seed to seed
SEED = 20_100_601
SMALLEST_SHARE = 1e-12  # of the total variance: keeps a ratio to a draw that came out 0 finite

Draws = NDArray[np.float64]  # (1 + DRAWS,): the estimate first, then the draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A sum of squares and its degrees of freedom."""

    sum_of_squares: float
    df: int

    @property
    def mean_square(self) -> float:
        """Sum of squares over degrees of freedom."""
        return self.sum_of_squares / self.df


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A figure and its two-sided interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One component: its variance, deviation, percent of total and of tolerance, part's deviation over its own."""

    variance: float
    deviation: Limits
    study_variation_percent: Limits
    tolerance_percent: Limits | None
    part_over_it: Limits | None  # None where the component is 0


def component_limits(
    means: Mapping[str, Mean], shape: tuple[int, ...], tolerance: float | None, sigmas: float, confidence: float
) -> dict[str, Found]:
    """Each component by name, from mean squares of a study of `shape` (parts, appraisers, trials)."""
    rng = np.random.default_rng(SEED)
    drawn = {
        name: np.concatenate([[mean.mean_square], mean.sum_of_squares / rng.chisquare(mean.df, DRAWS)])
        for name, mean in means.items()
    }
    parts = _components(drawn, shape)
    total = parts["total"]
    return {
        name: Found(
            variance=float(variance[0]),
            deviation=_limits(np.sqrt(variance), confidence),
            study_variation_percent=_limits(100.0 * np.sqrt(_ratio(variance, total)), confidence),
            tolerance_percent=None
            if tolerance is None
            else _limits(100.0 * sigmas * np.sqrt(variance) / tolerance, confidence),
            part_over_it=None
            if variance[0] == 0
            else _limits(np.sqrt(parts["part"] / np.maximum(variance, SMALLEST_SHARE * total)), confidence),
        )
        for name, variance in parts.items()
    }


def _components(ms: Mapping[str, Draws], shape: tuple[int, ...]) -> dict[str, Draws]:
    """Variances from mean squares (expected mean squares of the random model), in the order they are reported."""
    p, a, r = shape
    error = ms["repeatability"]
    if "appraiser" not in ms:
        part = _positive((ms["part"] - error) / r)
        return {"repeatability": error, "grr": error, "part": part, "total": error + part}
    main = ms.get("interaction", error)
    appraiser = _positive((ms["appraiser"] - main) / (p * r))
    interaction = _positive((main - error) / r)
    part = _positive((ms["part"] - main) / (a * r))
    grr = error + appraiser + interaction
    return {
        "repeatability": error,
        "appraiser": appraiser,
        "interaction": interaction,
        "reproducibility": appraiser + interaction,
        "grr": grr,
        "part": part,
        "total": grr + part,
    }


def _positive(variance: Draws) -> Draws:
    return np.maximum(variance, 0.0)


def _ratio(variance: Draws, total: Draws) -> Draws:
    return variance / np.maximum(total, np.finfo(float).tiny)


def _limits(draws: Draws, confidence: float) -> Limits:
    lower, upper = np.quantile(draws[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return Limits(value=float(draws[0]), lower=float(lower), upper=float(upper))
