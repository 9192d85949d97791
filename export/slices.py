"""Joints in X-ray slices, from a data set: `joints.csv` with `path` of the lowest slice, `slices` and a box a row. Cut
by the station's own function."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.bundle import Contract
from edge.crop import crop_slices
from export.datasets import DataFault, Row


def contract_slices(folder: Path, rows: Sequence[Row], contract: Contract) -> Image:
    """(N, crop_px, crop_px, C) uint8, a slice a channel, in row order; each picture is read once. Raises DataFault."""
    crops = np.zeros((len(rows), contract.crop_px, contract.crop_px, contract.crop_channels), np.uint8)
    by_files: dict[tuple[str, ...], list[int]] = collections.defaultdict(list)
    for i, row in enumerate(rows):
        by_files[row.files].append(i)
    for files, indices in by_files.items():
        if len(files) > contract.crop_channels:
            raise DataFault(f"{folder / files[0]}: {len(files)} slices, the contract has {contract.crop_channels}")
        slices = read_slices(folder, files)
        squares = np.array([_square(rows[i], slices, contract.region_scale) for i in indices], np.float64)
        part = np.empty((len(indices), *crops.shape[1:]), np.uint8)
        crop_slices(slices, squares[:, :2], squares[:, 2], contract.crop_px, part)
        crops[indices] = part
    return crops


def read_slices(folder: Path, files: Sequence[str]) -> Image:
    """Pictures of one place at several heights, (h, w, n) uint8 grey, in the given order. Raises DataFault."""
    planes = [_grey(folder / file) for file in files]
    for plane, file in zip(planes, files, strict=True):
        if plane.shape != planes[0].shape:
            raise DataFault(f"{folder / file}: {plane.shape[::-1]} px, the lowest slice has {planes[0].shape[::-1]}")
    return np.stack(planes, axis=2)


def shown(crops: Image) -> Image:
    """Crops as pictures (N, h, w, 3) uint8 for people and for numbers that know colours: of slices the lowest, the
    middle and the highest there is."""
    if crops.shape[3] == 3:
        return crops
    there = np.maximum(crops.any(axis=(1, 2)).sum(axis=1), 1)
    chosen = np.stack([np.zeros_like(there), (there - 1) // 2, there - 1], axis=1)
    return np.take_along_axis(crops, chosen[:, None, None, :], axis=3)


def _grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataFault(f"{path}: is missing, or not a picture OpenCV can read")
    return image.astype(np.uint8, copy=False)


def _square(row: Row, slices: Image, region_scale: float) -> tuple[float, float, float]:
    height, width = slices.shape[:2]
    if row.place is None:
        return (width - 1) / 2.0, (height - 1) / 2.0, float(min(width, height))
    return row.place.x_px, row.place.y_px, region_scale * row.place.size_px
