"""The classifier taught by painted defects: what is painted, what is learned, what is exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from edge.bundle import read_bundle
from edge.families.solder_joint import graph_input
from export.datasets import read_data_set
from export.families.solder_joint.augment import augmented, centred
from export.families.solder_joint.classifier import Classifier, DefectScore
from export.families.solder_joint.contract import contract
from export.families.solder_joint.good_joints import (
    CANVAS_PX,
    PITCH_PX,
    Joints,
    read_joints,
    solder_centre_px,
)
from export.families.solder_joint.painted import (
    BRIDGE,
    GOOD,
    MISSING,
    Lot,
    Source,
    draw_pictures,
)
from export.families.solder_joint.painter import metal_of, paint_bridge, paint_dome, paint_missing
from export.families.solder_joint.presets import PRESETS
from export.families.solder_joint.teach_classifier import share_labelled
from export.onnx import onnx_from_torch, run_onnx, run_torch
from export.to_bundle import write
from export.training_record import TrainingFault
from export.workshop import TrainRequest, train
from tests.export.helpers import write_joint_set

pytestmark = [pytest.mark.needs_torch]

GRAPH = contract(channels="bgr", normalisation="standardised", places=True)


@pytest.fixture(scope="module")
def joint_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("data") / "joints")


@pytest.fixture(scope="module")
def joints(joint_set: Path) -> Joints:
    data = read_data_set(joint_set, "joints.csv")
    return read_joints(joint_set, data.normals("train"), data.rows)


def test_canvases_know_their_neighbours(joints: Joints) -> None:
    counts = {len(n) for n in joints.neighbours_px}
    assert counts == {2, 3}  # two rows of five: corners and the rest
    distances = np.concatenate([np.hypot(*n.T) for n in joints.neighbours_px])
    np.testing.assert_allclose(distances, PITCH_PX, rtol=1e-5)


@pytest.mark.parametrize("offset", [(0, 0), (7, -5), (-9, 3)])
def test_solder_is_found_where_it_is(offset: tuple[int, int]) -> None:
    canvas = np.full((CANVAS_PX, CANVAS_PX, 3), (60, 120, 20), np.uint8)
    y, x = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX]
    canvas[np.hypot(x - 64 - offset[0], y - 64 - offset[1]) < 0.29 * PITCH_PX] = 190
    assert np.hypot(*np.subtract(solder_centre_px(canvas), (64 + offset[0], 64 + offset[1]))) <= 1.5


@pytest.mark.parametrize("paint", [paint_missing, paint_dome])
def test_paint_stays_on_its_joint(joints: Joints, paint: object) -> None:
    canvas = joints.canvases[7].astype(np.float32)
    before = canvas.copy()
    paint(canvas, joints.centres_px[7], np.random.default_rng(3))  # type: ignore[operator]
    y, x = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX]
    far = np.hypot(x - joints.centres_px[7][0], y - joints.centres_px[7][1]) > PITCH_PX
    np.testing.assert_array_equal(canvas[far], before[far])
    assert np.abs(canvas - before)[~far].max() > 20
    assert np.isfinite(canvas).all()


def test_bridge_joins_the_two_pins(joints: Joints) -> None:
    canvas = joints.canvases[7].astype(np.float32)
    start, along = joints.centres_px[7], joints.neighbours_px[7][0]
    rng = np.random.default_rng(0)
    metal = metal_of(canvas, start, rng)
    paint_bridge(canvas, start, along, metal, rng)
    x, y = np.round(start + along / 2).astype(int)
    board = np.median(joints.canvases[7])
    assert canvas[y, x].mean() > board + 30


def test_same_seed_same_pictures_and_labels_follow_the_source(joints: Joints) -> None:
    lot = Lot(good=joints)
    for source, label in (
        (Source.PAINTED_MISSING, MISSING),
        (Source.PAINTED_BRIDGE, BRIDGE),
        (Source.PASTED_GOOD, GOOD),
    ):
        first, classes = draw_pictures(lot, {source: 1.0}, 6, np.random.default_rng(1))
        again, _ = draw_pictures(lot, {source: 1.0}, 6, np.random.default_rng(1))
        assert (classes == label).all()
        np.testing.assert_array_equal(first, again)


def test_labelled_defects_are_used_only_where_there_are_any(joints: Joints) -> None:
    mixture = {Source.REAL_GOOD: 1.0, Source.REAL_MISSING: 1.0}
    _, without = draw_pictures(Lot(good=joints), mixture, 20, np.random.default_rng(0))
    assert (without == GOOD).all()
    _, with_one = draw_pictures(Lot(good=joints, missing=joints.canvases[:1]), mixture, 40, np.random.default_rng(0))
    assert {GOOD, MISSING} == set(with_one.tolist())


def test_augmented_crops_differ_and_repeat(joints: Joints) -> None:
    first = augmented(joints.canvases[:8], 1.5, np.random.default_rng(0))
    assert first.shape == (8, 64, 64, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, augmented(joints.canvases[:8], 1.5, np.random.default_rng(0)))
    assert np.abs(first.astype(int) - centred(joints.canvases[:8], 1.5)).mean() > 3


def test_exported_graph_gives_the_same_scores() -> None:
    torch.manual_seed(0)
    scored = DefectScore(Classifier(4)).eval()
    x = np.random.default_rng(0).standard_normal((5, 3, 64, 64)).astype(np.float32)
    here, there = run_torch(scored, x), run_onnx(onnx_from_torch(scored, GRAPH), x)
    np.testing.assert_allclose(there.score, here.score, rtol=1e-5)
    np.testing.assert_allclose(there.map, here.map, rtol=1e-4, atol=1e-5)
    assert (there.score > 0).all()


def test_score_rises_with_the_odds_of_either_defect() -> None:
    net = Classifier(4).eval()
    x = torch.zeros(1, 3, 64, 64)
    scores = []
    for biases in ((4.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 6.0)):
        with torch.no_grad():
            net.head.bias.copy_(torch.tensor(biases))
            net.head.weight.zero_()
            scores.append(float(DefectScore(net)(x)[0]))
    assert scores == sorted(scores)
    assert scores[1] == pytest.approx(np.log(3))


def test_labelled_rows_are_shared_by_pin(joint_set: Path) -> None:
    data = read_data_set(joint_set, "joints.csv")
    taught, kept = share_labelled(data.split("train"), data.split("val"))
    assert {r.line for r in taught} | {r.line for r in kept} == {r.line for r in data.rows if r.split != "dev-test"}
    assert all(r.is_good for r in kept)
    assert kept
    assert not {r.unit for r in kept} & {r.unit for r in taught if r.is_good}


@pytest.mark.parametrize("preset", ["best", "labelled"])
def test_preset_trains_into_a_bundle_that_reads(
    preset: str, joint_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = dataclasses.replace(PRESETS[preset].training, epochs=2, steps=60, pictures=300, batch=24, mean_decay=0.9)
    monkeypatch.setitem(PRESETS, preset, dataclasses.replace(PRESETS[preset], training=short))
    request = TrainRequest(family="solder_joint", data=joint_set, table="joints.csv", preset=preset)
    trained = train(request)
    assert trained.check.faults == []
    bundle = read_bundle(tmp_path / "b", write(trained, tmp_path / "b"))
    assert bundle.manifest.contract == GRAPH
    assert bundle.manifest.variant == "classifier/surprise"
    assert bundle.threshold().value > 0
    n_defect = bundle.threshold().choice.n_defect
    assert (n_defect == 0) == (preset == "labelled")  # its defects have all been learned


def test_whole_pictures_are_refused(tmp_path: Path, joint_set: Path) -> None:
    request = TrainRequest(family="solder_joint", data=joint_set, preset="best")
    with pytest.raises(TrainingFault, match="x, y and pitch"):
        train(request)


def test_same_seed_same_network(joints: Joints) -> None:
    from export.families.solder_joint.classifier_training import Lesson, fit_classifier  # noqa: PLC0415

    lesson = Lesson(
        lot=Lot(good=joints), val_good=joints, graph_input=lambda c: graph_input(c, GRAPH), region_scale=1.5
    )
    settings = dataclasses.replace(PRESETS["best"].training, epochs=1, steps=3, pictures=30, batch=8)
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        net = Classifier(4)
        fit_classifier(net, lesson, settings, seed=5)
        weights.append(torch.cat([p.flatten() for p in net.parameters()]))
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)
