"""`paste_print`: windows of boards on a grid of pads. The planes are made where pads are known (`edge.paste.planes`),
so a graph takes them as they are."""

from __future__ import annotations

import numpy as np

from edge.board import Floats
from edge.bundle import Contract


def graph_input(windows: Floats, contract: Contract, out: Floats | None = None) -> Floats:
    """(N, T, C, S, S) float32 windows to the graph's input of the same shape, in `out` where one is given. Raises
    ValueError when `out` is another shape."""
    if out is None:
        return np.ascontiguousarray(windows, np.float32)
    if out.shape != windows.shape:
        raise ValueError(f"out: {out.shape}, expected {windows.shape}")
    np.copyto(out, windows)
    return out
