"""What is measured the same way on real slices and on the twin's: profiles of balls, noise, voids against height."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]
Place = tuple[float, float]
PROFILE_PX = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A ball in one slice: mu at its centre and between balls, radius at half contrast, 10-90 % edge width."""

    centre_mu: float
    ground_mu: float
    half_radius_px: float
    edge_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Of small patches after a quadratic was taken off: mean, standard deviation, correlation at 1 and 2 pixels."""

    mean: float
    deviation: float
    correlation_1px: float
    correlation_2px: float


def radial_profile(mu: Plane, place: Place) -> NDArray[np.float64] | None:
    """(52,) mean of the pixels at 0..1, 1..2, ... px from a place; None where the picture ends before."""
    x, y = place
    height, width = mu.shape
    x0, x1, y0, y1 = (int(v) for v in (x - PROFILE_PX - 2, x + PROFILE_PX + 3, y - PROFILE_PX - 2, y + PROFILE_PX + 3))
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return None
    rows, columns = np.mgrid[y0:y1, x0:x1]
    radius = np.hypot(columns - x, rows - y)
    ring = np.maximum(np.rint(radius).astype(int), 1) - 1
    inside = ring < PROFILE_PX
    return np.bincount(ring[inside], mu[y0:y1, x0:x1][inside]) / np.bincount(ring[inside])


def ball_profile(profile: NDArray[np.float64]) -> Profile:
    """The figures of a radial profile. Raises ValueError for one that falls nowhere."""
    centre, ground = float(profile[:5].mean()), float(profile.min())
    share = (profile - ground) / max(centre - ground, 1e-9)
    if share[0] < 0.9 or share.min() > 0.1:
        raise ValueError("the profile is not of a ball: it does not fall from its centre")
    widths = [_crossing(share, level) for level in (0.9, 0.5, 0.1)]
    return Profile(centre_mu=centre, ground_mu=ground, half_radius_px=widths[1], edge_px=widths[2] - widths[0])


def median_profile(mu: Plane, places: Iterable[Place]) -> Profile:
    """Medians over balls. Raises ValueError when none lies whole in the picture."""
    found = [ball_profile(p) for place in places if (p := radial_profile(mu, place)) is not None]
    if not found:
        raise ValueError("no ball lies whole in the picture")
    return Profile(
        centre_mu=float(np.median([p.centre_mu for p in found])),
        ground_mu=float(np.median([p.ground_mu for p in found])),
        half_radius_px=float(np.median([p.half_radius_px for p in found])),
        edge_px=float(np.median([p.edge_px for p in found])),
    )


def patch_noise(plane: Plane, places: Sequence[Place], half_px: int = 9) -> Noise:
    """Medians over square patches of 2 `half_px`. Raises ValueError when none lies whole in the picture."""
    across = np.linspace(-1, 1, 2 * half_px)
    x, y = (axis.ravel() for axis in np.meshgrid(across, across))
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1))
    found = []
    for centre_x, centre_y in places:
        x0, y0 = round(centre_x) - half_px, round(centre_y) - half_px
        patch = plane[max(y0, 0) : y0 + 2 * half_px, max(x0, 0) : x0 + 2 * half_px].astype(np.float64)
        if patch.shape != (2 * half_px, 2 * half_px):
            continue
        flat = patch.ravel()
        rest = (flat - basis @ (basis.T @ flat)).reshape(patch.shape)
        found.append((flat.mean(), rest.std(), *(_correlation(rest, lag) for lag in (1, 2))))
    if not found:
        raise ValueError("no patch lies whole in the picture")
    mean, deviation, near, far = np.median(np.array(found), axis=0)
    return Noise(mean=float(mean), deviation=float(deviation), correlation_1px=float(near), correlation_2px=float(far))


def calm_places(plane: Plane, low: float, high: float, wanted: int = 60, half_px: int = 9) -> list[Place]:
    """Centres of the patches with the least structure among those whose mean lies between two values."""
    side = 2 * half_px
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    tiles = plane[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    mean, spread = tiles.mean(axis=(2, 3)), tiles.std(axis=(2, 3))
    spread = np.where((mean > low) & (mean < high), spread, np.inf)
    chosen = np.argsort(spread, axis=None, kind="stable")[:wanted]
    chosen = chosen[np.isfinite(spread.ravel()[chosen])]
    return [(float(n % columns * side + half_px), float(n // columns * side + half_px)) for n in chosen]


def spot_contrast(mu: Plane, ball: Place, ball_px: float, spot: Place | None = None) -> tuple[float, Place]:
    """How much lighter (in mu) a spot inside a ball is than the ball is at the same distance from its centre (median of
    the ring), after a blur of one pixel, and where; without `spot`, the lightest one within 0.7 of the radius."""
    reach = int(ball_px) + 4
    x0, y0 = round(ball[0]) - reach, round(ball[1]) - reach
    part = cv2.GaussianBlur(mu[y0 : y0 + 2 * reach, x0 : x0 + 2 * reach].astype(np.float32), (0, 0), 1.0)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    ring = np.hypot(columns + x0 - ball[0], rows + y0 - ball[1]).astype(int)
    level = np.array([np.median(part[ring == r]) if (ring == r).any() else 0.0 for r in range(ring.max() + 1)])
    lighter = level[ring] - part
    if spot is None:
        inside = np.where(ring < 0.7 * ball_px, lighter, -np.inf)
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        return float(inside.max()), (float(x + x0), float(y + y0))
    return float(lighter[round(spot[1]) - y0, round(spot[0]) - x0]), spot


def auroc_error(auroc: float, n_defect: int, n_good: int) -> float:
    """Standard error of an AUROC, Hanley and McNeil 1982."""
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc) + (n_defect - 1) * (q1 - auroc**2) + (n_good - 1) * (q2 - auroc**2)
    return float(np.sqrt(variance / (n_defect * n_good)))


def _crossing(share: NDArray[np.float64], level: float) -> float:
    n = int(np.flatnonzero(share < level)[0])
    return float(n - 1 + (share[n - 1] - level) / (share[n - 1] - share[n])) + 0.5


def _correlation(rest: NDArray[np.float64], lag: int) -> float:
    along, down = (rest[:, lag:] * rest[:, :-lag]).mean(), (rest[lag:] * rest[:-lag]).mean()
    return float((along + down) / 2 / rest.var())
