"""The table of pads inside a machine's file: columns by their names and units, every line as many cells as the header.
Never by position; a line with another number of cells refuses the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import methodcaller

import numpy as np
from numpy.typing import NDArray

from edge.capture.readers.paste_numbers import numbers_of
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.capture.readers.paste_text import fault_at
from edge.paste.panel import MAX_PADS, Numbers, PasteFault

MAX_FAULTS_TOLD = 20

# normalised name: unit: our name; "" where the column is known and not needed
COLUMNS: dict[str, dict[str, str]] = {
    "panelid": {"": "panel"},
    "figureid": {"": "figure"},
    "date": {"": "date"},
    "time": {"": "time"},
    "componentid": {"": "component"},
    "pinnumber": {"": "pin"},
    "libraryname": {"": "library"},
    "result": {"": "result"},
    "volume": {"%": "volume_pct", "um3": "volume_um3"},
    "height": {"um": "height_um", "%": ""},
    "area": {"%": "area_pct", "um2": "area_um2"},
    "posx": {"mm": "x_mm"},
    "posy": {"mm": "y_mm"},
}
_WRITTEN = {
    ours: f"{name}({unit})" if unit else name for name, units in COLUMNS.items() for unit, ours in units.items()
}
_WITH_UNIT = re.compile(r"(.*?)[(\[]([^)\]]*)[)\]]")
# what a spreadsheet program makes of names: it keeps 15 digits of a number
_SPREADSHEET = re.compile(
    r"^(?:(?P<time>\d+:\d\d(?::\d\d)?(?: ?[AP]M)?)"
    r"|(?P<number>\d(?:[.,]\d+)?[eE]\+\d+|\d{15}0{4,})"
    r"|(?P<date>\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2}))$",
    re.MULTILINE,
)
_BECAME = {
    "time": "a time of day where a name was (1: becomes 1:00)",
    "number": "an id rounded to a number",
    "date": "a date where a name was",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header line: the columns as written, and where each one that is needed stands."""

    file: str
    line: int
    columns: tuple[str, ...]
    at: dict[str, int]
    settings: PasteFileSettings

    def column(self, name: str) -> str:
        """One of our names as this file writes it."""
        return self.columns[self.at[name]].strip()

    def told(self, cell: int) -> str:
        """The column of a cell, for an error."""
        return (self.columns[cell].strip() or str(cell + 1)) if cell < len(self.columns) else str(cell + 1)


def header_of(text: str, file: str, line: int, required: Sequence[str], settings: PasteFileSettings) -> Header:
    """The header of a table. Raises PasteFault for a column that is missing, comes twice, or has another unit."""
    columns = tuple(text.split(settings.separator))
    at: dict[str, int] = {}
    for k, written in enumerate(columns):
        name, unit = _name_and_unit(settings.columns.get(written.strip(), written))
        if name not in COLUMNS:
            continue
        if unit not in COLUMNS[name]:
            known = ", ".join(repr(u) for u in COLUMNS[name])
            raise fault_at(file, line, written.strip(), f"unit {unit!r}, known are {known}")
        ours = COLUMNS[name][unit]
        if ours and ours in at:
            raise fault_at(file, line, written.strip(), f"comes twice, in cells {at[ours] + 1} and {k + 1}")
        if ours:
            at[ours] = k
    if missing := [_WRITTEN[name] for name in required if name not in at]:
        raise fault_at(file, line, missing[0], f"missing; the header has {text[:200]!r}")
    if ("x_mm" in at) != ("y_mm" in at):
        raise fault_at(file, line, "PosY(mm)" if "x_mm" in at else "PosX(mm)", "missing beside the other position")
    return Header(file=file, line=line, columns=columns, at=at, settings=settings)


def _name_and_unit(written: str) -> tuple[str, str]:
    match = _WITH_UNIT.fullmatch(written.strip())
    name, unit = (match[1], match[2]) if match else (written, "")
    unit = unit.strip().replace("µ", "u").replace("μ", "u").replace("²", "2").replace("³", "3")
    return re.sub(r"[\s_]+", "", name).casefold(), unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Lines of pads, n of them; `faults` gathers, in words, the cells that could not be believed."""

    header: Header
    lines: NDArray[np.int64]  # (n,) the line of each row, counted from 1
    cells: list[str]  # row by row
    faults: list[str] = field(default_factory=list)
    _stripped: dict[str, list[str]] = field(default_factory=dict)

    def texts(self, name: str) -> list[str]:
        """One column of words, without padding."""
        if name not in self._stripped:
            self._stripped[name] = list(map(str.strip, self._raw(name)))
        return self._stripped[name]

    def _raw(self, name: str) -> list[str]:
        return self.cells[self.header.at[name] :: len(self.header.columns)]

    def numbers(self, name: str) -> Numbers:
        """(n,) one column; NaN, and told, where a cell cannot be believed."""
        texts = self._raw(name)
        values, bad = numbers_of(texts, name, self.header.settings)
        for row in bad:
            self.doubt(int(row), name, repr(texts[row]))
        return values

    def optional_numbers(self, name: str) -> Numbers:
        """(n,) one column; NaN where the file has no such column."""
        return self.numbers(name) if name in self.header.at else np.full(len(self.lines), np.nan)

    def doubt(self, row: int, name: str, what: str) -> None:
        """Tell of a cell that cannot be believed."""
        self.faults.append(f"line {self.lines[row]}, {self.header.column(name)}: {what}")

    def faults_told(self) -> tuple[str, ...]:
        """The first doubts in words, and how many more there are."""
        more = len(self.faults) - MAX_FAULTS_TOLD
        return (*self.faults[:MAX_FAULTS_TOLD], *([f"and {more} more"] if more > 0 else []))

    def refuse(self, row: int, name: str, what: str) -> PasteFault:
        """The fault that refuses the whole file for one cell."""
        return fault_at(self.header.file, int(self.lines[row]), self.header.column(name), what)


def table_of(rows: list[str], lines: NDArray[np.int64], header: Header) -> Table:
    """The table of these rows. Raises PasteFault when a row has more or fewer cells than the header."""
    separator = header.settings.separator
    if not rows:
        raise fault_at(header.file, header.line + 1, header.told(0), "no pads")
    if len(rows) > MAX_PADS:
        raise fault_at(header.file, int(lines[MAX_PADS]), header.told(0), f"more than {MAX_PADS} pads")
    breaks = len(header.columns) - 1
    if set(map(methodcaller("count", separator), rows)) != {breaks}:
        row = next(k for k, text in enumerate(rows) if text.count(separator) != breaks)
        raise _ragged(rows[row], int(lines[row]), header)
    return Table(header=header, lines=lines, cells=separator.join(rows).split(separator))


def _ragged(text: str, line: int, header: Header) -> PasteFault:
    got, allowed = text.count(header.settings.separator) + 1, len(header.columns)
    if got == allowed - 1 and not header.columns[-1]:
        why = "its last separator is gone, as after saving in a spreadsheet program"
    elif got < allowed:
        why = f"it stops with {text[-12:]!r}"
    else:
        why = "it goes on after the last column"
    return fault_at(
        header.file, line, header.told(min(got - 1, allowed - 1)), f"{got} cells, expected {allowed}: {why}"
    )


def refuse_spreadsheet(table: Table, name: str) -> None:
    """Raises PasteFault when a column of names shows what a spreadsheet program makes of them."""
    texts = table.texts(name)
    if (match := _SPREADSHEET.search("\n".join(set(texts)))) is not None:
        why = _BECAME[match.lastgroup or ""]
        raise table.refuse(texts.index(match[0]), name, f"{match[0]!r} is {why}: saved by a spreadsheet program")
