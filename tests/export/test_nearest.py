"""The nearest-joint score: its distance against plain NumPy, what it does not see, its graph, and its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.board import Floats  # noqa: E402
from edge.bundle import read_bundle  # noqa: E402
from edge.scorers import EngineChoice, load_scorer  # noqa: E402
from export.families.solder_joint.contract import contract  # noqa: E402
from export.families.solder_joint.nearest import BANK, GROUPS, SIZE, NearestGood, NearestScore  # noqa: E402
from export.families.solder_joint.teach_nearest import HalvesCheck, of_two_halves  # noqa: E402
from export.onnx import onnx_from_torch, run_onnx, run_torch  # noqa: E402
from export.to_bundle import write  # noqa: E402
from export.training_record import TrainingFault  # noqa: E402
from export.workshop import TrainRequest, keep, train, trained_before  # noqa: E402
from tests.export.helpers import write_joint_set  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def waves(n: int, seed: int, length_px: tuple[float, float] = (12.0, 30.0)) -> Floats:
    """(n, 3, 64, 64): long waves of any turn, grey, standardised as a station standardises."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:64]
    turn, length = rng.uniform(0, np.pi, (n, 1, 1)), rng.uniform(*length_px, (n, 1, 1))
    grey = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / length + rng.uniform(0, 6, (n, 1, 1)))
    grey = 0.4 * (grey - grey.mean(axis=(1, 2), keepdims=True)) / grey.std(axis=(1, 2), keepdims=True)
    return np.repeat(grey[:, None], 3, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def taught() -> NearestGood:
    torch.manual_seed(0)
    network = NearestGood().eval()
    network.learn(torch.from_numpy(waves(40, 0)))
    return network


def test_the_score_is_the_least_distance_of_all_descriptions(taught: NearestGood) -> None:
    good, x = waves(40, 0), waves(7, 1)
    with torch.no_grad():
        here, there = (taught.description(torch.from_numpy(crops))[0].double().numpy() for crops in (good, x))
    scale = taught.scale.double().numpy()
    distance = np.sqrt((((there[:, None] - here[None]) * scale) ** 2).sum(axis=2)).min(axis=1)
    np.testing.assert_allclose(run_torch(NearestScore(taught), x).score, distance, rtol=1e-4)


def test_what_was_learned_is_at_no_distance(taught: NearestGood) -> None:
    known = run_torch(NearestScore(taught), waves(40, 0)).score
    new = run_torch(NearestScore(taught), waves(40, 2, (5.0, 7.0))).score
    assert known.max() < 0.01 * new.min()


def test_every_part_of_the_description_weighs_alike(taught: NearestGood) -> None:
    assert taught.bank.shape == (SIZE, BANK)
    distinct = torch.unique(taught.bank, dim=1)
    assert distinct.shape[1] == 40
    weights = [part.square().sum(dim=0).mean().item() for part in distinct.split(GROUPS)]
    levels = weights.pop(6)  # some are brighter than any wave: those say nothing
    assert weights == pytest.approx([39 / 40] * 7, rel=1e-3)
    assert 0.5 < levels < 39 / 40


def test_the_graph_says_what_torch_says(taught: NearestGood) -> None:
    shape = contract(channels="grey", normalisation="standardised", places=False)
    x = waves(5, 3)
    here, there = run_torch(NearestScore(taught), x), run_onnx(onnx_from_torch(NearestScore(taught), shape), x)
    np.testing.assert_allclose(there.score, here.score, rtol=1e-3)
    np.testing.assert_allclose(there.map, here.map, rtol=1e-3, atol=1e-4)
    assert here.map.shape == (5, 64, 64)


def test_two_halves_are_of_two_crops() -> None:
    crops = np.arange(6, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, 64, 64), np.float32)
    mixed = of_two_halves(crops, np.random.default_rng(0))
    assert (mixed[:, :, :, :32] == crops[:, :, :, :32]).all()
    assert (mixed[:, 0, 0, 32] != crops[:, 0, 0, 32]).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"halves_auroc": 0.9, "score_mean": float("nan"), "score_spread": 1.0}, "not finite"),
        ({"halves_auroc": 0.9, "score_mean": 1.0, "score_spread": 0.0}, "does not depend on the crop"),
        ({"halves_auroc": 0.5, "score_mean": 1.0, "score_spread": 0.1}, "two halves"),
    ],
)
def test_a_score_that_knows_nothing_is_refused(given: dict[str, float], said: str) -> None:
    (fault,) = HalvesCheck(**given).faults
    assert said in fault


def test_training_ends_in_a_bundle_that_a_station_loads(tmp_path: Path) -> None:
    data = write_joint_set(tmp_path / "joints")
    request = TrainRequest(family="solder_joint", data=data, table="joints.csv", preset="nearest")
    trained = train(request)
    write(trained, tmp_path / "bundle", all_precisions=False)
    made = read_bundle(tmp_path / "bundle")
    assert made.manifest.variant == "filters/distance"
    assert made.manifest.contract.channels == "grey"
    load_scorer(made, EngineChoice(threads=1))  # judges its own golden crops
    keep(trained, tmp_path / "checkpoint")
    again = NearestScore(trained_before(tmp_path / "checkpoint", data).network)
    x = trained.samples.val[:4]
    np.testing.assert_array_equal(run_torch(again, x).score, run_torch(NearestScore(trained.network), x).score)


def test_too_few_joints_are_refused(tmp_path: Path) -> None:
    data = write_joint_set(tmp_path / "joints")
    request = TrainRequest(
        family="solder_joint", data=data, table="joints.csv", preset="nearest", val_where=("site=P1",)
    )
    with pytest.raises(TrainingFault, match="need at least 8"):
        train(request)
