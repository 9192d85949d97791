"""How hard a setting is: the figures, and the networks that measure them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from export.simulator.xray.checks.page import tuning_table
from export.simulator.xray.tune import Rows, hardness_of

SIDE_PX = 24


def rows(is_defect: list[bool]) -> Rows:
    return Rows(
        features=np.zeros((len(is_defect), 1), np.float32),
        crops=np.zeros((len(is_defect), 6, 1, 1), np.uint8),
        is_defect=np.array(is_defect),
        is_true=np.array(is_defect),
        kinds=(),
    )


@pytest.mark.unit
def test_figures_of_scores_are_those_of_a_curve_counted_by_hand() -> None:
    found = hardness_of(np.arange(20.0), rows([False] * 9 + [True] + [False] + [True] * 9))
    assert found.fpr_at_recall_90 == 0.0
    assert found.fpr_at_recall_95 == found.fpr_at_recall_99 == pytest.approx(0.1)
    assert found.auroc == pytest.approx(0.99)
    assert (found.n_good, found.n_defect) == (10, 10)


@pytest.mark.unit
def test_the_table_of_tuning_has_a_row_a_classifier() -> None:
    figures = {"auroc": 0.9, "fpr_at_recall_90": 0.3, "fpr_at_recall_95": 0.6, "n_good": 5, "n_defect": 2}
    result = {
        "difficulty": "line",
        "kind": "pth",
        "n_train": 10,
        "crop_px": 48,
        "published_3d_cnn": figures,
        "wanted_of_a_better_network": {"fpr_at_recall_90": 0.1},
        "boosting_on_features": figures,
    }
    assert tuning_table(result).count("\n| ") == 3
    teaching = {"learning_rate": 1e-4, "epochs": 6}
    assert "0.0001, 6 epochs" in tuning_table(
        result | {"paper_3d_cnn_small": teaching | figures, "small_residual": figures}
    )


@pytest.mark.sweep
def test_nothing_that_draws_needs_torch() -> None:
    script = "import sys, export.simulator.xray.tune, export.simulator.xray.sets; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.needs_torch
def test_networks_learn_what_is_there_to_be_learned() -> None:
    """Joints with a bright square in a slice against joints without."""
    networks = pytest.importorskip("export.simulator.xray.checks.networks", exc_type=ImportError)
    rng = np.random.default_rng(0)
    slices = rng.integers(60, 120, (160, 6, SIDE_PX, SIDE_PX)).astype(np.uint8)
    slices[:, 4:] = 0  # four slices
    is_defect = rng.random(160) < 0.5
    slices[is_defect, 1, 8:16, 8:16] = 220
    train, judged = (
        networks.Crops(slices=slices[part], is_defect=is_defect[part]) for part in (slice(0, 120), slice(120, 160))
    )
    teaching = networks.Teaching(epochs=4, learning_rate=1e-3, augmented=True, falling=True)
    for scores_of in (networks.scores_of_small, networks.scores_of_paper):
        score = scores_of(train, judged, 0, teaching)
        assert score.shape == (40,)
        assert hardness_of(score, rows(list(judged.is_defect))).auroc > 0.95
