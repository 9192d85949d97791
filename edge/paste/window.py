"""The last boards of one product, as planes: the board under judgement is the newest. What breaks the sequence empties
the window, and is said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Floats
from edge.paste.planes import BoardPads, board_planes
from edge.paste.table import PadTable

MAX_STEP = 2  # counters within one run: a panel may have been taken off the line


class PasteWindow:
    """`boards` boards of `table`'s pads in the planes a graph takes. All memory is taken when it is built."""

    def __init__(self, table: PadTable, planes: Sequence[str], boards: int) -> None:
        self._table, self._planes = table, tuple(planes)
        side = table.side_cells
        self._window = np.zeros((table.n_tiles, boards, len(self._planes), side, side), np.float32)
        self._counter: int | None = None
        self.n_held = 0

    @property
    def values(self) -> Floats:
        """(tiles, T, C, S, S) float32, oldest first; good until the next board."""
        return self._window

    def push(self, board: BoardPads) -> str:
        """Take a board of the table's pads. Gives why the boards before it were forgotten, or nothing."""
        why = self._break(board.counter)
        if why:
            self.clear()
        self._window[:, :-1] = self._window[:, 1:]
        self._window[:, -1] = board_planes(self._table, board, self._planes)
        self._counter = board.counter
        self.n_held = min(self.n_held + 1, self._window.shape[1])
        return why

    def clear(self) -> None:
        """Forget all boards."""
        self._window[:] = 0.0
        self._counter, self.n_held = None, 0

    def _break(self, counter: int | None) -> str:
        if not self.n_held or counter is None or self._counter is None:
            return ""
        if 1 <= counter - self._counter <= MAX_STEP:
            return ""
        return f"panel {counter} after panel {self._counter}"
