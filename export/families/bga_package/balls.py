"""Where balls are in a picture of a good package: dark discs of an X-ray, bright rings or caps under a lamp.

For the painter of defects only (`paint_balls.py`), at the workshop. A ball that is not found is a ball that no defect
is painted on; nothing is judged by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

DARK_MIN_RADIUS_PX = 15  # an X-ray tile of 256 px shows 3 to 16 balls; under a lamp the whole package is in the picture
BRIGHT_MIN_AREA_PX = 9
MIN_ROUND_FRAC = 0.80  # area of the blob / area of the circle around it
MAX_BALLS = 2_000
PITCH_RADII = 3.0  # pitch where a picture has one ball only: diameters are 0.62 to 0.70 of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Balls:
    """The balls that were found: `places_px` (n, 2) x and y, `radii_px` (n,), float64; `pitch_px` 0 where there are
    none; `dark` as in an X-ray."""

    places_px: NDArray[np.float64]
    radii_px: NDArray[np.float64]
    pitch_px: float
    dark: bool

    def __len__(self) -> int:
        return len(self.places_px)


def find_balls(grey: Grey) -> Balls:
    """Balls of a (h, w) uint8 picture: dark ones where there are any as large as an X-ray shows, else bright ones."""
    found = _blobs(_dark_mask(grey), DARK_MIN_RADIUS_PX**2 * np.pi)
    if found:
        return _alike(found, dark=True)
    return _alike(_blobs(_bright_mask(grey), BRIGHT_MIN_AREA_PX), dark=False)


def _dark_mask(grey: Grey) -> Grey:
    soft = cv2.GaussianBlur(grey, (0, 0), 2.0)
    _, mask = cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    side = max(3, grey.shape[0] // 11) | 1  # wider than tracks and wires, narrower than balls
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return opened.astype(np.uint8, copy=False)


def _bright_mask(grey: Grey) -> Grey:
    """White top-hat and Otsu's threshold, as `export.simulator.xray.packages.paper` tells balls from package."""
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
    side = max(3, grey.shape[0] // 8) | 1
    raised = cv2.morphologyEx(soft, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return cv2.threshold(raised, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1].astype(np.uint8, copy=False)


def _blobs(mask: Grey, min_area_px: float) -> list[tuple[float, float, float]]:
    """Round blobs that do not touch the rim, as x, y, radius."""
    height, width = mask.shape
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for outline in outlines:
        x, y, w, h = cv2.boundingRect(outline)
        area = cv2.contourArea(outline)
        if area < min_area_px or min(x, y) <= 0 or x + w >= width or y + h >= height:
            continue
        (cx, cy), radius = cv2.minEnclosingCircle(outline)
        if area >= MIN_ROUND_FRAC * np.pi * radius**2 or (area < 60 and max(w, h) < 1.5 * min(w, h)):
            found.append((float(cx), float(cy), float(np.sqrt(area / np.pi)) + 0.5))
    return found[:MAX_BALLS]


def _alike(found: list[tuple[float, float, float]], *, dark: bool) -> Balls:
    """Those of about the usual size."""
    table = np.array(found, np.float64).reshape(-1, 3)
    if len(table):
        usual = float(np.median(table[:, 2]))
        table = table[(table[:, 2] > 0.75 * usual) & (table[:, 2] < 1.33 * usual)]
    places, radii = table[:, :2], table[:, 2]
    return Balls(places_px=places, radii_px=radii, pitch_px=pitch_of(places, radii), dark=dark)


def pitch_of(places_px: NDArray[np.float64], radii_px: NDArray[np.float64]) -> float:
    """The usual distance to the nearest neighbour; three radii where there is none. Of no ball at all: 0."""
    if not len(places_px):
        return 0.0
    usual = float(np.median(radii_px))
    if len(places_px) == 1:
        return PITCH_RADII * usual
    gaps = np.hypot(*(places_px[:, None] - places_px[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    return float(np.clip(np.median(gaps.min(axis=1)), 2.2 * usual, 4.5 * usual))
