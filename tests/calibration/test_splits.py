"""Cuts go between boards, in time order, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.splits import SplitFault, check_apart, choice_rows

pytestmark = pytest.mark.unit


@given(boards=st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=60), frac=st.floats(0.05, 0.95))
def test_no_board_is_on_both_sides(boards: list[str], frac: float) -> None:
    try:
        mask = choice_rows(boards, choice_frac=frac)
    except SplitFault:
        return  # the last board is needed to reach the share: nothing left to check on
    chooses = {b for b, m in zip(boards, mask, strict=True) if m}
    checks = {b for b, m in zip(boards, mask, strict=True) if not m}
    assert chooses
    assert checks
    assert not chooses & checks
    assert mask.mean() >= frac


def test_earlier_boards_choose_in_the_order_of_their_first_picture() -> None:
    boards = ["C", "A", "B", "A", "C"]
    times = ["2025-03-03", "2025-01-02", "2025-02-02", "2025-01-01", "2025-03-01"]
    assert choice_rows(boards, choice_frac=0.5, times=times).tolist() == [False, True, True, True, False]


def test_without_times_the_table_is_in_time_order() -> None:
    assert choice_rows(["B", "B", "A", "A"], choice_frac=0.5).tolist() == [True, True, False, False]


def test_a_cut_by_row_through_boards_is_refused() -> None:
    with pytest.raises(SplitFault, match="goes through boards"):
        choice_rows(["A", "A", "B"], choice_frac=0.5, by="row")
    assert choice_rows(["", "", ""], choice_frac=0.5, by="row").tolist() == [True, True, False]


def test_pictures_of_one_place_stay_together_where_no_board_is_named() -> None:
    assert choice_rows([""] * 4, choice_frac=0.5, units=["p", "q", "p", "r"]).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("boards", "frac", "said"),
    [
        (["A", ""], 0.5, "1 of 2 rows name no board"),
        (["A", "A"], 0.5, "none is left to check"),
        (["A", "B"], 1.0, "allowed is above 0 and below 1"),
    ],
)
def test_cuts_that_check_nothing_are_refused(boards: list[str], frac: float, said: str) -> None:
    with pytest.raises(SplitFault, match=said):
        choice_rows(boards, choice_frac=frac)


def test_splits_that_share_a_board_are_refused_by_its_name() -> None:
    check_apart(["A", ""], ["B", ""], "'val'", "'dev-test'")
    with pytest.raises(SplitFault, match=r"'val' and 'dev-test' share 1 boards \(B\)"):
        check_apart(["A", "B"], ["B"], "'val'", "'dev-test'")
