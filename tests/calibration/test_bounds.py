"""Exact bounds against values that can be worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.bounds import lower_bound_frac, upper_bound_frac

pytestmark = pytest.mark.unit


def test_no_miss_in_59_promises_95_percent() -> None:
    # 0.95 ** 59 is just below 0.05: the number every sampling plan starts from
    assert lower_bound_frac(59, 59) == pytest.approx(0.05 ** (1 / 59))
    assert lower_bound_frac(59, 59) > 0.95 > lower_bound_frac(58, 58)


def test_no_false_call_in_300_is_at_most_one_percent() -> None:
    assert upper_bound_frac(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))


@given(trials=st.integers(1, 400), data=st.data())
def test_bounds_enclose_the_rate_and_mirror_each_other(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    lower, upper = lower_bound_frac(successes, trials), upper_bound_frac(successes, trials)
    assert 0.0 <= lower <= successes / trials <= upper <= 1.0
    assert upper == pytest.approx(1.0 - lower_bound_frac(trials - successes, trials), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="need at least one trial"):
        lower_bound_frac(successes, trials)
