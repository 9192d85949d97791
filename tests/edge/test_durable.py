"""Files and folders are replaced whole, and what was there stays when the new cannot take its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.durable import replace_file, replace_folder

pytestmark = pytest.mark.unit


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "file").write_text(text)
    return path


def test_the_new_takes_the_place_of_the_old(tmp_path: Path) -> None:
    replace_folder(folder(tmp_path / "aside", "new"), folder(tmp_path / "out", "old"))
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_old_comes_back_when_the_new_is_gone(tmp_path: Path) -> None:
    out = folder(tmp_path / "out", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "aside", out)
    assert (out / "file").read_text() == "old"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a longer, older text")
    replace_file(tmp_path / "state.new", tmp_path / "state", b"new", mode=0o640)
    assert (tmp_path / "state").read_bytes() == b"new"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_file_that_cannot_take_its_place_leaves_nothing_aside(tmp_path: Path) -> None:
    folder(tmp_path / "state", "in the way")
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "state.new", tmp_path / "state", b"new")
    assert (tmp_path / "state" / "file").read_text() == "in the way"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
