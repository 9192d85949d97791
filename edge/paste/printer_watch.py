"""Watches the printer: the pad scores of the last boards, and the fault they show, where the bundle can name one."""

from __future__ import annotations

from collections import deque

import numpy as np

from edge.board import Floats, PrinterFault
from edge.bundle import Bundle
from edge.paste.drawing import Drawing
from edge.paste.fault_namer import FaultNamer
from edge.paste.fault_naming import RECENT_BOARDS, fault_picture, fault_region, printer_map
from edge.paste.planes import BoardPads
from edge.paste.table import PadTable


class PrinterWatch:
    """Of one inspection. Without a namer in its bundle it sees nothing and costs nothing."""

    def __init__(self, bundle: Bundle, table: PadTable) -> None:
        """Raises BundleFault when the bundle's namer cannot be used."""
        self._table = table
        self._namer = None if bundle.namer is None else FaultNamer(*bundle.namer)
        boards = 1 if self._namer is None else self._namer.settings.boards
        self._maps: deque[Floats] = deque(maxlen=boards)
        self._counters: deque[int | None] = deque(maxlen=boards)

    def observe(self, board: BoardPads, scored: Floats, drawing: Drawing) -> PrinterFault | None:
        """One board and its signed map (tiles, S, S); the fault the last boards show, in the drawing's pixels, or None;
        none on the first two. Raises ScorerFault."""
        if self._namer is None:
            return None
        settings = self._namer.settings
        self._maps.append(printer_map(self._table, board) if settings.map_source == "printer" else scored.copy())
        self._counters.append(board.counter)
        if len(self._maps) < RECENT_BOARDS:
            return None
        maps = np.stack(self._maps)
        picture = fault_picture(maps, self._table, settings.pad_threshold, tuple(self._counters), settings.channels)
        call = self._namer.name(picture)
        if call is None:
            return None
        region = fault_region(maps, self._table, call.kind)
        box_mm = drawing.panel_mm if region is None else (region.x0_mm, region.y0_mm, region.x1_mm, region.y1_mm)
        return PrinterFault(kind=call.kind, probability=call.probability, box_px=drawing.box_px(box_mm))

    def clear(self) -> None:
        """Forget all boards."""
        self._maps.clear()
        self._counters.clear()
        if self._namer is not None:
            self._namer.reset()
