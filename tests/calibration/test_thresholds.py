"""A threshold from good scores: never more false calls than asked for, never on a score of its own set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration.thresholds import ThresholdFault, quantile_choice, quantile_threshold

pytestmark = pytest.mark.unit


@given(arrays(np.float32, st.integers(1, 500), elements=st.floats(0, 1, width=32)))
def test_at_most_one_percent_of_the_good_are_above(good: np.ndarray) -> None:
    assert (good > quantile_threshold(good)).mean() <= 0.01


def test_lies_between_two_scores() -> None:
    good = np.arange(200, dtype=np.float32)
    assert quantile_threshold(good) == 197.5


def test_few_scores_give_the_largest() -> None:
    assert quantile_threshold(np.array([3.0, 1.0, 2.0], np.float32)) == 3.0


@pytest.mark.parametrize("good", [[], [1.0, np.nan], [np.inf]])
def test_no_threshold_without_finite_scores(good: list[float]) -> None:
    with pytest.raises(ThresholdFault, match="need finite ones"):
        quantile_threshold(np.array(good, np.float32))


def test_evidence_counts_what_the_threshold_does() -> None:
    good = np.arange(300, dtype=np.float32)
    defect = np.array([100.0, 400.0, 500.0, 600.0], np.float32)
    made = quantile_choice(good=good, defect=defect, split="val", data_sha256="a" * 64)
    assert made.choice.false_call_ppm == pytest.approx(10_000)
    assert made.choice.false_call_ppm_upper > made.choice.false_call_ppm
    (promise,) = made.choice.promises
    assert promise.caught_units == 3
    assert promise.recall_lower is not None
    assert promise.recall_lower < 0.75


def test_defects_do_not_move_the_threshold() -> None:
    good = np.random.default_rng(0).random(300).astype(np.float32)
    made = [
        quantile_choice(good=good, defect=defect, split="val", data_sha256="a" * 64)
        for defect in (np.zeros(0, np.float32), np.full(50, 0.5, np.float32))
    ]
    assert made[0].value == made[1].value
    assert made[0].choice.promises[0].recall_lower is None
