"""Cutting regions out of a picture: one function for training and station, all regions at once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image

MAX_TILE_ROWS = 16_384  # OpenCV's remap wants destinations below 2**15 rows; half of that also keeps maps in cache


def crop_squares(image: Image, centres_px: NDArray[np.float64], sides_px: NDArray[np.float64], out_px: int) -> Image:
    """Resample upright squares of `image` to (N, out_px, out_px, 3) uint8.

    `image` (h, w, 3) uint8, `centres_px` (N, 2) x and y of pixel centres, `sides_px` (N,). Places outside the
    picture are filled by repeating its border. Squares more than twice `out_px` wide are cut from a halved picture
    first (image pyramid), so that fine texture does not alias.
    """
    crops = np.empty((len(sides_px), out_px, out_px, 3), np.uint8)
    if not len(sides_px):
        return crops
    level = np.maximum(0, np.floor(np.log2(np.maximum(sides_px, 1.0) / out_px))).astype(int)
    halved = image
    for k in range(int(level.max()) + 1):
        if k:
            halved = cv2.pyrDown(halved).astype(np.uint8, copy=False)
        chosen = np.flatnonzero(level == k)
        if len(chosen):
            crops[chosen] = _sample(halved, centres_px[chosen] / 2**k, sides_px[chosen] / 2**k, out_px)
    return crops


def _sample(image: Image, centres_px: NDArray[np.float64], sides_px: NDArray[np.float64], out_px: int) -> Image:
    offset = ((np.arange(out_px) + 0.5) / out_px - 0.5).astype(np.float32)
    span = sides_px[:, None].astype(np.float32) * offset[None, :]
    xs = centres_px[:, 0, None].astype(np.float32) + span
    ys = centres_px[:, 1, None].astype(np.float32) + span
    n = len(sides_px)
    map_x = np.broadcast_to(xs[:, None, :], (n, out_px, out_px)).reshape(n * out_px, out_px)
    map_y = np.broadcast_to(ys[:, :, None], (n, out_px, out_px)).reshape(n * out_px, out_px)
    rows = [slice(i, i + MAX_TILE_ROWS) for i in range(0, n * out_px, MAX_TILE_ROWS)]
    tiles = [cv2.remap(image, map_x[r], map_y[r], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for r in rows]
    return np.concatenate(tiles).reshape(n, out_px, out_px, 3).astype(np.uint8, copy=False)
