"""A line's SPI table: one header, a line a pad, the panels one after the other, as many as there are. Nothing in it
says where a panel ends; so a panel is held against its own sub-boards, and against the declared number of pads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge.capture.readers.paste_identity import clock_reading
from edge.capture.readers.paste_measures import MEASURED, measures_of, named_once
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.capture.readers.paste_table import Header, Table, header_of, refuse_spreadsheet, table_of
from edge.capture.readers.paste_text import MAX_LINE_CHARS, fault_at, last_lines, text_of
from edge.capture.readers.paste_words import pad_calls
from edge.paste.panel import MAX_PADS, PasteFault, PastePanel

MAX_PANELS = 1_000_000
_REQUIRED = ("panel", "figure", "date", "time", *MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPanel:
    """A panel of the table that must not be judged by."""

    panel: str
    first_line: int
    n_pads: int  # lines it has
    fault: str


def read_panel(data: bytes, name: str, settings: PasteFileSettings) -> PastePanel:
    """The only panel of a file called `name`. Raises PasteFault."""
    text = text_of(data, name, settings)
    found = list(read_panels(_lines(text), name, settings))
    if isinstance(found[0], RefusedPanel):
        raise PasteFault(found[0].fault)
    if len(found) > 1:
        second = found[1]
        got = second.panel if isinstance(second, RefusedPanel) else second.barcode
        raise fault_at(name, len(found[0]) + 2, "PanelID", f"{got!r}: a second panel in a file of one")
    return found[0]


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def read_panels(lines: Iterable[str], name: str, settings: PasteFileSettings) -> Iterator[PastePanel | RefusedPanel]:
    """Panel after panel of a table called `name`, given line by line with their ends; memory holds one panel. Raises
    PasteFault when the header cannot be used."""
    stream = iter(lines)
    header = header_of(next(stream, "").rstrip("\r\n"), name, 1, _REQUIRED, settings)
    seen: set[str] = set()
    for panel, first_line, rows in _by_panel(stream, header):
        try:
            if panel in seen:
                raise fault_at(name, first_line, header.column("panel"), f"{panel!r} comes again, after other panels")
            seen.add(panel)
            if len(seen) > MAX_PANELS:
                raise fault_at(name, first_line, header.column("panel"), f"more than {MAX_PANELS} panels")
            yield _panel(panel, rows, first_line, header)
        except PasteFault as fault:
            yield RefusedPanel(panel=panel, first_line=first_line, n_pads=len(rows), fault=str(fault))


def _by_panel(lines: Iterator[str], header: Header) -> Iterator[tuple[str, int, list[str]]]:
    """Panel id, its first line, its lines. A line too short to hold an id belongs to the panel before it."""
    separator, at = header.settings.separator, header.at["panel"]
    current, first_line, rows = None, 2, list[str]()
    same = "\n"  # how a line of the same panel starts, where the id stands first: spares cutting up every line
    for number, line in enumerate(lines, start=2):
        if len(line) > MAX_LINE_CHARS:
            raise fault_at(header.file, number, header.told(0), f"{len(line)} characters, at most {MAX_LINE_CHARS}")
        if line.startswith(same) and len(rows) <= MAX_PADS:
            rows.append(line)
            continue
        cells = line.split(separator, at + 1)
        panel = cells[at] if len(cells) > at + 1 else current or ""
        if panel != current or len(rows) > MAX_PADS:
            if rows:
                yield current or "", first_line, rows
            current, first_line, rows = panel, number, []
            same = f"{panel}{separator}" if at == 0 and panel else "\n"
        rows.append(line)
    if not rows:
        raise fault_at(header.file, 2, header.told(0), "no pads")
    yield current or "", first_line, rows


def _panel(panel: str, rows: list[str], first_line: int, header: Header) -> PastePanel:
    table = table_of(_unended(rows, first_line, header), np.arange(len(rows)) + first_line, header)
    for name in ("panel", "component", "pin"):
        refuse_spreadsheet(table, name)
    if not panel.isalnum():
        raise table.refuse(0, "panel", f"{panel!r} is no panel's id")
    pad_calls(table)
    figures = _figures(table)
    _check_sub_boards(figures, table)
    measures = measures_of(table)
    parts = zip(table.texts("component"), figures, table.texts("pin"), strict=True)
    counter, day_of_year = _serial(panel, table)
    return PastePanel(
        barcode=panel,
        job="",
        side="",
        counter=counter,
        printed=_printed(table, day_of_year),
        machine_result="",
        pad=named_once((f"{component}_{figure}/{pin}" for component, figure, pin in parts), table),
        faults=table.faults_told(),
        **measures,
    )


def _unended(rows: list[str], first_line: int, header: Header) -> list[str]:
    if not rows[-1].endswith("\n"):
        cell, line = rows[-1].count(header.settings.separator), first_line + len(rows) - 1
        raise fault_at(header.file, line, header.told(cell), f"half a file: it stops with {rows[-1][-12:]!r}")
    return "".join(rows).replace("\r\n", "\n").split("\n")[:-1]


def _figures(table: Table) -> list[str]:
    """(n,) each pad's sub-board; `1.0`, as some tables have been printed, is 1."""
    texts = table.texts("figure")
    figures = {text: text.removesuffix(".0") for text in set(texts)}
    for text, figure in figures.items():
        if not figure.isdigit():
            raise table.refuse(texts.index(text), "figure", f"{text!r} is no number of a sub-board")
    return [figures[text] for text in texts]


def _check_sub_boards(figures: list[str], table: Table) -> None:
    """Sub-boards of a panel are copies of each other: one with fewer pads is cut off."""
    counts = Counter(figures)
    most = max(counts.values())
    if short := [figure for figure, n in counts.items() if n != most]:
        last = len(figures) - 1 - figures[::-1].index(short[0])
        what = ", ".join(f"sub-board {figure} has {counts[figure]}" for figure in short)
        raise table.refuse(last, "figure", f"{what} of {most} pads; {len(figures)} pads in all")
    expected = table.header.settings.pads
    if expected is not None and len(figures) != expected:
        raise table.refuse(len(figures) - 1, "figure", f"{len(figures)} pads, expected {expected}")


def _serial(panel: str, table: Table) -> tuple[int | None, int | None]:
    """The counter inside the panel's id, and the day of the year, where the station says how they stand there."""
    pattern = table.header.settings.serial_pattern
    if not pattern:
        return None, None
    if (match := re.fullmatch(pattern, panel)) is None:
        raise table.refuse(0, "panel", f"{panel!r} is not as serial_pattern says")
    day = match.groupdict().get("yday")
    return int(match["counter"]), None if day is None else int(day)


def _printed(table: Table, day_of_year: int | None) -> str:
    """The machine's clock on the panel's first pad; every date and time of the panel has to be one."""
    dates, times = table.texts("date"), table.texts("time")
    readings = {}
    for date, time in dict.fromkeys(zip(dates, times, strict=True)):
        try:
            readings[date, time] = clock_reading(date, time, table.header.settings.date_order)
        except ValueError as err:
            row = list(zip(dates, times, strict=True)).index((date, time))
            raise table.refuse(row, "date", str(err)) from None
    printed = readings[dates[0], times[0]]
    off = 0 if day_of_year is None else (printed.timetuple().tm_yday - day_of_year + 182) % 365 - 182
    if abs(off) > 1:
        what = f"{dates[0]!r} is {off:+d} days off the day {day_of_year} in the panel's id: two clocks"
        raise table.refuse(0, "date", what)
    return printed.isoformat()


def whole(head: bytes, tail: bytes, settings: PasteFileSettings) -> bool:
    """Whether a file with these last bytes (4,096, or all of it) ends with a whole line. The table has no end mark:
    whether all pads are there, only their number says."""
    lines = last_lines(head, tail, settings)
    if lines is None or len(lines) < 3 or lines[-1]:
        return False
    breaks = lines[-2].count(settings.separator)
    return breaks > 1 and lines[-3].count(settings.separator) == breaks
