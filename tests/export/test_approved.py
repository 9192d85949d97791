"""Approved pictures of a data set: which rows they come from, how they are turned, and what refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import Contract
from edge.references import MAX_APPROVED
from export.approved import Approved, approved_of, graph_inputs
from export.component_rules import rules_contract
from export.datasets import DataFault, DataSet, read_data_set
from export.joint_rules import rules_contract as joint_contract

pytestmark = pytest.mark.unit
COLUMNS = "path,label,split,component,turns_deg,x0,y0,x1,y1"
TWO_PARTS = ("1.png,good,train,R1,0", "2.png,good,train,C1,0")
CONTRACT: Contract = rules_contract(places=True, variant="good_only")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(8):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((200, 200, 3), 20 * k, np.uint8))
    return tmp_path


def data_of(folder: Path, *rows: str) -> DataSet:
    (folder / "index.csv").write_text("\n".join([COLUMNS, *(f"{row},50,50,150,150" for row in rows)]) + "\n")
    return read_data_set(folder)


def levels(approved: Approved, part: str) -> list[int]:
    """The grey levels of a part's pictures, which say what picture each is from."""
    return [int(picture.mean()) for picture in approved.crops[approved.parts.index(part)]]


def test_five_good_rows_of_train_spread_over_the_table(folder: Path) -> None:
    data = data_of(folder, *(f"{k}.png,good,train,R1,0" for k in range(8)), "0.png,missing,val,R1,0")
    approved = approved_of(data, CONTRACT)
    assert approved is not None
    assert approved.crops.shape == (1, MAX_APPROVED, 128, 128, 3)
    assert levels(approved, "R1") == [0, 40, 80, 100, 140] * 2


def test_the_split_reference_goes_before_train(folder: Path) -> None:
    data = data_of(folder, "1.png,good,train,R1,0", "2.png,good,reference,R1,0 180", "3.png,good,val,R1,0")
    approved = approved_of(data, CONTRACT)
    assert approved is not None
    assert levels(approved, "R1") == [40] * MAX_APPROVED


def test_fewer_may_be_asked_for(folder: Path) -> None:
    data = data_of(folder, *(f"{k}.png,good,train,R1,0" for k in range(8)))
    approved = approved_of(data, CONTRACT, n_references=1)
    assert approved is not None
    assert len(set(levels(approved, "R1"))) == 1


def test_joints_compare_nothing(folder: Path) -> None:
    assert (
        approved_of(data_of(folder, "1.png,good,train,R1,0"), joint_contract(places=True, variant="good_only")) is None
    )


def test_a_part_without_pictures_is_named(folder: Path) -> None:
    data = data_of(folder, "1.png,good,train,R1,0", "3.png,good,val,C9,0")
    approved = approved_of(data, CONTRACT)
    assert approved is not None
    with pytest.raises(DataFault, match=r"\['C9'\] have no approved pictures"):
        approved.indices(data.split("val"))


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("1.png,good,train,,0", "no part_number or component"),
        ("1.png,good,train,R1,180", "turns"),
        ("1.png,good,train,R1,a lot", "turns_deg"),
    ],
)
def test_rows_that_cannot_be_compared_with(folder: Path, row: str, named: str) -> None:
    with pytest.raises(DataFault, match=named):
        approved_of(data_of(folder, row), CONTRACT)


def test_golden_pictures_are_kept_once(folder: Path) -> None:
    data = data_of(
        folder, "1.png,good,train,R1,0", "2.png,good,train,C1,0", "3.png,good,val,R1,0", "4.png,good,val,R1,0"
    )
    approved = approved_of(data, CONTRACT)
    assert approved is not None
    golden = approved.golden(data.split("val"))
    assert len(golden.pictures) == 1
    assert (golden.pictures[golden.compared] == approved.crops[approved.indices(data.split("val"))]).all()


def test_graph_inputs_are_rows_like_any_array(folder: Path) -> None:
    data = data_of(
        folder, "1.png,good,train,R1,0", "2.png,good,train,C1,0", "3.png,good,val,R1,0", "4.png,good,val,C1,0"
    )
    approved, rows = approved_of(data, CONTRACT), data.split("val")
    crops = np.zeros((2, 3, 128, 128), np.float32)
    inputs = graph_inputs(approved, crops, rows, lambda crops: crops.transpose(0, 3, 1, 2).astype(np.float32))
    assert len(inputs) == 2
    fed = inputs[[1]].fed(lambda pictures: pictures.mean(axis=(1, 2, 3), keepdims=False)[:, None])
    assert fed.references.shape == (1, MAX_APPROVED, 1)
    assert set(fed.references.ravel()) == {40.0}
