"""The record of a training: what it keeps, gives back and refuses."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from export.training_record import EpochReport, TrainingFault, TrainingRecord  # noqa: E402

pytestmark = [pytest.mark.unit, pytest.mark.needs_torch]


def _net(value: float) -> torch.nn.Linear:
    net = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(net.weight, value)
    return net


def test_the_best_kept_weights_come_back_and_every_epoch_is_told() -> None:
    told: list[EpochReport] = []
    record, net = TrainingRecord(told.append), _net(0.0)
    for step, val_loss in enumerate((3.0, 1.0, 2.0), start=1):
        torch.nn.init.constant_(net.weight, step)
        record.add(0.5, val_loss, 0.1, keep=net)
    record.restore(net)
    report = record.report()
    assert net.weight.item() == 2.0
    assert (report.epochs, report.best_epoch, report.best_val_loss) == (3, 2, 1.0)
    assert report.history == tuple(told)
    assert record.flat_epochs == 1


def test_without_weights_kept_the_last_epoch_is_the_best_one() -> None:
    record, net = TrainingRecord(lambda report: None), _net(7.0)
    for val_loss in (1.0, 2.0):
        record.add(0.5, val_loss, 0.1)
    record.restore(net)
    assert net.weight.item() == 7.0
    assert (record.report().best_epoch, record.report().best_val_loss) == (2, 2.0)


@pytest.mark.parametrize(("train_loss", "val_loss"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)])
def test_a_broken_loss_ends_the_training_by_its_epoch(train_loss: float, val_loss: float) -> None:
    record = TrainingRecord(lambda report: None)
    record.add(1.0, 1.0, 0.1)
    with pytest.raises(TrainingFault, match="epoch 2: training loss"):
        record.add(train_loss, val_loss, 0.1)


def test_no_epoch_is_no_training() -> None:
    with pytest.raises(TrainingFault, match="no epoch"):
        TrainingRecord(lambda report: None).report()
