"""Run lengths against the published tables."""

from __future__ import annotations

import pytest

from calibration.drift_design import (
    cusum_arl,
    ewma_arl,
    limit_for,
    limit_for_many,
    siegmund_arl,
    two_sided_arl,
)
from edge.drift import FOUND_IN_100_BOARDS, WATCHED
from edge.drift_chart import LIMIT, SLACK

pytestmark = pytest.mark.unit

# D. C. Montgomery, Introduction to Statistical Quality Control, table 9.3: two-sided, k = 1/2
MONTGOMERY = {
    4.0: {0.0: 168, 0.25: 74.2, 0.5: 26.6, 0.75: 13.3, 1.0: 8.38, 1.5: 4.75, 2.0: 3.34},
    5.0: {0.0: 465, 0.25: 139, 0.5: 38.0, 0.75: 17.0, 1.0: 10.4, 1.5: 5.75, 2.0: 4.01},
}


@pytest.mark.parametrize(("h", "shift", "arl"), [(h, d, a) for h, row in MONTGOMERY.items() for d, a in row.items()])
def test_two_sided_cusum_equals_the_table(h: float, shift: float, arl: float) -> None:
    assert two_sided_arl(cusum_arl(0.5, h, shift), cusum_arl(0.5, h, -shift)) == pytest.approx(arl, rel=0.006)


def test_one_sided_cusum_and_siegmund() -> None:
    assert cusum_arl(0.5, 5.0) == pytest.approx(930.9, rel=1e-3)  # Hawkins and Olwell 1998
    assert siegmund_arl(0.5, 5.0) == pytest.approx(938.2, rel=1e-3)  # Montgomery, example 9.1
    assert siegmund_arl(0.5, 5.0, 0.5) == pytest.approx((5.0 + 1.166) ** 2)


def test_more_states_change_nothing() -> None:
    assert cusum_arl(SLACK, LIMIT, states=801) == pytest.approx(cusum_arl(SLACK, LIMIT), rel=2e-3)


# Lucas and Saccucci 1990, table 3: in control 500
@pytest.mark.parametrize(
    ("weight", "limit", "at_one"), [(0.4, 3.054, 14.3), (0.25, 2.998, 11.1), (0.2, 2.962, 10.5), (0.1, 2.814, 10.3)]
)
def test_ewma_equals_the_table(weight: float, limit: float, at_one: float) -> None:
    assert ewma_arl(weight, limit) == pytest.approx(500, rel=0.005)
    assert ewma_arl(weight, limit, 1.0) == pytest.approx(at_one, rel=0.01)


@pytest.mark.parametrize("arl0", [10.0, 930.9, 140_000.0])
def test_limit_has_the_run_length_asked_for(arl0: float) -> None:
    assert cusum_arl(0.5, limit_for(0.5, arl0)) == pytest.approx(arl0, rel=1e-3)


def test_the_stations_limit_is_above_that_of_a_known_reference() -> None:
    """The rest pays for the error of the learned reference, as the simulation shows."""
    assert limit_for_many(SLACK, 10_000, 2 * len(WATCHED)) == pytest.approx(12.23, abs=0.05)
    assert limit_for_many(SLACK, 10_000, 2 * len(WATCHED)) < LIMIT


def test_what_is_found_in_100_boards() -> None:
    assert cusum_arl(SLACK, LIMIT, FOUND_IN_100_BOARDS) == pytest.approx(100, rel=0.005)


@pytest.mark.parametrize("call", [lambda: cusum_arl(0.5, 0.0), lambda: ewma_arl(0.0, 3.0), lambda: limit_for(0.5, 1.0)])
def test_impossible_charts_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="need"):
        call()  # type: ignore[operator]
