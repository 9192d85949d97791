"""Figures of merit on scores small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from export.cues import cue_auroc
from export.metrics import (
    _weighted_auroc,
    auroc,
    auroc_interval,
    average_precision,
    counts_at,
    recall_at_false_call_frac,
)

pytestmark = pytest.mark.unit

GOOD = np.array([0.1, 0.2, 0.3, 0.4])
DEFECT = np.array([0.35, 0.5])


def test_auroc_counts_pairs_and_halves_ties() -> None:
    assert auroc(GOOD, DEFECT) == pytest.approx(7 / 8)
    assert auroc(GOOD, np.array([0.4])) == pytest.approx(3.5 / 4)
    assert average_precision(GOOD, np.array([0.5, 0.6])) == 1.0


def test_counts_take_a_score_on_the_threshold_as_good() -> None:
    counts = counts_at(0.35, GOOD, DEFECT)
    assert (counts.caught, counts.false_calls) == (1, 1)
    assert counts.recall == 0.5
    assert counts.false_call_ppm == 250_000
    assert counts.f1 == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert counts.recall_lower is not None
    assert counts.recall_lower < 0.5
    assert counts.false_call_ppm_upper > 250_000


def test_counts_without_defects_promise_no_recall() -> None:
    counts = counts_at(0.35, GOOD, np.zeros(0))
    assert (counts.recall, counts.recall_lower, counts.f1) == (None, None, None)


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
