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
from edge.bundle import Evidence, Thresholds

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
    above = math.floor(false_call_frac * len(ordered) + 1e-9)
    last_good = float(ordered[len(ordered) - 1 - above])
    if above == 0:
        return last_good
    return (last_good + float(ordered[len(ordered) - above])) / 2.0


def threshold_with_evidence(
    *, good: Floats, defect: Floats, split: str, data_sha256: str, tool: str, confidence: float = DEFAULT_CONFIDENCE
) -> Thresholds:
    """The quantile threshold of `good` (N,) and what it does on them and on `defect` (M,), bounds exact and
    one-sided."""
    threshold = quantile_threshold(good)
    false_calls = int((good > threshold).sum())
    caught = int((defect > threshold).sum())
    evidence = Evidence(
        split=split,
        n_good=len(good),
        n_defect=len(defect),
        data_sha256=data_sha256,
        false_call_ppm=PPM * false_calls / len(good),
        false_call_ppm_upper=PPM * upper_bound_frac(false_calls, len(good), confidence),
        recall=caught / len(defect) if len(defect) else None,
        recall_lower=lower_bound_frac(caught, len(defect), confidence) if len(defect) else None,
        confidence=confidence,
        tool=tool,
    )
    percent = 100.0 * (1.0 - FALSE_CALL_TARGET_FRAC)
    return Thresholds(
        schema_version=1,
        threshold=threshold,
        method=f"{percent:g}th percentile of the scores of {split} normals",
        evidence=evidence,
    )
