"""What is where on a component board, in millimetres: a part number of a board is a layout, the same always.

Every board carries all twelve classes of the catalogue and a few parts more; which part numbers, and where, hangs on
the board's part number alone. Copper, vias and print are laid as on the header boards. Origin top left, x right, y
down, seen from the component side.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass

import numpy as np

from export.simulator.components.drawing import pads
from export.simulator.components.looks import PartClass
from export.simulator.components.parts import PartNumber, part_catalogue
from export.simulator.layout import BoardLayout, Draft, SilkText, Spot

WIDTH_MM, HEIGHT_MM = 82.0, 52.0  # 1190 x 794 pixels of canvas
_CLEARANCE_MM = 1.0
_EXTRAS = (PartClass.RESISTOR, PartClass.SMD_CAPACITOR, PartClass.SMD_TRANSISTOR, PartClass.CERAMIC_CAPACITOR)
_LEAST_SITES = 13

_REFDES = {
    PartClass.CAPACITOR: "C",
    PartClass.CERAMIC_CAPACITOR: "C",
    PartClass.CONVERTER: "U",
    PartClass.DIODE: "D",
    PartClass.HEAT_SINK: "HS",
    PartClass.CRYSTAL_OSCILLATOR: "Y",
    PartClass.RELAY: "K",
    PartClass.RESISTOR: "R",
    PartClass.SMD_CAPACITOR: "C",
    PartClass.SMD_DIODE: "D",
    PartClass.SMD_TRANSISTOR: "Q",
    PartClass.TRANSISTOR: "Q",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place for one component: its name, the part number that belongs there, its centre."""

    refdes: str
    part: PartNumber
    x_mm: float
    y_mm: float

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height on the board, leads included."""
        long_mm, across_mm = self.part.extent_mm
        return (long_mm, across_mm) if self.part.mounted_deg % 180 == 0 else (across_mm, long_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLayout:
    """A board part number: its bare artwork and its sites."""

    part_number: str
    board: BoardLayout
    sites: tuple[Site, ...]

    def site(self, refdes: str) -> Site:
        """The site of that name. Raises ValueError naming the board's sites."""
        found = [site for site in self.sites if site.refdes == refdes]
        if not found:
            names = ", ".join(site.refdes for site in self.sites)
            raise ValueError(f"board {self.part_number} has no site {refdes!r}; it has {names}")
        return found[0]


@functools.lru_cache(maxsize=64)
def component_board(part_number: str) -> ComponentLayout:
    """An 82 x 52 mm board of 13 to 16 components, the same for the same part number always."""
    digest = hashlib.sha256(part_number.encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[8:16], "big"))
    for _ in range(50):  # the parts take a fifth of the board; most drafts have room for all
        draft = _ComponentDraft(part_number, rng)
        if draft.place_components():
            return draft.finish_components()
    raise RuntimeError(f"no room for {_LEAST_SITES} components on board {part_number}")


def turned(x_mm: float, y_mm: float, angle_deg: float) -> tuple[float, float]:
    """A point of a part's frame in the board's, for a part standing at that angle (clockwise as seen)."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return c * x_mm - s * y_mm, s * x_mm + c * y_mm


class _ComponentDraft(Draft):
    """A component board while it is being laid out."""

    SIZE_MM = WIDTH_MM

    def __init__(self, part_number: str, rng: np.random.Generator) -> None:
        super().__init__(part_number, rng)
        cell_mm = WIDTH_MM / len(self.taken)
        self.taken[round((HEIGHT_MM - 1.6) / cell_mm) :] = 1  # the draft's grid is square, the board is not
        self.sites: list[Site] = []

    def place_components(self) -> bool:
        """Corners, then components from the largest; whether enough of them found room."""
        self._place_board_corners()
        used: dict[str, int] = {}
        wanted = sorted(self._wanted_parts(), key=lambda part: -math.prod(part.extent_mm))
        for part in wanted:
            site = self._place_component(part, used)
            if site is not None:
                self.sites.append(site)
        classes = {site.part.part_class for site in self.sites}
        return len(self.sites) >= _LEAST_SITES and len(classes) == len(PartClass)

    def _place_board_corners(self) -> None:
        near, right, low = 4.0, WIDTH_MM - 4.0, HEIGHT_MM - 4.0
        for x_mm, y_mm in ((near, near), (right, near), (near, low), (right, low)):
            self.holes.append(Spot(x_mm=x_mm, y_mm=y_mm, diameter_mm=3.2))
            self.taken[self._window(x_mm, y_mm, 5.6, 5.6)] = 1
        along = float(self.rng.uniform(8.5, 11.0))
        for x_mm, y_mm in ((along, near), (right, along), (along, low)):  # three, so that a turned board shows
            self.fiducials.append(Spot(x_mm=x_mm, y_mm=y_mm, diameter_mm=1.5))
            self.taken[self._window(x_mm, y_mm, 4.0, 4.0)] = 1

    def _wanted_parts(self) -> list[PartNumber]:
        by_class = {c: [p for p in part_catalogue() if p.part_class is c] for c in PartClass}
        wanted = [parts[self.rng.integers(len(parts))] for parts in by_class.values()]
        for part_class in _EXTRAS[: int(self.rng.integers(2, 5))]:
            again = next(p for p in wanted if p.part_class is part_class)
            other = by_class[part_class][self.rng.integers(len(by_class[part_class]))]
            wanted.append(again if self.rng.random() < 0.5 else other)
        return wanted

    def _place_component(self, part: PartNumber, used: dict[str, int]) -> Site | None:
        prefix = _REFDES[part.part_class]
        refdes = f"{prefix}{used.get(prefix, 0) + 1}"
        for _ in range(400):
            x_mm = round(float(self.rng.uniform(4.0, WIDTH_MM - 4.0)), 2)
            y_mm = round(float(self.rng.uniform(4.0, HEIGHT_MM - 4.0)), 2)
            site = Site(refdes=refdes, part=part, x_mm=x_mm, y_mm=y_mm)
            width_mm, height_mm = site.size_mm
            # The refdes stands under the part; space for both is taken at once.
            if self._claim(x_mm, y_mm + 0.9, width_mm + 1.0, height_mm + 2.8, margin_mm=_CLEARANCE_MM):
                used[prefix] = used.get(prefix, 0) + 1
                self._print(refdes, x_mm, y_mm + height_mm / 2 + 1.35, 1.25)
                return site
        return None

    def finish_components(self) -> ComponentLayout:
        """Print and copper round the components."""
        self._place_board_title()
        self._route_pads()
        self._route_buses()
        self._scatter_vias()
        board = BoardLayout(
            part_number=self.part_number,
            width_mm=WIDTH_MM,
            height_mm=HEIGHT_MM,
            headers=(),
            fiducials=tuple(self.fiducials),
            mounting_holes=tuple(self.holes),
            texts=tuple(self.texts),
            traces=tuple(self.traces),
            vias=tuple(self.vias),
            parts=(),
        )
        return ComponentLayout(part_number=self.part_number, board=board, sites=tuple(self.sites))

    def _place_board_title(self) -> None:
        for text, height_mm in ((self.part_number, 1.9), ("BOARDGATE TWIN", 1.3), ("REV A 94V-0", 1.2)):
            for _ in range(300):
                x_mm, y_mm = self._random_mm(6.0), float(self.rng.uniform(4.0, HEIGHT_MM - 4.0))
                if self._claim(x_mm, y_mm, len(text) * height_mm * 0.95, height_mm + 0.4, margin_mm=0.4):
                    self.texts.append(SilkText(text=text, x_mm=x_mm, y_mm=y_mm, height_mm=height_mm))
                    break

    def _route_pads(self) -> None:
        """From every pad a track leaves the part on the pad's own side, then wanders to a via."""
        for site in self.sites:
            for pad in pads(site.part):
                dx, dy = turned(pad[0], pad[1], site.part.mounted_deg)
                width_mm, height_mm = site.size_mm
                sideways = abs(dx) / width_mm >= abs(dy) / height_mm
                heading = (0 if dx > 0 else 4) if sideways else (2 if dy > 0 else 6)
                start = np.array([site.x_mm + dx, site.y_mm + dy])
                leave = (width_mm / 2 + 0.9 - abs(dx)) if sideways else (height_mm / 2 + 2.6 - abs(dy))
                gate = start + leave * _HEADINGS[heading]
                path = self._walk(gate, heading, legs=int(self.rng.integers(2, 5)))
                if len(path) > 1:
                    self._lay([start, *path], via_at=(-1,))
                    self._mark(path, 1.3)


_HEADINGS = {0: np.array([1.0, 0.0]), 2: np.array([0.0, 1.0]), 4: np.array([-1.0, 0.0]), 6: np.array([0.0, -1.0])}
