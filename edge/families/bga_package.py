"""`bga_package`: a grey picture of a whole BGA package, or a tile of one. Pixels in, graph input out; for training and
station."""

from __future__ import annotations

import cv2
import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract

STANDARDISED_SCALE = 0.25  # standard deviations to graph units: a picture's range becomes about one, as `frac` has it


def graph_input(crops: Image, contract: Contract, out: Floats | None = None) -> Floats:
    """(N, h, w, 3) uint8 BGR crops to the graph's (N, 1, h, w) float32 of grey, into `out` where one is given.

    `frac` is grey / 255. `standardised` gives each picture zero mean and `STANDARDISED_SCALE` deviation, so that lamp
    and exposure say nothing. Raises ValueError when `out` is another shape.
    """
    n, height, width, _ = crops.shape
    tensor = np.empty((n, 1, height, width), np.float32) if out is None else out
    if tensor.shape != (n, 1, height, width) or tensor.dtype != np.float32 or not tensor.flags.c_contiguous:
        raise ValueError(f"out: {tensor.dtype} {tensor.shape}, expected contiguous float32 ({n}, 1, {height}, {width})")
    if not n:
        return tensor
    grey = cv2.cvtColor(crops.reshape(n * height, width, 3), cv2.COLOR_BGR2GRAY).reshape(n, height * width)
    rows = tensor.reshape(n, height * width)
    if contract.normalisation == "frac":
        np.multiply(grey, np.float32(1 / 255), out=rows)
        return tensor
    rows[:] = grey
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
    rows *= (np.float32(STANDARDISED_SCALE) / np.sqrt(np.maximum(variance, np.float32(1.0))))[:, None]
    return tensor
