"""Where boards come from: a watched folder on the line, or a recording. Both keep the one promise below."""

from __future__ import annotations

from typing import Protocol

from edge.board import Board


class Capture(Protocol):
    """Boards in the order they were triggered. A broken picture is a board with a fault, never a board skipped."""

    def next_board(self, timeout_ms: int) -> Board | None:
        """The next board, or None when none came within `timeout_ms`."""
        ...

    def settled(self, board: Board) -> None:
        """The board's verdict is durable: its picture may leave the work folder."""
        ...
