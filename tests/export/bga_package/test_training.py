"""Trainings: the smallest network learns good packages, the defect net learns paint, seeds decide, too little is
refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.families.bga_package import graph_input  # noqa: E402
from export.families.bga_package import defect_training  # noqa: E402
from export.families.bga_package.compared_lessons import part_shelf  # noqa: E402
from export.families.bga_package.compared_net import ComparedNet  # noqa: E402
from export.families.bga_package.contract import contract  # noqa: E402
from export.families.bga_package.defect_net import DefectNet  # noqa: E402
from export.families.bga_package.defect_training import DefectSettings, check_paint, fit_defects  # noqa: E402
from export.families.bga_package.lessons import Shelf, as_crops, greys, shelf_of  # noqa: E402
from export.families.bga_package.presets import PRESETS  # noqa: E402
from export.simulator.xray.packages import draw_package, package_type  # noqa: E402
from export.simulator.xray.packages.sets import write_package_set  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402
from export.workshop import TrainRequest, train  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

QUICK = DefectSettings(epochs=2, steps=4, batch=4, learning_rate=3e-3, weight_decay=1e-3, mean_decay=0.5)
BEST = PRESETS["best"]
AGREED = contract(channels="grey", normalisation="frac", places=False, variant=BEST.variants["places"])


def inputs(crops: np.ndarray) -> np.ndarray:
    return graph_input(crops, AGREED)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defect_training, "VAL_PICTURES", 4)
    monkeypatch.setattr(defect_training, "CHECK_PICTURES", 12)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return shelf_of(greys(np.stack([draw_package(package_type("PO-404"), (7, k)).image for k in range(8)])))


def test_tiny_learns_good_packages(tmp_path: Path) -> None:
    write_package_set(tmp_path / "set", 40, 5, "optical", defect_rate=0.25)
    trained = train(TrainRequest(family="bga_package", data=tmp_path / "set", preset="fast", variant="tiny", epochs=40))
    assert trained.check is not None
    assert not trained.check.faults  # no worse than the mean and one principal component
    assert trained.contract.normalisation == "frac"
    assert not trained.network.training


def test_a_defect_net_learns_and_is_the_same_by_seed(shelf: Shelf) -> None:
    def taught() -> tuple[DefectNet, list[float]]:
        torch.manual_seed(0)
        net = DefectNet()
        report = fit_defects(net, shelf, shelf, inputs, QUICK, seed=0)
        return net, [epoch.train_loss for epoch in report.history]

    (net, losses), (again, _) = taught(), taught()
    assert losses[1] < losses[0]
    for (name, weights), other in zip(net.state_dict().items(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(weights, other, rtol=0, atol=0, msg=name)


def test_a_net_that_compares_learns_from_part_numbers(shelf: Shelf) -> None:
    parted = part_shelf(shelf.pictures, np.repeat(["PO-404", "the same, renamed"], 4))
    torch.manual_seed(0)
    net = ComparedNet()
    report = fit_defects(net, parted, parted, inputs, QUICK, seed=0)
    assert report.history[1].train_loss < report.history[0].train_loss
    check = check_paint(net, inputs(as_crops(shelf.pictures)), parted, inputs)
    assert 0.0 <= check.network_auroc <= 1.0


def test_a_net_that_knows_nothing_is_refused(shelf: Shelf) -> None:
    net = DefectNet().eval()
    torch.nn.init.zeros_(net.head.weight)  # every package gets one score
    check = check_paint(net, inputs(as_crops(shelf.pictures)), shelf, inputs)
    assert check.network_auroc == 0.5
    assert check.faults
    assert not dataclasses.replace(check, network_auroc=0.99).faults


def test_too_few_good_packages_are_refused(shelf: Shelf) -> None:
    few = Shelf(pictures=shelf.pictures[:3], balls=shelf.balls[:3])
    with pytest.raises(TrainingFault, match="3 good packages"):
        fit_defects(DefectNet(), few, shelf, inputs, QUICK, seed=0)
