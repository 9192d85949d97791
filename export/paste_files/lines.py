"""A large table, line by line, in the encoding its machine is declared to write."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edge.capture.readers.paste import HEAD_BYTES
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.capture.readers.paste_text import MAX_LINE_CHARS, encoding_of, fault_at, stranger
from edge.paste.panel import PasteFault


def lines_of(path: Path, settings: PasteFileSettings) -> Iterator[str]:
    """The lines with their ends, pieces of at most MAX_LINE_CHARS + 1 characters. Raises PasteFault for bytes that are
    no text in the declared encoding, and for files that are no table."""
    with path.open("rb") as raw:
        head = raw.read(HEAD_BYTES)
    if why := stranger(head):
        raise fault_at(path.name, 1, "1", why)
    encoding = encoding_of(head, settings)
    with path.open(encoding=encoding, newline="\n") as file:
        try:
            yield from iter(partial(file.readline, MAX_LINE_CHARS + 1), "")
        except UnicodeDecodeError as err:
            raise _undecodable(path, encoding, settings) or PasteFault(f"{path.name}: {err}") from None


def _undecodable(path: Path, encoding: str, settings: PasteFileSettings) -> PasteFault | None:
    """The line and cell of the first byte that does not decode; None where lines cannot be told apart in bytes."""
    if encoding == "utf-16":
        return None
    with path.open("rb") as raw:
        for number, line in enumerate(iter(partial(raw.readline, MAX_LINE_CHARS + 1), b""), start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as err:
                cell = line[: err.start].count(settings.separator.encode()) + 1
                what = f"byte 0x{line[err.start]:02X} is not {encoding}; declare the code page (encoding)"
                return fault_at(path.name, number, str(cell), what)
    return None
