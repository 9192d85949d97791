"""A board part number as an X-ray machine knows it: its joints with refdes and pins, its views, its slice heights.

Everything about a part number follows from its name: geometry, materials, the machine it runs on, artwork, how many
slices its views have. Boards of it come in panels and carry a barcode; they differ by what `view` draws.
"""

from __future__ import annotations

import dataclasses
import enum
import zlib
from dataclasses import dataclass

import numpy as np

from export.simulator.xray.balls import PADS_T
from export.simulator.xray.barrels import Hole
from export.simulator.xray.clutter import Clutter
from export.simulator.xray.leads import LeadRow
from export.simulator.xray.machine import Machine

VIEW_PX = (640, 640)  # height, width of a slice
BOARDS_PER_PANEL = 2
_PIN_ROWS = "ABCDEFGHJKLMNPRTUVWY"  # JEDEC leaves out I, O, Q, S, X, Z


class JointKind(enum.Enum):
    """What is soldered."""

    PTH = "pth"
    BGA = "bga"
    GULLWING = "gullwing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A joint of the program: whose it is, and where its centre lies in the view."""

    refdes: str
    pin: str
    x_px: float
    y_px: float
    row: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BallGrid:
    """What a part number fixes about its balls."""

    radius_px: float
    pads_t: tuple[float, float]
    solder_mu_px: float
    mean_voids: float
    tails_frac: float
    board_pad_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardType:
    """A part number. Exactly one of `hole`, `balls` and `leads` is given; `pitch_px` between joints; `roi_px` the side
    of a well-placed region; `views` how many places of the board are looked at."""

    name: str
    kind: JointKind
    machine: Machine
    pitch_px: tuple[float, float]  # along x, along y
    roi_px: float
    clutter: Clutter
    views: int
    hole: Hole | None = None
    balls: BallGrid | None = None
    leads: LeadRow | None = None

    @property
    def span_t(self) -> tuple[float, float]:
        """Lowest and highest height that anything of the board lies at."""
        ends = [*self.clutter.via_span_t, *self.clutter.trace_layers_t, *self.clutter.wires_t, self.clutter.far_t]
        if self.hole is not None:
            ends += [self.hole.focus_t(-0.1 - self.hole.protrusion_um / self.hole.thickness_um, self.machine)]
            ends += [self.hole.focus_t(1.35, self.machine)]
        if self.leads is not None:
            ends += [self.leads.focus_t(self.leads.rise_um + 300.0, self.machine)]
        return min(ends) - 2.0, max(ends) + 2.0

    def focus_t(self, slices: int) -> tuple[float, ...]:
        """Heights of a joint's slices, from the solder (or board) side up. Raises ValueError for other than 1 to 6."""
        if not 1 <= slices <= 6:
            raise ValueError(f"slices is {slices}: the paper's joints have 1 to 6")
        if self.hole is not None:
            return tuple(self.hole.focus_t(fraction, self.machine) for fraction in PTH_HEIGHTS_FRAC[slices])
        if self.leads is not None:
            return tuple(self.leads.focus_t(height, self.machine) for height in GULLWING_HEIGHTS_UM[slices])
        if self.balls is None:
            raise ValueError(f"board type {self.name!r} has no joints")
        low, high = self.balls.pads_t
        return tuple(t * (high if t > 0 else low) / (PADS_T[1] if t > 0 else PADS_T[0]) for t in BGA_HEIGHTS_T[slices])


# Of the board's thickness from the solder side; a program of few slices drops the outer ones first.
PTH_HEIGHTS_FRAC = {
    1: (0.5,),
    2: (0.15, 0.5),
    3: (0.15, 0.5, 0.9),
    4: (-0.1, 0.15, 0.5, 0.9),
    5: (-0.1, 0.15, 0.5, 0.9, 1.1),
    6: (-0.1, 0.15, 0.3, 0.5, 0.9, 1.1),
}
# Over the pad: under the foot, in the foot, up the heel; beside them the copper of the board.
GULLWING_HEIGHTS_UM = {
    1: (60.0,),
    2: (40.0, 200.0),
    3: (30.0, 140.0, 300.0),
    4: (0.0, 80.0, 180.0, 320.0),
    5: (-150.0, 0.0, 80.0, 180.0, 320.0),
    6: (-150.0, 0.0, 80.0, 180.0, 320.0, 600.0),
}
# For a ball whose pads are at PADS_T: board pad, lower, belly, upper, package pad; then 8 below the board's pad.
BGA_HEIGHTS_T = {
    1: (0.0,),
    2: (-8.0, 8.0),
    3: (-12.0, 0.0, 12.0),
    4: (-12.0, -4.0, 4.0, 12.0),
    5: (-12.0, -8.0, 0.0, 8.0, 12.0),
    6: (-20.0, -12.0, -8.0, 0.0, 8.0, 12.0),
}


def sites_of(board: BoardType, view: int) -> tuple[Site, ...]:
    """The joints of one view that are inspected: those whose region lies wholly inside it, row by row."""
    rng = np.random.default_rng([zlib.crc32(board.name.encode()), 11, view])
    height, width = VIEW_PX
    pitch_x, pitch_y = board.pitch_px
    offset_x, offset_y = rng.uniform(0.0, 1.0, 2)
    rim = 0.5 * board.roi_px
    sites = []
    columns = [(c, x) for c in range(40) if rim <= (x := (c + offset_x) * pitch_x) <= width - rim]
    rows = [(r, y) for r in range(40) if rim <= (y := (r + offset_y) * pitch_y) <= height - rim]
    for row, (_, y) in enumerate(rows):
        for column, (_, x) in enumerate(columns):
            if board.kind is JointKind.BGA:
                refdes, pin = f"U{view + 1}", f"{_PIN_ROWS[row % len(_PIN_ROWS)]}{column + 1}"
            else:
                refdes, pin = f"J{view + 1}", str(row * len(columns) + column + 1)
            sites.append(Site(refdes=refdes, pin=pin, x_px=x, y_px=y, row=row, column=column))
    return tuple(sites)


def barcode(board: BoardType, seed: int, number: int) -> str:
    """What is printed on board `number` of a set: part number, lot, serial, place in its panel."""
    return f"{board.name}-{2500 + seed % 100:04d}-{number // BOARDS_PER_PANEL:05d}-{number % BOARDS_PER_PANEL + 1}"


def scaled_clutter(clutter: Clutter, gain: float) -> Clutter:
    """More or less of everything beside the joints; with 0, no copper planes and tracks either."""
    return dataclasses.replace(
        clutter,
        plane_layers_t=clutter.plane_layers_t if gain > 0 else (),
        traces_per_layer=round(clutter.traces_per_layer * gain),
        vias=round(clutter.vias * gain),
        wire_fans=round(clutter.wire_fans * gain),
        far_parts=round(clutter.far_parts * gain),
    )
