"""Variable gauge R&R by analysis of variance: crossed, balanced, parts and appraisers random.

Expected mean squares and the pooling of the interaction follow the AIAG manual (MSA, 4th edition 2010, chapter III
section B and appendix A): the interaction is kept when its F test gives p below `pool_above_p`, else pooled into
repeatability. 0.25 is Bancroft's advice (1964) for such preliminary tests and this module's choice; several programs
use 0.05. A single appraiser gives repeatability and parts alone; reproducibility is then not estimated, and not 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from calibration.msa.gauge_intervals import Limits, Mean, component_limits
from calibration.msa.rates import DEFAULT_CONFIDENCE, Rating
from calibration.msa.study import GaugeStudy, StudyFault

POOL_ABOVE_P = 0.25
NDC_FACTOR = 1.41  # the manual's sqrt(2): categories 97 % apart
STUDY_SIGMAS = 6.0  # a study's or a tolerance's width in standard deviations
ACCEPTABLE_GRR_PERCENT, MARGINAL_GRR_PERCENT, MIN_NDC = 10.0, 30.0, 5
ROUNDING_FRAC = 1e-13  # of the largest value: float64 sums of a study's size are exact to about this


@dataclass(frozen=True, slots=True, kw_only=True)
class AnovaRow:
    """One line of the table; `f` and `p` None where nothing is tested."""

    source: str
    df: int
    sum_of_squares: float
    mean_square: float
    f: float | None
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One source of variation: deviation in the study's unit, variance in its square, shares of total and tolerance."""

    name: str
    variance: float
    deviation: Limits
    contribution_percent: float
    study_variation_percent: Limits
    tolerance_percent: Limits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeResult:
    """What a gauge study says. `components`: repeatability, appraiser, interaction, reproducibility (these three only
    with several appraisers), grr, part, total.

    `rating` is by the study variation of grr, or by the tolerance where one was given; `ndc` below 5 is at most
    marginal. Limits are generalised confidence intervals at `confidence`, given the model that was chosen.
    """

    unit: str
    n_parts: int
    n_appraisers: int
    n_trials: int
    tolerance: float | None
    confidence: float
    pool_above_p: float
    interaction_kept: bool
    anova: tuple[AnovaRow, ...]
    components: tuple[Component, ...]
    ndc: int | None  # None where the gauge showed no variation at all
    ndc_limits: tuple[float, float] | None
    rating: Rating

    def component(self, name: str) -> Component:
        """The component of that name. Raises KeyError."""
        return {c.name: c for c in self.components}[name]


def analyse_gauge(
    study: GaugeStudy,
    tolerance: float | None = None,
    pool_above_p: float = POOL_ABOVE_P,
    confidence: float = DEFAULT_CONFIDENCE,
) -> GaugeResult:
    """Components of variation of a study. Raises StudyFault when all values are equal or the tolerance is no width."""
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise StudyFault(f"tolerance {tolerance}: is the whole width between the limits, above 0")
    if np.ptp(study.values) == 0:
        raise StudyFault(
            f"all {study.values.size} values are {study.values.flat[0]}: nothing varies, nothing to analyse"
        )
    full = sums_of_squares(study.values)
    test = _interaction_test(full)
    kept = test is not None and test[1] < pool_above_p
    means = full if kept or "interaction" not in full else _pooled(full)
    limits = component_limits(means, study.values.shape, tolerance, STUDY_SIGMAS, confidence)
    components = tuple(
        Component(
            name=name,
            variance=found.variance,
            deviation=found.deviation,
            contribution_percent=100.0 * found.variance / limits["total"].variance,
            study_variation_percent=found.study_variation_percent,
            tolerance_percent=found.tolerance_percent,
        )
        for name, found in limits.items()
    )
    ratio = limits["grr"].part_over_it
    ndc = None if ratio is None else max(1, math.floor(NDC_FACTOR * ratio.value))
    grr = limits["grr"]
    return GaugeResult(
        unit=study.unit,
        n_parts=study.values.shape[0],
        n_appraisers=study.values.shape[1],
        n_trials=study.values.shape[2],
        tolerance=tolerance,
        confidence=confidence,
        pool_above_p=pool_above_p,
        interaction_kept=kept,
        anova=_table(full, kept),
        components=components,
        ndc=ndc,
        ndc_limits=None if ratio is None else (NDC_FACTOR * ratio.lower, NDC_FACTOR * ratio.upper),
        rating=gauge_rating((grr.tolerance_percent or grr.study_variation_percent).value, ndc),
    )


def gauge_rating(grr_percent: float, ndc: int | None) -> Rating:
    """The manual's rule: up to 10 % acceptable, up to 30 % may be; fewer than 5 categories are never acceptable."""
    if grr_percent > MARGINAL_GRR_PERCENT:
        return Rating.UNACCEPTABLE
    if grr_percent > ACCEPTABLE_GRR_PERCENT or (ndc is not None and ndc < MIN_NDC):
        return Rating.MARGINAL
    return Rating.ACCEPTABLE


def sums_of_squares(values: NDArray[np.float64]) -> dict[str, Mean]:
    """The balanced decomposition of values (parts, appraisers, trials); with one appraiser only part and error."""
    p, a, r = values.shape
    grand, cell = values.mean(), values.mean(axis=2)
    part, who = values.mean(axis=(1, 2)) - grand, values.mean(axis=(0, 2)) - grand
    means = {"part": Mean(sum_of_squares=float(a * r * (part**2).sum()), df=p - 1)}
    if a > 1:
        both = cell - grand - part[:, None] - who[None, :]
        means["appraiser"] = Mean(sum_of_squares=float(p * r * (who**2).sum()), df=a - 1)
        means["interaction"] = Mean(sum_of_squares=float(r * (both**2).sum()), df=(p - 1) * (a - 1))
    error = values - cell[:, :, None]
    means["repeatability"] = Mean(sum_of_squares=float((error**2).sum()), df=p * a * (r - 1))
    # what rounding alone leaves of values that are equal is no variation: it would give millions of categories
    rounding = values.size * (ROUNDING_FRAC * float(np.abs(values).max())) ** 2
    return {k: m if m.sum_of_squares > rounding else Mean(sum_of_squares=0.0, df=m.df) for k, m in means.items()}


def _pooled(means: dict[str, Mean]) -> dict[str, Mean]:
    error, both = means["repeatability"], means["interaction"]
    pooled = Mean(sum_of_squares=error.sum_of_squares + both.sum_of_squares, df=error.df + both.df)
    return {"part": means["part"], "appraiser": means["appraiser"], "repeatability": pooled}


def _interaction_test(means: dict[str, Mean]) -> tuple[float, float] | None:
    """F and p of the interaction against repeatability; p is 0 where repeats never differ but appraisers do."""
    if "interaction" not in means:
        return None
    both, error = means["interaction"], means["repeatability"]
    return _test(both, error)


def _test(upper: Mean, lower: Mean) -> tuple[float, float]:
    if lower.mean_square == 0:
        return (math.inf, 0.0) if upper.mean_square > 0 else (0.0, 1.0)
    f = upper.mean_square / lower.mean_square
    return f, float(fisher.sf(f, upper.df, lower.df))


def _table(full: dict[str, Mean], kept: bool) -> tuple[AnovaRow, ...]:
    """All lines of the full model; main effects are tested against what the chosen model tests them against."""
    if "interaction" not in full:
        against = {"part": full["repeatability"]}
    else:
        main = full["interaction"] if kept else _pooled(full)["repeatability"]
        against = {"part": main, "appraiser": main, "interaction": full["repeatability"]}
    rows = [_row(name, mean, against.get(name)) for name, mean in full.items()]
    if "interaction" in full and not kept:
        rows.append(_row("pooled repeatability", _pooled(full)["repeatability"], None))
    return tuple(rows)


def _row(source: str, mean: Mean, against: Mean | None) -> AnovaRow:
    f, p = (None, None) if against is None else _test(mean, against)
    return AnovaRow(
        source=source, df=mean.df, sum_of_squares=mean.sum_of_squares, mean_square=mean.mean_square, f=f, p=p
    )
