"""The twin as an X-ray machine: its files are what the station's reader takes, and say what the twin drew."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from edge.axi.board import AxiBoard
from edge.axi.board_reader import AxiReader
from export.simulator.xray.board_types import PTH_TYPES
from export.simulator.xray.files import twin_file_settings, write_axi_board
from export.simulator.xray.joints import NORMAL
from export.simulator.xray.sets import DrawnView, draw_views

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def views() -> list[DrawnView]:
    """All views of one board with many defects."""
    return list(draw_views(PTH_TYPES[:1], boards_per_type=1, seed=3, defect_rate=0.3, slices=2))


def read(folder: Path, path: Path) -> AxiBoard:
    """As the station with a recipe in `folder` would."""
    content = AxiReader(settings=twin_file_settings("pictures"), recipe_dir=folder).read(path.read_bytes(), path.name)
    assert content.axi is not None
    return content.axi


def write(folder: Path, views: list[DrawnView], serial: str = "", **how: object) -> Path:
    """Into `folder`, under the board's own barcode."""
    return write_axi_board(folder / "inbox", folder / "pictures", serial or views[0].board, views, **how)  # type: ignore[arg-type]


def test_the_station_reads_what_was_drawn(tmp_path: Path, views: list[DrawnView]) -> None:
    path = write(tmp_path, views, false_call_rate=0.0)
    board = read(tmp_path, path)
    assert (board.serial, board.board_type, board.tester) == (views[0].board, views[0].board_type.name, "V810-TWIN")
    assert len(board.views) == len(views)
    for read_view, drawn in zip(board.views, views, strict=True):
        np.testing.assert_array_equal(np.moveaxis(read_view.slices, -1, 0), drawn.view.slices)
    joints = [joint for drawn in views for joint in drawn.view.joints]
    assert [(one.refdes, one.pin) for one in board.joints] == [(one.site.refdes, one.site.pin) for one in joints]
    assert [one.called for one in board.joints] == [one.label != NORMAL for one in joints]
    assert [one.box_px for one in board.joints] == [(one.roi.x0, one.roi.y0, one.roi.x1, one.roi.y1) for one in joints]
    assert any(one.called for one in board.joints)
    assert (board.joints_tested, board.machine_status, board.reviewed) == (len(joints), "Failed", False)


def test_false_calls_and_what_the_specialist_says_of_them(tmp_path: Path, views: list[DrawnView]) -> None:
    board = read(tmp_path, write(tmp_path, views, false_call_rate=1.0, reviewed=True))
    labels = [joint.label for drawn in views for joint in drawn.view.joints]
    assert all(one.called for one in board.joints)
    assert [one.review for one in board.joints] == ["false_call" if label == NORMAL else "defect" for label in labels]
    assert (board.machine_status, board.reviewed) == ("Repaired", True)


def relabelled(drawn: DrawnView, label: str) -> DrawnView:
    """The same pictures, every joint labelled alike."""
    joints = tuple(dataclasses.replace(joint, label=label) for joint in drawn.view.joints)
    return dataclasses.replace(drawn, view=dataclasses.replace(drawn.view, joints=joints))


def test_a_good_board_passes(tmp_path: Path, views: list[DrawnView]) -> None:
    good = [relabelled(drawn, NORMAL) for drawn in views]
    board = read(tmp_path / "a", write(tmp_path / "a", good, false_call_rate=0.0))
    assert (board.machine_status, board.reviewed, [one.called for one in board.joints]) == (
        "Passed",
        False,
        [False] * len(board.joints),
    )
    reviewed = read(tmp_path / "b", write(tmp_path / "b", good, false_call_rate=1.0, reviewed=True))
    assert (reviewed.machine_status, reviewed.review_status) == ("Reviewed Passed", "Reviewed Passed")


def test_a_board_is_its_arguments(tmp_path: Path, views: list[DrawnView]) -> None:
    files = []
    for name in ("a", "b"):
        write(tmp_path / name, views)
        paths = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        files.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in paths])
    assert files[0] == files[1]
    assert {path.suffix for path, _ in files[0]} == {".png", ".xml", ".json"}
    write(tmp_path / "c", views, false_call_rate=0.3, seed=1)
    write(tmp_path / "d", views, false_call_rate=0.3, seed=2)
    assert len({next((tmp_path / name).rglob("*.xml")).read_bytes() for name in "cd"}) == 2


def test_the_index_comes_last_and_whole(
    tmp_path: Path, views: list[DrawnView], monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[set[str]] = []
    name = "export.simulator.xray.files.replace_file"

    def replace(aside: Path, out: Path, content: bytes) -> None:
        there.append({path.suffix for path in tmp_path.rglob("*") if path.is_file()})
        assert aside.name.startswith(".")
        out.write_bytes(content)

    monkeypatch.setattr(name, replace)
    write(tmp_path, views)
    assert there == [{".png", ".xml"}]


def test_boards_have_tests_of_their_own(tmp_path: Path, views: list[DrawnView]) -> None:
    it = AxiReader(settings=twin_file_settings("pictures"), recipe_dir=tmp_path)
    for serial in ("A1", "A2", "A3"):
        path = write(tmp_path, views, serial)
        assert it.read(path.read_bytes(), path.name).board_id == serial


@pytest.mark.parametrize("serial", ["../x", "a/b", ".x", "x" * 33, "a b"])
def test_a_serial_that_is_no_file_name(tmp_path: Path, views: list[DrawnView], serial: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(serial))):
        write(tmp_path, views, serial)
    assert not list(tmp_path.rglob("*"))


def test_views_of_two_boards(tmp_path: Path, views: list[DrawnView]) -> None:
    for given in ([], [*views, dataclasses.replace(views[0], board="another")]):
        with pytest.raises(ValueError, match="expected one board's"):
            write_axi_board(tmp_path / "inbox", tmp_path / "pictures", "A1", given)
