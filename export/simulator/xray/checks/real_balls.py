"""The real set the twin is held against: laminography of a BGA corner, `axi_laminography_bga`. Read, never copied."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.stack import Floats

FOLDER = "axi_laminography_bga"
MU_WHITE, MU_SPAN = 0.25, 1.95  # README of the set: mu = 0.25 + (255 - g) / 255 * 1.95
FULL_COUNTS = 2200.0  # counts = 2200 (g / 255)^2
MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RealBall:
    """A ball's centre in the slices, and its row in the array."""

    name: str
    x_px: float
    y_px: float


def real_balls(data: Path) -> list[RealBall]:
    """Balls of the developer part. Raises ValueError for a table without any, OSError without the set."""
    with (data / FOLDER / "joints.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for _, row in zip(range(MAX_ROWS), csv.DictReader(file), strict=False)]
    balls = [
        RealBall(
            name=row["joint"],
            x_px=(float(row["x0"]) + float(row["x1"])) / 2 - 0.5,
            y_px=(float(row["y0"]) + float(row["y1"])) / 2 - 0.5,
        )
        for row in rows
        if row["kind"] == "bga_ball"
    ]
    if not balls:
        raise ValueError(f"{data / FOLDER / 'joints.csv'}: no row of kind bga_ball")
    return balls


def real_slices(data: Path, focus_t: Sequence[int]) -> Floats:
    """(slices, h, w) float32 mu at whole heights the set has."""
    grey = [_read(data / FOLDER / "slices" / f"t{'m' if t < 0 else 'p'}{abs(t):02d}.png") for t in focus_t]
    return (MU_WHITE + (255.0 - np.array(grey, np.float32)) / 255.0 * MU_SPAN).astype(np.float32)


def real_projections(data: Path, wanted: int) -> Floats:
    """(n, h, w) float32 counts of the first projections."""
    files = sorted((data / FOLDER / "projections").glob("az*.png"))[:wanted]
    return np.array([FULL_COUNTS * (_read(file).astype(np.float32) / 255.0) ** 2 for file in files], np.float32)


def dark_places(counts: Floats, at_most: float = 230.0, apart_px: int = 61) -> list[tuple[float, float]]:
    """Centres of the balls of a projection: the darkest places, apart from one another."""
    calm = cv2.GaussianBlur(counts, (0, 0), 6.0)
    rim = 20
    low = (calm == cv2.erode(calm, np.ones((apart_px, apart_px), np.uint8))) & (calm < at_most)
    low[:rim], low[-rim:], low[:, :rim], low[:, -rim:] = False, False, False, False
    return [(float(x), float(y)) for y, x in zip(*np.nonzero(low), strict=True)]


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise OSError(f"{path}: is missing, or not a picture OpenCV can read")
    return picture.astype(np.uint8, copy=False)
