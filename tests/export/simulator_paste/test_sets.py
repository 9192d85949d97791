"""Data set folders of paste prints: days are splits, train is good, and pads.csv says what moved."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings
from export.simulator.paste import PasteSet, write_paste_set
from export.simulator.paste.sets import DEFECT_SIGMA, GOOD, GOOD_SIGMA, NEAR_DEFECT, SET_KINDS

pytestmark = pytest.mark.sweep

SETTINGS = PasteFileSettings(format="koh_young_csv", date_order="mdy", words={}, columns={}, pads=1000)
N = 150


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> PasteSet:
    return write_paste_set(tmp_path_factory.mktemp("paste"), N, 5, "line", 0.5)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_splits_are_days_and_train_is_good(written: PasteSet) -> None:
    index = rows(written.folder / "index.csv")
    assert list(index[0]) == ["path", "label", "split", "board", "run", "counter", "day", "product"]
    assert len(index) == N == sum(written.boards.values())
    days = defaultdict(set)
    for row in index:
        days[row["split"]].add(row["day"])
    assert set(days) == {"train", "val", "dev-test"}
    assert sum(len(own) for own in days.values()) == 5
    assert not (days["train"] & days["val"])
    assert not ((days["train"] | days["val"]) & days["dev-test"])
    assert {row["label"] for row in index if row["split"] == "train"} == {GOOD}
    for split in ("val", "dev-test"):
        labels = {row["label"] for row in index if row["split"] == split}
        assert GOOD in labels
        assert len(labels) > 1
        assert labels <= {GOOD, NEAR_DEFECT, *SET_KINDS}
    assert [int(row["counter"]) for row in index] == sorted(int(row["counter"]) for row in index)


def test_a_board_is_labelled_by_its_farthest_pad(written: PasteSet) -> None:
    most: dict[str, float] = defaultdict(float)
    for row in rows(written.folder / "pads.csv"):
        moved = max(abs(float(row["delta_volume_z"])), abs(float(row["delta_area_z"])))
        most[row["path"]] = max(most[row["path"]], moved)
    labels = {row["path"]: row["label"] for row in rows(written.folder / "index.csv")}
    assert all((labels[path] == GOOD) == (most[path] <= GOOD_SIGMA) for path in labels)
    assert all((labels[path] in SET_KINDS) == (most[path] > DEFECT_SIGMA) for path in labels)
    assert written.moved_pads == len(rows(written.folder / "pads.csv")) > 100


def test_files_are_readable_and_hold_the_moves(written: PasteSet, tmp_path: Path) -> None:
    clean = write_paste_set(tmp_path / "clean", N, 5, "line", 0.0)
    assert not rows(clean.folder / "pads.csv")
    assert set(clean.boards) == {(s, GOOD) for s in ("train", "val", "dev-test")}
    moved: dict[str, set[str]] = defaultdict(set)
    for row in rows(written.folder / "pads.csv"):
        if max(abs(float(row["delta_volume_z"])), abs(float(row["delta_area_z"]))) > 0.1:
            moved[row["path"]].add(row["pad"])
    for path in [row["path"] for row in rows(written.folder / "index.csv")][::15] + sorted(moved)[::10]:
        panel, was = (
            read_panel((folder / path).read_bytes(), path.removeprefix("boards/"), SETTINGS)
            for folder in (written.folder, clean.folder)
        )
        differs = (panel.volume_pct != was.volume_pct) | (panel.area_pct != was.area_pct)
        assert moved[path] <= set(panel.pad[differs].tolist())
        assert (np.abs(panel.volume_pct - was.volume_pct)[~np.isin(panel.pad, list(moved[path]))] < 5).all()


def test_same_arguments_same_bytes(written: PasteSet, tmp_path: Path) -> None:
    again = write_paste_set(tmp_path / "again", N, 5, "line", 0.5)

    def digest(folder: Path) -> list[tuple[str, str]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(str(f.relative_to(folder)), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]

    assert digest(again.folder) == digest(written.folder)


def test_refusals(written: PasteSet, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="not empty"):
        write_paste_set(written.folder, N, 5)
    for arguments, match in (((20, 1), "at least 100"), ((N, -1), "seed"), ((N, 1, "moon"), "difficulty")):
        with pytest.raises(ValueError, match=match):
            write_paste_set(tmp_path, *arguments)
    with pytest.raises(ValueError, match="fault_rate"):
        write_paste_set(tmp_path, N, 1, "line", 1.5)
    assert not any(tmp_path.iterdir())
