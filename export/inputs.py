"""What rows of a data set are to a graph: crops, of pictures or slices, or windows of boards, as the contract says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.board import Floats, Image
from edge.bundle import Contract
from export.datasets import Row, contract_crops
from export.slices import contract_slices
from export.windows import contract_windows


def contract_inputs(folder: Path, rows: Sequence[Row], contract: Contract) -> Image | Floats:
    """(N, h, w, C) uint8 crops, or (N, T, C, S, S) float32 windows, in row order. Raises DataFault."""
    if contract.window is not None:
        return contract_windows(folder, rows, contract)
    if contract.n_slices is not None:
        return contract_slices(folder, rows, contract)
    return contract_crops(folder, rows, contract)
