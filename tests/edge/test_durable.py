"""A folder is replaced whole, and the older one comes back when the new one cannot take its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.durable import replace_folder

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
