"""One board as an X-ray machine saw it: views of one to six slices each, and where its joints lie in them. Every reader
of X-ray files gives this record, or an AxiFault."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_SLICES = 6  # of one view: what the machines' programs take, and what the families are taught on
MAX_VIEWS = 512
MAX_JOINTS = 50_000  # a server board has some 20,000
MAX_SLICE_PX = 64_000_000  # of one slice
MAX_BOARD_PX = 600_000_000  # of all slices of a board, a byte each: 600 MB

Greys = NDArray[np.uint8]
_Key = TypeVar("_Key", bound=Hashable)


class AxiFault(Exception):
    """Files of an X-ray machine that must not be judged by: which file and where in it, what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiView:
    """One place of the board, in slices of one size. Dark or bright as the machine gives it; nothing is stretched."""

    name: str
    slices: Greys  # (h, w, n) uint8, n from 1 to MAX_SLICES, the lowest slice first

    def __post_init__(self) -> None:
        got = self.slices
        if got.dtype != np.uint8 or got.ndim != 3:
            raise AxiFault(f"view {self.name}: slices {got.dtype} {got.shape}, expected uint8 (h, w, n)")
        if not (got.size and got.shape[2] <= MAX_SLICES and got.shape[0] * got.shape[1] <= MAX_SLICE_PX):
            raise AxiFault(
                f"view {self.name}: slices {got.shape}, expected 1 to {MAX_SLICES} of at most {MAX_SLICE_PX} px"
            )

    @property
    def n_slices(self) -> int:
        """How many there are."""
        return int(self.slices.shape[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiJoint:
    """One joint, and the box in which the machine says it lies: pixels of its view, the same in all its slices, x1 and
    y1 beyond the last pixel.

    `called` is the machine's own call, whatever a review made of it: True for a defect, False for none, None when no
    export came along. `machine_words` are the machine's words for it, `review` what a person said of that call.
    """

    refdes: str
    pin: str
    view: int  # index into the board's views
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float
    called: bool | None = None
    machine_words: str = ""
    review: str = ""  # "defect", "false_call", "open", or empty where nobody was asked

    def __post_init__(self) -> None:
        if not self.refdes:
            raise AxiFault(f"joint without a refdes, pin {self.pin!r}")
        if not all(map(math.isfinite, self.box_px)):
            raise AxiFault(f"joint {self.name}: box {self.box_px}: not finite")
        if not (self.x0_px < self.x1_px and self.y0_px < self.y1_px):
            raise AxiFault(f"joint {self.name}: box {self.box_px}: x0 must be below x1, y0 below y1")

    @property
    def name(self) -> str:
        """`J1-3`, or the refdes alone where a joint has no pin; as a Region's name."""
        return f"{self.refdes}-{self.pin}" if self.pin else self.refdes

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1."""
        return self.x0_px, self.y0_px, self.x1_px, self.y1_px


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiBoard:
    """A board. What the export says of it stands as written; texts are empty and `called` of every joint is None where
    there was no export."""

    serial: str  # empty when nobody read it
    board_type: str  # the machine's program: the inspection holds it against the recipe's
    views: tuple[AxiView, ...]
    joints: tuple[AxiJoint, ...]
    tester: str = ""
    test_start: str = ""  # ISO 8601 with the zone, as written
    test_end: str = ""
    machine_status: str = ""  # the export's testStatus, as written; a review may have rewritten it
    review_status: str = ""  # the export's repairStatus, as written
    reviewed: bool | None = None  # whether a person decided before the export was written; None without one
    joints_tested: int | None = None  # by the machine's own count; the index may list fewer
    export_sha256: str = ""

    def __post_init__(self) -> None:
        if not self.board_type:
            raise AxiFault("board_type is empty: nothing says which product this is")
        for what, count, most in (("views", len(self.views), MAX_VIEWS), ("joints", len(self.joints), MAX_JOINTS)):
            if not 1 <= count <= most:
                raise AxiFault(f"{count} {what}, expected 1 to {most}")
        if (total := sum(view.slices.size for view in self.views)) > MAX_BOARD_PX:
            raise AxiFault(f"{total} pixels in all slices, at most {MAX_BOARD_PX}")
        if view_twice := _first_twice(view.name for view in self.views):
            raise AxiFault(f"view {view_twice}: listed twice")
        if joint_twice := _first_twice((joint.refdes, joint.pin) for joint in self.joints):
            raise AxiFault(f"joint {'-'.join(filter(None, joint_twice))}: listed twice")
        for joint in self.joints:
            self._check_place(joint)

    def _check_place(self, joint: AxiJoint) -> None:
        if not 0 <= joint.view < len(self.views):
            raise AxiFault(f"joint {joint.name}: view {joint.view}, expected 0 to {len(self.views) - 1}")
        height, width, _ = self.views[joint.view].slices.shape
        check_box(joint, width, height)


def check_box(joint: AxiJoint, width_px: int, height_px: int) -> None:
    """A machine may let a box hang over the rim of its picture; its centre is inside, and it is no larger than the
    picture. Raises AxiFault."""
    x_px, y_px = (joint.x0_px + joint.x1_px) / 2, (joint.y0_px + joint.y1_px) / 2
    inside = 0 <= x_px <= width_px and 0 <= y_px <= height_px
    if not inside or joint.x1_px - joint.x0_px > width_px or joint.y1_px - joint.y0_px > height_px:
        raise AxiFault(
            f"joint {joint.name}: box {joint.box_px} does not lie in its view of {width_px} x {height_px} px"
        )


def _first_twice(names: Iterable[_Key]) -> _Key | None:
    seen: set[_Key] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
