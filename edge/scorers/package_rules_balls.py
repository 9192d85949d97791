"""Balls of a package picture: found as blobs above a threshold, then measured along rays from their middles.

All balls of a picture are measured at once: rays are resampled into one array, the rim is where density falls below a
share of the ball's own peak, and a circle is fitted to the rim by least squares that lets single rays stand out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.scorers.package_rules_file import PackageRulesFile

N_RAYS, N_STEPS = 20, 19
N_PROFILE = 12
REACH = 1.5  # rays are this many radii long
CORE = 0.75  # of the radius: what lies inside says whether a ball is there, whatever its rim
CLIP = 0.10  # of the radius: a ray that stands out farther pulls at the circle no harder
HOLE_FRAC = 0.1  # of the square of the largest ball's diameter: a smaller hole is a void, and filled
MIN_ASPECT = 0.72  # shorter side of a ball's box / longer side
FIT_ROUNDS = 3
MIN_FOR_SHAPE = 4  # balls that a shape must be common to

_ANGLES = np.arange(N_RAYS, dtype=np.float32) * np.float32(2 * np.pi / N_RAYS)
_RAYS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (N_RAYS, 2)
_STEPS = np.linspace(0.0, REACH, N_STEPS, dtype=np.float32)
_CIRCLE = np.concatenate([np.ones((N_RAYS, 1), np.float32), _RAYS], axis=1)  # r + dx cos + dy sin
_CIRCLE_SQUARES = np.einsum("ai,aj->aij", _CIRCLE, _CIRCLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Grey levels of ground and balls in a picture whose balls are bright."""

    ground: float
    ball: float

    @property
    def step(self) -> float:
        """From ground to ball; at least one grey level, so that a blank picture has no balls."""
        return max(1.0, self.ball - self.ground)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """Round things as dense as balls: `places_px` (n, 2) x, y and `diameters_px` (n,); `whole` (n,) bool where they
    are clear of the picture's rim. A place of one that is cut off is where its middle should be."""

    places_px: Floats
    diameters_px: Floats
    whole: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balls:
    """Balls measured, one row each: `places_px` (n, 2), `radii_px` (n,), `core` (n,) mean density well inside,
    `out_of_round_frac` (n,), `profile` (n, N_PROFILE) mean density from middle to rim / the core's, `arc_frac` (n,) of
    the rim in the picture."""

    places_px: Floats
    radii_px: Floats
    core: Floats
    out_of_round_frac: Floats
    profile: Floats
    arc_frac: Floats


def levels_of(bright: Image, rules: PackageRulesFile) -> Levels:
    """Levels by percentile of a picture (h, w) uint8."""
    share = np.cumsum(cv2.calcHist([bright], [0], None, [256], [0, 256])) / bright.size
    ground, ball = np.searchsorted(share, (rules.ground_percentile_pct / 100, rules.ball_percentile_pct / 100))
    return Levels(ground=float(ground), ball=float(ball))


def find_blobs(bright: Image, levels: Levels, rules: PackageRulesFile) -> Blobs:
    """Blobs of a ball's size and roughly round. Where narrow things are cut off, at half the resolution, with holes
    filled before."""
    level = levels.ground + rules.ball_threshold_frac * levels.step
    mask = np.asarray(cv2.threshold(bright, level, 255, cv2.THRESH_BINARY)[1], np.uint8)
    scale = 1.0
    if rules.opening_px > 1:
        scale = 2.0
        mask = _filled(mask[::2, ::2], HOLE_FRAC * (rules.max_ball_diameter_px / scale) ** 2)
        kernel = np.ones((max(1, round(rules.opening_px / scale)),) * 2, np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
    _, _, stats, centroids = cv2.connectedComponentsWithStats(mask, connectivity=4, ltype=cv2.CV_16U)
    x, y, width, height = stats[1:, :4].T.astype(np.float32)
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    right, bottom = x + width >= mask.shape[1], y + height >= mask.shape[0]
    whole = (x > 0) & (y > 0) & ~right & ~bottom
    kept = (longer * scale >= rules.min_ball_diameter_px) & (longer * scale <= rules.max_ball_diameter_px)
    kept &= ~whole | (shorter >= MIN_ASPECT * longer)
    places = centroids[1:].astype(np.float32)
    if (whole & kept).any():
        half = usual_diameter(longer[whole & kept]) / 2
        places[x == 0, 0] = (x + width - half)[x == 0]
        places[y == 0, 1] = (y + height - half)[y == 0]
        places[right, 0], places[bottom, 1] = (x + half)[right], (y + half)[bottom]
    return Blobs(places_px=places[kept] * scale, diameters_px=longer[kept] * scale, whole=np.asarray(whole[kept]))


def usual_diameter(diameters_px: Floats) -> float:
    """The diameter that half of the area of all blobs (n,) is below: a few vias among as few balls do not count."""
    order = np.sort(diameters_px)
    area = np.cumsum(np.square(order))
    return float(order[np.searchsorted(area, area[-1] / 2)])


def measure_balls(bright: Image, levels: Levels, places_px: Floats, radius_px: float, rules: PackageRulesFile) -> Balls:
    """What is at `places_px` (n, 2), where balls of about `radius_px` are thought to be."""
    density, inside = _rays(bright, levels, places_px, radius_px)
    core_steps = int(CORE / REACH * (N_STEPS - 1)) + 1
    seen = inside.sum(1, dtype=np.float32)  # rays in the picture, of each ball and step
    run = np.where(inside, density, 0).sum(1)
    core = run[:, :core_steps].sum(1) / np.maximum(seen[:, :core_steps].sum(1), 1)
    peak = middle(density[:, :, : core_steps + 3].max(2), axis=1)
    rim, valid = _rim(density, inside, rules.edge_level_frac * peak)
    fit, rest = _fit_circles(rim, valid)
    if len(rest) >= MIN_FOR_SHAPE:  # seen at a slant all balls are oval alike
        rest = rest - middle(rest, axis=0)
    out = np.sqrt((np.square(rest) * valid).sum(1) / np.maximum(valid.sum(1), 1)) / np.maximum(fit[:, 0], 0.1)
    profile = _at_own_radius(run / np.maximum(seen, 1), fit[:, 0])
    return Balls(
        places_px=places_px + fit[:, 1:] * np.float32(radius_px),
        radii_px=fit[:, 0] * np.float32(radius_px),
        core=core.astype(np.float32),
        out_of_round_frac=out.astype(np.float32),
        profile=(profile / np.maximum(core, 0.05)[:, None]).astype(np.float32),
        arc_frac=seen[:, int(1 / REACH * (N_STEPS - 1))] / np.float32(N_RAYS),
    )


def _filled(mask: Image, below_px: float) -> Image:
    """The mask with its smaller holes closed."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(255 - mask, connectivity=4, ltype=cv2.CV_16U)
    x, y, width, height, area = stats.T
    hole = (area < below_px) & (x > 0) & (y > 0) & (x + width < mask.shape[1]) & (y + height < mask.shape[0])
    hole[0] = True  # the mask itself
    return np.asarray(hole.astype(np.uint8)[labels] * np.uint8(255))


def _rays(bright: Image, levels: Levels, places_px: Floats, radius_px: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Density (n, N_RAYS, N_STEPS) along the rays, and which samples lie in the picture."""
    shape = (len(places_px), N_RAYS * N_STEPS)  # one row a ball: remap takes no side above 32767
    x = places_px[:, :1] + (_RAYS[:, :1] * _STEPS).reshape(1, -1) * np.float32(radius_px)
    y = places_px[:, 1:] + (_RAYS[:, 1:] * _STEPS).reshape(1, -1) * np.float32(radius_px)
    sampled = cv2.remap(bright, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    density = (sampled.astype(np.float32) - np.float32(levels.ground)) * np.float32(1 / levels.step)
    inside = np.ones(shape, np.bool_)
    low, high = REACH * radius_px, np.array(bright.shape[::-1]) - 1 - REACH * radius_px
    cut = np.flatnonzero(((places_px < low) | (places_px > high)).any(1))
    if len(cut):
        at_x, at_y = x[cut], y[cut]
        inside[cut] = (at_x >= 0) & (at_y >= 0) & (at_x < bright.shape[1] - 0.5) & (at_y < bright.shape[0] - 0.5)
    return density.reshape(-1, N_RAYS, N_STEPS), inside.reshape(-1, N_RAYS, N_STEPS)


def _rim(density: Floats, inside: NDArray[np.bool_], level: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Radius of the rim on each ray (n, N_RAYS), in nominal radii, from outside in; and where it is in the picture."""
    above = density >= level[:, None, None]
    last = N_STEPS - 1 - np.argmax(above[:, :, ::-1], axis=2)
    last = np.where(above.any(2), last, 0)
    beyond = np.minimum(last + 1, N_STEPS - 1)
    here, there = (np.take_along_axis(density, k[..., None], 2)[..., 0] for k in (last, beyond))
    part = np.clip((here - level[:, None]) / np.maximum(here - there, 1e-3), 0, 1)
    seen = np.take_along_axis(inside, beyond[..., None], 2)[..., 0]
    return (last + part) * np.float32(_STEPS[1]), seen


def _fit_circles(rim: Floats, valid: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Radius and shift of the middle (n, 3), and what rays stand off their circle (n, N_RAYS), in nominal radii."""
    weights = valid.astype(np.float32)
    centre = middle(np.where(valid, rim, np.float32(1)), axis=1)
    clipped = np.clip(rim, centre[:, None] - 0.6, centre[:, None] + 0.6)
    inverse = np.linalg.inv(np.einsum("na,aij->nij", weights, _CIRCLE_SQUARES) + 1e-3 * np.eye(3, dtype=np.float32))
    fit = np.zeros((len(rim), 3), np.float32)
    fit[:, 0] = centre
    for _ in range(FIT_ROUNDS):
        rest = np.clip(clipped - fit @ _CIRCLE.T, -CLIP, CLIP) * weights
        fit += np.einsum("nij,nj->ni", inverse, rest @ _CIRCLE)
    return fit, clipped - fit @ _CIRCLE.T


def _at_own_radius(run: Floats, radius: Floats) -> Floats:
    """Runs (n, N_STEPS) at N_PROFILE places from the middle to the rim of each, whatever its size."""
    at = np.linspace(0.0, 1.0, N_PROFILE, dtype=np.float32) * (np.clip(radius, 0.1, REACH) / _STEPS[1])[:, None]
    below = np.minimum(at.astype(np.int64), N_STEPS - 2)
    part = at - below
    return np.asarray(
        np.take_along_axis(run, below, 1) * (1 - part) + np.take_along_axis(run, below + 1, 1) * part, np.float32
    )


def middle(values: Floats, axis: int) -> Floats:
    """The upper median along an axis: without the care that `np.median` takes, and several times faster."""
    half = values.shape[axis] // 2
    return np.asarray(np.take(np.partition(values, half, axis=axis), half, axis=axis))
