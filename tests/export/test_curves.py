"""Curves against scikit-learn, their bands against statsmodels, and how often the bands hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve
from statsmodels.stats.proportion import proportion_confint

from export.curves import MAX_POINTS, roc_band, working_points
from export.metrics import auroc

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(11)
GOOD, DEFECT = RNG.normal(0, 1, 90).round(1), RNG.normal(1.5, 1, 40).round(1)  # rounded, so that there are ties
TRUTH, SCORES = np.repeat([0, 1], [90, 40]), np.concatenate([GOOD, DEFECT])


def test_points_are_scikit_learns() -> None:
    points = working_points(GOOD, DEFECT, 90, 40)
    false_calls, recall, _ = roc_curve(TRUTH, SCORES, drop_intermediate=False)
    np.testing.assert_allclose(points.false_call_frac, false_calls, atol=1e-12)
    np.testing.assert_allclose(points.recall, recall, atol=1e-12)
    assert auc(points.false_call_frac, points.recall) == pytest.approx(auroc(GOOD, DEFECT), abs=1e-12)
    precision, _, _ = precision_recall_curve(TRUTH, SCORES)
    np.testing.assert_allclose(points.precision[::-1], precision, atol=1e-12)
    steps = np.sum(np.diff(points.recall) * points.precision[1:])
    assert steps == pytest.approx(average_precision_score(TRUTH, SCORES), abs=1e-12)


def test_bounds_are_clopper_pearson_shared_by_two_rates() -> None:
    points = working_points(GOOD, DEFECT, 90, 40)
    lower, upper = proportion_confint(np.rint(points.recall * 40).astype(int), 40, 0.025, "beta")
    np.testing.assert_allclose(points.recall_lower, lower, atol=1e-9)
    np.testing.assert_allclose(points.recall_upper, upper, atol=1e-9)
    called = np.rint(points.recall * 40 + points.false_call_frac * 90).astype(int)
    lower, upper = proportion_confint(np.rint(points.recall * 40).astype(int)[1:], called[1:], 0.05, "beta")
    np.testing.assert_allclose(points.precision_lower[1:], lower, atol=1e-9)
    np.testing.assert_allclose(points.precision_upper[1:], upper, atol=1e-9)


def test_pictures_of_few_places_give_a_wider_band() -> None:
    rows, places = working_points(GOOD, DEFECT, 90, 40), working_points(GOOD, DEFECT, 30, 8)
    inner = (rows.recall > 0) & (rows.recall < 1)
    assert (places.recall_lower[inner] < rows.recall_lower[inner]).all()
    assert (places.false_call_upper <= 1.0).all()


def test_a_perfect_test_leaves_the_band_open() -> None:
    points = working_points(np.arange(20.0), np.arange(100.0, 110.0), 20, 10)
    lower, upper = roc_band(points, np.array([0.0, 0.5, 1.0]))
    assert lower[0] == 0.0
    assert 0.6 < lower[1] < 0.8
    assert (upper == 1.0).all()


def test_many_scores_are_thinned_to_the_ends() -> None:
    points = working_points(RNG.normal(size=3000), RNG.normal(size=500), 3000, 500)
    assert len(points.recall) == MAX_POINTS
    assert (points.recall[0], points.recall[-1]) == (0.0, 1.0)


def test_the_band_holds_the_true_curve_as_often_as_stated() -> None:
    """Normal scores, whose true ROC is known, at three false-call rates, each looked at by itself."""
    at = np.array([0.05, 0.2, 0.5])
    true = norm.sf(norm.isf(at) - 1.5)
    rng, outside = np.random.default_rng(2), np.zeros(3)
    for _ in range(200):
        lower, upper = roc_band(working_points(rng.normal(size=60), rng.normal(1.5, 1, 30), 60, 30), at)
        outside += (true < lower) | (true > upper)
    assert (outside / 200 <= 0.05).all()


def test_one_kind_alone_has_no_curve() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        working_points(GOOD, np.zeros(0), 90, 1)
