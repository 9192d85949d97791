"""What a machine's file becomes: a picture, a panel of paste, or joints in X-ray slices. One reader a recipe; the
watched folder, the replay and `boardgate inspect` read by the same."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.axi.board import AxiBoard
from edge.board import MAX_BOARD_ID_LEN, Board, Image
from edge.capture.readers.picture import (
    MAX_PICTURE_BYTES,
    PictureFault,
    PictureSize,
    decode_picture,
    ends_whole,
)
from edge.clock import Clock
from edge.paste.panel import PastePanel

HEAD_BYTES, TAIL_BYTES = 64, 4096  # what a reader looks at to say whether a file is whole


OnPart = Callable[[], object]


def nothing() -> None:
    """For whom nobody waits."""


class BoardFileFault(Exception):
    """The bytes are not what the recipe's machine writes for a board: where, what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file shows: one of the three. `board_id` where the file itself names the board; its reader has then seen
    to it that the file's name says nothing else."""

    image: Image | None = None
    panel: PastePanel | None = None
    axi: AxiBoard | None = None
    board_id: str = ""


class BoardReader(Protocol):
    """Reads one board's file, whole or not at all."""

    @property
    def max_bytes(self) -> int:
        """A larger file is not read."""
        ...

    @property
    def form(self) -> str:
        """What such a file is called."""
        ...

    def ends_whole(self, head: bytes, tail: bytes) -> bool:
        """Whether a file with these first HEAD_BYTES and last TAIL_BYTES bytes may be whole."""
        ...

    def read(self, data: bytes, name: str, on_part: OnPart = nothing) -> Content:
        """The content of a file called `name`; where reading takes long, `on_part` is called after each part. Raises
        BoardFileFault."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureReader:
    """Pictures of exactly the recipe's size; of none at all while there is no recipe."""

    size: PictureSize
    max_bytes: int = MAX_PICTURE_BYTES
    form: str = "JPEG or PNG"

    def ends_whole(self, head: bytes, tail: bytes) -> bool:
        """By the format's own end marker."""
        return ends_whole(head, tail)

    def read(self, data: bytes, name: str, on_part: OnPart = nothing) -> Content:
        """The picture, decoded. Raises BoardFileFault."""
        try:
            return Content(image=decode_picture(data, self.size))
        except PictureFault as err:
            raise BoardFileFault(str(err)) from None


def board_from_file(path: Path, reader: BoardReader, clock: Clock, board_id: str = "", uid: str = "") -> Board:
    """A board from a file on disk, triggered now. A broken file is a board with a fault. `uid` is of the trigger that
    kept the file, whose name begins with it then."""
    data = path.read_bytes()
    fault, content = "", Content()
    try:
        content = reader.read(data, path.name.removeprefix(f"{uid}_"))
    except BoardFileFault as err:
        fault = str(err)
    return Board(
        uid=uuid.uuid4().hex,
        board_id=(board_id or content.board_id or path.stem)[:MAX_BOARD_ID_LEN],
        trigger_ns=clock.now_ns(),
        trigger_utc=clock.utc(),
        picture_path=str(path),
        picture_sha256=hashlib.sha256(data).hexdigest(),
        image=content.image,
        panel=content.panel,
        axi=content.axi,
        capture_fault=fault,
    )
