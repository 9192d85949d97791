"""Views and data set folders of X-rayed joints: bytes, splits, labels, regions, slices."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.datasets import LEFT_OUT_LABELS, has_places, read_data_set
from export.simulator.xray.board import VIEW_PX, JointKind, barcode, sites_of
from export.simulator.xray.board_types import BGA_TYPES, BOARD_TYPES, GULLWING_TYPES, PTH_TYPES, board_type
from export.simulator.xray.difficulty import DIFFICULTIES, LINE, difficulty_of
from export.simulator.xray.joints import DEFECT_MIX, NEAR_DEFECT, NORMAL, SHORT
from export.simulator.xray.lots import draw_lot
from export.simulator.xray.machine import TEST_MACHINE
from export.simulator.xray.roi import RoiFault, roi_at, rois_of_view
from export.simulator.xray.sets import SPLITS, draw_views, programmed_slices, slice_paths, split_types, write_joint_set
from export.simulator.xray.view import XrayView, draw_view

pytestmark = pytest.mark.sweep

SEED = (5, 0)


@pytest.fixture(scope="module")
def pth_view() -> XrayView:
    return draw_view(board_type("AX-105"), 0, SEED, "easy", 0.5, slices=4)


def test_a_view_is_its_arguments(pth_view: XrayView) -> None:
    again = draw_view(board_type("AX-105"), 0, SEED, "easy", 0.5, slices=4)
    assert again.slices.tobytes() == pth_view.slices.tobytes()
    assert again.joints == pth_view.joints


def test_a_view_holds_what_it_says(pth_view: XrayView) -> None:
    assert pth_view.slices.shape == (4, *VIEW_PX)
    assert pth_view.slices.dtype == np.uint8
    assert list(pth_view.focus_t) == sorted(pth_view.focus_t)
    labels = {joint.truth for joint in pth_view.joints}
    assert NORMAL in labels
    assert labels - {NORMAL, NEAR_DEFECT} <= set(DEFECT_MIX[JointKind.PTH])
    for joint in pth_view.joints:
        assert (joint.severity is None) == (joint.truth in (NORMAL, NEAR_DEFECT))
        assert set(joint.visible_in) <= set(range(4))
        assert 0 <= joint.roi.x0 < joint.roi.x1 <= VIEW_PX[1]
        assert 0 <= joint.roi.y0 < joint.roi.y1 <= VIEW_PX[0]
        assert bool(joint.visible_in) <= (joint.truth not in (NORMAL, NEAR_DEFECT))


def test_joints_are_dark_where_the_region_says(pth_view: XrayView) -> None:
    middle = pth_view.slices[2]
    for joint in (joint for joint in pth_view.joints if joint.truth == NORMAL):
        x, y = (joint.roi.x0 + joint.roi.x1) // 2, (joint.roi.y0 + joint.roi.y1) // 2
        assert middle[y - 3 : y + 4, x - 3 : x + 4].mean() < np.median(middle) - 60


@pytest.mark.parametrize("name", ["AX-104", "AB-305", "AG-501"])
def test_shorts_come_in_pairs_of_neighbours(name: str) -> None:
    board = board_type(name)
    sites = sites_of(board, 0)
    lot = draw_lot(np.random.default_rng(3), board, sites, LINE, 0.4, (SHORT,))
    assert lot.shorts
    for a, b in lot.shorts:
        assert lot.states[a].label == lot.states[b].label == SHORT
        assert abs(sites[a].row - sites[b].row) + abs(sites[a].column - sites[b].column) == 1
        assert board.kind is not JointKind.GULLWING or sites[a].row == sites[b].row
    assert sum(state.label == SHORT for state in lot.states) == 2 * len(lot.shorts)


def test_leads_are_seen_as_the_rest() -> None:
    view = draw_view(board_type("AG-502"), 0, SEED, "easy", 0.5, slices=2)
    assert {joint.truth for joint in view.joints} - {NORMAL, NEAR_DEFECT} <= set(DEFECT_MIX[JointKind.GULLWING])
    assert view.slices.std() > 5


def test_wrong_regions_come_as_often_as_asked() -> None:
    views = [rois_of_view(np.random.default_rng(n), 0.24).fault for n in range(1500)]
    assert np.mean([fault is not RoiFault.OK for fault in views]) == pytest.approx(0.24, abs=0.04)
    assert set(views) == set(RoiFault)
    good = rois_of_view(np.random.default_rng(0), 0.0)
    rngs = [np.random.default_rng(n) for n in range(400)]
    boxes = [roi_at(rng, (320, 320), 100, (110, 110), VIEW_PX, good, 0.03, 0.0) for rng in rngs]
    shift = np.array([((box.x0 + box.x1) / 2 - 320) / 100 for box in boxes])
    assert shift.std() == pytest.approx(0.03, abs=0.006)
    assert {box.fault for box in boxes} == {RoiFault.OK}


def test_slice_counts_are_the_papers_or_flat() -> None:
    true = [n for counts in programmed_slices(PTH_TYPES, "line").values() for n in counts]
    flat = [n for counts in programmed_slices((*PTH_TYPES, *BGA_TYPES), "line-flat-slices").values() for n in counts]
    assert true.count(4) / len(true) > 0.8
    assert set(flat) == {1, 2, 3, 4, 5, 6}
    for name in ("AX-101", "AB-301", "AG-501"):
        heights = [board_type(name).focus_t(n) for n in range(1, 7)]
        assert [len(each) for each in heights] == [1, 2, 3, 4, 5, 6]
        assert all(list(each) == sorted(each) for each in heights)
    with pytest.raises(ValueError, match="1 to 6"):
        board_type("AX-101").focus_t(7)


def test_types_are_split_and_one_machine_is_kept_for_the_test() -> None:
    for names in (PTH_TYPES, BGA_TYPES, GULLWING_TYPES):
        groups = split_types(names)
        assert sorted(name for group in groups.values() for name in group) == sorted(names)
        kept = {name for name in names if board_type(name).machine.name == TEST_MACHINE}
        assert kept
        assert kept < set(groups["dev-test"])
    with pytest.raises(ValueError, match="at least three"):
        split_types(("AX-101", "AX-101", "AX-102"))


def test_every_part_number_has_joints_in_every_view() -> None:
    for name in BOARD_TYPES:
        board = board_type(name)
        for view in range(board.views):
            assert len(sites_of(board, view)) >= 4, (name, view)
    assert barcode(board_type("AX-101"), 7, 3) == "AX-101-2507-00001-2"
    with pytest.raises(ValueError, match="expected one of"):
        board_type("AX-999")


def test_a_set_is_a_folder_in_the_projects_form(tmp_path: Path) -> None:
    types = ("AB-301", "AB-302", "AB-308")
    written = write_joint_set(tmp_path, 1, 3, "easy", 0.3, types=types, slices=2)
    with (tmp_path / "joints.csv").open(newline="") as file:
        joints = list(csv.DictReader(file))
    with (tmp_path / "index.csv").open(newline="") as file:
        views = list(csv.DictReader(file))
    assert {row["split"]: row["board_type"] for row in joints} == dict(zip(SPLITS, types, strict=True))
    assert sum(written.joints.values()) == len(joints) > 40
    assert {row["path"] for row in joints} == {row["path"] for row in views}
    assert {row["label"] for row in joints} <= {NORMAL, NEAR_DEFECT, *DEFECT_MIX[JointKind.BGA]}
    assert NEAR_DEFECT in LEFT_OUT_LABELS
    data = read_data_set(tmp_path, "joints.csv")  # as training and evaluation read it
    assert has_places(data.split("train"))
    assert data.rows[0].unit == f"{joints[0]['board']}/{joints[0]['refdes']}.{joints[0]['pin']}"
    for row in views:
        for path in slice_paths(row["path"], int(row["slices"])):
            picture = cv2.imread(str(tmp_path / path), cv2.IMREAD_UNCHANGED)
            assert picture is not None
            assert picture.shape == VIEW_PX
    with pytest.raises(FileExistsError):
        write_joint_set(tmp_path, 1, 3, types=types)
    first = cv2.imread(str(tmp_path / joints[0]["path"]), cv2.IMREAD_UNCHANGED)
    alone = next(draw_views(types[:1], 1, 3, "easy", 0.3, slices=2)).view
    assert (first == alone.slices[0]).all()  # a board is the same whether or not others were drawn


def test_what_a_set_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pth joints have"):
        write_joint_set(tmp_path, 1, 1, defects=("void",))
    with pytest.raises(ValueError, match="boards_per_type"):
        write_joint_set(tmp_path, 0, 1)
    with pytest.raises(ValueError, match="expected one of"):
        write_joint_set(tmp_path, 1, 1, "hopeless")
    with pytest.raises(ValueError, match="with 3 slices"):
        slice_paths("slices/a_01.png", 3)
    assert not (tmp_path / "slices").exists()


@pytest.mark.parametrize(
    "change",
    [{"marginal_frac": 1.2}, {"slice_mix": (1, 2)}, {"severities": (0.0, 0.0, 0.0)}, {"defect_contrast": 0.0}],
)
def test_difficulties_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="difficulty 'line'"):
        dataclasses.replace(LINE, **change)  # type: ignore[arg-type]


def test_difficulties_are_found_by_name() -> None:
    assert {name: difficulty_of(name).name for name in DIFFICULTIES} == {name: name for name in DIFFICULTIES}
    assert difficulty_of(LINE) is LINE
