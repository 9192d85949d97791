"""A verdict goes to its own board, once, and to no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board import Outcome
from edge.matching import MAX_WAITING, Matcher
from tests.edge.helpers import verdict

pytestmark = pytest.mark.unit

TTL_NS = 1_000


def test_verdict_before_its_board() -> None:
    matcher = Matcher(TTL_NS)
    assert matcher.verdict_stored(verdict("A"), 1, 0) is None
    signal = matcher.board_present(7, "A", 10)
    assert signal is not None
    assert (signal.token, signal.seq) == (7, 1)


def test_board_before_its_verdict() -> None:
    matcher = Matcher(TTL_NS)
    assert matcher.board_present(7, "A", 0) is None
    assert matcher.verdict_stored(verdict("B"), 1, 1) is None
    signal = matcher.verdict_stored(verdict("A"), 2, 2)
    assert signal is not None
    assert (signal.token, signal.seq) == (7, 2)
    assert matcher.verdict_stored(verdict("A", uid="again"), 3, 3) is None, "a token gets one verdict"


def test_a_verdict_grows_old() -> None:
    matcher = Matcher(TTL_NS)
    matcher.verdict_stored(verdict("A"), 1, 0)
    assert matcher.board_present(7, "A", TTL_NS) is None


def test_unread_barcode_matches_nothing() -> None:
    matcher = Matcher(TTL_NS)
    matcher.verdict_stored(verdict("A"), 1, 0)
    assert matcher.board_present(7, "", 1) is None
    assert matcher.board_present(8, "A", 2) is not None


def test_a_board_that_left_gets_nothing() -> None:
    matcher = Matcher(TTL_NS)
    matcher.board_present(7, "A", 0)
    matcher.board_over()
    assert matcher.verdict_stored(verdict("A"), 1, 1) is None


@pytest.mark.parametrize("order", [(Outcome.PASS, Outcome.FAIL), (Outcome.FAIL, Outcome.PASS)])
def test_of_two_waiting_the_worse_is_kept(order: tuple[Outcome, Outcome]) -> None:
    matcher = Matcher(TTL_NS)
    for seq, outcome in enumerate(order):
        matcher.verdict_stored(verdict("A", outcome, uid=str(seq)), seq, 0)
    signal = matcher.board_present(7, "A", 1)
    assert signal is not None
    assert signal.verdict.outcome is Outcome.FAIL


def test_waiting_is_bounded() -> None:
    matcher = Matcher(TTL_NS)
    for i in range(MAX_WAITING + 5):
        matcher.verdict_stored(verdict(f"A{i}"), i, 0)
    assert matcher.board_present(1, "A0", 1) is None
    assert matcher.board_present(2, f"A{MAX_WAITING + 4}", 1) is not None


steps = st.lists(
    st.one_of(
        st.tuples(st.just("verdict"), st.sampled_from("ABC"), st.sampled_from(list(Outcome))),
        st.tuples(st.just("present"), st.sampled_from(["A", "B", "C", ""]), st.none()),
        st.tuples(st.just("over"), st.none(), st.none()),
    ),
    max_size=40,
)


@given(steps)
def test_any_order_of_events_signals_only_the_open_board(history: list[tuple[str, str | None, Outcome | None]]) -> None:
    matcher = Matcher(5)
    token, barcode, told = 0, "", set()
    for now_ns, (what, name, outcome) in enumerate(history):
        signal = None
        if what == "verdict":
            assert name is not None
            assert outcome is not None
            signal = matcher.verdict_stored(verdict(name, outcome, uid=str(now_ns)), now_ns, now_ns)
        elif what == "present":
            token, barcode = token + 1, name or ""
            signal = matcher.board_present(token, barcode, now_ns)
        else:
            matcher.board_over()
            barcode = ""
        if signal is not None:
            assert (signal.token, signal.verdict.board_id) == (token, barcode)
            assert signal.token not in told
            assert now_ns - int(signal.verdict.uid) < 5
            told.add(signal.token)
