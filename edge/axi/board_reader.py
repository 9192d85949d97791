"""An X-ray machine's files as a board of the station: one index file a board, slices and the machine's export beside
it. The recipe says how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge.axi.board import AxiBoard, AxiFault
from edge.board import MAX_BOARD_ID_LEN
from edge.capture.board_file import BoardFileFault, Content, OnPart, nothing
from edge.capture.readers.axi import read_board
from edge.capture.readers.axi_index import MAX_INDEX_BYTES, whole
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.v810_seen import SeenTests


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiReader:
    """Files of one machine. Remembers the test times of the last files: made for one process and one thread."""

    settings: AxiFileSettings
    recipe_dir: Path  # the settings' root of pictures is told from here
    max_bytes: int = MAX_INDEX_BYTES
    form: str = "X-ray index"
    seen: SeenTests = field(default_factory=SeenTests)

    def ends_whole(self, head: bytes, tail: bytes) -> bool:
        """Whether the last thing in the file is a closing brace."""
        return whole(head, tail)

    def read(self, data: bytes, name: str, on_part: OnPart = nothing) -> Content:
        """The board, with all its slices, each of which is a part. Raises BoardFileFault, which says which file and
        where in it."""
        board = self.board(data, name, on_part)
        return Content(axi=board, board_id=board.serial)

    def board(self, data: bytes, name: str, on_part: OnPart = nothing) -> AxiBoard:
        """What `read` gives, without its envelope."""
        root = self.recipe_dir / self.settings.pictures
        try:
            board = read_board(data, name, self.settings, root, self.seen, on_part)
        except AxiFault as fault:
            raise BoardFileFault(str(fault)) from None
        if len(board.serial.encode()) > MAX_BOARD_ID_LEN:
            raise BoardFileFault(f"{name}: serial of {len(board.serial.encode())} bytes, at most {MAX_BOARD_ID_LEN}")
        return board
