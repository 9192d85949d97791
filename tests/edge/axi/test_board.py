"""A board as an X-ray machine saw it: what cannot be built."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import edge.axi.board as board_module
from edge.axi.board import MAX_SLICES, AxiBoard, AxiFault, AxiJoint, AxiView

pytestmark = pytest.mark.unit

VIEW = AxiView(name="V1", slices=np.zeros((40, 60, 2), np.uint8))
JOINT = AxiJoint(refdes="J1", pin="3", view=0, x0_px=2.0, y0_px=3.0, x1_px=12.0, y1_px=13.5)
BOARD = AxiBoard(serial="B1", board_type="AX-101", views=(VIEW,), joints=(JOINT,))


def test_a_board_without_an_export_says_nothing_of_calls() -> None:
    assert (BOARD.joints[0].called, BOARD.reviewed, BOARD.joints_tested, BOARD.tester) == (None, None, None, "")
    assert (VIEW.n_slices, JOINT.box_px) == (2, (2.0, 3.0, 12.0, 13.5))
    assert (JOINT.name, dataclasses.replace(JOINT, pin="").name) == ("J1-3", "J1")


@pytest.mark.parametrize(
    "slices",
    [
        np.zeros((40, 60), np.uint8),
        np.zeros((40, 60, 2), np.uint16),
        np.zeros((40, 60, 0), np.uint8),
        np.zeros((0, 60, 2), np.uint8),
        np.zeros((40, 60, MAX_SLICES + 1), np.uint8),
    ],
)
def test_slices_that_are_none(slices: np.ndarray) -> None:
    with pytest.raises(AxiFault, match="view V1: slices"):
        AxiView(name="V1", slices=slices)


@pytest.mark.parametrize("bound", ["x0_px", "y0_px", "x1_px", "y1_px"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_box_that_is_not_finite(bound: str, value: float) -> None:
    with pytest.raises(AxiFault, match=r"joint J1-3: box .* not finite"):
        dataclasses.replace(JOINT, **{bound: value})


@pytest.mark.parametrize("change", [{"x1_px": 2.0}, {"y1_px": 1.0}, {"x0_px": 30.0}])
def test_a_box_the_wrong_way_round(change: dict[str, float]) -> None:
    with pytest.raises(AxiFault, match="x0 must be below x1"):
        dataclasses.replace(JOINT, **change)


@pytest.mark.parametrize(
    "change",
    [{"x0_px": 55.0, "x1_px": 66.0}, {"y0_px": -15.0, "y1_px": 13.5}, {"x0_px": -1.0, "x1_px": 60.5}],
)
def test_a_box_beside_its_view_or_larger(change: dict[str, float]) -> None:
    with pytest.raises(AxiFault, match="does not lie in its view of 60 x 40 px"):
        dataclasses.replace(BOARD, joints=(dataclasses.replace(JOINT, **change),))


def test_a_box_may_hang_over_the_rim() -> None:
    over = dataclasses.replace(JOINT, x0_px=-4.0)
    assert dataclasses.replace(BOARD, joints=(over,)).joints == (over,)


@pytest.mark.parametrize("view", [-1, 1])
def test_a_view_that_is_not_there(view: int) -> None:
    with pytest.raises(AxiFault, match=f"joint J1-3: view {view}, expected 0 to 0"):
        dataclasses.replace(BOARD, joints=(dataclasses.replace(JOINT, view=view),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joints": (JOINT, dataclasses.replace(JOINT, x0_px=3.0))}, "joint J1-3: listed twice"),
        ({"views": (VIEW, VIEW)}, "view V1: listed twice"),
        ({"views": (), "joints": (JOINT,)}, "0 views, expected 1 to"),
        ({"joints": ()}, "0 joints, expected 1 to"),
        ({"board_type": ""}, "board_type is empty"),
    ],
)
def test_what_is_missing_or_comes_twice(change: dict[str, object], told: str) -> None:
    with pytest.raises(AxiFault, match=told):
        dataclasses.replace(BOARD, **change)


def test_a_joint_without_a_refdes() -> None:
    with pytest.raises(AxiFault, match="joint without a refdes, pin '3'"):
        dataclasses.replace(JOINT, refdes="")


def test_a_board_of_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_BOARD_PX", 40 * 60 * 2 - 1)
    with pytest.raises(AxiFault, match="4800 pixels in all slices, at most 4799"):
        dataclasses.replace(BOARD)


def test_a_board_of_too_many_joints_or_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_JOINTS", 1)
    with pytest.raises(AxiFault, match="2 joints, expected 1 to 1"):
        dataclasses.replace(BOARD, joints=(JOINT, dataclasses.replace(JOINT, pin="4")))


def test_a_slice_of_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_SLICE_PX", 40 * 60 - 1)
    with pytest.raises(AxiFault, match="of at most 2399 px"):
        dataclasses.replace(VIEW)
