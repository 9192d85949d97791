"""The budget of one board: counted from the trigger, and a miss names the stage that ate it."""

from __future__ import annotations

import pytest

from edge.deadline import Deadline, DeadlineMissed
from tests.edge.helpers import FakeClock

pytestmark = pytest.mark.unit


def test_stamps_add_up_and_a_miss_names_the_slowest_stage() -> None:
    clock = FakeClock()
    deadline = Deadline(clock, start_ns=clock.ns, budget_ms=100)
    clock.advance_ms(10)
    deadline.stamp("register")
    clock.advance_ms(85)
    deadline.stamp("score")
    clock.advance_ms(6)
    with pytest.raises(DeadlineMissed, match="register 10 ms, score 85 ms, judge 6 ms; budget 100 ms") as missed:
        deadline.stamp("judge")
    assert missed.value.stage == "score"
    assert [(s.stage, s.ms) for s in deadline.stages] == [("register", 10.0), ("score", 85.0), ("judge", 6.0)]


def test_exactly_on_time_is_in_time() -> None:
    clock = FakeClock()
    deadline = Deadline(clock, start_ns=clock.ns, budget_ms=50)
    clock.advance_ms(50)
    deadline.stamp("all")
    assert deadline.remaining_ms() == 0.0


def test_time_before_the_first_stamp_counts() -> None:
    clock = FakeClock()
    deadline = Deadline(clock, start_ns=clock.ns - 200_000_000, budget_ms=100)
    with pytest.raises(DeadlineMissed):
        deadline.stamp("capture")
