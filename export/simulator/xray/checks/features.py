"""A joint as a few numbers: what a cheap classifier is given, to guess how hard a set is before a network is trained.

The crop is the paper's Algorithm 1: a square of 1.5 times the longer side of the region, zeros beyond the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.roi import Roi

CROP_SCALE = 1.5
MAX_SLICES = 6
SIDE_PX = 32
MISSING = -1000.0
_RINGS = 8


def joint_crop(slices: NDArray[np.uint8], roi: Roi, side_px: int = SIDE_PX) -> NDArray[np.float32]:
    """(n, side, side) float32 0..255 of one joint in (n, h, w) slices."""
    side = max(8, round(CROP_SCALE * max(roi.x1 - roi.x0, roi.y1 - roi.y0)))
    x0, y0 = round((roi.x0 + roi.x1 - side) / 2), round((roi.y0 + roi.y1 - side) / 2)
    height, width = slices.shape[1:]
    square = np.zeros((len(slices), side, side), np.uint8)
    left, top, right, bottom = max(0, x0), max(0, y0), min(width, x0 + side), min(height, y0 + side)
    if left < right and top < bottom:
        square[:, top - y0 : bottom - y0, left - x0 : right - x0] = slices[:, top:bottom, left:right]
    out = np.empty((len(slices), side_px, side_px), np.float32)
    for n, plane in enumerate(square):
        out[n] = cv2.resize(plane, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return out


def joint_features(slices: NDArray[np.uint8], roi: Roi) -> NDArray[np.float32]:
    """(6 * 26,) of each slice: mean and spread of eight rings, the darkest line towards each side, spread, contrast;
    MISSING for slices that are not there."""
    crop = joint_crop(slices, roi)
    found = np.full((MAX_SLICES, 2 * _RINGS + 10), MISSING, np.float32)
    for n, plane in enumerate(crop):
        found[n] = _of_slice(plane)
    return found.ravel()


def _of_slice(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    middle = (SIDE_PX - 1) / 2
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] - middle
    ring = np.minimum((np.hypot(rows, columns) / (0.7 * SIDE_PX) * _RINGS).astype(int), _RINGS - 1).ravel()
    count = np.bincount(ring, minlength=_RINGS)
    flat = plane.ravel()
    means = np.bincount(ring, flat, _RINGS) / count
    spreads = np.sqrt(np.maximum(np.bincount(ring, flat**2, _RINGS) / count - means**2, 0))
    high = np.percentile(flat, (2, 25, 50, 75, 98))
    quarter = SIDE_PX // 4
    sides = (plane[:, :quarter], plane[:, -quarter:], plane[:quarter].T, plane[-quarter:].T)
    gaps = [side[quarter:-quarter].mean(axis=1).min() - high[3] for side in sides]  # a bridge is a dark line outwards
    lightest = plane[quarter:-quarter, quarter:-quarter].max() - means[0]
    return np.concatenate([means, spreads, high, np.sort(gaps), [lightest]]).astype(np.float32)
