"""What is where on a board: headers, pins, parts, copper, silkscreen, all in millimetres.

`header_board` invents a board from its part number alone, so two boards of one part number always share one layout
and only their joints, finish and photograph differ. Nothing here knows about pixels or light. The origin is the
board's top left corner, x to the right, y down, seen from the solder side.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HEADER_PITCH_MM = 2.54

_CELL_MM = 0.2  # grid on which space is claimed: finer than any clearance used here
_TRACE_WIDTH_MM = 0.28
_BUS_PITCH_MM = 0.66


class PartKind(enum.Enum):
    """The kinds of part the board carries besides its headers. None of them is inspected."""

    SO8 = "so8"
    SO8_EMPTY = "so8_empty"  # pads and outline only: tinned copper that is not a defect
    CHIP_RESISTOR = "chip_resistor"
    CHIP_CAPACITOR = "chip_capacitor"
    TANTALUM = "tantalum"
    DIODE = "diode"
    LEADED = "leaded"  # two larger through-hole joints, soldered
    TEST_HOLES = "test_holes"  # two large plated holes, never filled


# Body and pads, as claimed space: width and height in mm at angle 0.
PART_SIZE_MM: dict[PartKind, tuple[float, float]] = {
    PartKind.SO8: (5.4, 6.6),
    PartKind.SO8_EMPTY: (5.4, 6.6),
    PartKind.CHIP_RESISTOR: (3.0, 1.6),
    PartKind.CHIP_CAPACITOR: (3.0, 1.7),
    PartKind.TANTALUM: (5.0, 2.8),
    PartKind.DIODE: (6.0, 3.0),
    PartKind.LEADED: (7.4, 2.6),
    PartKind.TEST_HOLES: (4.8, 2.4),
}

_REFDES_PREFIX = {
    PartKind.SO8: "U",
    PartKind.SO8_EMPTY: "U",
    PartKind.CHIP_RESISTOR: "R",
    PartKind.CHIP_CAPACITOR: "C",
    PartKind.TANTALUM: "C",
    PartKind.DIODE: "D",
    PartKind.LEADED: "L",
    PartKind.TEST_HOLES: "TP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One inspected header pin. `site` ('J1-3') is its name everywhere else."""

    refdes: str
    pin: str
    x_mm: float
    y_mm: float
    pitch_mm: float

    @property
    def site(self) -> str:
        return f"{self.refdes}-{self.pin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A pin header: `columns` along its length, `rows` across; numbered across, then along, as headers are."""

    refdes: str
    columns: int
    rows: int
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A round thing: fiducial, via or mounting hole."""

    x_mm: float
    y_mm: float
    diameter_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A copper track through `points_mm`, (x, y) each."""

    points_mm: tuple[tuple[float, float], ...]
    width_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SilkText:
    """Silkscreen text centred on a point; `angle_deg` clockwise as seen."""

    text: str
    x_mm: float
    y_mm: float
    height_mm: float
    angle_deg: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A decoy part, centred on a point; `angle_deg` is 0 or 90."""

    kind: PartKind
    refdes: str
    x_mm: float
    y_mm: float
    angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardLayout:
    """A part number's artwork. `pins` are the inspected places in header order; everything else is scenery."""

    part_number: str
    width_mm: float
    height_mm: float
    headers: tuple[Header, ...]
    fiducials: tuple[Spot, ...]
    mounting_holes: tuple[Spot, ...]
    texts: tuple[SilkText, ...]
    traces: tuple[Trace, ...]
    vias: tuple[Spot, ...]
    parts: tuple[Part, ...]

    @property
    def pins(self) -> tuple[Pin, ...]:
        return tuple(pin for header in self.headers for pin in header.pins)


def neighbours(layout: BoardLayout, pin: Pin) -> tuple[Pin, ...]:
    """The pins of the same header one pitch away: those a bridge can reach."""
    reach_mm = 1.05 * pin.pitch_mm
    return tuple(
        other
        for other in layout.pins
        if other is not pin
        and other.refdes == pin.refdes
        and math.hypot(other.x_mm - pin.x_mm, other.y_mm - pin.y_mm) <= reach_mm
    )


@functools.lru_cache(maxsize=8)
def header_board(part_number: str) -> BoardLayout:
    """A 60 x 60 mm board with one 2x10 and three 2x5 headers (50 pins), the same for the same part number always."""
    digest = hashlib.sha256(part_number.encode()).digest()
    return Draft(part_number, np.random.default_rng(int.from_bytes(digest[:8], "big"))).finish()


class Draft:
    """A board while it is being laid out: what is placed so far, and a grid of the space already taken.

    Other kinds of board are laid out by a subclass with its own `finish`.
    """

    SIZE_MM = 60.0

    def __init__(self, part_number: str, rng: np.random.Generator) -> None:
        self.part_number = part_number
        self.rng = rng
        cells = round(self.SIZE_MM / _CELL_MM)
        self.taken = np.ones((cells, cells), np.uint8)
        self.taken[8:-8, 8:-8] = 0  # 1.6 mm stay free along the edge
        self.fiducials: list[Spot] = []
        self.holes: list[Spot] = []
        self.headers: list[Header] = []
        self.parts: list[Part] = []
        self.texts: list[SilkText] = []
        self.traces: list[Trace] = []
        self.vias: list[Spot] = []

    def finish(self) -> BoardLayout:
        self._place_corners()
        self._place_headers()
        self._place_parts()
        self._place_title()
        self._route_pins()
        self._route_buses()
        self._scatter_vias()
        return BoardLayout(
            part_number=self.part_number,
            width_mm=self.SIZE_MM,
            height_mm=self.SIZE_MM,
            headers=tuple(self.headers),
            fiducials=tuple(self.fiducials),
            mounting_holes=tuple(self.holes),
            texts=tuple(self.texts),
            traces=tuple(self.traces),
            vias=tuple(self.vias),
            parts=tuple(self.parts),
        )

    # -- space -------------------------------------------------------------------------------------

    def _window(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> tuple[slice, slice]:
        def span(centre_mm: float, size_mm: float) -> slice:
            low, high = (centre_mm - size_mm / 2) / _CELL_MM, (centre_mm + size_mm / 2) / _CELL_MM
            return slice(max(0, math.floor(low)), max(0, math.ceil(high)))

        return span(y_mm, height_mm), span(x_mm, width_mm)

    def _claim(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float, margin_mm: float = 0.7) -> bool:
        """Take the box if all of it (and the margin round it) is free."""
        reach_mm = max(
            abs(x_mm - self.SIZE_MM / 2) + width_mm / 2,
            abs(y_mm - self.SIZE_MM / 2) + height_mm / 2,
        )
        if reach_mm > self.SIZE_MM / 2:
            return False
        window = self._window(x_mm, y_mm, width_mm + 2 * margin_mm, height_mm + 2 * margin_mm)
        if self.taken[window].any():
            return False
        self.taken[self._window(x_mm, y_mm, width_mm, height_mm)] = 1
        return True

    def _random_mm(self, inset_mm: float) -> float:
        return round(float(self.rng.uniform(inset_mm, self.SIZE_MM - inset_mm)), 2)

    # -- placement ---------------------------------------------------------------------------------

    def _place_corners(self) -> None:
        near, far = 4.0, self.SIZE_MM - 4.0
        for x_mm, y_mm in ((near, near), (far, near), (near, far), (far, far)):
            self.holes.append(Spot(x_mm=x_mm, y_mm=y_mm, diameter_mm=3.2))
            self.taken[self._window(x_mm, y_mm, 5.6, 5.6)] = 1
        along = float(self.rng.uniform(8.5, 11.0))
        # Three of four corners, so that a board turned round cannot be mistaken for a straight one.
        for x_mm, y_mm in ((along, near), (far, along), (along, far)):
            self.fiducials.append(Spot(x_mm=x_mm, y_mm=y_mm, diameter_mm=1.5))
            self.taken[self._window(x_mm, y_mm, 4.0, 4.0)] = 1

    def _place_headers(self) -> None:
        self._place_header("J1", columns=10, horizontal=bool(self.rng.integers(2)), near_edge=True)
        for number in (2, 3, 4):
            self._place_header(f"J{number}", columns=5, horizontal=bool(self.rng.integers(2)), near_edge=False)

    def _place_header(self, refdes: str, *, columns: int, horizontal: bool, near_edge: bool) -> None:
        long_mm, short_mm = columns * HEADER_PITCH_MM, 2 * HEADER_PITCH_MM
        size_mm = (long_mm, short_mm) if horizontal else (short_mm, long_mm)
        for _ in range(5000):  # the four headers take a tenth of the board: a place is found in a few tries
            x_mm, y_mm = self._random_mm(9.0), self._random_mm(9.0)
            if near_edge:
                edge_mm = 8.5 if self.rng.integers(2) else self.SIZE_MM - 8.5
                x_mm, y_mm = (x_mm, edge_mm) if horizontal else (edge_mm, y_mm)
            if self._claim(x_mm, y_mm, *size_mm, margin_mm=2.6):
                break
        else:
            raise RuntimeError(f"no room for header {refdes} on board {self.part_number}")
        pins = []
        for number in range(2 * columns):
            along = (number // 2 - (columns - 1) / 2) * HEADER_PITCH_MM
            across = (number % 2 - 0.5) * HEADER_PITCH_MM
            dx, dy = (along, across) if horizontal else (across, along)
            pins.append(
                Pin(
                    refdes=refdes,
                    pin=str(number + 1),
                    x_mm=round(x_mm + dx, 3),
                    y_mm=round(y_mm + dy, 3),
                    pitch_mm=HEADER_PITCH_MM,
                )
            )
        self.headers.append(Header(refdes=refdes, columns=columns, rows=2, pins=tuple(pins)))
        self._label_header(refdes, pins, horizontal=horizontal, size_mm=size_mm)

    def _label_header(self, refdes: str, pins: list[Pin], *, horizontal: bool, size_mm: tuple[float, float]) -> None:
        centre_x = (pins[0].x_mm + pins[-1].x_mm) / 2
        centre_y = (pins[0].y_mm + pins[-1].y_mm) / 2
        offset_x = 0.0 if horizontal else size_mm[0] / 2 + 1.3
        offset_y = size_mm[1] / 2 + 1.3 if horizontal else 0.0
        sign = 1 if centre_x + offset_x < self.SIZE_MM - 4 and centre_y + offset_y < self.SIZE_MM - 4 else -1
        self._print(refdes, centre_x + sign * offset_x, centre_y + sign * offset_y, 1.5, 0.0 if horizontal else 90.0)

    def _print(self, text: str, x_mm: float, y_mm: float, height_mm: float, angle_deg: float = 0.0) -> None:
        self.texts.append(SilkText(text=text, x_mm=x_mm, y_mm=y_mm, height_mm=height_mm, angle_deg=angle_deg))
        length_mm = len(text) * height_mm * 0.95
        size_mm = (length_mm, height_mm) if angle_deg == 0 else (height_mm, length_mm)
        self.taken[self._window(x_mm, y_mm, size_mm[0] + 0.4, size_mm[1] + 0.4)] = 1

    def _place_parts(self) -> None:
        wanted = [PartKind.SO8] * 3 + [PartKind.SO8_EMPTY] + [PartKind.DIODE] + [PartKind.TANTALUM] * 3
        wanted += [PartKind.LEADED] * 3 + [PartKind.TEST_HOLES] * 4
        wanted += [PartKind.CHIP_RESISTOR] * 9 + [PartKind.CHIP_CAPACITOR] * 7
        used: dict[str, int] = {}
        for kind in wanted:
            for _ in range(60):
                angle_deg = 90.0 * int(self.rng.integers(2))
                width_mm, height_mm = PART_SIZE_MM[kind] if angle_deg == 0 else PART_SIZE_MM[kind][::-1]
                x_mm, y_mm = self._random_mm(4.0), self._random_mm(4.0)
                # The refdes stands under the part; space for both is taken at once.
                if not self._claim(x_mm, y_mm + 0.9, width_mm, height_mm + 1.8):
                    continue
                prefix = _REFDES_PREFIX[kind]
                used[prefix] = used.get(prefix, 0) + 1
                refdes = f"{prefix}{used[prefix]}"
                self.parts.append(Part(kind=kind, refdes=refdes, x_mm=x_mm, y_mm=y_mm, angle_deg=angle_deg))
                self._print(refdes, x_mm, y_mm + height_mm / 2 + 1.0, 1.15)
                break

    def _place_title(self) -> None:
        for text, height_mm in ((self.part_number, 1.9), ("BOARDGATE TWIN", 1.3), ("REV B 94V-0", 1.2)):
            for _ in range(300):
                x_mm, y_mm = self._random_mm(6.0), self._random_mm(5.0)
                if self._claim(x_mm, y_mm, len(text) * height_mm * 0.95, height_mm + 0.4, margin_mm=0.4):
                    self.texts.append(SilkText(text=text, x_mm=x_mm, y_mm=y_mm, height_mm=height_mm))
                    break

    # -- copper ------------------------------------------------------------------------------------

    def _is_free(self, start_mm: NDArray[np.float64], end_mm: NDArray[np.float64]) -> bool:
        steps = max(2, int(np.hypot(*(end_mm - start_mm)) / _CELL_MM))
        points = start_mm + np.linspace(0.0, 1.0, steps)[:, None] * (end_mm - start_mm)
        cells = np.round(points / _CELL_MM).astype(int)
        if cells.min() < 0 or cells.max() >= len(self.taken):
            return False
        return not self.taken[cells[:, 1], cells[:, 0]].any()

    def _mark(self, points_mm: list[NDArray[np.float64]], clearance_mm: float) -> None:
        chain = np.round(np.array(points_mm) / _CELL_MM).astype(np.int32)
        cv2.polylines(self.taken, [chain], False, 1, max(1, round(clearance_mm / _CELL_MM)))

    def _walk(self, start_mm: NDArray[np.float64], heading: int, legs: int) -> list[NDArray[np.float64]]:
        """A free path of up to `legs` straight runs in the eight compass directions, never turning by more than 45°."""
        path = [start_mm]
        for _ in range(legs):
            for _ in range(6):
                turned = (heading + int(self.rng.integers(-1, 2))) % 8
                step = self.rng.uniform(1.5, 8.0) * _compass(turned)
                if (turned != heading or len(path) == 1) and self._is_free(path[-1], path[-1] + step):
                    path.append(path[-1] + step)
                    heading = turned
                    break
            else:
                break  # boxed in
        return path

    def _lay(self, path: list[NDArray[np.float64]], *, via_at: tuple[int, ...]) -> None:
        self.traces.append(Trace(points_mm=tuple((float(x), float(y)) for x, y in path), width_mm=_TRACE_WIDTH_MM))
        for index in via_at:
            x_mm, y_mm = path[index]
            self.vias.append(Spot(x_mm=float(x_mm), y_mm=float(y_mm), diameter_mm=0.62))

    def _route_pins(self) -> None:
        """From most pins a track leaves the header straight, then wanders to a via."""
        for header in self.headers:
            first, last = header.pins[0], header.pins[-1]
            horizontal = abs(last.x_mm - first.x_mm) > abs(last.y_mm - first.y_mm)
            for number, pin in enumerate(header.pins):
                outwards = (2 if number % 2 else 6) if horizontal else (0 if number % 2 else 4)
                start = np.array([pin.x_mm, pin.y_mm])
                # 0.6 pitch clears the space the header itself claimed.
                gate = start + (0.62 * HEADER_PITCH_MM + 0.3) * _compass(outwards)
                path = self._walk(gate, outwards, legs=int(self.rng.integers(2, 5)))
                if len(path) == 1:
                    continue
                self._lay([start, *path], via_at=(-1,))
                self._mark(path, 1.3)

    def _route_buses(self) -> None:
        """Bundles of parallel tracks with staggered vias: what fills the middle of a real board."""
        for _ in range(1500):
            lines = int(self.rng.integers(2, 7))
            start = np.array([self._random_mm(5.0), self._random_mm(5.0)])
            if not self._is_free(start, start):
                continue
            spine = self._walk(start, int(self.rng.integers(8)), legs=4)
            if len(spine) < 3:
                continue
            offsets_mm = (np.arange(lines) - (lines - 1) / 2) * _BUS_PITCH_MM
            bundle = [_offset_path(spine, float(offset_mm)) for offset_mm in offsets_mm]
            if not all(self._is_free(a, b) for path in bundle for a, b in itertools.pairwise(path)):
                continue
            for path in bundle:
                self._lay(self._stagger(path), via_at=(0, -1))
            for path in bundle:
                self._mark(path, 1.3)
            if len(self.traces) > 100:
                break

    def _stagger(self, path: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Both ends drawn back by a random part of their run, so that the vias of a bundle do not collide."""
        first, last = self.rng.uniform(0.0, 0.6, size=2)
        head = path[0] + first * (path[1] - path[0])
        tail = path[-1] + last * (path[-2] - path[-1])
        return [head, *path[1:-1], tail]

    def _scatter_vias(self) -> None:
        for _ in range(900):
            x_mm, y_mm = self._random_mm(3.0), self._random_mm(3.0)
            if self._claim(x_mm, y_mm, 0.8, 0.8, margin_mm=0.3):
                self.vias.append(Spot(x_mm=x_mm, y_mm=y_mm, diameter_mm=0.62))
            if len(self.vias) > 190:
                break


def _compass(heading: int) -> NDArray[np.float64]:
    """Unit vector of one of eight headings: 0 east, 2 south, clockwise as seen."""
    angle = heading * math.pi / 4
    return np.array([math.cos(angle), math.sin(angle)])


def _offset_path(path: list[NDArray[np.float64]], offset_mm: float) -> list[NDArray[np.float64]]:
    """The path moved sideways with mitred corners; turns are at most 45°, so mitres stay short."""
    runs = [(b - a) / np.hypot(*(b - a)) for a, b in itertools.pairwise(path)]
    normals = [np.array([-run[1], run[0]]) for run in runs]
    shifted = [path[0] + offset_mm * normals[0]]
    for corner, before, after in zip(path[1:-1], normals, normals[1:], strict=False):
        mitre = (before + after) / (1.0 + float(before @ after))
        shifted.append(corner + offset_mm * mitre)
    shifted.append(path[-1] + offset_mm * normals[-1])
    return shifted
