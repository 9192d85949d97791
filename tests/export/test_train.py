"""The training loop and the check against collapse: learns, repeats, refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from export.collapse import check_collapse  # noqa: E402
from export.families.solder_joint.net import Autoencoder  # noqa: E402
from export.families.solder_joint.presets import PAPER_TRAINING  # noqa: E402
from export.pca import fit_pca  # noqa: E402
from export.train import fit  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402
from tests.export.helpers import good_inputs  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

TINY = (4, 8, 8, 8, 8)
SETTINGS = dataclasses.replace(PAPER_TRAINING, epochs=3, batch=16)


def _cae(seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    return Autoencoder(TINY, variational=False, beta=0.0)


def test_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    train, val = good_inputs(24), good_inputs(8, seed=1)
    nets = [_cae(), _cae(), _cae()]
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        fit(net, train, val, SETTINGS, seed)
    first, second, third = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_best_weights_are_kept_and_every_epoch_reported() -> None:
    net, seen = _cae(), []
    report = fit(net, good_inputs(24), good_inputs(8, seed=1), SETTINGS, 0, seen.append)
    assert [r.epoch for r in seen] == [1, 2, 3] == [r.epoch for r in report.history]
    assert report.best_val_loss == min(r.val_loss for r in seen)
    assert report.best_epoch == min(seen, key=lambda r: r.val_loss).epoch
    with torch.no_grad():
        assert float(net.loss(torch.from_numpy(good_inputs(8, seed=1)))) == pytest.approx(
            report.best_val_loss, rel=1e-4
        )
    assert not net.training


def test_statistics_are_those_of_the_final_weights_with_mu_for_the_latent() -> None:
    torch.manual_seed(0)
    net = Autoencoder(TINY, variational=True, beta=1.0)
    train = good_inputs(32)
    fit(net, train, good_inputs(8, seed=1), dataclasses.replace(SETTINGS, epochs=1), 0)
    norm = net.decoder[0][1]
    with torch.no_grad():
        latent = net(torch.from_numpy(train)).mu
        expected = net.decoder[0][0](latent).mean(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, rtol=0.05, atol=0.02)
    assert norm.momentum == 0.1


def test_stops_early_when_the_rate_has_decayed() -> None:
    settings = dataclasses.replace(SETTINGS, epochs=50, learning_rate=3e-5, decay_patience=0, weight_decay=0.0)
    flat = np.zeros((8, 3, 64, 64), np.float32)
    report = fit(_ConstantLoss(), flat, flat, settings, 0)
    assert report.epochs == 2  # the second epoch is no better than the first: one decay, below the floor


def test_loss_that_is_not_finite_is_refused() -> None:
    train = good_inputs(24)
    train[3, 0, 0, 0] = np.nan
    with pytest.raises(TrainingFault, match="epoch 1: training loss nan"):
        fit(_cae(), train, good_inputs(8), SETTINGS, 0)


def test_too_little_data_is_refused() -> None:
    with pytest.raises(TrainingFault, match="1 training and 8 validation crops"):
        fit(_cae(), good_inputs(1), good_inputs(8), SETTINGS, 0)


def test_pca_reconstructs_what_lies_in_its_components() -> None:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, 3 * 8 * 8)).astype(np.float32)
    rows = (rng.normal(size=(40, 3)).astype(np.float32) @ basis + 1.0).reshape(40, 3, 8, 8)
    assert fit_pca(rows, 3).reconstruction_error(rows).max() < 1e-6
    assert fit_pca(rows, 2).reconstruction_error(rows).mean() > 1e-2
    components = fit_pca(rows, 8).components
    np.testing.assert_allclose(components @ components.T, np.eye(len(components)), atol=1e-4)


def test_honest_error_passes_and_worse_than_pca_8_is_told() -> None:
    train, val = good_inputs(64), good_inputs(16, seed=1)
    error = np.square(val - train.mean(axis=0)).mean(axis=1) / 10
    check = check_collapse(train=train, val=val, val_map=error, val_score=error.mean(axis=(1, 2)))
    assert not check.faults
    assert "PCA-8 reconstructs validation normals" in check.warnings[0]


def test_network_that_answers_with_the_mean_is_refused() -> None:
    train, val = good_inputs(64), good_inputs(16, seed=1)
    error = np.square(val - train.mean(axis=0)).mean(axis=1)  # what a posterior equal to the prior ends in
    check = check_collapse(train=train, val=val, val_map=error, val_score=error.mean(axis=(1, 2)))
    (fault,) = check.faults
    assert "collapsed or is not done" in fault


def test_score_that_ignores_the_crop_is_refused() -> None:
    train, val = good_inputs(64), good_inputs(16, seed=1)
    same = np.full(16, 0.25, np.float32)
    check = check_collapse(train=train, val=val, val_map=np.zeros((16, 64, 64), np.float32), val_score=same)
    assert "does not depend on the crop" in check.faults[0]


def test_score_that_is_not_finite_is_refused() -> None:
    train, val = good_inputs(64), good_inputs(16, seed=1)
    score = np.full(16, np.nan, np.float32)
    check = check_collapse(train=train, val=val, val_map=np.full((16, 64, 64), np.nan, np.float32), val_score=score)
    assert any("not finite" in fault for fault in check.faults)


class _ConstantLoss(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return 1.0 + 0.0 * self.weight.sum() * x.mean()
