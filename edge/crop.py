"""Cutting regions out of a picture: one function for training and station, all regions at once.

Squares are upright, so where a crop's pixels come from is a row of x and a column of y; the maps `cv2.remap` wants are
put together from those a block of crops at a time, in buffers that stay in the processor's cache. Positions are rounded
to 1/32 of a pixel, OpenCV's own fixed point: half the time of float maps, and the same pixels from OpenCV 4.8 to 5.0,
whose float maps differ.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image

BLOCK_CROPS = 32  # a block's maps and pixels take 1.2 MB at 64 px; processor time is flat from 8 to 64 crops
SUBPIXEL_BITS = 5  # cv2.INTER_BITS
SUBPIXELS = 1 << SUBPIXEL_BITS
REACH_PX = (-(2.0**15), 2.0**15 - 1)  # 16 bits; farther out there is nothing but more of the border
MAX_REMAP_ROWS = 16_384  # cv2.remap wants fewer than 2**15 destination rows in one call


def crop_squares(
    image: Image,
    centres_px: NDArray[np.float64],
    sides_px: NDArray[np.float64],
    out_px: int,
    out: Image | None = None,
) -> Image:
    """Resample upright squares of `image` to (N, out_px, out_px, 3) uint8, into `out` where one is given.

    `image` (h, w, 3) uint8, `centres_px` (N, 2) x and y of pixel centres, `sides_px` (N,). Places outside the
    picture are filled by repeating its border. Squares more than twice `out_px` wide are cut from a halved picture
    first (image pyramid), so that fine texture does not alias. Raises ValueError when `out` is another shape.
    """
    n = len(sides_px)
    crops = np.empty((n, out_px, out_px, 3), np.uint8) if out is None else out
    if crops.shape != (n, out_px, out_px, 3) or crops.dtype != np.uint8 or not crops.flags.c_contiguous:
        raise ValueError(f"out: {crops.dtype} {crops.shape}, expected contiguous uint8 ({n}, {out_px}, {out_px}, 3)")
    if n:
        _crop(image, centres_px, sides_px, crops, cv2.BORDER_REPLICATE)
    return crops


def _crop(
    image: NDArray[np.uint8],
    centres_px: NDArray[np.float64],
    sides_px: NDArray[np.float64],
    crops: Image,
    border: int,
) -> None:
    """From the pyramid level that suits each square."""
    n, out_px, _, channels = crops.shape
    level = np.maximum(0, np.floor(np.log2(np.maximum(sides_px, 1.0) / out_px))).astype(int)
    halved = image
    for k in range(int(level.max()) + 1):
        if k:
            halved = cv2.pyrDown(halved).astype(np.uint8, copy=False)
        chosen = np.flatnonzero(level == k)
        if len(chosen) == n:  # the usual board: every square at one level, straight into place
            _sample(halved, centres_px / 2**k, sides_px / 2**k, crops, border)
        elif len(chosen):
            part = np.empty((len(chosen), out_px, out_px, channels), np.uint8)
            _sample(halved, centres_px[chosen] / 2**k, sides_px[chosen] / 2**k, part, border)
            crops[chosen] = part


def crop_slices(
    slices: Image,
    centres_px: NDArray[np.float64],
    sides_px: NDArray[np.float64],
    out_px: int,
    out: Image,
) -> None:
    """Resample upright squares of every slice to `out` (N, out_px, out_px, C) uint8, one slice a channel.

    `slices` (h, w, n) uint8, n up to C; channels of slices that there are none of become 0, and so does what lies
    outside the picture (Algorithm 1 of the paper of `axi_joint`). Squares more than twice `out_px` wide are cut from a
    halved slice, as above. Raises ValueError when there are more slices than channels.
    """
    n_slices, channels = slices.shape[2], out.shape[3]
    if not 1 <= n_slices <= channels:
        raise ValueError(f"{n_slices} slices, expected 1 to {channels}")
    plane = np.empty((len(sides_px), out_px, out_px, 1), np.uint8)
    out[..., n_slices:] = 0
    for k in range(n_slices):
        _crop(np.ascontiguousarray(slices[:, :, k]), centres_px, sides_px, plane, cv2.BORDER_CONSTANT)
        out[..., k] = plane[..., 0]


def _sample(
    image: NDArray[np.uint8],
    centres_px: NDArray[np.float64],
    sides_px: NDArray[np.float64],
    crops: Image,
    border: int,
) -> None:
    n, out_px, _, channels = crops.shape
    offset = (np.arange(out_px) + 0.5) / out_px - 0.5
    span = sides_px[:, None] * offset
    x, x_fraction = _fixed_point(centres_px[:, 0, None] + span)
    y, y_fraction = _fixed_point(centres_px[:, 1, None] + span)
    y <<= 16  # a pixel's x and y are the halves of one little-endian word
    y_fraction <<= SUBPIXEL_BITS
    block = min(n, BLOCK_CROPS, max(1, MAX_REMAP_ROWS // out_px))
    pixels = np.empty((block, out_px, out_px), "<u4")
    fractions = np.empty((block, out_px, out_px), np.uint16)
    for start in range(0, n, block):
        m, part = min(block, n - start), slice(start, start + block)
        np.add(x[part, None, :], y[part, :, None], out=pixels[:m])
        np.add(x_fraction[part, None, :], y_fraction[part, :, None], out=fractions[:m])
        cv2.remap(
            image,
            pixels[:m].view("<i2").reshape(m * out_px, out_px, 2),
            fractions[:m].reshape(m * out_px, out_px),
            cv2.INTER_LINEAR,
            dst=crops[part].reshape(m * out_px, out_px, channels),
            borderMode=border,
        )


def _fixed_point(positions_px: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """Whole pixels in the lower 16 bits of (N, out_px) uint32, two's complement, and 1/32 pixels in uint16."""
    fixed = np.rint(np.clip(positions_px, *REACH_PX) * SUBPIXELS).astype(np.int32)
    return ((fixed >> SUBPIXEL_BITS) & 0xFFFF).astype("<u4"), (fixed & (SUBPIXELS - 1)).astype(np.uint16)
