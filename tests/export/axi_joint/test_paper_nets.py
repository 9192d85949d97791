"""The paper's networks: shapes of Tables II and III, the slices as depth, the training's decay and balance."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from export.families.axi_joint.labels import balanced
from export.families.axi_joint.net import Cnn3d, DepthConv, DepthPool, SliceLstm
from export.families.axi_joint.paper_times import multiplications
from export.families.axi_joint.paper_training import LabelledCrops, fit_paper, keras_decay
from export.families.axi_joint.presets import PAPER_TRAINING, PRESETS
from export.training_record import TrainingFault

pytestmark = [pytest.mark.needs_torch]

# Table II, layer by layer: inputs x outputs of every kernel, and biases.
TABLE_II = {
    "convolutions.0": 3 * 3 * 2 * 1 * 8 + 8,
    "convolutions.1": 3 * 3 * 2 * 8 * 16 + 16,
    "convolutions.3": 3 * 3 * 1 * 16 * 32 + 32,
    "convolutions.4": 3 * 3 * 1 * 32 * 64 + 64,
    "norm": 2 * 64,
    "dense": 53_824 * 1024 + 1024,
    "head": 1024 * 2 + 2,
}


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_3d_cnn_has_the_weights_and_shapes_of_table_ii() -> None:
    net = Cnn3d().eval()
    assert {name: _parameters(net.get_submodule(name)) for name in TABLE_II} == TABLE_II
    assert _parameters(net) == sum(TABLE_II.values())
    shapes, y = [], torch.zeros(1, 6, 1, 128, 128)
    with torch.no_grad():
        for layer in net.convolutions:
            y = layer(y)
            shapes.append((y.shape[3], y.shape[4], y.shape[1], y.shape[2]))
    assert shapes == [
        (126, 126, 5, 8),
        (124, 124, 4, 16),
        (62, 62, 2, 16),
        (60, 60, 2, 32),
        (58, 58, 2, 64),
        (29, 29, 1, 64),
    ]
    assert y.numel() == 53_824
    by_hand = 126 * 126 * 5 * 8 * 18 + 124 * 124 * 4 * 16 * 144 + 60 * 60 * 2 * 32 * 144 + 58 * 58 * 2 * 64 * 288
    assert multiplications(net) == by_hand + 53_824 * 1024 + 1024 * 2


def test_the_lstm_has_the_weights_of_table_iii() -> None:
    with torch.device("meta"):  # shapes alone: no time for 22 million first weights
        net = SliceLstm()
    assert net.from_past.weight.shape == (4 * 2048, 2048)
    assert net.from_slice.weight.shape[0] == 4 * 2048
    assert _parameters(net.dense) == 2048 * 512 + 512
    assert _parameters(net.head) == 512 * 2 + 2


def test_neighbouring_slices_side_by_side_are_a_3d_convolution() -> None:
    torch.manual_seed(0)
    mine, x = DepthConv(3, 5, 2), torch.randn(2, 4, 3, 9, 9)
    theirs = nn.Conv3d(3, 5, (2, 3, 3))
    with torch.no_grad():
        theirs.weight.copy_(mine.plane.weight.unflatten(1, (2, 3)).transpose(1, 2))
        theirs.bias.copy_(mine.plane.bias)
    expected = torch.relu(theirs(x.transpose(1, 2))).transpose(1, 2)
    assert torch.allclose(mine(x), expected, atol=1e-5)
    assert torch.equal(DepthPool()(x[..., :8, :8]).transpose(1, 2), nn.MaxPool3d(2)(x[..., :8, :8].transpose(1, 2)))


def test_the_lstm_by_hand_is_the_librarys() -> None:
    torch.manual_seed(0)
    net = SliceLstm(widths=(2, 2, 2, 2), cells=5, hidden=4, shrink=2).eval()
    x = torch.rand(3, 6, 128, 128)
    cell = nn.LSTM(net.from_slice.in_features, 5, batch_first=True)
    with torch.no_grad():
        cell.weight_ih_l0.copy_(net.from_slice.weight)
        cell.weight_hh_l0.copy_(net.from_past.weight)
        cell.bias_ih_l0.copy_(net.from_slice.bias)
        cell.bias_hh_l0.zero_()
        last = cell(net.norm(net.features(x)).flatten(1).unflatten(0, (3, 6)))[1][0][0]
        expected = net.head(torch.relu(net.dense(last)))
        assert torch.allclose(net(x), expected, atol=1e-5)


def test_the_rate_decays_as_keras_does_and_the_preset_is_the_papers() -> None:
    decay = keras_decay(1e-6)
    assert decay(0) == 1.0
    assert decay(1_000_000) == pytest.approx(0.5)
    assert (PAPER_TRAINING.learning_rate, PAPER_TRAINING.decay) == (1e-5, 1e-6)
    assert PRESETS["paper"].training is PAPER_TRAINING


def test_balance_keeps_every_defect_and_as_many_good_joints() -> None:
    defective = np.arange(100) < 15
    chosen = balanced(defective, seed=3)
    assert len(chosen) == 30
    assert set(chosen[defective[chosen]]) == set(range(15))
    assert len(set(chosen)) == 30
    assert not np.array_equal(chosen, balanced(defective, seed=4))


def test_a_training_keeps_its_best_epoch_and_needs_defects() -> None:
    rng = np.random.default_rng(0)
    slices = rng.integers(150, 255, (32, 128, 128, 6), np.uint8)
    defective = np.arange(32) % 2 == 0
    slices[defective] //= 2  # so dark that the smallest network sees it
    joints = LabelledCrops(slices=slices, defective=defective)
    torch.manual_seed(0)
    network = PRESETS["fast"].variants["tiny"].build()
    seen = []
    report = fit_paper(network, joints, joints, PRESETS["fast"].training, 0, seen.append)
    assert len(seen) == report.epochs == PRESETS["fast"].training.epochs
    assert report.best_val_loss == min(one.val_loss for one in report.history) < 0.05
    with pytest.raises(TrainingFault, match="at least 4"):
        LabelledCrops(slices=slices, defective=np.zeros(32, bool))
