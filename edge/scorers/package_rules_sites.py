"""The places of a package's balls: found from its blobs, measured, and each held against the package's own others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.scorers.package_rules_balls import Balls, Blobs, Levels, measure_balls, usual_diameter
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_grid import ON_GRID, Grid, NumberedPlaces, expected_index, find_grid, fit_grid

MARK_OFF = 0.42  # of the pitch, from the first ball to the mark of pin 1
SIZE_SPREAD = 0.3  # of the median diameter: a blob of another size is no ball to find the grid by
MIN_CORE, GONE_CORE = 0.05, 0.4  # density; a share of the typical ball's: below, there is no size and no shape
MAX_ABSENT = 0.99  # 1 is a package without any grid of balls
RING_FRAC, MIN_RING = 0.65, 0.005  # of the radius, within which ring and cap lie; squares of density
WHOLE_ARC_FRAC = 0.95  # of the rim in the picture: with less it cannot be said to be round
BLINDING_GREY = 205.0  # mean of a ball: a lamp that bright leaves no ring to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """The places of balls: `balls` measured there, column and row `index` (n, 2), how far `off_frac` (n,) the grid each
    is, in pitches, and which show enough of themselves to be `measurable`."""

    grid: Grid
    balls: Balls
    index: NDArray[np.int64]
    off_frac: Floats
    measurable: NDArray[np.bool_]
    levels: Levels
    radius_px: float


def find_sites(bright: Image, levels: Levels, blobs: Blobs, rules: PackageRulesFile) -> Sites | None:
    """The grid of a picture's blobs, and what is at each of its places; None where there is no grid."""
    if not blobs.whole.any():
        return None
    diameter = usual_diameter(blobs.diameters_px[blobs.whole])
    cut = np.flatnonzero(~blobs.whole & (blobs.diameters_px > 0.4 * diameter))
    alike = blobs.whole & (np.abs(blobs.diameters_px / diameter - 1) < SIZE_SPREAD)
    found = blobs.places_px[alike]
    if len(cut):
        seen = measure_balls(bright, levels, blobs.places_px[cut], diameter / 2, rules)
        seen = measure_balls(bright, levels, seen.places_px, diameter / 2, rules)  # the first guess was a rough one
        good = (seen.arc_frac >= rules.min_arc_frac) & (np.abs(2 * seen.radii_px / diameter - 1) < SIZE_SPREAD)
        found = np.concatenate([found, seen.places_px[good]])
    grid = find_grid(found, rules)
    if grid is None:
        return None
    index = expected_index(grid, rules.pattern, bright.shape[:2], diameter / 2)
    starts = _starts(found, grid, index)
    balls = measure_balls(bright, levels, starts, diameter / 2, rules)
    measurable = balls.arc_frac >= rules.min_arc_frac
    if int(measurable.sum()) < rules.min_balls_count:
        return None
    grid = fit_grid(balls.places_px[measurable], index[measurable], rules)
    if grid is None:
        return None
    off_frac = np.zeros(len(index), np.float32)
    off_frac[measurable] = grid.off_frac
    return Sites(
        grid=grid,
        balls=balls,
        index=index,
        off_frac=off_frac,
        measurable=measurable,
        levels=levels,
        radius_px=float(np.median(balls.radii_px[measurable])),
    )


def _starts(found: Floats, grid: Grid, index: NDArray[np.int64]) -> Floats:
    """Where to measure each place's ball: where one was found, else where the grid has it."""
    starts = grid.places(index)
    known = NumberedPlaces(index).at(grid.index)
    near = (known >= 0) & (grid.off_frac < ON_GRID)
    starts[known[near]] = found[near]
    return starts


def pin1_mark(sites: Sites) -> Floats:
    """x and y of the mark of pin 1: outside the first column and row."""
    return np.asarray(sites.grid.places(sites.index.min(0)[None] - MARK_OFF)[0], np.float32)


def ball_values(sites: Sites) -> Floats:
    """Values of the first N_BALL_MEASURES of each place (n, N_BALL_MEASURES), against the package's typical ball."""
    balls, kept = sites.balls, sites.measurable
    away = np.c_[sites.index, np.ones(len(sites.index))] @ sites.grid.homography[2]
    sizes = balls.radii_px * np.abs(away) ** 1.5  # a homography shrinks lengths so, away from the viewer
    ratio = sizes / max(float(np.median(sizes[kept])), 1e-3)
    core = balls.core / max(float(np.median(balls.core[kept])), MIN_CORE)
    values = np.stack(
        [
            np.minimum(1 - core, MAX_ABSENT),
            _flatness(sites),
            core - 1,
            1 - ratio,
            ratio - 1,
            sites.off_frac,
            balls.out_of_round_frac,
        ],
        axis=1,
    )
    values[~kept] = 0
    values[core < GONE_CORE, 1:] = 0
    values[balls.arc_frac < WHOLE_ARC_FRAC, -1] = 0
    return np.asarray(np.maximum(values, 0), np.float32)


def _flatness(sites: Sites) -> Floats:
    """How much of the typical ball's ring and cap each lacks, (n,): 0 a ball like the others, 1 a flat pad."""
    balls, kept = sites.balls, sites.measurable
    ring = balls.profile[:, : int(RING_FRAC * balls.profile.shape[1])]
    ring = ring - ring.mean(1, keepdims=True)
    usual = np.median(ring[kept], axis=0)
    strength = float(usual @ usual)
    if strength < MIN_RING:  # such balls have no ring to lack
        return np.zeros(len(ring), np.float32)
    flat = 1 - (ring @ usual) / strength
    flat[balls.core * sites.levels.step + sites.levels.ground > BLINDING_GREY] = 0
    return np.asarray(flat, np.float32)
