"""The study from a folder to its page, with scores made by hand; teaching from a folder; the labels of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from export.families.axi_joint.canvases import read_canvases
from export.families.axi_joint.fewer_slices import at_most, one_lost
from export.families.axi_joint.labels import column, defective, kinds, roi_faults
from export.families.axi_joint.painted_balls import bridged, erased
from export.families.axi_joint.paper_page_tables import tables
from export.families.axi_joint.paper_runs import NETWORKS, TEST_SPLIT, Limits, StudyData, read_run, run
from export.families.axi_joint.paper_tables import figures_of
from export.families.axi_joint.paper_yardsticks import yardsticks
from export.families.axi_joint.real_balls import HEIGHTS_T, ball_crops
from tests.export.axi_joint.desk import write_desk_set

pytestmark = [pytest.mark.needs_torch]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    return StudyData(write_desk_set(tmp_path_factory.mktemp("axi") / "set"))


def _scores(data: StudyData) -> dict[str, np.ndarray]:
    """Perfect but for the first defective joint of each split; every tenth region is called wrong."""
    made = {}
    for split, key in (("val", "val"), (TEST_SPLIT, "test")):
        score = np.where(defective(data.rows(split)), 0.9, 0.1).astype(np.float32)
        score[np.flatnonzero(score > 0.5)[0]] = 0.05
        made |= {f"{key}_score": score, f"{key}_roi": (np.arange(len(score)) % 10 == 0).astype(np.float32)}
    n_wrong = len(data.wrong_rows)
    return made | {"wrong_score": np.full(n_wrong, 0.5, np.float32), "wrong_roi": np.ones(n_wrong, np.float32)}


def test_rows_say_what_they_are(data: StudyData) -> None:
    rows = data.rows("train")
    bad = defective(rows)
    assert bad.sum() == len(rows) / 3
    assert np.array_equal(kinds(rows)[:, 0], bad)
    assert not kinds(rows)[:, 1:].any()
    assert set(roi_faults(rows)) == {"ok"}
    assert column(rows[0], "board_type") == "AX-101"
    assert column(rows[0], "type") == ""
    both = replace(rows[0], label="missing+short")
    assert kinds([both]).tolist() == [[0, 1, 1]]


def test_a_canvas_holds_the_crop_in_its_middle_halved(data: StudyData) -> None:
    rows = data.rows("val")[:4]
    crops, canvases = data.crops(rows), read_canvases(data.folder, rows, data.contract)
    halved = crops.reshape(4, 64, 2, 64, 2, 6).mean(axis=(2, 4))
    assert canvases.shape == (4, 128, 128, 6)
    assert np.abs(canvases[:, 32:96, 32:96] - halved).max() <= 1.0


def test_figures_and_page_of_one_method(data: StudyData) -> None:
    scores = _scores(data)
    figures = figures_of(data, scores)
    n_bad = int(defective(data.rows(TEST_SPLIT)).sum())
    assert figures["fixed"][4]["test"]["recall"]["called"] == n_bad - 1
    assert figures["fixed"][4]["test"]["fpr"]["called"] == 0
    assert figures["chosen"]["0.90"]["test"]["fpr"]["frac"] == 1.0  # the missed joint is below all good ones
    assert figures["gated"]["held_frac"] == pytest.approx(0.1, abs=0.02)
    assert figures["roi"]["found"]["frac"] == 1.0
    assert figures["roi"]["false_alarms"]["called"] == 2
    assert figures["groups"]["wrong_regions"][1]["0.90"]["fpr"] == 1.0
    record = {"method": "best", "seed": 0, "n_train": 9, "epochs": 2, "best_epoch": 1}
    text = tables({"data": _about(), "runs": [record | figures]})
    assert "Table VIII" in text
    assert f"{figures['test']['auroc']:.3f}" in text
    assert "best of 2 epochs was 1" in text


def test_a_run_is_made_once(data: StudyData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "cnn3d", ("fast", "tiny"))
    told = []
    place = run("cnn3d", 0, data, tmp_path, Limits(epochs=1), told.append)
    assert len(told) == 1
    record, scores = read_run(place)
    assert record["n_train"] == 2 * defective(data.rows("train")).sum()
    assert scores["test_score"].shape == (len(data.rows(TEST_SPLIT)),)
    assert run("cnn3d", 0, data, tmp_path, Limits(epochs=1), told.append) == place
    assert len(told) == 1


def _about() -> dict[str, object]:
    return {"source": "a desk", "splits": {"train": {"joints": 9, "labels": {"normal": 6, "missing": 3}, "slices": {}}}}


def test_wrong_regions_are_the_same_joints_elsewhere(data: StudyData) -> None:
    rows, spoilt = data.rows(TEST_SPLIT), data.wrong_rows
    assert len(spoilt) == len(rows) / 3
    assert "ok" not in roi_faults(spoilt)
    assert [row.path for row in spoilt] == [row.path for row in rows[::3]]
    assert [row.label for row in spoilt] == [row.label for row in rows[::3]]
    assert all(a.place != b.place for a, b in zip(spoilt, rows[::3], strict=True))


def test_slices_are_taken_from_the_outside_and_move_up() -> None:
    joint = np.zeros((1, 2, 2, 6), np.uint8)
    joint[..., :4] = np.arange(1, 5)
    assert at_most(joint, 3)[0, 0, 0].tolist() == [2, 3, 4, 0, 0, 0]
    assert at_most(joint, 2)[0, 0, 0].tolist() == [2, 3, 0, 0, 0, 0]
    assert at_most(joint, 1)[0, 0, 0].tolist() == [3, 0, 0, 0, 0, 0]
    assert np.array_equal(at_most(joint, 6), joint)
    lost = one_lost(joint)[0, 0, 0]
    assert (lost[:4] == 0).sum() == 1
    assert one_lost(joint[..., [0, 5, 5, 5, 5, 5]])[0, 0, 0, 0] == 1


def test_painted_faults_change_their_ball_and_nothing_else() -> None:
    slices = np.full((300, 400, 4), 200, np.uint8)
    for x in (100, 200, 300):
        slices[118:183, x - 32 : x + 33] = 40
    gone, joined = erased(slices, (200, 150)), bridged(slices, (200, 150))
    assert gone[150, 200].tolist() == [200] * 4
    assert np.array_equal(gone[:, :150], slices[:, :150])
    assert (joined[150, 250] < 180).all()
    assert joined[150, 250, 1] == joined[150, 250].min()
    assert np.array_equal(joined[:, :150], slices[:, :150])


def test_single_numbers_that_know_the_label_are_found(data: StudyData) -> None:
    told = yardsticks(data.rows(TEST_SPLIT), data.test)
    assert told["grey of the joint's middle"] == 1.0  # a faint disc is all there is to the desk's defects
    assert told["side of the region"] == 0.5


@pytest.mark.needs_data
def test_real_balls_are_cut_as_their_set_says(data_dir: Path) -> None:
    crops, labels, names = ball_crops(data_dir, HEIGHTS_T[4])
    assert crops.shape == (48, 128, 128, 6)
    assert not crops[..., 4:].any()
    assert len(set(names)) == len(labels) == 48
    middle, rim = crops[:, 54:74, 54:74, 1], crops[:, 8:20, 8:20, 1]
    assert (middle.mean(axis=(1, 2)) < rim.mean(axis=(1, 2))).all()
