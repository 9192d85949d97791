"""Defective packages made the paper's way from pictures of good ones: balls and package are told apart by morphology,
and balls are placed on the bare package with a probability (Lee, Han and Choi, "BGA Anomaly detection by exploiting
Variational AutoEncoders", poster, step "Generating Abnormal Data").

The poster says no more than that. What it leaves open is chosen here: the white top-hat, Otsu's threshold, Telea's
filling, and that a place drawn by lot may also get a second ball half a pitch away (a bridge) or a stroke across the
package (a scratch), the two other defects the poster's pictures name.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
MIN_BALL_PX = 9  # of area: smaller spots are glints
MAX_BALLS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """A package told apart: `bare` (h, w, 3) without balls, `places_px` (n, 2), `radius_px` of a ball with its rim."""

    image: Image
    bare: Image
    places_px: NDArray[np.float64]
    radius_px: float


def segment_balls(image: Image) -> Segmented:
    """Balls and package of a (h, w, 3) uint8 BGR picture of an optical underside. Raises ValueError when there are no
    balls, or more than a package has."""
    grey = cv2.GaussianBlur(image.max(axis=2), (0, 0), 1.0)
    side = max(3, image.shape[0] // 8) | 1
    raised = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    _, mask = cv2.threshold(raised, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)  # outer rims: rings count as balls
    found = [cv2.minEnclosingCircle(rim) for rim in contours if cv2.contourArea(rim) >= MIN_BALL_PX]
    if not 0 < len(found) <= MAX_BALLS:
        raise ValueError(f"{len(found)} balls found: expected 1 to {MAX_BALLS} bright ones on a darker package")
    typical = float(np.median([radius for _, radius in found]))
    balls = [(centre, radius) for centre, radius in found if 0.6 * typical < radius < 1.5 * typical]
    places = np.array([centre for centre, _ in balls], np.float64)
    radius_px = typical + 1.5
    holes = np.zeros(grey.shape, np.uint8)
    for x, y in places:
        cv2.circle(holes, (round(x), round(y)), round(radius_px + 1), 255, -1)
    bare = cv2.inpaint(image, holes, 3, cv2.INPAINT_TELEA).astype(np.uint8)
    return Segmented(image=image, bare=bare, places_px=places, radius_px=radius_px)


def place_balls(
    package: Segmented, probability: float, rng: np.random.Generator, bridges_frac: float = 0.0
) -> tuple[Image, NDArray[np.bool_]]:
    """The package with each ball put back with that probability, and which were (n,). `bridges_frac` of those put back
    get a copy half a pitch beside them. Raises ValueError for shares outside 0 to 1."""
    if not 0.0 <= probability <= 1.0 or not 0.0 <= bridges_frac <= 1.0:
        raise ValueError(f"probability {probability}, bridges_frac {bridges_frac}: must be from 0 to 1")
    image = package.bare.copy()
    placed = rng.random(len(package.places_px)) < probability
    pitch = _pitch_px(package.places_px, package.radius_px)
    for (x, y), there in zip(package.places_px, placed, strict=True):
        turn, bridged = int(rng.integers(4)), rng.random() < bridges_frac
        if there:
            _paste(image, package, (x, y), (x, y))
            if bridged:
                angle = turn * np.pi / 2
                beside = (x + pitch / 2 * np.cos(angle), y + pitch / 2 * np.sin(angle))
                _paste(image, package, (x, y), beside)
    return image, placed


def scratch(image: Image, rng: np.random.Generator) -> Image:
    """A straight stroke across the package, brighter or darker."""
    height, width = image.shape[:2]
    start, heading = rng.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height)), rng.uniform(0, np.pi)
    end = start + rng.uniform(0.15, 0.5) * width * np.array([np.cos(heading), np.sin(heading)])
    mask = np.zeros((height, width), np.uint8)
    ends = [tuple(int(v) for v in np.rint(point * 16)) for point in (start, end)]
    cv2.line(mask, ends[0], ends[1], 255, int(rng.integers(1, 4)), cv2.LINE_AA, 4)
    change = float(rng.choice((-1, 1)) * rng.uniform(25.0, 80.0))
    return np.clip(image + change * (mask[..., None] / 255.0), 0, 255).astype(np.uint8)


def _paste(image: Image, package: Segmented, source: tuple[float, float], target: tuple[float, float]) -> None:
    reach = int(np.ceil(package.radius_px)) + 1
    (sx, sy), (tx, ty) = (tuple(round(v) for v in place) for place in (source, target))
    height, width = image.shape[:2]
    if not (
        reach <= min(sx, tx) and max(sx, tx) < width - reach and reach <= min(sy, ty) and max(sy, ty) < height - reach
    ):
        return
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = np.hypot(x, y) <= package.radius_px
    target_part = image[ty - reach : ty + reach + 1, tx - reach : tx + reach + 1]
    target_part[inside] = package.image[sy - reach : sy + reach + 1, sx - reach : sx + reach + 1][inside]


def _pitch_px(places_px: NDArray[np.float64], radius_px: float) -> float:
    if len(places_px) < 2:
        return 3 * radius_px
    gaps = np.hypot(*(places_px[:, None] - places_px[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    return float(np.median(gaps.min(axis=1)))
