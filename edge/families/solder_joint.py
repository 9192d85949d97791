"""`solder_joint`: optical pictures of single joints. Pixels in, graph input out; for training and station."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import Contract

STANDARDISED_SCALE = 0.4  # standard deviations to graph units: keeps +-2.5 sigma inside Tanh's range


def graph_input(crops: Image, contract: Contract) -> Floats:
    """(N, h, w, 3) uint8 BGR crops to the graph's (N, 3, h, w) float32.

    `unit` is the paper's x/127.5 - 1. `standardised` gives each crop zero mean and `STANDARDISED_SCALE` deviation,
    so that exposure and contrast of the camera say nothing.
    """
    pixels = _grey(crops) if contract.channels == "grey" else crops.astype(np.float32)
    if contract.normalisation == "unit":
        scaled = pixels / np.float32(127.5) - np.float32(1.0)
    else:
        mean = pixels.mean(axis=(1, 2), keepdims=True)
        deviation = np.maximum(pixels.std(axis=(1, 2), keepdims=True), np.float32(1.0))
        scaled = (pixels - mean) * (np.float32(STANDARDISED_SCALE) / deviation)
    planes = np.moveaxis(scaled, 3, 1)
    return np.ascontiguousarray(np.broadcast_to(planes, (len(crops), 3, *crops.shape[1:3])), dtype=np.float32)


def _grey(crops: Image) -> NDArray[np.float32]:
    n, height, width, _ = crops.shape
    grey = cv2.cvtColor(crops.reshape(n * height, width, 3), cv2.COLOR_BGR2GRAY)
    return grey.reshape(n, height, width, 1).astype(np.float32)
