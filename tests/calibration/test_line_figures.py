"""Figures of a line against closed forms and the libraries that have them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from calibration.line_figures import Counts, board_figures, line_figures, nothing_to_say

pytestmark = pytest.mark.unit

EXACT = 1e-12
ALPHA = 0.05


def _figures(n_good: int, false_calls: int, n_defect: int, caught: int, prevalence_ppm: float = 1000.0):  # type: ignore[no-untyped-def]
    counts = Counts(n_good=n_good, false_calls=false_calls, n_defect=n_defect, caught=caught)
    return line_figures(counts, prevalence_ppm=prevalence_ppm)


@pytest.mark.parametrize("n", [1, 7, 66, 299, 3000])
def test_no_mistake_seen_has_the_closed_form_bounds(n: int) -> None:
    figures = _figures(n, 0, n, n, prevalence_ppm=500.0)
    least = ALPHA ** (1.0 / n)  # Clopper-Pearson, all of n
    assert figures.recall_lower == pytest.approx(least, abs=EXACT)
    assert figures.false_call_ppm_upper == pytest.approx(1e6 * (1.0 - least), rel=1e-9, abs=1e6 * EXACT)
    assert figures.escape_ppm == 0.0
    assert figures.escape_ppm_upper == pytest.approx(500.0 * (1.0 - least), abs=500.0 * EXACT)
    assert figures.false_calls_per_defect_upper == pytest.approx((1.0 - least) * 999_500 / 500, abs=2000 * EXACT)
    shared = (ALPHA / 2) ** (1.0 / n)
    worst = (1.0 - shared) * 999_500 / 500 / shared
    assert figures.false_calls_per_caught_defect_upper == pytest.approx(worst, rel=1e-9)


def test_everything_wrong_has_the_closed_form_bounds() -> None:
    figures = _figures(20, 20, 30, 0)
    assert (figures.recall, figures.recall_lower) == (0.0, 0.0)
    assert figures.false_call_ppm == figures.false_call_ppm_upper == 1e6
    assert figures.escape_ppm == figures.escape_ppm_upper == 1000.0
    assert figures.false_calls_per_caught_defect is None
    assert figures.false_calls_per_caught_defect_upper is None
    assert figures.unsaid == ("no defect was caught: false calls per caught defect have no bound",)


@pytest.mark.parametrize(("k", "n"), [(1, 10), (63, 66), (120, 157), (2999, 3000)])
def test_bounds_are_those_of_scipy_and_statsmodels(k: int, n: int) -> None:
    figures = _figures(n, n - k, n, k)
    assert figures.recall_lower == pytest.approx(beta.ppf(ALPHA, k, n - k + 1), abs=EXACT)
    assert figures.recall_lower == pytest.approx(proportion_confint(k, n, 2 * ALPHA, "beta")[0], abs=EXACT)
    tested = binomtest(n - k, n, alternative="less").proportion_ci(1 - ALPHA, "exact").high
    assert figures.false_call_ppm_upper == pytest.approx(1e6 * tested, abs=1e6 * EXACT)
    by_statsmodels = proportion_confint(n - k, n, 2 * ALPHA, "beta")[1]
    assert figures.false_call_ppm_upper == pytest.approx(1e6 * by_statsmodels, abs=1e6 * EXACT)


def test_rates_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth = (rng.random(500) < 0.3).astype(int)
    called = (rng.random(500) < 0.2 + 0.6 * truth).astype(int)
    (quiet, false_calls), (_, caught) = confusion_matrix(truth, called)
    figures = _figures(int(quiet + false_calls), int(false_calls), int(truth.sum()), int(caught))
    assert figures.recall == pytest.approx(recall_score(truth, called), abs=EXACT)
    assert figures.f1 == pytest.approx(f1_score(truth, called), abs=EXACT)
    assert figures.false_call_ppm == pytest.approx(1e6 * (1.0 - recall_score(1 - truth, 1 - called)), rel=EXACT)


def test_at_the_tests_own_mix_false_calls_per_caught_defect_are_those_counted() -> None:
    figures = _figures(900, 30, 100, 80, prevalence_ppm=100_000.0)
    assert figures.false_calls_per_caught_defect == pytest.approx(30 / 80, abs=EXACT)
    assert figures.false_calls_per_defect == pytest.approx(30 / 100, abs=EXACT)
    assert figures.escape_ppm == pytest.approx(20 / 1000 * 1e6, rel=EXACT)
    precision = precision_score([0] * 900 + [1] * 100, [1] * 30 + [0] * 870 + [1] * 80 + [0] * 20)
    assert 1.0 / (1.0 + figures.false_calls_per_caught_defect) == pytest.approx(precision, abs=EXACT)


@given(
    n_good=st.integers(0, 400),
    n_defect=st.integers(0, 400),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    prevalence_ppm=st.floats(0.01, 999_999),
)
def test_any_counts_give_figures_or_say_why_not(
    n_good: int, n_defect: int, parts: tuple[float, float], prevalence_ppm: float
) -> None:
    figures = _figures(n_good, round(parts[0] * n_good), n_defect, round(parts[1] * n_defect), prevalence_ppm)
    for field in dataclasses.fields(figures):
        value = getattr(figures, field.name)
        assert value is None or not isinstance(value, float) or math.isfinite(value), field.name
    assert (figures.recall is None) == (figures.escape_ppm_upper is None) == (n_defect == 0)
    assert (figures.false_call_ppm is None) == (figures.false_calls_per_defect is None) == (n_good == 0)
    assert bool(figures.unsaid) == (not n_good or not n_defect or not round(parts[1] * n_defect))
    for measured, upper in (
        (figures.false_call_ppm, figures.false_call_ppm_upper),
        (figures.escape_ppm, figures.escape_ppm_upper),
        (figures.false_calls_per_caught_defect, figures.false_calls_per_caught_defect_upper),
    ):
        assert measured is None or upper is None or measured <= upper * (1 + 1e-9)


def test_both_rates_bounded_together_hold_as_often_as_stated() -> None:
    """2,000 test sets from a line that is known: the ratio's bound is missed in at most 5 % of them."""
    rng, recall, false_frac, prevalence_ppm = np.random.default_rng(5), 0.9, 0.02, 2000.0
    true = false_frac * (1e6 - prevalence_ppm) / (prevalence_ppm * recall)
    missed, known = 0, {}
    for caught, false_calls in zip(rng.binomial(80, recall, 2000), rng.binomial(300, false_frac, 2000), strict=True):
        key = (int(false_calls), int(caught))
        if key not in known:
            known[key] = _figures(300, key[0], 80, key[1], prevalence_ppm).false_calls_per_caught_defect_upper
        missed += known[key] < true
    assert missed / 2000 <= 0.05


def test_boards_have_a_two_sided_interval_and_a_bound_on_those_held_for_nothing() -> None:
    boards = board_figures(boards=12, without_false_call=9, defect_free_boards=8, held_for_nothing=0)
    lower, upper = proportion_confint(9, 12, ALPHA, "beta")
    assert boards.without_false_call_frac == 0.75
    assert boards.without_false_call_frac_lower == pytest.approx(lower, abs=1e-10)
    assert boards.without_false_call_frac_upper == pytest.approx(upper, abs=1e-10)
    assert boards.held_for_nothing_frac_upper == pytest.approx(1.0 - ALPHA ** (1 / 8), abs=EXACT)
    assert boards.unsaid == ()


def test_boards_that_were_not_there_are_said_so() -> None:
    boards = board_figures(boards=3, without_false_call=3, defect_free_boards=0, held_for_nothing=0)
    assert boards.held_for_nothing_frac_upper is None
    assert boards.unsaid == ("no board without a defect at hand: nothing can be said about boards held for nothing",)
    none = board_figures(boards=0, without_false_call=0, defect_free_boards=0, held_for_nothing=0)
    assert none.without_false_call_frac is None
    assert len(none.unsaid) == 2


def test_impossible_counts_and_prevalences_are_refused() -> None:
    with pytest.raises(ValueError, match="5 of 4 false calls"):
        Counts(n_good=4, false_calls=5, n_defect=1, caught=1)
    with pytest.raises(ValueError, match="-1 of 1 caught"):
        Counts(n_good=4, false_calls=0, n_defect=1, caught=-1)
    with pytest.raises(ValueError, match="prevalence_ppm is 0"):
        _figures(1, 0, 1, 1, prevalence_ppm=0)
    with pytest.raises(ValueError, match="3 of 2 boards"):
        board_figures(boards=2, without_false_call=3, defect_free_boards=0, held_for_nothing=0)


def test_an_empty_class_is_named() -> None:
    assert nothing_to_say("bridge") == "no defects of class 'bridge' at hand: nothing can be said"
