"""`best`: what missing slices mean to it, what regions it is taught by, and its limit for wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from export.families.axi_joint.augment import random_cut
from export.families.axi_joint.best_net import JointNet, present_slices
from export.families.axi_joint.best_training import Judged, Lesson, answers_of, fit_best, roi_limit
from export.families.axi_joint.presets import BEST_TRAINING, PRESETS
from export.training_record import TrainingFault

pytestmark = [pytest.mark.needs_torch]


def _tiny() -> JointNet:
    torch.manual_seed(0)
    return PRESETS["best"].variants["tiny"].build()


def test_a_missing_slice_is_known_and_says_nothing() -> None:
    x = torch.rand(2, 6, 128, 128)
    x[0, 4:] = 0.0
    x[1, 1] = 0.0
    assert present_slices(x).tolist() == [[1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 1]]
    net = _tiny().eval()
    small = torch.rand(1, 6, 64, 64)
    other = small.clone()
    other[0, 5] = 1.0 - other[0, 5]
    gone = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    with torch.no_grad():
        assert torch.allclose(net.judged(small, gone).defect, net.judged(other, gone).defect, atol=1e-6)
        there = torch.ones(1, 6)
        assert not torch.allclose(net.judged(small, there).defect, net.judged(other, there).defect, atol=1e-6)


def test_a_single_faint_pixel_makes_a_slice_present() -> None:
    x = torch.zeros(1, 6, 128, 128)
    x[0, 2, 5, 7] = 1 / 255
    assert present_slices(x).tolist() == [[0, 0, 1, 0, 0, 0]]


def test_grey_scale_of_the_board_changes_nothing() -> None:
    net, x = _tiny().eval(), 0.2 + 0.5 * torch.rand(3, 6, 128, 128)
    with torch.no_grad():
        assert torch.allclose(net(x).defect, net(0.8 * x + 0.1).defect, atol=0.02)


def test_regions_are_spoilt_only_where_they_may_be_and_missing_slices_stay_zero() -> None:
    rng = np.random.default_rng(0)
    canvases = rng.integers(50, 255, (64, 128, 128, 6), np.uint8)
    canvases[:, :, :, 4:] = 0
    cut = random_cut(canvases, np.arange(64) < 32, rng)
    assert cut.small.shape == (64, 6, 64, 64)
    assert cut.made_wrong[:32].any()
    assert not cut.made_wrong[32:].any()
    assert not cut.small[:, 4:].any()
    assert float(cut.small.max()) <= 1.0
    assert (cut.present.sum(dim=1) >= 1).all()
    assert (cut.present.sum(dim=1) < 4).any()


def test_the_limit_lets_one_right_region_in_a_hundred_be_called_wrong() -> None:
    right = np.arange(1000, dtype=np.float64)
    assert (right > roi_limit(right)).mean() == pytest.approx(0.01)


def test_best_learns_and_sets_its_limit_on_validation() -> None:
    rng = np.random.default_rng(0)
    defective = np.arange(48) % 2 == 0
    canvases = rng.integers(150, 200, (48, 128, 128, 6), np.uint8)
    canvases[defective, 56:72, 56:72] = 20
    lesson = Lesson(
        canvases=canvases,
        defective=defective,
        kinds=np.stack([defective, ~defective, ~defective], axis=1).astype(np.float32),
        wrong=np.zeros(48, bool),
        elsewhere=np.zeros(48, bool),
        neighbour=np.zeros(48, bool),
    )
    val = Judged(
        slices=canvases[:, 32:96, 32:96].repeat(2, axis=1).repeat(2, axis=2), defective=defective, wrong=~defective
    )
    network = _tiny()
    report = fit_best(network, lesson, val, replace(BEST_TRAINING, epochs=1, steps=12, batch=12, mean_decay=0.8), 0)
    assert report.best_val_loss < 0.2
    logits = answers_of(network, val.slices).roi.numpy()[~val.wrong]
    assert float(network.roi_limit) == pytest.approx(np.quantile(logits, 0.99), abs=1e-5)


def test_too_few_defects_are_refused() -> None:
    with pytest.raises(TrainingFault, match="at least 4"):
        Lesson.of([], np.zeros((0, 128, 128, 6), np.uint8))
