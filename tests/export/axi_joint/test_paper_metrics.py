"""The study's figures, by hand."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from export.families.axi_joint.paper import TABLE_VIII
from export.families.axi_joint.paper_metrics import (
    Judged,
    at_threshold,
    auroc_by_board,
    fpr_at_recall,
    of_called_true,
    rate,
    roc_points,
    threshold_for,
    wilson,
)
from export.families.axi_joint.paper_page import with_part

pytestmark = pytest.mark.unit

# Ten defective joints of 1/32, 3/32 ... 19/32, ten good ones of 0, 2/32 ... 18/32; two boards.
TEN = np.arange(10) / 16
JOINTS = Judged(
    score=np.concatenate([TEN + 1 / 32, TEN]), defective=np.arange(20) < 10, board=(np.arange(20) % 2).astype(np.int64)
)


def test_the_threshold_is_the_highest_that_keeps_the_recall() -> None:
    for recall, caught, called in ((0.90, 9, 8), (0.95, 10, 9), (0.5, 5, 4), (1.0, 10, 9)):
        cell = at_threshold(JOINTS, threshold_for(JOINTS, recall))
        assert (cell["recall"]["called"], cell["fpr"]["called"]) == (caught, called)
        assert fpr_at_recall(JOINTS, recall) == pytest.approx(called / 10)


def test_a_score_equal_to_the_threshold_is_good() -> None:
    cell = at_threshold(JOINTS, 17 / 32)
    assert cell["recall"]["frac"] == pytest.approx(0.1)
    assert cell["fpr"]["frac"] == pytest.approx(0.1)


def test_wilsons_interval_is_the_textbooks() -> None:
    lower, upper = wilson(0, 10)
    assert lower == 0.0
    assert upper == pytest.approx(0.27753, abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)
    assert rate(np.zeros(0, bool))["frac"] is None


def test_auroc_by_hand_and_its_interval_by_board() -> None:
    cell = auroc_by_board(JOINTS, rounds=50)
    assert cell["auroc"] == pytest.approx(0.55)  # each defect is above as many good joints as its rank
    assert cell["boards"] == 2
    assert cell["lower"] <= cell["auroc"] <= cell["upper"]
    alone = auroc_by_board(Judged(score=JOINTS.score, defective=JOINTS.defective, board=np.zeros(20, np.int64)), 50)
    assert alone["lower"] == pytest.approx(alone["upper"])


def test_the_roc_begins_with_nothing_called_and_ends_with_all() -> None:
    points = roc_points(JOINTS)
    assert points[0] == (0.0, pytest.approx(0.1))
    assert points[-1] == (1.0, 1.0)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(points))


def test_what_share_of_calls_is_true_depends_on_how_rare_defects_are() -> None:
    assert of_called_true(0.9, 0.1, 0.5) == pytest.approx(0.9)
    assert of_called_true(0.9, 0.1, 0.001) == pytest.approx(0.0009 / (0.0009 + 0.0999))
    assert of_called_true(0.0, 0.0, 0.1) == 1.0


def test_a_pages_part_is_replaced_between_its_marks() -> None:
    assert with_part("a <!-- x -->\nold\n<!-- /x --> b", "x", "new") == "a <!-- x -->\nnew\n<!-- /x --> b"
    with pytest.raises(ValueError, match="lacks"):
        with_part("a", "x", "new")


def test_the_printed_figures_are_the_papers() -> None:
    assert json.dumps(TABLE_VIII.rows) == (
        '[["3D CNN", "0.9005", "0.3349", "0.6040"], ["LSTM", "0.8916", "0.3637", "0.5872"]]'
    )
