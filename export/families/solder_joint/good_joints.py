"""Good joints with their surroundings, as `painted` needs them: wide crops, where the solder sits, where neighbours
are.

A crop of three pitches leaves room to turn, shift and scale a joint without meeting the edge of what is known, and to
paint a bridge to the next pin. Distances are in canvas pixels: one pitch is `PITCH_PX` of them whatever the camera.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.datasets import Row, load_crops

CANVAS_PX = 128
CANVAS_PITCHES = 3.0
PITCH_PX = CANVAS_PX / CANVAS_PITCHES
MIDDLE_PX = (CANVAS_PX - 1) / 2

NEIGHBOUR_PITCHES = (0.8, 1.2)  # the next pin of a header; diagonals are at 1.41
MAX_OFFSET_PITCHES = 0.25  # a registered centre is off by up to a quarter of the pitch
DISC_PITCHES = 0.29  # a typical pad's radius
GAP_PX, SURROUND_PX = 2, 8  # the disc is held against a ring from 2 to 8 px outside it
OFFSET_COST = 0.6  # in deviations of the match, at the largest offset: prefers the registered centre when in doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints:
    """N joints in canvases of three pitches: `canvases` (N, 128, 128, 3) uint8 BGR, `centres_px` (N, 2) x and y of the
    solder on its canvas, and for each the (K, 2) vectors to the next pins of its header, K from 0 to 4."""

    canvases: Image
    centres_px: NDArray[np.float32]
    neighbours_px: tuple[NDArray[np.float32], ...]

    def __len__(self) -> int:
        return len(self.canvases)


def read_joints(folder: Path, rows: Sequence[Row], all_rows: Sequence[Row]) -> Joints:
    """The joints of `rows` (each with a place); `all_rows` are the places where the next pins are looked for."""
    canvases = load_crops(folder, rows, CANVAS_PX, CANVAS_PITCHES)
    return Joints(
        canvases=canvases,
        centres_px=np.array([solder_centre_px(c) for c in canvases], np.float32).reshape(-1, 2),
        neighbours_px=_neighbours_px(rows, all_rows),
    )


def solder_centre_px(canvas: Image) -> tuple[float, float]:
    """Where in a canvas (128, 128, 3) the solder of its joint sits: the bright grey disc that stands out most from its
    ring.

    The darkest colour channel shows metal, which is grey, and hides the solder mask, whatever its colour.
    """
    metal = canvas.min(axis=2).astype(np.float32)
    inner = metal[CANVAS_PX // 4 : -CANVAS_PX // 4, CANVAS_PX // 4 : -CANVAS_PX // 4]
    metal = np.minimum(metal, np.percentile(inner, 90))  # a highlight must not pull the disc to itself
    reach = int(MAX_OFFSET_PITCHES * PITCH_PX)
    window = slice(CANVAS_PX // 2 - reach, CANVAS_PX // 2 + reach + 1)
    match = cv2.filter2D(metal, cv2.CV_32F, _disc_kernel())[window, window]
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    match = match / (match.std() + 1e-6) - OFFSET_COST * (xx**2 + yy**2) / reach**2
    row, column = np.unravel_index(int(match.argmax()), match.shape)
    return float(CANVAS_PX // 2 - reach + column), float(CANVAS_PX // 2 - reach + row)


def _disc_kernel() -> NDArray[np.float32]:
    radius = round(DISC_PITCHES * PITCH_PX)
    half = radius + SURROUND_PX + 2
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(xx, yy)
    disc = distance <= radius
    ring = (distance > radius + GAP_PX) & (distance <= radius + SURROUND_PX)
    return (disc / disc.sum() - ring / ring.sum()).astype(np.float32)


def _neighbours_px(rows: Sequence[Row], all_rows: Sequence[Row]) -> tuple[NDArray[np.float32], ...]:
    places: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)
    for row in all_rows:
        if row.place is not None:
            places[row.path].append((row.place.x_px, row.place.y_px))
    found = []
    for row in rows:
        if row.place is None:
            raise ValueError(f"{row.path}: painting defects needs rows with a centre and a pitch")
        vectors = (np.array(places[row.path]) - (row.place.x_px, row.place.y_px)) / row.place.size_px
        distance = np.hypot(vectors[:, 0], vectors[:, 1])
        near = (distance > NEIGHBOUR_PITCHES[0]) & (distance < NEIGHBOUR_PITCHES[1])
        found.append((vectors[near] * PITCH_PX).astype(np.float32))
    return tuple(found)
