"""Readers of SPI machines' files: one row a format. Pure: bytes in, a PastePanel or PasteFault out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.capture.readers import koh_young, spi_table
from edge.capture.readers.paste_settings import FormatName, PasteFileSettings
from edge.paste.panel import PastePanel

TAIL_BYTES = 4096
HEAD_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteReader:
    """One format."""

    read_panel: Callable[[bytes, str, PasteFileSettings], PastePanel]
    whole: Callable[[bytes, bytes, PasteFileSettings], bool]


READERS: dict[FormatName, PasteReader] = {
    "koh_young_csv": PasteReader(read_panel=koh_young.read_panel, whole=koh_young.whole),
    "spi_table": PasteReader(read_panel=spi_table.read_panel, whole=spi_table.whole),
}


def read_panel(data: bytes, name: str, settings: PasteFileSettings) -> PastePanel:
    """The panel in a file called `name` (without its folder). Raises PasteFault, which says file, line and column; a
    pad whose number does not parse has NaN there and is told of in `faults`."""
    return READERS[settings.format].read_panel(data, name, settings)


def whole(head: bytes, tail: bytes, settings: PasteFileSettings) -> bool:
    """Whether a file with these first bytes (HEAD_BYTES) and last bytes (TAIL_BYTES, or all of it where it is shorter)
    ends as its format ends. The number of pads is not looked at here: the recipe has that."""
    return READERS[settings.format].whole(head, tail, settings)
