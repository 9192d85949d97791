"""`solder_joint`: optical pictures of single joints. Pixels in, graph input out; for training and station."""

from __future__ import annotations

import cv2
import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract

STANDARDISED_SCALE = 0.4  # standard deviations to graph units: keeps +-2.5 sigma inside Tanh's range
BLOCK_CROPS = 16  # a block's planes (800 kB at 64 px) stay in cache from one pass over them to the next


def graph_input(crops: Image, contract: Contract, out: Floats | None = None) -> Floats:
    """(N, h, w, 3) uint8 BGR crops to the graph's (N, 3, h, w) float32, into `out` where one is given.

    `unit` is the paper's x/127.5 - 1. `standardised` gives each crop, and each colour of it, zero mean and
    `STANDARDISED_SCALE` deviation, so that exposure and contrast of the camera say nothing. Raises ValueError when
    `out` is another shape.
    """
    n, height, width, _ = crops.shape
    tensor = np.empty((n, 3, height, width), np.float32) if out is None else out
    if tensor.shape != (n, 3, height, width) or tensor.dtype != np.float32 or not tensor.flags.c_contiguous:
        raise ValueError(f"out: {tensor.dtype} {tensor.shape}, expected contiguous float32 ({n}, 3, {height}, {width})")
    fill = _fill_grey if contract.channels == "grey" else _fill_colours
    for start in range(0, n, BLOCK_CROPS):
        part = slice(start, start + BLOCK_CROPS)
        fill(tensor[part], crops[part], contract.normalisation)
    return tensor


def _fill_colours(tensor: Floats, crops: Image, normalisation: str) -> None:
    """Colours are parted as bytes and become floats in place: a twentieth of what one pass over floats costs."""
    n, height, width, _ = crops.shape
    for k, plane in enumerate(cv2.split(crops.reshape(n * height, width, 3))):
        tensor[:, k] = plane.reshape(n, height, width)
    _scale(tensor.reshape(n * 3, height * width), normalisation)


def _fill_grey(tensor: Floats, crops: Image, normalisation: str) -> None:
    n, height, width, _ = crops.shape
    grey = cv2.cvtColor(crops.reshape(n * height, width, 3), cv2.COLOR_BGR2GRAY)
    rows = grey.reshape(n, height * width).astype(np.float32)
    _scale(rows, normalisation)
    tensor[:] = rows.reshape(n, 1, height, width)


def _scale(rows: Floats, normalisation: str) -> None:
    """Planes of grey levels, (M, h*w), to graph units, in place. Means are exact: sums of grey levels stay below
    2**24."""
    if normalisation == "unit":
        rows /= np.float32(127.5)
        rows -= np.float32(1.0)
        return
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
    deviation = np.maximum(np.sqrt(variance), np.float32(1.0))
    rows *= (np.float32(STANDARDISED_SCALE) / deviation)[:, None]
