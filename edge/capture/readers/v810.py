"""BoardTestXMLExport: the XML that ViTrox V810 X-ray machines' repair stations write, one file a board.

Everything is in attributes, in the namespace http://tempuri.org/BoardTestXMLExport.xsd under any prefix. Only what was
called is listed; that the rest was looked at and is good follows from the counts of joints and components tested. It
says nothing of boxes or pictures: an index file ties joints to those (`axi_index`).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import PurePath

from edge.axi.board import AxiFault
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.paste_identity import UNREAD
from edge.capture.readers.v810_calls import Calls, calls_of
from edge.capture.readers.v810_fields import Fields
from edge.capture.readers.v810_times import TestTimes, check_times, moment
from edge.capture.readers.v810_xml import elements_of

NAMESPACE = "http://tempuri.org/BoardTestXMLExport.xsd"
ROOT = "BoardTestXMLExport"

_UNREAD = UNREAD | {"-", "none", "null", "unknown", "failed", "error", "undefined"}
_STAND_IN = re.compile(r"([0?*x#-])\1*|.*placeholder.*", re.IGNORECASE)
_SPREADSHEET = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class V810Export:
    """One export, its parts found to agree with each other."""

    serial: str  # empty when not read
    board_type: str
    image_id: str  # place in the panel
    tester: str
    times: TestTimes
    calls: Calls


def read_export(
    data: bytes, file: str, settings: AxiFileSettings, written_utc: dt.datetime | None = None
) -> V810Export:
    """The export in a file called `file` (without its folder), last written at `written_utc` where that is known.
    Raises AxiFault, with line and attribute."""
    fields = Fields(elements_of(data, file, NAMESPACE, ROOT, settings.encoding), file)
    board, station = fields.only("BoardXML"), fields.only("StationXML")
    inside = serial_read(fields.text(board, "serialNumber"), fields.place(board, "serialNumber"))
    board_type = fields.text(board, "boardType")
    if not board_type:
        raise AxiFault(f"{fields.place(board, 'boardType')}: empty: nothing says which product this is")
    serial = _agreed_with_name(file, inside, board_type, fields.place(board), settings)
    times = _times_of(fields, settings)
    where = fields.place(fields.elements[0], "testerTestEndTime")
    check_times(times, where, board.attributes.get("boardRevision", ""), written_utc, settings)
    return V810Export(
        serial=serial,
        board_type=board_type,
        image_id=fields.text(board, "imageId"),
        tester=fields.text(station, "testerName"),
        times=times,
        calls=calls_of(fields, settings),
    )


def serial_read(text: str, where: str) -> str:
    """The serial, empty where it stands for "not read". Digits stay text. Raises AxiFault for one that a spreadsheet
    has rewritten."""
    if _SPREADSHEET.fullmatch(text):
        raise AxiFault(f"{where}: {text!r} is a long number as a spreadsheet program writes it, not a serial")
    return "" if text.casefold() in _UNREAD or _STAND_IN.fullmatch(text) else text


def named_serial(file: str, pattern: str) -> str:
    """The serial in a file's name, empty where it says none."""
    match = re.fullmatch(pattern, PurePath(file).stem)
    return serial_read(match["board"], file) if match else ""


def _agreed_with_name(file: str, serial: str, board_type: str, where: str, settings: AxiFileSettings) -> str:
    """The serial, from inside or from the name; empty where neither was read."""
    match = re.fullmatch(settings.export_name_pattern, PurePath(file).stem)
    named = match.groupdict() if match else {}
    told = serial_read(named.get("board") or "", file)
    if serial and told and serial != told:
        raise AxiFault(f"{where}: serialNumber {serial!r} inside, {told!r} in the file's name")
    if named.get("board_type") and named["board_type"] != board_type:
        raise AxiFault(f"{where}: boardType {board_type!r} inside, {named['board_type']!r} in the file's name")
    return serial or told


def _times_of(fields: Fields, settings: AxiFileSettings) -> TestTimes:
    root = fields.elements[0]
    texts, moments = {}, {}
    for key in ("testTime", "testerTestStartTime", "testerTestEndTime"):
        texts[key] = fields.text(root, key)
        try:
            moments[key] = moment(texts[key], settings)
        except ValueError as err:
            raise AxiFault(f"{fields.place(root, key)}: {err}") from None
    return TestTimes(
        start=texts["testerTestStartTime"],
        end=texts["testerTestEndTime"],
        start_utc=moments["testerTestStartTime"],
        end_utc=moments["testerTestEndTime"],
    )
