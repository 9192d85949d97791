"""Agreement of two graphs' scores: values, ranks and, above all, verdicts and lost defects."""

from __future__ import annotations

import numpy as np
import pytest

from export.agreement import agreement

pytestmark = pytest.mark.unit

REFERENCE = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
IS_DEFECT = np.array([False, False, True, True])


def test_changed_verdicts_and_lost_defects_are_counted() -> None:
    measured = np.array([0.1, 0.2, 0.26, 0.4], np.float32)
    parity = agreement(REFERENCE, measured, thresholds=(0.28, 0.28), is_defect=IS_DEFECT, compared_with="torch")
    assert parity.n == 4
    assert parity.max_abs_score_difference == pytest.approx(0.04, rel=1e-3)
    assert parity.verdict_agreement_frac == 0.75
    assert parity.lost_defects == 1
    assert parity.spearman == pytest.approx(1.0)


def test_each_graph_is_judged_at_its_own_threshold() -> None:
    parity = agreement(REFERENCE, REFERENCE * 2, thresholds=(0.28, 0.56), is_defect=IS_DEFECT, compared_with="torch")
    assert parity.verdict_agreement_frac == 1.0
    assert parity.lost_defects == 0


def test_scores_in_reverse_order_say_so() -> None:
    parity = agreement(REFERENCE, REFERENCE[::-1], thresholds=(1, 1), is_defect=IS_DEFECT, compared_with="torch")
    assert parity.spearman == pytest.approx(-1.0)
