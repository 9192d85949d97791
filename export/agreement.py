"""How well the scores of one graph stand for another's: by value, by rank, and by verdict, which is what counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from edge.board import Floats
from edge.bundle import Parity


def agreement(
    reference: Floats,
    measured: Floats,
    *,
    thresholds: tuple[float, float],
    is_defect: NDArray[np.bool_],
    compared_with: str,
) -> Parity:
    """`measured` against `reference`, both (N,) scores of the same crops; `thresholds` are the reference's and the
    measured one's, in that order."""
    called, called_now = reference > thresholds[0], measured > thresholds[1]
    varied = np.ptp(reference) > 0 and np.ptp(measured) > 0
    return Parity(
        compared_with=compared_with,
        n=len(reference),
        max_abs_score_difference=float(np.abs(reference - measured).max()),
        spearman=min(1.0, float(spearmanr(reference, measured).statistic)) if varied else 1.0,
        verdict_agreement_frac=float((called == called_now).mean()),
        lost_defects=int((is_defect & called & ~called_now).sum()),
    )
