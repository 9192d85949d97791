"""Where a joint lies in its crop, and its slices in polar coordinates round it, as darkness against the background.

What lies outside the picture, and slices that are not there, are zero in a crop; neither is taken for solder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image

CROP_PX = 128
REGION_SCALE = 1.5  # crop side / side of the joint's region
HALF_REGION_PX = CROP_PX / REGION_SCALE / 2
RADII, ANGLES = 64, 96  # of the polar picture, one pixel a radius: they reach the middle of the crop's sides
RIM_RADIUS = 60  # px; beyond it there is little left of a crop whose joint lies off the middle
WRAP = 2  # angles repeated at both ends, for smoothing over them
SMOOTH_PX = (3, 3)  # angles and radii averaged
SIDE_PX = 10.0  # a strip of solder is held against what lies so far beside it: traces and ghosts are wider or fainter

RIM_FRAC = 0.78  # of half the crop's side: from there on lies what is taken for background
BACKGROUND_QUANTILE = 0.70  # of the rim's greys: neighbours, traces and ghosts are darker than bare board
COARSE_PX, BLUR_COARSE_PX = 32, 2.5  # a joint is looked for in a picture of this side, blurred by about a lead's radius
SEARCH_COARSE_PX = 9.0  # 0.28 of the crop's side off the middle at most
REFINE_PX, REFINE_FRAC, REFINE_ROUNDS = 20.0, 0.6, 3  # the centre of what is darker than this share of the darkest


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One joint: darkness of its slices round its centre, 1 for black on white."""

    heights: tuple[float, ...]  # of the slices there are: 0 the lowest that could be, 1 the last that is there
    polar: Floats  # (slices, RADII, ANGLES) float32, smoothed
    offset_px: float  # of the centre found from the crop's


def look_at(crop: Image) -> Look | None:
    """A crop (CROP_PX, CROP_PX, C) uint8 in polar coordinates; None where it holds no slice at all."""
    planes = [np.asarray(plane, np.uint8) for plane in cv2.split(crop)]
    there = [n for n, plane in enumerate(planes) if cv2.countNonZero(plane)]
    if not there:
        return None
    outside = _outside([planes[n] for n in there])
    dark = [_darkness(planes[n], outside) for n in there]
    total: Floats = dark[0].copy()
    for plane in dark[1:]:
        total += plane
    x, y = _centre(total)
    columns, rows = _polar_maps()
    return Look(
        heights=tuple(n / max(1, there[-1]) for n in there),
        polar=_polar(dark, columns + np.float32(x), rows + np.float32(y)),
        offset_px=float(np.hypot(x - (CROP_PX - 1) / 2, y - (CROP_PX - 1) / 2)),
    )


@lru_cache(maxsize=1)
def beside() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices into (RADII, ANGLES) of what lies SIDE_PX to one side and to the other of each point."""
    steps = np.rint(SIDE_PX * ANGLES / (2 * np.pi * (np.arange(RADII) + 0.5))).astype(np.int64)
    steps = np.minimum(steps, ANGLES // 4)[:, None]
    first = np.arange(RADII)[:, None] * ANGLES
    angles = np.arange(ANGLES)[None]
    return (first + (angles - steps) % ANGLES).ravel(), (first + (angles + steps) % ANGLES).ravel()


def _polar(dark: Sequence[Floats], columns: Floats, rows: Floats) -> Floats:
    """What lies beyond the crop is taken to be as its border: there it says nothing about a short either way."""
    found = np.empty((len(dark), RADII, ANGLES), np.float32)
    for n, plane in enumerate(dark):
        wrapped = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found[n] = cv2.blur(wrapped, SMOOTH_PX, borderType=cv2.BORDER_REPLICATE)[:, WRAP : WRAP + ANGLES]
    return found


def _outside(planes: Sequence[Image]) -> NDArray[np.bool_] | None:
    """(h, h): rows and columns at the rim that are zero in all slices, and the one beside them; None where none are."""
    any_there = planes[0]
    for plane in planes[1:]:
        any_there = np.asarray(cv2.bitwise_or(any_there, plane), np.uint8)
    rows, columns = (np.flatnonzero(cv2.reduce(any_there, axis, cv2.REDUCE_MAX).ravel()) for axis in (1, 0))
    (y0, y1), (x0, x1) = _inner(rows), _inner(columns)
    if (y0, y1, x0, x1) == (0, CROP_PX, 0, CROP_PX):
        return None
    outside = np.ones((CROP_PX, CROP_PX), np.bool_)
    outside[y0:y1, x0:x1] = False
    return outside


def _inner(there: NDArray[np.int64]) -> tuple[int, int]:
    """From the lines that are not zero, the first inside the picture and the first beyond it: where the picture ends,
    the last line was mixed with zeros when the crop was resampled."""
    first, last = int(there[0]), int(there[-1])
    return (0 if first == 0 else first + 1), (CROP_PX if last == CROP_PX - 1 else last)


def _darkness(plane: Image, outside: NDArray[np.bool_] | None) -> Floats:
    """How much darker than bare board, (h, h) float32, 1 for black on white; 0 outside the picture."""
    rim = _rim_indices()
    if outside is not None:
        inside = rim[~outside.ravel()[rim]]
        rim = inside if len(inside) else rim
    greys = plane.ravel()[rim]
    k = int(BACKGROUND_QUANTILE * (len(greys) - 1))
    background = float(np.partition(greys, k)[k])
    dark: Floats = (np.float32(background) - plane) * np.float32(1 / 255)
    if outside is not None:
        dark[outside] = 0.0
    return dark


def _centre(total: Floats) -> tuple[float, float]:
    """x, y in px of the darkest disc near the crop's middle, from the slices' darkness summed."""
    coarse = cv2.resize(total, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(coarse, (0, 0), BLUR_COARSE_PX)
    at = int(np.where(_search_disc(), blurred, -np.inf).argmax())
    step = CROP_PX / COARSE_PX
    x, y = (at % COARSE_PX + 0.5) * step - 0.5, (at // COARSE_PX + 0.5) * step - 0.5
    for _ in range(REFINE_ROUNDS):
        x0, y0 = max(0, round(x - REFINE_PX)), max(0, round(y - REFINE_PX))
        part = total[y0 : round(y + REFINE_PX) + 1, x0 : round(x + REFINE_PX) + 1]
        weights = np.maximum(part - np.float32(REFINE_FRAC) * part.max(), np.float32(0.0))
        mass = float(weights.sum())
        if mass <= 0.0:
            break
        x = x0 + float(weights.sum(axis=0) @ np.arange(part.shape[1])) / mass
        y = y0 + float(weights.sum(axis=1) @ np.arange(part.shape[0])) / mass
    return x, y


@lru_cache(maxsize=1)
def _rim_indices() -> NDArray[np.int64]:
    """Every third pixel of the rim, as flat indices."""
    axis = np.abs(np.arange(CROP_PX) - (CROP_PX - 1) / 2) / (CROP_PX / 2)
    return np.flatnonzero(np.hypot(axis[None], axis[:, None]).ravel() >= RIM_FRAC)[::3]


@lru_cache(maxsize=1)
def _search_disc() -> NDArray[np.bool_]:
    axis = np.arange(COARSE_PX) - (COARSE_PX - 1) / 2
    return np.asarray(np.hypot(axis[None], axis[:, None]) <= SEARCH_COARSE_PX)


@lru_cache(maxsize=1)
def _polar_maps() -> tuple[Floats, Floats]:
    """Columns and rows from the centre, (RADII, ANGLES + 2 WRAP) float32."""
    angles = (np.arange(-WRAP, ANGLES + WRAP) * (2 * np.pi / ANGLES)).astype(np.float32)[None]
    radii = np.arange(RADII, dtype=np.float32)[:, None] + np.float32(0.5)
    return radii * np.cos(angles), radii * np.sin(angles)
