"""The bare board as a flat picture: mask over copper, silkscreen, pads, decoy parts; all but the inspected joints.

Drawn once per layout and kept, because it depends on the part number only. Coordinates are pixels of the *canvas*,
which is also the frame of the reference picture: 13.2 pixels a millimetre with a margin round the board.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.layout import BoardLayout, Part, PartKind, Spot
from export.simulator.silkscreen_font import text_strokes

PX_PER_MM = 13.2
MARGIN_PX = 54

_OVER = 2  # drawn twice as large, then shrunk: smooth edges
_SHIFT = 4  # sub-pixel bits of OpenCV's drawing calls
_MASK_ON_COPPER = (0.335, 0.545, 0.050)
_MASK_ON_LAMINATE = (0.215, 0.345, 0.030)
_INK = (0.86, 0.90, 0.86)
_BLACK = (0.115, 0.110, 0.105)
_CERAMIC = (0.47, 0.62, 0.72)
_ORANGE = (0.26, 0.55, 0.88)
_HOLE = (0.05, 0.06, 0.05)

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Artwork:
    """Flat board, float32 in 0..1 unless said; H x W is the canvas.

    `colour` HxWx3 BGR reflectance; `board` HxW 1 on the board, 0 off it and in mounting holes; `emboss_x`, `emboss_y`
    HxW slopes of the copper under the mask; `standing` HxW uint8 255 where something throws a shadow; `metal_at` (n,)
    flat pixel numbers of bare metal with its `metal_cover`, slopes `metal_dx`, `metal_dy`, each (n,).
    """

    colour: NDArray[np.float32]
    board: Plane
    emboss_x: Plane
    emboss_y: Plane
    standing: NDArray[np.uint8]
    metal_at: NDArray[np.intp]
    metal_cover: Plane
    metal_dx: Plane
    metal_dy: Plane


def canvas_px(mm: float) -> float:
    """Canvas coordinate of a board coordinate, along either axis; pixel centres are whole numbers."""
    return mm * PX_PER_MM + MARGIN_PX


def canvas_size(layout: BoardLayout) -> tuple[int, int]:
    """Width and height of the canvas in pixels."""
    return round(layout.width_mm * PX_PER_MM) + 2 * MARGIN_PX, round(layout.height_mm * PX_PER_MM) + 2 * MARGIN_PX


@functools.lru_cache(maxsize=4)
def draw_artwork(layout: BoardLayout) -> Artwork:
    """The flat board of a layout; the arrays are shared by all its pictures and read-only."""
    sheet = _Sheet(layout)
    sheet.lay_copper(layout)
    sheet.print_silkscreen(layout)
    for spot in layout.fiducials:
        sheet.fiducial(spot)
    for spot in layout.vias:
        sheet.plated_hole(spot.x_mm, spot.y_mm, spot.diameter_mm / 2, 0.15)
    for part in layout.parts:
        _draw_part(sheet, part)
    return sheet.finish(layout)


class _Sheet:
    """The planes of an artwork while they are drawn, `_OVER` times as large as the canvas."""

    def __init__(self, layout: BoardLayout) -> None:
        self.width_px, self.height_px = canvas_size(layout)
        shape = (self.height_px * _OVER, self.width_px * _OVER)
        self.colour = np.empty((*shape, 3), np.float32)
        self.metal = np.zeros(shape, np.float32)
        self.relief = np.zeros(shape, np.float32)  # height of bare metal, in canvas pixels
        self.copper = np.zeros(shape, np.uint8)
        self.standing = np.zeros(shape, np.uint8)

    # -- primitives: millimetres in, drawn with smooth edges ---------------------------------------

    def _fixed(self, points_mm: NDArray[np.float64]) -> NDArray[np.int32]:
        pixels = (points_mm * PX_PER_MM + MARGIN_PX + 0.5) * _OVER - 0.5
        return np.round(pixels * (1 << _SHIFT)).astype(np.int32)

    def _disc(self, plane: NDArray[np.uint8], x_mm: float, y_mm: float, radius_mm: float, value: int = 255) -> None:
        x, y = (int(v) for v in self._fixed(np.array([x_mm, y_mm])))
        radius = round(radius_mm * PX_PER_MM * _OVER * (1 << _SHIFT))
        cv2.circle(plane, (x, y), radius, value, -1, cv2.LINE_AA, _SHIFT)

    def _chain(self, plane: NDArray[np.uint8], points_mm: NDArray[np.float64], width_mm: float, value: int) -> None:
        thickness = max(1, round(width_mm * PX_PER_MM * _OVER))
        cv2.polylines(plane, [self._fixed(points_mm)], False, value, thickness, cv2.LINE_AA, _SHIFT)

    def _near(self, x_mm: float, y_mm: float, reach_mm: float) -> tuple[slice, slice, Plane, Plane]:
        """A window of the sheet and its coordinates in mm from the point."""
        centre_x, centre_y = (((v * PX_PER_MM + MARGIN_PX + 0.5) * _OVER - 0.5) for v in (x_mm, y_mm))
        half = math.ceil(reach_mm * PX_PER_MM * _OVER) + 2
        rows = slice(max(0, round(centre_y) - half), round(centre_y) + half + 1)
        columns = slice(max(0, round(centre_x) - half), round(centre_x) + half + 1)
        height, width = self.metal[rows, columns].shape
        scale = PX_PER_MM * _OVER
        x = (np.arange(width, dtype=np.float32)[None, :] + columns.start - centre_x) / scale
        y = (np.arange(height, dtype=np.float32)[:, None] + rows.start - centre_y) / scale
        return rows, columns, np.broadcast_to(x, (height, width)), np.broadcast_to(y, (height, width))

    def _cover(self, inside_mm: Plane) -> Plane:
        return np.clip(inside_mm * PX_PER_MM * _OVER + 0.5, 0, 1).astype(np.float32)

    def _tint(self, rows: slice, columns: slice, cover: Plane, colour: tuple[float, float, float]) -> None:
        """Opaque colour over everything, metal included."""
        patch = self.colour[rows, columns]
        patch += cover[..., None] * (np.array(colour, np.float32) - patch)
        self.metal[rows, columns] *= 1 - cover

    def _plate(self, rows: slice, columns: slice, cover: Plane, relief_mm: Plane) -> None:
        """Bare metal of that height over everything."""
        metal = self.metal[rows, columns]
        self.relief[rows, columns] += cover * (relief_mm * PX_PER_MM - self.relief[rows, columns])
        np.maximum(metal, cover, out=metal)

    # -- what boards have --------------------------------------------------------------------------

    def lay_copper(self, layout: BoardLayout) -> None:
        """Poured copper with cleared tracks and pads, under solder mask."""
        corners = np.array([[0.4, 0.4], [layout.width_mm - 0.4, layout.height_mm - 0.4]])
        (x0, y0), (x1, y1) = self._fixed(corners) >> _SHIFT
        self.copper[y0:y1, x0:x1] = 255
        for trace in layout.traces:
            self._chain(self.copper, np.array(trace.points_mm), trace.width_mm + 0.36, 0)
        for pin in layout.pins:
            self._disc(self.copper, pin.x_mm, pin.y_mm, 1.13, 0)
        for spot in layout.vias:
            self._disc(self.copper, spot.x_mm, spot.y_mm, spot.diameter_mm / 2 + 0.17, 0)
        for hole in layout.mounting_holes:
            self._disc(self.copper, hole.x_mm, hole.y_mm, hole.diameter_mm / 2 + 0.5, 0)
        for spot in layout.fiducials:
            self._disc(self.copper, spot.x_mm, spot.y_mm, spot.diameter_mm / 2 + 0.5, 0)
        for trace in layout.traces:
            self._chain(self.copper, np.array(trace.points_mm), trace.width_mm, 255)
        self._ground_some_pins(layout)
        share = (self.copper.astype(np.float32) / 255)[..., None]
        on, off = np.array(_MASK_ON_COPPER, np.float32), np.array(_MASK_ON_LAMINATE, np.float32)
        self.colour[:] = off + share * (on - off)

    def _ground_some_pins(self, layout: BoardLayout) -> None:
        """Every seventh pin is ground: a cross of thermal spokes joins it to the pour."""
        for pin in layout.pins[3::7]:
            for dx, dy in ((1.2, 0.0), (0.0, 1.2)):
                ends = np.array([[pin.x_mm - dx, pin.y_mm - dy], [pin.x_mm + dx, pin.y_mm + dy]])
                self._chain(self.copper, ends, 0.4, 255)

    def print_silkscreen(self, layout: BoardLayout) -> None:
        ink = np.zeros(self.copper.shape, np.uint8)
        for text in layout.texts:
            turn = math.radians(text.angle_deg)
            rotate = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
            for stroke in text_strokes(text.text, text.height_mm):
                placed = stroke @ rotate + (text.x_mm, text.y_mm)
                self._chain(ink, placed, 0.13 * text.height_mm + 0.03, 255)
        for header in layout.headers:
            first = header.pins[0]
            toward = (
                np.sign(first.x_mm - header.pins[-1].x_mm) * 0.0,
                np.sign(first.y_mm - header.pins[-1].y_mm) * 1.0,
            )
            # Pin 1: a white dot beyond the first pin.
            self._disc(ink, first.x_mm + toward[0] * 1.75, first.y_mm + toward[1] * 1.75, 0.42)
        for part in layout.parts:
            for outline in _outlines(part):
                self._chain(ink, outline, 0.16, 255)
        cover = (ink.astype(np.float32) / 255)[..., None] * 0.93
        self.colour += cover * (np.array(_INK, np.float32) - self.colour)

    def fiducial(self, spot: Spot) -> None:
        radius = spot.diameter_mm / 2
        rows, columns, x, y = self._near(spot.x_mm, spot.y_mm, radius + 0.6)
        distance = np.hypot(x, y)
        self._tint(rows, columns, self._cover(radius + 0.45 - distance), (0.20, 0.33, 0.24))
        self._plate(rows, columns, self._cover(radius - distance), 0.02 * np.clip(1 - distance / radius, 0, 1))

    def plated_hole(self, x_mm: float, y_mm: float, radius_mm: float, hole_mm: float) -> None:
        """A tinned ring, slightly raised, round a dark hole."""
        rows, columns, x, y = self._near(x_mm, y_mm, radius_mm)
        distance = np.hypot(x, y)
        middle, half = (radius_mm + hole_mm) / 2, (radius_mm - hole_mm) / 2
        bead = 0.12 * half * np.sqrt(np.clip(1 - ((distance - middle) / half) ** 2, 0, 1))
        self._plate(rows, columns, self._cover(radius_mm - distance), bead)
        self._tint(rows, columns, self._cover(hole_mm - distance), _HOLE)

    def solder_dome(self, x_mm: float, y_mm: float, radius_mm: float) -> None:
        rows, columns, x, y = self._near(x_mm, y_mm, radius_mm)
        reach = np.hypot(x, y) / radius_mm
        dome = radius_mm * (0.5 * np.sqrt(np.clip(1 - reach**2, 0, 1)) + 0.55 * np.clip(1 - reach, 0, 1) ** 1.3)
        cover = self._cover((1 - reach) * radius_mm)
        self._plate(rows, columns, cover, dome.astype(np.float32))
        standing = self.standing[rows, columns]
        np.maximum(standing, (cover * 255).astype(np.uint8), out=standing)

    def box(
        self,
        part: Part,
        across_mm: float,
        along_mm: float,
        at_mm: tuple[float, float] = (0.0, 0.0),
        *,
        colour: tuple[float, float, float] | None = None,
        bulge_mm: float = 0.0,
        stands: bool = True,
    ) -> None:
        """A box in the part's own frame: a body of that colour, or metal with rounded edges where `colour` is None."""
        dx, dy, width, height = at_mm[0], at_mm[1], across_mm, along_mm
        if part.angle_deg:
            dx, dy, width, height = -dy, dx, height, width
        rows, columns, x, y = self._near(part.x_mm + dx, part.y_mm + dy, max(width, height) / 2)
        inside = np.minimum(width / 2 - np.abs(x), height / 2 - np.abs(y))
        cover = self._cover(inside)
        if colour is None:
            edge = np.clip(inside / (0.5 * min(width, height)), 0, 1)
            self._plate(rows, columns, cover, bulge_mm * np.sqrt(edge * (2 - edge)))
        else:
            self._tint(rows, columns, cover, colour)
            # A moulded edge: the top face starts a little inside and is a touch lighter.
            rim = self._cover(inside - 0.18) * 0.35
            light = tuple(min(1.0, 1.25 * c + 0.03) for c in colour)
            self._tint(rows, columns, rim, (light[0], light[1], light[2]))
        if stands:
            standing = self.standing[rows, columns]
            np.maximum(standing, (cover * 255).astype(np.uint8), out=standing)

    def mark_part(self, part: Part, text: str, height_mm: float, ink: float) -> None:
        """Text on a part's body, along it."""
        plane = np.zeros(self.copper.shape, np.uint8)
        turn = math.radians(part.angle_deg)
        rotate = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        for stroke in text_strokes(text, height_mm):
            self._chain(plane, stroke @ rotate + (part.x_mm, part.y_mm), 0.11 * height_mm + 0.04, 255)
        y, x = (slice(a.min(), a.max() + 1) for a in np.nonzero(plane))
        self._tint(y, x, plane[y, x].astype(np.float32) / 255 * ink, (0.78, 0.80, 0.80))

    def finish(self, layout: BoardLayout) -> Artwork:
        size = (self.width_px, self.height_px)
        board = np.zeros(self.copper.shape, np.uint8)
        corners = self._fixed(np.array([[0.0, 0.0], [layout.width_mm, layout.height_mm]])) >> _SHIFT
        (x0, y0), (x1, y1) = corners
        board[y0 : y1 + 1, x0 : x1 + 1] = 255
        # The sawn edge shows the pale laminate.
        for depth, tone in ((3, 0.80), (1, 1.25)):
            for strip in (np.s_[y0 : y0 + depth], np.s_[y1 - depth : y1 + 1]):
                self.colour[strip, x0:x1] *= tone
            for strip in (np.s_[x0 : x0 + depth], np.s_[x1 - depth : x1 + 1]):
                self.colour[y0:y1, strip] *= tone
        for hole in layout.mounting_holes:
            rows, columns, x, y = self._near(hole.x_mm, hole.y_mm, hole.diameter_mm / 2 + 0.3)
            distance = np.hypot(x, y)
            self._tint(rows, columns, self._cover(hole.diameter_mm / 2 + 0.16 - distance), (0.16, 0.26, 0.12))
            self._disc(board, hole.x_mm, hole.y_mm, hole.diameter_mm / 2, 0)

        def small(plane: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
            return cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.float32)

        metal = small(self.metal)
        relief_dy, relief_dx = np.gradient(small(self.relief))
        copper = cv2.GaussianBlur(small(self.copper) / 255, (0, 0), 0.8)
        emboss_y, emboss_x = np.gradient(copper)
        at = np.flatnonzero(metal > 0.02)
        artwork = Artwork(
            colour=small(self.colour),
            board=small(board) / 255,
            emboss_x=emboss_x,
            emboss_y=emboss_y,
            standing=small(self.standing).astype(np.uint8),
            metal_at=at,
            metal_cover=metal.ravel()[at],
            metal_dx=relief_dx.ravel()[at],
            metal_dy=relief_dy.ravel()[at],
        )
        for name in artwork.__slots__:
            getattr(artwork, name).flags.writeable = False
        return artwork


def _draw_part(sheet: _Sheet, part: Part) -> None:
    match part.kind:
        case PartKind.SO8 | PartKind.SO8_EMPTY:
            _draw_so8(sheet, part)
        case PartKind.CHIP_RESISTOR:
            _draw_chip(sheet, part, body=_BLACK, size_mm=(2.0, 1.25))
            sheet.mark_part(part, _value_code(part), 0.56, 0.9)
        case PartKind.CHIP_CAPACITOR:
            _draw_chip(sheet, part, body=_CERAMIC, size_mm=(2.0, 1.35))
        case PartKind.TANTALUM:
            _draw_chip(sheet, part, body=_ORANGE, size_mm=(3.6, 2.3))
            sheet.box(part, 0.5, 2.2, (-1.15, 0.0), colour=(0.20, 0.36, 0.52), stands=False)
        case PartKind.DIODE:
            _draw_chip(sheet, part, body=_BLACK, size_mm=(4.4, 2.7))
            sheet.box(part, 0.35, 2.6, (-1.3, 0.0), colour=(0.42, 0.42, 0.42), stands=False)
            sheet.mark_part(part, "S24", 0.8, 0.35)
        case PartKind.LEADED:
            for side in (-1, 1):
                sheet.solder_dome(*_at(part, side * 2.54, 0.0), 0.98)
        case PartKind.TEST_HOLES:
            for side in (-1, 1):
                sheet.plated_hole(*_at(part, side * 1.27, 0.0), 0.98, 0.5)


def _draw_so8(sheet: _Sheet, part: Part) -> None:
    filled = part.kind is PartKind.SO8
    for side in (-1, 1):
        for lead in range(4):
            at_mm = ((lead - 1.5) * 1.27, side * 2.55)
            sheet.box(part, 0.62, 1.5, at_mm, bulge_mm=0.03, stands=False)
            if filled:
                sheet.box(part, 0.42, 1.3, (at_mm[0], side * 2.35), bulge_mm=0.24)
    if filled:
        sheet.box(part, 4.9, 3.9, colour=_BLACK)
        sheet.mark_part(part, "BG1485", 0.62, 0.35)


def _draw_chip(sheet: _Sheet, part: Part, *, body: tuple[float, float, float], size_mm: tuple[float, float]) -> None:
    """A two-ended part: solder fillets at both ends, tinned caps, the body between them."""
    length, width = size_mm
    for side in (-1, 1):
        sheet.box(part, 0.85, width + 0.15, (side * (length / 2 + 0.05), 0.0), bulge_mm=0.3)
    sheet.box(part, length - 0.55, width, colour=body)


def _value_code(part: Part) -> str:
    """A plausible three-digit resistor code, the same for the same place."""
    return ("102", "473", "121", "222", "100", "331")[round(7 * part.x_mm + 3 * part.y_mm) % 6]


def _at(part: Part, dx_mm: float, dy_mm: float) -> tuple[float, float]:
    return (part.x_mm - dy_mm, part.y_mm + dx_mm) if part.angle_deg else (part.x_mm + dx_mm, part.y_mm + dy_mm)


def _outlines(part: Part) -> list[NDArray[np.float64]]:
    """Silkscreen lines round a part, in board millimetres."""
    match part.kind:
        case PartKind.SO8_EMPTY:
            lines = [
                [(-2.4, -1.5), (2.4, -1.5), (2.4, 1.5), (-2.4, 1.5), (-2.4, 0.4), (-1.8, 0), (-2.4, -0.4), (-2.4, -1.5)]
            ]
        case PartKind.TANTALUM | PartKind.CHIP_CAPACITOR:
            half = 1.45 if part.kind is PartKind.TANTALUM else 0.95
            lines = [[(-1.0, -half), (1.0, -half)], [(-1.0, half), (1.0, half)]]
        case PartKind.LEADED:
            lines = [[(-1.2, 0.0), (1.2, 0.0)]]
        case _:
            lines = []
    return [np.array([_at(part, dx, dy) for dx, dy in line]) for line in lines]
