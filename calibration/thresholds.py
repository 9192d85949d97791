"""A threshold from the scores of good places, with its evidence.

The threshold is a quantile of the scores of validation normals; it never looks at a defect. Defects, where the
validation data has some, only say what recall that threshold gives.
"""

from __future__ import annotations

import math

import numpy as np

from calibration.bounds import DEFAULT_CONFIDENCE, lower_bound_frac, upper_bound_frac
from calibration.faults import CalibrationFault
from edge.board import Floats
from edge.thresholds import Choice, Promise, Threshold

FALSE_CALL_TARGET_FRAC = 0.01  # the 99th percentile of good places, the data sets' own protocol
PPM = 1e6


class ThresholdFault(CalibrationFault):
    """Scores from which no threshold can be taken: what came, what is needed."""


def quantile_threshold(good: Floats, false_call_frac: float = FALSE_CALL_TARGET_FRAC) -> float:
    """The score that at most `false_call_frac` of `good` (N,) exceed, half way to the next score above it.

    Half way, because a threshold that equals a score of its own set would change its verdict with the last bit of
    another engine's arithmetic. Raises ThresholdFault on no scores or scores that are not finite.
    """
    if not len(good) or not np.isfinite(good).all():
        raise ThresholdFault(
            f"{len(good)} scores, {int((~np.isfinite(good)).sum())} of them not finite: need finite ones"
        )
    ordered = np.sort(good.astype(np.float64))
    above = places_above(len(ordered), false_call_frac)
    last_good = float(ordered[len(ordered) - 1 - above])
    if above == 0:
        return last_good
    return (last_good + float(ordered[len(ordered) - above])) / 2.0


def places_above(n: int, false_call_frac: float = FALSE_CALL_TARGET_FRAC) -> int:
    """How many of `n` good places the quantile leaves above itself."""
    return math.floor(false_call_frac * n + 1e-9)


def quantile_choice(
    *, good: Floats, defect: Floats, split: str, data_sha256: str, confidence: float = DEFAULT_CONFIDENCE
) -> Threshold:
    """The quantile threshold of `good` (N,) and what it does on them and on `defect` (M,), bounds exact and
    one-sided.

    The quantile fixes how many of `good` may lie above before a score is seen, so the bound on false calls counts that
    many, and holds for the very places the threshold was taken from. Rows are taken as independent, as the data sets'
    protocol does; `calibration.choice` counts places instead.
    """
    value = quantile_threshold(good)
    called = places_above(len(good))
    caught = int((defect > value).sum())
    choice = Choice(
        method="quantile",
        target_false_call_ppm=PPM * FALSE_CALL_TARGET_FRAC,
        confidence=confidence,
        kept=True,
        split=split,
        data_sha256=data_sha256,
        n_good=len(good),
        n_good_units=len(good),
        n_defect=len(defect),
        false_call_units=called,
        false_call_ppm=PPM * int((good > value).sum()) / len(good),
        false_call_ppm_upper=PPM * upper_bound_frac(called, len(good), confidence),
        promises=(
            Promise(
                label="any defect",
                n_rows=len(defect),
                n_units=len(defect),
                caught_units=caught,
                misses_units=len(defect) - caught,
                confidence=confidence,
                recall_lower=lower_bound_frac(caught, len(defect), confidence) if len(defect) else None,
            ),
        ),
    )
    return Threshold(value=value, choice=choice)
