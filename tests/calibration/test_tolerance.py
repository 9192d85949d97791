"""Tolerance limits: closed forms, the edges every sampling plan knows, and simulated lots that notice a rank off by
one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import beta
from statsmodels.stats.proportion import proportion_confint

from calibration.bounds import lower_bound_frac, upper_bound_frac
from calibration.tolerance import count_allowed, highest_below, lowest_above, trials_needed

pytestmark = pytest.mark.unit

LOTS = 4_000
SCORES = arrays(np.float32, st.integers(1, 80), elements=st.floats(-1e6, 1e6, width=32))
FEW_VALUES = arrays(np.float32, st.integers(1, 80), elements=st.sampled_from([0.0, 1.0, 1.5]))


@pytest.mark.parametrize("n", [1, 2, 7, 59, 96, 299, 3_000, 100_000])
def test_all_caught_is_the_nth_root(n: int) -> None:
    assert lower_bound_frac(n, n) == pytest.approx(0.05 ** (1 / n), rel=0, abs=1e-12)
    assert upper_bound_frac(0, n) == pytest.approx(-math.expm1(math.log(0.05) / n), rel=0, abs=1e-12)


@pytest.mark.parametrize(("n", "caught"), [(59, 58), (96, 90), (299, 297), (1_000, 500), (84, 1), (3_000, 2_984)])
def test_bounds_are_clopper_pearson(n: int, caught: int) -> None:
    lower, upper = proportion_confint(caught, n, alpha=0.1, method="beta")  # two-sided at 90 %: each side at 95 %
    assert lower_bound_frac(caught, n) == pytest.approx(lower, rel=0, abs=1e-12)
    assert upper_bound_frac(caught, n) == pytest.approx(upper, rel=0, abs=1e-12)
    assert lower_bound_frac(caught, n) == pytest.approx(beta.ppf(0.05, caught, n - caught + 1), rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "confidence", "count", "n"),
    [
        (0.01, 0.95, 0, 299),
        (0.05, 0.95, 0, 59),
        (0.10, 0.95, 0, 29),
        (0.001, 0.95, 0, 2995),
        (0.01, 0.95, 1, 473),
        (0.05, 0.95, 1, 93),
        (0.01, 0.99, 0, 459),
        (0.05, 0.99, 0, 90),
    ],
)
def test_the_numbers_of_the_sampling_tables(rate: float, confidence: float, count: int, n: int) -> None:
    assert trials_needed(rate, confidence, count) == n
    assert (count_allowed(n, rate, confidence), count_allowed(n - 1, rate, confidence)) == (
        count,
        None if count == 0 else count - 1,
    )


@given(rate=st.floats(1e-4, 0.5), confidence=st.floats(0.6, 0.999), n=st.integers(1, 5_000))
def test_allowed_is_the_last_count_whose_exact_bound_keeps_the_rate(rate: float, confidence: float, n: int) -> None:
    count = count_allowed(n, rate, confidence)
    following = 0 if count is None else count + 1
    if count is not None:
        assert upper_bound_frac(count, n, confidence) <= rate * (1 + 1e-9)
        assert trials_needed(rate, confidence, count) <= n
    assert upper_bound_frac(min(following, n), n, confidence) >= rate * (1 - 1e-9)


@pytest.mark.parametrize(("rate", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.01, 1.0), (0.01, 0.5), (-1, 0.9)])
def test_impossible_promises_are_refused(rate: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="allowed is above"):
        count_allowed(10, rate, confidence)


def test_nothing_from_nothing() -> None:
    assert count_allowed(0, 0.01, 0.95) is None


@given(scores=st.one_of(SCORES, FEW_VALUES), data=st.data(), margin=st.sampled_from([0.0, 2.0**-20, 1e-3]))
def test_all_but_the_allowed_misses_are_called(scores: np.ndarray, data: st.DataObject, margin: float) -> None:
    misses = data.draw(st.integers(0, len(scores) - 1))
    threshold = highest_below(scores, misses, margin)
    assert (scores > threshold).sum() >= len(scores) - misses
    assert threshold < np.sort(scores)[misses]
    assert (scores > float(threshold)).sum() == (scores.astype(np.float64) > float(threshold)).sum()


@given(scores=st.one_of(SCORES, FEW_VALUES), data=st.data(), margin=st.sampled_from([0.0, 2.0**-20, 1e-3]))
def test_no_more_than_the_allowed_good_places_are_called(
    scores: np.ndarray, data: st.DataObject, margin: float
) -> None:
    allowed = data.draw(st.integers(0, len(scores) - 1))
    assert (scores > lowest_above(scores, allowed, margin)).sum() <= allowed


def test_the_last_bit_of_another_engine_changes_no_verdict() -> None:
    scores = np.array([0.7, 0.7, 0.9, 1.0], np.float32)
    for moved in (np.nextafter(scores, np.float32(0)), np.nextafter(scores, np.float32(2))):
        assert (moved > highest_below(scores, 0)).all()
        assert not (moved > lowest_above(scores, 0)).any()


@pytest.mark.parametrize("n", [59, 96, 299])
def test_promise_holds_in_95_of_100_lots_and_one_rank_further_does_not(n: int) -> None:
    recall = 0.95
    misses = count_allowed(n, 1 - recall, 0.95)
    assert misses is not None
    scores = np.random.default_rng(n).random((LOTS, n), np.float32)  # true recall of a threshold t is 1 - t

    def broken_frac(count: int) -> float:
        return float((1.0 - highest_below(scores, count) < recall).mean())

    noise = 4 * math.sqrt(0.05 * 0.95 / LOTS)
    assert broken_frac(misses) < 0.05 + noise
    assert broken_frac(misses + 1) > 0.05 + noise


def test_false_call_promise_of_3000_good_places_and_one_rank_further() -> None:
    rate, n, lots = 1e-3, 3_000, 1_000
    allowed = count_allowed(n, rate, 0.95)
    assert allowed == 0
    scores = np.random.default_rng(3).random((lots, n), np.float32)
    noise = 4 * math.sqrt(0.05 * 0.95 / lots)
    assert ((1.0 - lowest_above(scores, 0)) > rate).mean() < 0.05 + noise
    assert ((1.0 - lowest_above(scores, 1)) > rate).mean() > 0.05 + noise
