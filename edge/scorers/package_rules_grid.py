"""The grid of a package's balls: pitch and direction found from neighbours, then fitted by least squares.

Seen straight down the grid is affine, or square where hardly any balls are seen; at a slant it is a homography, fitted
in its linear form. Balls off the grid are
left out of the fit one by one, the worst first, so that a shifted ball does not pull the grid along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.scorers.package_rules_file import PackageRulesFile

NEAR = 1.35  # of the least distance: as far as neighbours in a row or column are, and no diagonal
MAX_LEFT_OUT = 4
ON_GRID = 0.5  # of the pitch: what is farther off belongs to no place
TOLERANCE_FRAC = 0.075  # of the pitch: a ball farther off is left out of the fit
MAX_SOURCES = 40  # balls whose neighbours tell pitch and direction
MIN_FOR_AFFINE, MIN_FOR_HOMOGRAPHY = 4, 6
UNIT_PX = 100.0  # keeps the terms of a homography alike in size
MAX_CONDITION = 1e9
MAX_GAIN = 0.15  # a ball that alone holds the grid says little of itself
MAX_INDEX = 40  # rows or columns either way: more is no picture of a package
Indices = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`homography` (3, 3) from column and row to x and y; `pitch_px`; `index` (n, 2) of each place it was fitted to,
    and `off_frac` (n,) how far off it that place is, in pitches."""

    homography: Doubles
    pitch_px: float
    index: Indices
    off_frac: Floats

    def places(self, index: NDArray[np.generic]) -> Floats:
        """x and y (n, 2) of columns and rows (n, 2)."""
        at = np.c_[index, np.ones(len(index))] @ self.homography.T
        return np.asarray(at[:, :2] / at[:, 2:], np.float32)

    def nearest(self, places_px: Floats) -> Indices:
        """Columns and rows (n, 2) nearest to places."""
        at = np.c_[places_px, np.ones(len(places_px))] @ np.linalg.inv(self.homography).T
        return np.asarray(np.rint(at[:, :2] / at[:, 2:]), np.int64)


class NumberedPlaces:
    """Which of some columns and rows (n, 2) a column and row is."""

    def __init__(self, index: Indices) -> None:
        """Of two that are the same, the later one counts."""
        self._low = index.min(0)
        self._numbers = np.full(index.max(0) - self._low + 1, -1, np.int64)
        self._numbers[tuple((index - self._low).T)] = np.arange(len(index))

    def at(self, index: Indices) -> Indices:
        """Numbers (m,) of columns and rows (m, 2); -1 where there is none."""
        column, row = (index - self._low).T
        known = (column >= 0) & (row >= 0) & (column < self._numbers.shape[0]) & (row < self._numbers.shape[1])
        return np.where(known, self._numbers[np.where(known, column, 0), np.where(known, row, 0)], -1)


def find_grid(places_px: Floats, rules: PackageRulesFile) -> Grid | None:
    """The grid of places (n, 2); None where there is none."""
    if len(places_px) < rules.min_balls_count:
        return None
    basis = _basis(places_px)
    if basis is None:
        return None
    index = _index(places_px, basis)
    grid = None if index is None else fit_grid(places_px, index, rules)
    return None if grid is None or int((grid.off_frac < ON_GRID).sum()) < rules.min_balls_count else grid


def fit_grid(places_px: Floats, index: Indices, rules: PackageRulesFile) -> Grid | None:
    """The grid of places whose columns and rows are known; None where they do not make one."""
    used = np.ones(len(places_px), bool)
    places = places_px.astype(np.float64)
    grid = _fitted(places, index, used, rules)
    for _ in range(MAX_LEFT_OUT):
        if grid is None or used.sum() <= max(rules.min_balls_count, MIN_FOR_AFFINE):
            break
        off = np.where(used, grid.off_frac, 0)
        worst = int(np.argmax(off))
        if off[worst] <= TOLERANCE_FRAC:
            break
        used[worst] = False
        again = _fitted(places, index, used, rules)
        if again is None:
            break
        grid = again
    return grid


def expected_index(grid: Grid, pattern: str, shape_px: tuple[int, int], radius_px: float) -> Indices:
    """Columns and rows (m, 2) that should have a ball wholly in the picture: all between the outermost found, or those
    at least two of whose three mirror images have one."""
    seen = grid.index[grid.off_frac < ON_GRID]
    low, high = seen.min(0), seen.max(0)
    columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    every = np.stack([columns.ravel(), rows.ravel()], axis=1)
    there = np.zeros((high - low + 1).tolist(), bool)
    there[tuple((seen - low).T)] = True
    if pattern == "symmetric":
        mirrors = there[::-1].astype(np.int64) + there[:, ::-1] + there[::-1, ::-1]
        wanted = there | (mirrors >= 2)
        for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):  # one corner may be bare: it marks pin 1
            wanted[corner] = there[corner]
        every = every[wanted[tuple((every - low).T)]]
    at = grid.places(every)
    whole = (at > radius_px - 1).all(1) & (at[:, 0] < shape_px[1] - radius_px) & (at[:, 1] < shape_px[0] - radius_px)
    found = there[tuple((every - low).T)]
    return np.asarray(every[whole | found], np.int64)


def around(index: Indices) -> Indices:
    """Columns and rows (m, 2) of the frame one place wide around all of `index`, and of gaps in it."""
    low, high = index.min(0) - 1, index.max(0) + 1
    columns, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    every = np.stack([columns.ravel(), rows.ravel()], axis=1)
    return np.asarray(every[NumberedPlaces(index).at(every) < 0], np.int64)


def _basis(places_px: Floats) -> Doubles | None:
    """Steps (2, 2) along a row and along a column, as x and y, from pairs of neighbours."""
    some = places_px[:: len(places_px) // MAX_SOURCES + 1]
    apart = places_px[None] - some[:, None]
    length = np.hypot(apart[..., 0], apart[..., 1])
    length[length == 0] = np.inf
    pitch = float(np.median(length.min(1)))
    steps = apart[length < NEAR * pitch].astype(np.float64)
    along = steps[(steps[:, 0] > 0) & (np.abs(steps[:, 1]) < 0.5 * steps[:, 0])]
    down = steps[(steps[:, 1] > 0) & (np.abs(steps[:, 0]) < 0.5 * steps[:, 1])]
    if not len(along) and not len(down):
        return None
    column = np.median(along, 0) if len(along) else np.median(down, 0)[::-1] * (1, -1)
    row = np.median(down, 0) if len(down) else np.median(along, 0)[::-1] * (-1, 1)
    return np.stack([column, row])


def _index(places_px: Floats, basis: Doubles) -> Indices | None:
    """Columns and rows (n, 2): by steps from the middle ball, then once more by the line fitted to them."""
    places = places_px.astype(np.float64)
    middle = places[np.argmin(np.abs(places - places.mean(0)).sum(1))]
    origin, inverse = middle, _inverse(basis)
    for _ in range(3):
        if inverse is None:
            return None
        index = np.rint((places - origin) @ inverse)
        if np.abs(index).max() > MAX_INDEX:
            return None
        design = np.concatenate([index, np.ones((len(index), 1))], axis=1)
        normal = _inverse(design.T @ design)
        if normal is None:  # one row or one column: nothing to refine by
            break
        model = normal @ (design.T @ places)
        origin, inverse = model[2], _inverse(model[:2])
    return np.asarray(index, np.int64)


def _fitted(places: Doubles, index: Indices, used: NDArray[np.bool_], rules: PackageRulesFile) -> Grid | None:
    """One fit to the places used; how far off is told of all, of those used as if they had not been."""
    tilted = rules.grid_model == "tilted" and int(used.sum()) >= MIN_FOR_HOMOGRAPHY
    at = np.c_[index, np.ones(len(index))]
    if int(used.sum()) < MIN_FOR_AFFINE:
        return _square(places, index, at, used, rules)
    if not tilted:
        return _affine(places, index, at, used, rules)
    none = np.zeros_like(at)  # x (g c + h r + 1) = a c + b r + e, likewise y
    rows_x = np.hstack([at, none, -index * places[:, :1] / UNIT_PX])
    rows_y = np.hstack([none, at, -index * places[:, 1:] / UNIT_PX])
    design = np.stack([rows_x, rows_y], axis=1)  # (n, 2, 8)
    flat = design[used].reshape(-1, design.shape[2])
    inverse = _inverse(flat.T @ flat)
    if inverse is None:
        return None
    model = inverse @ (flat.T @ places[used].reshape(-1))
    homography = np.eye(3)
    homography[:2] = model[:6].reshape(2, 3)
    homography[2, :2] = model[6:] / UNIT_PX
    pull = ((design @ inverse) * design).sum(2).max(1)
    return _grid(places, index, at, homography, np.where(used, pull, 0.0), rules)


def _square(
    places: Doubles, index: Indices, at: Doubles, used: NDArray[np.bool_], rules: PackageRulesFile
) -> Grid | None:
    """Turned and scaled only: what two or three balls tell of their grid."""
    step = np.array([[a, b, 1.0, 0.0] for a, b in index * (1, -1)] + [[b, a, 0.0, 1.0] for a, b in index])
    both = np.concatenate([used, used])
    inverse = _inverse(step[both].T @ step[both])
    if inverse is None:
        return None
    along, down, x, y = inverse @ (step[both].T @ places.T.ravel()[both])
    homography = np.array([[along, -down, x], [down, along, y], [0.0, 0.0, 1.0]])
    pull = ((step @ inverse) * step).sum(1).reshape(2, -1).max(0)
    return _grid(places, index, at, homography, np.where(used, pull, 0.0), rules)


def _affine(
    places: Doubles, index: Indices, at: Doubles, used: NDArray[np.bool_], rules: PackageRulesFile
) -> Grid | None:
    inverse = _inverse(at[used].T @ at[used])
    if inverse is None:
        return None
    homography = np.eye(3)
    homography[:2] = (inverse @ (at[used].T @ places[used])).T
    return _grid(places, index, at, homography, np.where(used, ((at @ inverse) * at).sum(1), 0.0), rules)


def _grid(
    places: Doubles, index: Indices, at: Doubles, homography: Doubles, pull: Doubles, rules: PackageRulesFile
) -> Grid | None:
    """`pull` (n,) is how much of its own error each place has taken out of the fit (its leverage)."""
    seen = at @ homography.T
    if (seen[:, 2] <= 0.1).any():
        return None
    apart = places - seen[:, :2] / seen[:, 2:]
    pitch = float(np.sqrt(abs(np.linalg.det(homography[:2, :2]))))
    if pitch < rules.min_ball_diameter_px:
        return None
    off = np.hypot(apart[:, 0], apart[:, 1]) / np.maximum(1 - pull, MAX_GAIN) / pitch
    return Grid(homography=homography, pitch_px=pitch, index=index, off_frac=off.astype(np.float32))


def _inverse(normal: Doubles) -> Doubles | None:
    """None where the places do not determine the fit."""
    try:
        inverse = np.linalg.inv(normal)
    except np.linalg.LinAlgError:  # exactly singular
        return None
    condition = float(np.sqrt(np.square(normal).sum() * np.square(inverse).sum()))
    return np.asarray(inverse) if condition < MAX_CONDITION else None
