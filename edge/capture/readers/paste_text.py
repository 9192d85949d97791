"""Bytes of a machine's file to lines of text. A wrong code page, a workbook, XML, zeros of a half-written file and bare
carriage returns are refused by name; nothing is replaced or dropped."""

from __future__ import annotations

import codecs

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import PasteFault

MAX_FILE_BYTES = 64 * 1024 * 1024  # 200,000 pads take 22 MB, 44 MB as UTF-16
MAX_LINE_CHARS = 4096

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_STRANGERS = {
    b"<": "starts with '<': XML or HTML, which no reader of paste files takes",
    b"PK\x03\x04": "a spreadsheet workbook, not the machine's own file",
    b"\xd0\xcf\x11\xe0": "a spreadsheet workbook, not the machine's own file",
}


def fault_at(file: str, line: int, column: str, what: str) -> PasteFault:
    """A PasteFault that says where: lines count from 1, the column is the header's own word."""
    return PasteFault(f"{file} line {line}, column {column}: {what}")


def encoding_of(head: bytes, settings: PasteFileSettings) -> str:
    """By byte order mark, else as declared, else plain ASCII: never by trying."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), settings.encoding or "ascii")


def stranger(head: bytes) -> str:
    """Why a file with these first bytes is no table of text; "" where it may be one."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
    return next((why for mark, why in _STRANGERS.items() if start.startswith(mark)), "")


def text_of(data: bytes, file: str, settings: PasteFileSettings) -> str:
    """The file's text, lines ended by "\\n" alone. Raises PasteFault."""
    if not data:
        raise fault_at(file, 1, "1", "an empty file")
    if len(data) > MAX_FILE_BYTES:
        raise PasteFault(f"{file}: {len(data)} bytes, at most {MAX_FILE_BYTES}")
    if why := stranger(data[:64]):
        raise fault_at(file, 1, "1", why)
    encoding = encoding_of(data, settings)
    try:
        text = data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        raise _undecodable(data, file, encoding, err.start, settings) from None
    for mark, why in (("\x00", "zero bytes, as in a half-written file"), ("\r", "a carriage return inside a line")):
        if mark in text:
            raise _at_mark(text, file, mark, why, settings)
    if '"' in text:
        raise _at_mark(text, file, '"', "a quoted cell: saved by another program than the machine's", settings)
    return text


def _undecodable(data: bytes, file: str, encoding: str, at: int, settings: PasteFileSettings) -> PasteFault:
    before = data[:at]
    cell = before[before.rfind(b"\n") + 1 :].count(settings.separator.encode()) + 1
    advice = "" if settings.encoding else "; declare the station's code page (encoding)"
    what = f"byte 0x{data[at]:02X} is not {encoding}{advice}"
    return fault_at(file, before.count(b"\n") + 1, str(cell), what)


def _at_mark(text: str, file: str, mark: str, why: str, settings: PasteFileSettings) -> PasteFault:
    before = text[: text.index(mark)]
    cell = before[before.rfind("\n") + 1 :].count(settings.separator) + 1
    return fault_at(file, before.count("\n") + 1, str(cell), why)


def last_lines(head: bytes, tail: bytes, settings: PasteFileSettings) -> list[str] | None:
    """What stands after the first line break of a file's last bytes, by lines; the last one is what follows the last
    break. None where these bytes are no text, or hold no break."""
    if stranger(head):
        return None
    encoding = encoding_of(head, settings)
    if encoding == "utf-16":
        encoding = "utf-16-le" if head.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
        tail = tail[len(tail) % 2 :]
    else:
        tail = tail[tail.find(b"\n") + 1 :]  # a code page of two bytes may be cut inside a character before it
    try:
        text = tail.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    return text.split("\n")[1:] if encoding.startswith("utf-16") else text.split("\n")
