"""Koh Young SPI result CSV, one file a panel: two title lines, a header, a line a pad, and a blank line at the end.

Seen on real files: every pad line ends with a separator, a pad's name is `array:refdes_subboard`, three in ten pads
have none but their library's (`1:`), and RESULT is FAIL as soon as one pad is E.
"""

from __future__ import annotations

import numpy as np

from edge.capture.readers.koh_young_title import Title, title_of
from edge.capture.readers.paste_measures import MEASURED, measures_of, named_once
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.capture.readers.paste_table import Header, Table, header_of, refuse_spreadsheet, table_of
from edge.capture.readers.paste_text import fault_at, last_lines, text_of
from edge.capture.readers.paste_words import pad_calls
from edge.paste.panel import Names, PastePanel

_HEADER_LINE = 3
_ONLY_ARRAY = "1"


def read_panel(data: bytes, name: str, settings: PasteFileSettings) -> PastePanel:
    """The panel of one file called `name`. Raises PasteFault."""
    lines = text_of(data, name, settings).split("\n")
    if len(lines) <= _HEADER_LINE:
        raise fault_at(name, len(lines), "1", "it ends before the header of the pads")
    title = title_of(lines[0], lines[1], name, settings)
    header = header_of(lines[2], name, _HEADER_LINE, MEASURED, settings)
    if header.columns[-1]:
        what = "no separator at the end of the header, as after saving in a spreadsheet program"
        raise fault_at(name, _HEADER_LINE, header.columns[-1], what)
    rows = _whole_rows(lines, header)
    table = table_of(rows, np.arange(len(rows)) + _HEADER_LINE + 1, header)
    _check_claims(table, title)
    measures = measures_of(table)
    return PastePanel(
        barcode=title.barcode,
        job=title.job,
        side=title.side,
        counter=title.counter,
        printed=title.printed,
        machine_result=title.result,
        pad=_names(table),
        faults=table.faults_told(),
        **measures,
    )


def _whole_rows(lines: list[str], header: Header) -> list[str]:
    """The lines of pads. Raises PasteFault when the file does not end as the machine ends it, or has another number of
    pads than declared."""
    settings = header.settings
    if lines[-1]:
        cell = lines[-1].count(settings.separator)
        raise fault_at(header.file, len(lines), header.told(cell), f"half a file: it stops with {lines[-1][-12:]!r}")
    end = len(lines)
    while end > _HEADER_LINE and not lines[end - 1]:
        end -= 1
    if settings.ends_with_blank_line and len(lines) - end < 2:
        what = "half a file: the blank line that the machine writes at the end is missing"
        raise fault_at(header.file, len(lines), header.told(0), what)
    rows = lines[_HEADER_LINE:end]
    if settings.pads is not None and len(rows) != settings.pads:
        raise fault_at(header.file, end, header.told(0), f"{len(rows)} pads, expected {settings.pads}")
    return rows


def _check_claims(table: Table, title: Title) -> None:
    """Words and names as the machine writes them, and a panel's result that its pads bear out."""
    for name in ("component", "pin"):
        refuse_spreadsheet(table, name)
    calls = pad_calls(table)
    errors = [word for word, call in calls.items() if call == "error"]
    if title.call == "good" and errors:
        row = table.texts("result").index(errors[0])
        raise table.refuse(row, "result", f"{errors[0]!r} on a panel that line 2 calls {title.result}")
    if title.call == "error" and not errors:
        what = f"{title.result!r}, but no pad is E.: the pads it failed on are not in the file"
        raise fault_at(table.header.file, 2, "RESULT", what)


def _names(table: Table) -> Names:
    """(P,) `C600_04/1`; with its array in front where that is not 1; by library and place in the file where unnamed."""
    components, pins = table.texts("component"), table.texts("pin")
    libraries = table.texts("library") if "library" in table.header.at else [""] * len(pins)
    designators = {text: _designator(text) for text in set(components)}
    if None in designators.values():
        row = next(k for k, text in enumerate(components) if designators[text] is None)
        raise table.refuse(row, "component", f"{components[row]!r}, expected array:refdes_subboard")
    fronts = {text: f"{designator}/" if designator else "" for text, designator in designators.items()}
    names = (
        (fronts[text] + pin).removesuffix("/") if fronts[text] else f"{library or 'PAD'}#"
        for text, pin, library in zip(components, pins, libraries, strict=True)
    )
    return named_once(names, table)


def _designator(text: str) -> str | None:
    """`C600_04` of `1:C600_04`, `2:C600_04` as it is, "" for an unnamed pad, None where there is no array in front."""
    array, colon, refdes = text.partition(":")
    if not colon or not array.isdigit():
        return None
    return text if refdes and array != _ONLY_ARRAY else refdes


def whole(head: bytes, tail: bytes, settings: PasteFileSettings) -> bool:
    """Whether a file with these last bytes (4,096, or all of it) ends with a pad's whole line, and the blank line."""
    lines = last_lines(head, tail, settings)
    if lines is None or len(lines) < 3 or lines[-1]:
        return False
    rows = [line for line in lines if line]
    blank = len(lines) - 1 - max((k for k, line in enumerate(lines) if line), default=len(lines))
    if blank < 1 + settings.ends_with_blank_line or not rows:
        return False
    breaks = rows[-1].count(settings.separator)
    return (
        breaks > 1
        and rows[-1].endswith(settings.separator)
        and (len(rows) == 1 or rows[-2].count(settings.separator) == breaks)
    )
