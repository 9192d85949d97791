"""Reviewed calls: they can lower a threshold freely, raise it only as far as the promise goes, and may be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.choice import choose
from calibration.limits import Ask
from calibration.lot import Lot, lot_of
from calibration.reviews import Move, Review, ReviewFault, class_evidence, propose
from edge.thresholds import Threshold

pytestmark = pytest.mark.unit

SHA = "a" * 64


def _calibrated(lot: Lot, ask: Ask, **more: object) -> Threshold:
    return choose(lot, ask, split="val", data_sha256=SHA, **more)  # type: ignore[arg-type]


def _moved(lot: Lot, before: Threshold, reviews: list[Review], locked: Lot | None = None, wrong: float = 0.05) -> Move:
    return propose(before.value, class_evidence(before.choice, lot, reviews, wrong), reviews, locked)


def _false_calls(*scores: float) -> list[Review]:
    return [Review(said="false_call", score=s) for s in scores]


def _defects(*scores: float, label: str = "bridge") -> list[Review]:
    return [Review(said="defect", score=s, label=label) for s in scores]


@pytest.fixture
def lot() -> Lot:
    """300 bridges between 5 and 8, good places up to 1.5."""
    return lot_of(np.linspace(0, 1.5, 3_000), {"bridge": np.linspace(5, 8, 300)})


@pytest.fixture
def before(lot: Lot) -> Threshold:
    """1.5: false calls decided, so there is room up to 5."""
    return _calibrated(lot, Ask(recall_frac=0.99, false_call_ppm=1_000))


def test_a_raise_goes_to_just_above_the_reviewed_false_calls(lot: Lot, before: Threshold) -> None:
    move = _moved(lot, before, _false_calls(2.0, 3.0, 3.0))
    assert move.direction == "raise"
    assert move.after == pytest.approx(3.0, abs=1e-4)
    assert move.after >= 3.0
    assert move.why == "removes 3 of the reviewed false calls"


def test_a_raise_stops_at_the_promise(lot: Lot, before: Threshold) -> None:
    move = _moved(lot, before, _false_calls(2.0, 6.0))
    assert move.after == pytest.approx(2.0, abs=1e-4)
    assert move.stopped_by == "the promise of bridge"


def test_reviewed_defects_count_against_a_raise_and_never_for_it(lot: Lot, before: Threshold) -> None:
    reviews = _false_calls(2.0, 4.0)
    high = _defects(*np.linspace(8, 9, 5_000))  # censored: all of them above the threshold
    assert _moved(lot, before, reviews + high) == _moved(lot, before, reviews)
    move = _moved(lot, before, reviews + _defects(3.0))
    assert move.after == pytest.approx(2.0, abs=1e-4)
    assert move.stopped_by == "reviewed defects that would be lost"


def test_a_defect_of_no_stated_class_counts_against_every_class(lot: Lot, before: Threshold) -> None:
    for label in ("", "tombstone"):
        assert _moved(lot, before, _false_calls(4.0) + _defects(3.0, label=label)).direction == "stay"


def test_one_wrong_review_in_twenty_does_not_stop_a_raise(lot: Lot, before: Threshold) -> None:
    genuine = _defects(*np.linspace(6, 8, 19))
    assert _moved(lot, before, _false_calls(4.0) + _defects(3.0) + genuine[:18]).direction == "stay"
    assert _moved(lot, before, _false_calls(4.0) + _defects(3.0) + genuine).direction == "raise"


def test_no_caught_defect_of_the_locked_set_is_lost(lot: Lot, before: Threshold) -> None:
    locked = lot_of(np.array([9.0]), {"missing": np.array([0.5, 2.5, 7.0])})
    move = _moved(lot, before, _false_calls(2.0, 4.0), locked)
    assert move.after == pytest.approx(2.0, abs=1e-4)
    assert move.stopped_by == "the locked regression set"


def test_escapes_lower_the_threshold_below_them(lot: Lot, before: Threshold) -> None:
    move = _moved(lot, before, [Review(said="escape", score=1.0, label="bridge")])
    assert move.direction == "lower"
    assert move.after < 1.0
    assert "bridge no longer carries" in move.why


def test_nothing_moves_without_a_reason(lot: Lot, before: Threshold) -> None:
    move = _moved(lot, before, _defects(6.0, 7.0))
    assert (move.direction, move.stopped_by) == ("stay", "")


def test_thresholds_without_a_recall_promise_are_refused(lot: Lot) -> None:
    plain = _calibrated(lot, Ask(false_call_ppm=1_000))
    with pytest.raises(ReviewFault, match="promises no recall"):
        class_evidence(plain.choice, lot, [])
    one_part = lot_of(lot.good().score, {"bridge": lot.defects().score}, part="P1")
    parts = _calibrated(one_part, Ask(recall_frac=0.99, per_part=True))
    with pytest.raises(ReviewFault, match="by part number"):
        class_evidence(parts.choice, lot, [])


@settings(max_examples=80)
@given(
    reviews=st.lists(
        st.builds(
            Review,
            said=st.sampled_from(["defect", "false_call", "escape"]),
            score=st.floats(0, 9, width=32),
            label=st.sampled_from(["bridge", "", "other"]),
        ),
        max_size=60,
    ),
    locked=st.lists(st.floats(0, 9, width=32), max_size=10),
)
def test_whatever_is_reviewed_the_promise_and_the_locked_set_stand(reviews: list[Review], locked: list[float]) -> None:
    lot = lot_of(np.linspace(0, 1.5, 400), {"bridge": np.linspace(5, 8, 300)})
    before = _calibrated(lot, Ask(recall_frac=0.99, false_call_ppm=10_000))
    regression = lot_of(np.zeros(1), {"bridge": np.array(locked)})
    move = _moved(lot, before, reviews, regression)
    assert (lot.defects().score > move.after).all()  # 300 defects: none may be missed
    scores = np.array(locked, np.float32)
    assert (scores > move.after).sum() >= (scores > before.value).sum()
