"""Joints with their surroundings, kept small: twice a crop's side, halved to the size that the network of `best` looks
at. Whatever region a machine might have drawn can be cut from one; cut at its middle it is what the graph itself makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.board import Image
from edge.bundle import Contract
from export.datasets import Row
from export.families.axi_joint.best_net import SHRINK
from export.inputs import contract_inputs

AROUND = 2  # canvas side / crop side: room for a region twice as large, or shifted by two thirds of itself
ROWS_AT_ONCE = 256  # 100 MB of unshrunk pictures


def read_canvases(folder: Path, rows: Sequence[Row], contract: Contract) -> Image:
    """(N, 128, 128, 6) uint8 for crops of 128 px, the region's crop in the middle 64 x 64. Raises DataFault."""
    wide = contract.model_copy(
        update={"region_scale": AROUND * contract.region_scale, "crop_px": AROUND * contract.crop_px}
    )
    side = wide.crop_px // SHRINK
    canvases = np.empty((len(rows), side, side, wide.crop_channels), np.uint8)
    for n in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(n, min(n + ROWS_AT_ONCE, len(rows)))
        canvases[part] = _halved(np.asarray(contract_inputs(folder, rows[part], wide), np.uint8))
    return canvases


def _halved(pictures: Image) -> Image:
    """Means of 2 x 2 pixels, rounded."""
    n, height, width, channels = pictures.shape
    blocks = pictures.reshape(n, height // SHRINK, SHRINK, width // SHRINK, SHRINK, channels)
    means = blocks.sum(axis=(2, 4), dtype=np.uint16) + SHRINK * SHRINK // 2
    return (means // (SHRINK * SHRINK)).astype(np.uint8)
