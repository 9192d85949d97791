"""`axi_joint`: single joints in slices of a 3D X-ray machine. Slices in, graph input out; for training and station."""

from __future__ import annotations

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract


def graph_input(crops: Image, contract: Contract, out: Floats | None = None) -> Floats:
    """(N, h, w, C) uint8 crops, one grey slice a channel, to the graph's (N, C, h, w) float32 from 0 to 1, into `out`
    where one is given. A missing slice is 0 everywhere and stays so. Raises ValueError when `out` is another shape."""
    n, height, width, slices = crops.shape
    shape = (n, slices, height, width)
    tensor = np.empty(shape, np.float32) if out is None else out
    if slices != contract.n_slices or tensor.shape != shape or tensor.dtype != np.float32:
        raise ValueError(f"{slices} slices, out: {tensor.dtype} {tensor.shape}, expected {contract.n_slices}, {shape}")
    np.multiply(np.moveaxis(crops, -1, 1), np.float32(1 / 255), out=tensor)
    return tensor
