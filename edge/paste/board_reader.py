"""An SPI machine's file as a board of the station: the recipe says how it is to be read."""

from __future__ import annotations

from dataclasses import dataclass

from edge.board import MAX_BOARD_ID_LEN
from edge.capture.board_file import BoardFileFault, Content, OnPart, nothing
from edge.capture.readers.paste import read_panel, whole
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import PasteFault

MAX_FILE_BYTES = 64 * 1024 * 1024  # a panel of 200,000 pads is some 30 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteReader:
    """Files of one machine."""

    settings: PasteFileSettings
    max_bytes: int = MAX_FILE_BYTES

    @property
    def form(self) -> str:
        """The format's name."""
        return f"{self.settings.format} file"

    def ends_whole(self, head: bytes, tail: bytes) -> bool:
        """Whether the last line is whole."""
        return whole(head, tail, self.settings)

    def read(self, data: bytes, name: str, on_part: OnPart = nothing) -> Content:
        """The panel. Raises BoardFileFault, with line and column."""
        try:
            panel = read_panel(data, name, self.settings)
        except PasteFault as fault:
            raise BoardFileFault(str(fault)) from None
        if len(panel.barcode.encode()) > MAX_BOARD_ID_LEN:
            raise BoardFileFault(f"{name}: barcode of {len(panel.barcode.encode())} bytes, at most {MAX_BOARD_ID_LEN}")
        return Content(panel=panel, board_id=panel.barcode)
