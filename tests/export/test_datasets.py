"""Reading data set folders: what is kept, what is left out and counted, where crops come from, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.datasets import DataFault, fingerprint, has_places, load_crops, read_data_set, units_of
from tests.export.helpers import write_joint_set

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def joint_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("data") / "joints")


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_labels_nobody_should_be_scored_on_are_left_out_and_counted(joint_set: Path) -> None:
    data = read_data_set(joint_set, "joints.csv")
    assert not {r.label for r in data.rows} & {"near_defect", "uncertain"}
    assert sum(data.left_out["val"].values()) > 0
    with (joint_set / "joints.csv").open() as stream:
        total = len(list(csv.reader(stream))) - 1
    assert len(data.rows) + sum(n for counts in data.left_out.values() for n in counts.values()) == total


def test_where_reaches_columns_of_the_index(joint_set: Path) -> None:
    everything = read_data_set(joint_set, "joints.csv")
    closeups = read_data_set(joint_set, "joints.csv", ["view=closeup"])
    assert 0 < len(closeups.rows) < len(everything.rows)
    assert {r.path for r in closeups.split("dev-test")} == {"dev-test_0.png", "dev-test_2.png"}


def test_crop_of_a_place_is_its_square(joint_set: Path) -> None:
    rows = read_data_set(joint_set, "joints.csv").normals("train")[:3]
    crops = load_crops(joint_set, rows, 64, 1.5)
    assert crops.shape == (3, 64, 64, 3)
    assert crops.dtype == np.uint8
    assert (crops[:, 30:34, 30:34].mean(axis=(1, 2, 3)) > 150).all()  # the dome is in the middle
    assert (crops[:, :4, :4].mean(axis=(1, 2, 3)) < 90).all()  # and the board in the corner


def test_whole_picture_is_cut_from_its_short_side(tmp_path: Path) -> None:
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 30:70] = 200  # exactly the centre square
    cv2.imwrite(str(tmp_path / "a.png"), image)
    data = read_data_set(_write(tmp_path, "index.csv", "path,label,split\na.png,ok,train\n"))
    crop = load_crops(tmp_path, data.rows, 64, 1.5)[0]
    assert (crop[:, 1:-1] == 200).all()
    assert not has_places(data.rows)


def test_box_is_a_place_of_its_longer_side(tmp_path: Path) -> None:
    text = "path,label,split,x0,y0,x1,y1\na.png,good,train,10,20,30,60\n"
    place = read_data_set(_write(tmp_path, "index.csv", text)).rows[0].place
    assert place is not None
    assert (place.x_px, place.y_px, place.size_px) == (20.0, 40.0, 40.0)


def test_unit_is_the_pin_of_the_board(joint_set: Path) -> None:
    rows = read_data_set(joint_set, "joints.csv").split("train")
    assert len(set(units_of(rows))) == len({(r.path, r.unit) for r in rows})


def test_fingerprint_sees_rows_and_pixels_but_not_order(joint_set: Path, tmp_path: Path) -> None:
    data = read_data_set(joint_set, "joints.csv")
    train, val = data.normals("train"), data.split("val")
    first = fingerprint(data, train, val)
    assert first == fingerprint(data, train[::-1], val)
    assert first.sha256 != fingerprint(data, train[1:], val).sha256
    other = read_data_set(write_joint_set(tmp_path / "other", seed=1), "joints.csv")
    assert first.sha256 != fingerprint(other, other.normals("train"), other.split("val")).sha256


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.png,good\n", "no column 'split'"),
        ("path,label,split\n", "has no rows"),
        ("path,label,split\na.png,good\n", "line 2: has another number of fields"),
        ("path,label,split\na.png,good,train,extra\n", "line 2: has another number of fields"),
        ("path,label,split,x,y,pitch\na.png,good,train,1,2,none\n", "line 2: could not convert"),
        ("path,label,split,x,y,pitch\na.png,good,train,1,2,0\n", "its size above 0"),
        ("path,label,split,x,y,pitch\na.png,good,train,1,nan,5\n", "must be finite"),
    ],
)
def test_broken_tables_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataFault, match=said):
        read_data_set(_write(tmp_path, "index.csv", text))


def test_faults_name_what_there_is(joint_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFault, match=r"index.csv: cannot be read"):
        read_data_set(tmp_path)
    with pytest.raises(DataFault, match="no row matches view=side"):
        read_data_set(joint_set, "joints.csv", ["view=side"])
    with pytest.raises(DataFault, match="write it as column=value"):
        read_data_set(joint_set, "joints.csv", ["closeup"])
    with pytest.raises(DataFault, match=r"no rows of split 'test'; it has \['dev-test', 'train', 'val'\]"):
        read_data_set(joint_set, "joints.csv").split("test")


def test_missing_picture_and_place_outside_are_refused(tmp_path: Path) -> None:
    text = "path,label,split,x,y,pitch\na.png,good,train,500,5,10\n"
    data = read_data_set(_write(tmp_path, "index.csv", text))
    with pytest.raises(DataFault, match=r"a\.png: is missing"):
        load_crops(tmp_path, data.rows, 64, 1.5)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(DataFault, match="outside the 20 x 20 picture"):
        load_crops(tmp_path, data.rows, 64, 1.5)
