"""A recording through the real station: recorded pictures go into the inbox, one a takt, and the watched folder does
the rest. The same loop, the same files, the same faults as on the line.

Copies keep their time of writing, so after a restart the same pictures are the same triggers: the journal knows them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge.board import Board
from edge.capture import Capture
from edge.capture.folder import UNFINISHED_SUFFIXES
from edge.clock import Clock


class ReplayCapture:
    """Feeds `recorded` into `inbox` at `takt_ms`, then waits on as the folder does. Needs a folder with pictures."""

    def __init__(self, recorded: Path, inbox: Path, takt_ms: int, folder: Capture, clock: Clock) -> None:
        self._inbox = inbox
        self._folder = folder
        self._clock = clock
        self._takt_ns = takt_ms * 1_000_000
        self._next_ns = clock.now_ns()
        names = sorted(p for p in recorded.iterdir() if p.is_file() and not p.name.startswith("."))
        self._left = [p for p in names if not p.name.endswith(UNFINISHED_SUFFIXES)]

    def next_board(self, timeout_ms: int) -> Board | None:
        """The next board; a recorded one is put into the inbox when its takt has come."""
        if self._left and self._clock.now_ns() >= self._next_ns:
            self._next_ns += self._takt_ns
            self._feed(self._left.pop(0))
        return self._folder.next_board(timeout_ms)

    def settled(self, board: Board) -> None:
        """As the folder's."""
        self._folder.settled(board)

    def _feed(self, picture: Path) -> None:
        aside = self._inbox / f".{picture.name}"
        shutil.copy2(picture, aside)
        os.replace(aside, self._inbox / picture.name)
