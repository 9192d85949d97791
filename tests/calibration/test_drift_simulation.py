"""The simulation runs the station's own chart; here it is held against the exact run lengths and the promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.drift_design import cusum_arl
from calibration.drift_simulation import (
    SHAPES,
    alarms_with_interval,
    chart_path,
    detection_delays,
    false_alarms,
)
from edge.drift import FLOORS, WATCHED
from edge.drift_chart import LIMIT, REFERENCE_BOARDS, SLACK, Reference, fresh_cusum

S = len(WATCHED)


@pytest.mark.unit
def test_the_chart_has_the_exact_run_length() -> None:
    """Known reference, shift of one spread; the clip at 3 spreads takes 0.01 of it."""
    rng = np.random.default_rng(1)
    known = Reference(centre=np.zeros(1), spread=np.ones(1))
    cusum = fresh_cusum((4_000, 1))
    found = np.zeros(4_000, np.int64)
    for board in range(1, 80):
        cusum.step(rng.standard_normal((4_000, 1)) + 1.0, known)
        found[(found == 0) & cusum.alarm[0, :, 0]] = board
    assert (found > 0).mean() > 0.99
    assert found[found > 0].mean() == pytest.approx(cusum_arl(SLACK, LIMIT, 1.0), rel=0.03)


@pytest.mark.unit
def test_interval_of_a_count() -> None:
    some = alarms_with_interval(4, 40_000)
    assert some.arl0 == 10_000
    # Garwood: 4 counts lie within 1.0899 and 10.2416
    assert some.arl0_lower == pytest.approx(40_000 / 10.2416, rel=1e-4)
    assert some.arl0_upper == pytest.approx(40_000 / 1.0899, rel=1e-3)
    none = alarms_with_interval(0, 10_000)
    assert none.arl0 == math.inf
    assert none.arl0_lower == pytest.approx(10_000 / 3.6889, rel=1e-4)


PROMISED = [
    "normal",
    "Student t, 3 degrees of freedom",
    "normal with 5 % outliers of 6 deviations",
    "uniform",
    "neighbours alike, r = 0.6",
]


@pytest.mark.sweep
@pytest.mark.parametrize("shape", PROMISED)
def test_at_most_one_false_alarm_in_10_000_boards(shape: str) -> None:
    found = false_alarms(SHAPES[shape], stations=100, boards=10_000, n_numbers=S, seed=3)
    assert found.per_10_000 < 1.0
    assert found.arl0_lower > 8_000


@pytest.mark.unit
def test_a_step_and_a_ramp_are_found() -> None:
    rng = np.random.default_rng(2)
    clean = 0.02 * rng.standard_normal((400, S))
    step = clean.copy()
    step[:, 0] -= 0.02  # one spread
    at_once = detection_delays(clean, step, np.zeros(S), stations=100, seed=4)
    assert at_once.mean < 40
    assert at_once.within_100_frac == 1.0
    slowly = detection_delays(clean, step, np.zeros(S), stations=100, seed=4, ramp_boards=200)
    assert slowly.mean < at_once.mean, "counted from the end of the ramp"


@pytest.mark.unit
def test_a_path_has_its_alarm_after_the_cause() -> None:
    numbers = 0.005 * np.random.default_rng(5).standard_normal((REFERENCE_BOARDS + 100, S))
    numbers[REFERENCE_BOARDS + 50 :, 0] += 0.03
    _, totals, alarms = chart_path(numbers, FLOORS)
    assert totals.shape == (100, 2, S)
    assert not alarms[:50].any()
    assert alarms[-1]
