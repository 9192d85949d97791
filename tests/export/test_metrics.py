"""Figures of merit on scores small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.line_figures import Counts
from export.cues import cue_auroc
from export.metrics import (
    _weighted_auroc,
    auroc,
    auroc_interval,
    average_precision,
    board_counts,
    counts_of,
    place_counts,
    recall_at_false_call_frac,
)

pytestmark = pytest.mark.unit

GOOD = np.array([0.1, 0.2, 0.3, 0.4])
DEFECT = np.array([0.35, 0.5])


def test_auroc_counts_pairs_and_halves_ties() -> None:
    assert auroc(GOOD, DEFECT) == pytest.approx(7 / 8)
    assert auroc(GOOD, np.array([0.4])) == pytest.approx(3.5 / 4)
    assert average_precision(GOOD, np.array([0.5, 0.6])) == 1.0


def test_rows_are_counted_by_what_they_are() -> None:
    is_good = np.array([True, True, True, False, False])
    counts = counts_of(np.array([False, True, False, True, False]), is_good)
    assert counts == Counts(n_good=3, false_calls=1, n_defect=2, caught=1)
    none = counts_of(np.zeros(0, bool), np.zeros(0, bool))
    assert none == Counts(n_good=0, false_calls=0, n_defect=0, caught=0)


def test_a_place_counts_once_by_its_worst_picture() -> None:
    is_good = np.array([True, True, True, False, False, False])
    units = np.array([7, 7, 8, 3, 3, 4])
    counts = place_counts(np.array([False, True, False, True, False, True]), is_good, units)
    assert counts == Counts(n_good=2, false_calls=1, n_defect=2, caught=1)


def test_a_place_that_is_good_in_one_picture_and_defective_in_another_counts_as_both() -> None:
    counts = place_counts(np.array([True, True]), np.array([True, False]), np.array([5, 5]))
    assert counts == Counts(n_good=1, false_calls=1, n_defect=1, caught=1)


def test_places_of_one_picture_each_are_the_rows() -> None:
    rng = np.random.default_rng(4)
    called, is_good = rng.random(50) < 0.3, rng.random(50) < 0.7
    assert place_counts(called, is_good, np.arange(50)) == counts_of(called, is_good)


def test_boards_without_a_false_call_and_boards_held_for_nothing() -> None:
    boards = np.array(["A", "A", "B", "B", "C", "D"])
    is_good = np.array([True, False, True, True, True, False])
    called = np.array([False, True, True, False, False, False])
    figures = board_counts(called, is_good, boards)
    assert (figures.boards, figures.boards_without_false_call) == (3, 2)  # D has no good place to call
    assert (figures.defect_free_boards, figures.held_for_nothing) == (2, 1)  # B and C; B


def test_interval_is_wider_when_rows_are_the_same_few_places() -> None:
    rng = np.random.default_rng(1)
    good, defect = rng.normal(0, 1, 200), np.repeat(rng.normal(1, 1, 5), 20)
    rows = auroc_interval(good, defect, np.arange(200), np.arange(100))
    places = auroc_interval(good, defect, np.arange(200), np.repeat(np.arange(5), 20))
    assert places.upper - places.lower > 1.5 * (rows.upper - rows.lower)
    assert rows.lower <= auroc(good, defect) <= rows.upper


def test_drawing_rows_anew_counts_as_repeating_them() -> None:
    times_good, times_defect = np.array([2, 0, 1, 3]), np.array([1, 2])
    repeated = auroc(np.repeat(GOOD, times_good), np.repeat(DEFECT, times_defect))
    assert _weighted_auroc(GOOD, DEFECT, times_good, times_defect) == pytest.approx(repeated)


def test_interval_is_the_same_twice() -> None:
    units = np.arange(4)
    first, second = (auroc_interval(GOOD, DEFECT, units, units[:2]) for _ in range(2))
    assert first == second


def test_recall_at_a_rate_takes_its_threshold_from_the_good() -> None:
    good = np.arange(100.0)
    assert recall_at_false_call_frac(good, np.array([98.5, 99.5, 200.0]), 0.01) == pytest.approx(2 / 3)


def test_cue_is_judged_in_its_better_direction() -> None:
    assert cue_auroc(GOOD, DEFECT) == cue_auroc(-GOOD, -DEFECT) == pytest.approx(7 / 8)


def test_one_kind_alone_has_no_auroc() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        auroc(GOOD, np.zeros(0))
