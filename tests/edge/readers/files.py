"""Small machine files for tests, written as the machines write them; every bad file is one of these, damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import PasteFault

KOH_YOUNG = PasteFileSettings(format="koh_young_csv", date_order="mdy")
SPI_TABLE = PasteFileSettings(format="spi_table", date_order="mdy")
NAME = "QB00001720210309074512.csv"
TITLES = (
    "             BARCODE  INDEX     DATE     S.TIME    E.TIME   CYCLE             JOB        RESULT       USER"
    "          LOTINFO        MACHINE        "
)
COLUMNS = (
    "Component ID,Volume(%),Height(um),Area(%),OffsetX(%),OffsetY(%),Volume(um3),Area(um2),Result,PinNumber,"
    "Pad Verification,Shape,Library_Name,Vol_Min(%),Vol_Max(%),"
)
PLACES = "PosX(mm),PosY(mm),"
TABLE_COLUMNS = (
    "PanelID,FigureID,Date,Time,ComponentID,PinNumber,Volume(%),Height(um),Area(%),Volume(um3),Area(um2),Result"
)


@dataclass(frozen=True)
class Pad:
    """One line of a file."""

    component: str = "1:R7_02"
    pin: str = "1"
    library: str = ""
    result: str = "GOOD"
    height_um: float = 118.25
    area_pct: float = 96.5

    def numbers(self, aperture_um2: int = 400_000, stencil_um: int = 120) -> tuple[str, str, str, str, str]:
        """Volume in per cent, height, area in per cent, volume in um3, area in um2, rounded as the machine does."""
        area_um2 = round(aperture_um2 * self.area_pct / 100)
        volume_um3 = area_um2 * self.height_um
        volume_pct = 100 * volume_um3 / aperture_um2 / stencil_um
        return f"{volume_pct:.3f}", f"{self.height_um:.3f}", f"{self.area_pct:.3f}", f"{volume_um3:.0f}", f"{area_um2}"


PADS = (
    Pad(component="1:", pin="", library="LIB4", height_um=121.4),
    Pad(),
    Pad(pin="2", area_pct=88.125),
    Pad(component="1:", pin="", library="LIB4", height_um=99.75),
    Pad(component="2:U3_01", pin="A", area_pct=101.0),
    Pad(component="1:R7_02", pin="1", height_um=111.0),  # the name comes again
)


def title_values(
    barcode: str = "QB000017", date: str = "03/09/2021", job: str = "QB-17-TOP", result: str = "GOOD"
) -> str:
    return f"{barcode:>24} 24857 {date}   07:45:00  07:45:08 {8:>6} {job:>20}     {result}           SV{'KOHYOUNG':>22}"


def koh_young(pads: Sequence[Pad] = PADS, title: str = "", columns: str = COLUMNS, titles: str = TITLES) -> bytes:
    """A whole file; with places where `columns` end in PLACES."""
    lines = [titles, title or title_values(), columns]
    for k, pad in enumerate(pads):
        volume, height, area, um3, um2 = pad.numbers()
        places = f"{k * 1.25:.3f},{k * 2.5:.3f}," if columns.endswith(PLACES) else ""
        lines.append(
            f"{pad.component},{volume},{height},{area},0.562,-1.391,{um3},{um2},{pad.result},{pad.pin},,65.8um,"
            f"{pad.library},45,200,{places}"
        )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def spi_table(panels: Sequence[str] = ("06821001700520102844",), sub_boards: int = 2, date: str = "3/9/2021") -> bytes:
    """A whole table: three pads on every sub-board of every panel."""
    lines = [TABLE_COLUMNS]
    for panel in panels:
        for figure in range(1, sub_boards + 1):
            for k, pad in enumerate((Pad("BC1", "1"), Pad("BC1", "2"), Pad("TR2", "K", height_um=101.5))):
                numbers = ",".join(replace(pad, area_pct=pad.area_pct + k).numbers())
                lines.append(f"{panel},{figure},{date},07:45:00,{pad.component},{pad.pin},{numbers},{pad.result}")
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def refused(data: bytes, settings: PasteFileSettings, name: str, line: int, column: str, why: str) -> None:
    """The file is refused, and the error says which file, line and column, and why."""
    with pytest.raises(PasteFault) as caught:
        read_panel(data, name, settings)
    told = str(caught.value)
    for part in (name, f"line {line},", f"column {column}:", why):
        assert part in told, told


def outcome(data: bytes, settings: PasteFileSettings, name: str) -> int | str:
    """How many pads a reader gives, or what it says where it refuses."""
    try:
        return len(read_panel(data, name, settings))
    except PasteFault as fault:
        return str(fault)


def swapped(data: bytes, old: str, new: str) -> bytes:
    """The file with one text replaced where it first comes; a test that replaces nothing tests nothing."""
    assert old.encode() in data
    return data.replace(old.encode(), new.encode(), 1)


def line_changed(data: bytes, line: int, old: str, new: str) -> bytes:
    """The file with a text of one line (from 1) replaced."""
    lines = data.split(b"\n")
    lines[line - 1] = swapped(lines[line - 1], old, new)
    return b"\n".join(lines)


def nan_pads(values: np.ndarray) -> list[int]:
    return np.flatnonzero(np.isnan(values)).tolist()
