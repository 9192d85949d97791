"""What does not belong on a package, painted on pictures of good ones: foreign bodies, splatter, scratches and cracks.

As in `paint_balls.py`: a (h, w) float32 grey picture is changed in place, the mask of the change is returned.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from export.families.bga_package.balls import Balls
from export.families.bga_package.paint_balls import noise_like, solder_grey

Rng = np.random.Generator
Point = NDArray[np.float64]

_MIN_FOREIGN_GREY = 14.0  # of contrast: a flake of the ground's own grey shows to nobody
_FIXED = 16  # OpenCV draws to a sixteenth of a pixel


def paint_foreign(picture: Floats, pitch_px: float, share: float, dark: bool, rng: Rng) -> Floats:
    """A flake or fibre with angular edges, `share` of the pitch across, anywhere; by X-ray a shade, else any tone."""
    size = np.array(picture.shape[::-1], np.float64)
    centre = rng.uniform(0.06, 0.94, 2) * size
    reach = max(1.5, share * pitch_px / 2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 9))))
    out = reach * rng.uniform(0.5, 1.0, len(angles))
    thin, turn = rng.uniform(0.2, 1.0), rng.uniform(0, np.pi)
    flat = np.stack([out * np.cos(angles), thin * out * np.sin(angles)], 1)
    points = centre + flat @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    mask = _softened(_polygon(picture.shape, points), rng)
    under = mask > 0.3
    ground = float(picture[under].mean()) if under.any() else float(picture.mean())
    if dark:
        picture *= np.exp(-mask * rng.uniform(0.12, 0.6) * _facets(picture.shape, 0.3, rng))
        return mask
    grey = rng.uniform(20, 215)
    while abs(grey - ground) < _MIN_FOREIGN_GREY:
        grey = rng.uniform(20, 215)
    tone = grey * _facets(picture.shape, 0.35, rng) + noise_like(picture, picture.shape, rng)
    picture += mask * rng.uniform(0.75, 1.0) * (tone - picture)
    return mask


def paint_splatter(picture: Floats, balls: Balls, specks: int, rng: Rng) -> Floats:
    """Specks of solder of 0.03 to 0.15 of the pitch across, about one place. On a ball they do not show."""
    around, pitch_px = _place(picture, balls, rng)
    mask = np.zeros(picture.shape, np.uint8)
    spread = rng.uniform(0.3, 0.7) * pitch_px
    for _ in range(specks):
        place = around + rng.normal(0.0, spread, 2)
        radius = pitch_px * rng.uniform(0.015, 0.085)
        middle = (round(float(place[0]) * _FIXED), round(float(place[1]) * _FIXED))
        cv2.circle(mask, middle, max(_FIXED // 2, round(radius * _FIXED)), 255, -1, cv2.LINE_AA, 4)
    soft = _softened(mask, rng)
    soft *= 1 - _cover(picture.shape, balls)
    k = int(np.argmin(np.hypot(*(balls.places_px - around).T))) if len(balls) else None
    dark = balls.dark or (k is None)
    grey = 60.0 if k is None else solder_grey(picture, balls.places_px[k], float(balls.radii_px[k]), dark, rng)
    depth = rng.uniform(0.7, 1.0)  # a small speck is thinner than a ball
    picture += soft * depth * (grey - picture)
    return soft


def paint_line(picture: Floats, pitch_px: float, *, crack: bool, rng: Rng) -> Floats:
    """A crack: dark, 1 to 2 px, a random walk; a scratch: nearly straight, bright or dark, 1 to 4 px."""
    length = rng.uniform(0.5, 3.0) * pitch_px if crack else rng.uniform(1.0, 5.0) * pitch_px
    steps = max(4, int(length / 4))
    bend = rng.normal(0.0, 0.35 if crack else 0.03, steps)
    heading = rng.uniform(0, 2 * np.pi) + (bend + 0.3 * np.cumsum(bend) if crack else np.cumsum(bend))
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * length / steps, axis=0)
    points = walk - walk.mean(0) + rng.uniform(0.12, 0.88, 2) * np.array(picture.shape[::-1])
    mask = np.zeros(picture.shape, np.uint8)
    width = rng.uniform(1.0, 2.0) if crack else rng.uniform(1.0, 4.0)
    _stroke(mask, points, float(width))
    soft = _softened(mask, rng)
    if crack:
        picture *= 1 - soft * np.float32(rng.uniform(0.05, 0.28))
        return soft
    if rng.random() < 0.4:  # as the paper's: so many grey levels brighter or darker
        picture += soft * np.float32(rng.choice((-1, 1)) * rng.uniform(22, 85))
        return soft
    change = float(rng.choice((-1, 1)) * rng.uniform(0.15, 0.45))
    picture += soft * (change * picture + max(change, 0.0) * 64)
    return soft


def _place(picture: Floats, balls: Balls, rng: Rng) -> tuple[Point, float]:
    if len(balls):
        return balls.places_px[rng.integers(len(balls))], balls.pitch_px
    size = np.array(picture.shape[::-1], np.float64)
    return rng.uniform(0.1, 0.9, 2) * size, 0.4 * float(size[0])


def _cover(shape: tuple[int, ...], balls: Balls) -> Floats:
    mask = np.zeros(shape, np.uint8)
    for (x, y), radius in zip(balls.places_px, balls.radii_px, strict=True):
        middle = (round(x * _FIXED), round(y * _FIXED))
        cv2.circle(mask, middle, round(radius * _FIXED), 255, -1, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _polygon(shape: tuple[int, ...], points: Point) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points * _FIXED).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask


def _stroke(mask: NDArray[np.uint8], points: Point, width: float) -> None:
    for begin, end in pairwise(points):
        step = end - begin
        side = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9) * width / 2
        corners = np.array([begin + side, end + side, end - side, begin - side])
        cv2.fillConvexPoly(mask, np.rint(corners * _FIXED).astype(np.int32), 255, cv2.LINE_AA, 4)


def _softened(mask: NDArray[np.uint8], rng: Rng) -> Floats:
    """As sharp as pictures are: blurred by 0.3 to 1.1 px."""
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), float(rng.uniform(0.3, 1.1))).astype(np.float32)


def _facets(shape: tuple[int, ...], deviation: float, rng: Rng) -> Floats:
    """A slow field round 1, above 0.3."""
    coarse = rng.normal(1.0, deviation, (5, 5)).clip(0.3, 1.8).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0.3, 1.8).astype(np.float32)
