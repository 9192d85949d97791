"""Where on the panel each fault of the printer shows (protocol 3.5): weights of pads, 0 to 1, from their positions.

The blade travels along y; the conveyor's rails are the sides at low and high y.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from export.simulator.paste.product import CELL_MM, PasteProduct

STRIP_MM = (3.0, 8.0)
ELLIPSE_FRAC = (0.20, 0.35)  # half-axes, of the board
SOFT_EDGE_FRAC = 0.25  # of the ellipse's radius, inside it
KNEADING_FRAC = (0.60, 1.00)  # of the panel, from one side
RAIL_MM = (5.0, 10.0)
PATCHES = (1, 3)
PATCH_HALF_MM = (1.5, 3.0)  # across the blade's way
TRAIL = 2.0  # a patch is so many times longer along the blade's way
NEIGHBOUR_MM = 2.0 * CELL_MM  # around a smear
DENSE_RADIUS_MM = 4.0
DENSEST_FRAC = 0.10  # of the pads, by paste apertures around them


def drawn(rng: np.random.Generator, product: PasteProduct, kind: str) -> Numbers:
    """(P,) weights of a fault's pads, 0 where it does not show; at least one pad is above 0."""
    while True:  # a strip may fall between pads: then another is drawn
        weight = _MASKS[kind](rng, product)
        if (weight > 0).any():
            return weight


def strip(rng: np.random.Generator, product: PasteProduct) -> Numbers:
    """3 to 8 mm wide, along the print direction over the whole panel: a worn place of one blade."""
    width = rng.uniform(*STRIP_MM)
    left = rng.uniform(0, product.size_mm[0] - width)
    return _as_weight((product.x_mm >= left) & (product.x_mm <= left + width))


def ellipse(rng: np.random.Generator, product: PasteProduct) -> Numbers:
    """Where the support is missing: half-axes of 20 to 35 % of the board, soft at the edge."""
    size = np.array(product.size_mm)
    half = rng.uniform(*ELLIPSE_FRAC, 2) * size
    centre = rng.uniform(0.2, 0.8, 2) * size
    radius = np.hypot((product.x_mm - centre[0]) / half[0], (product.y_mm - centre[1]) / half[1])
    return np.asarray(np.clip((1 - radius) / SOFT_EDGE_FRAC, 0, 1))


def patches(rng: np.random.Generator, product: PasteProduct) -> Numbers:
    """1 to 3 patches on the densest apertures, longer along the blade's way."""
    weight = np.zeros(len(product), bool)
    for _ in range(int(rng.integers(PATCHES[0], PATCHES[1] + 1))):
        weight |= _patch(rng, product)
    return _as_weight(weight)


def part_of_panel(rng: np.random.Generator, product: PasteProduct) -> Numbers:
    """60 to 100 % of the panel, from the side where the print starts."""
    side = bool(rng.integers(2))
    place = product.y_mm / product.size_mm[1]
    return _as_weight((1 - place if side else place) <= rng.uniform(*KNEADING_FRAC))


def rails(rng: np.random.Generator, product: PasteProduct) -> Numbers:
    """Bands of 5 to 10 mm along the two rails, each as wide as it likes."""
    low, high = rng.uniform(*RAIL_MM, 2)
    return _as_weight((product.y_mm <= low) | (product.y_mm >= product.size_mm[1] - high))


def patch_and_neighbours(
    rng: np.random.Generator, product: PasteProduct
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(P,) a wiped patch, and the pads around it that took its paste."""
    patch = _patch(rng, product)
    x, y = product.x_mm, product.y_mm
    near = np.zeros(len(product), bool)
    for k in np.flatnonzero(patch):
        near |= np.hypot(x - x[k], y - y[k]) <= NEIGHBOUR_MM
    return patch, near & ~patch


def densest(product: PasteProduct) -> NDArray[np.int64]:
    """The tenth of the pads with most apertures around them, small ones counting more."""
    x, y = product.x_mm, product.y_mm
    cells = np.floor(np.column_stack([x, y]) / DENSE_RADIUS_MM).astype(np.int64)
    keys, at = np.unique(cells, axis=0, return_inverse=True)
    at = at.reshape(-1)
    weights = np.bincount(at, weights=1 / np.sqrt(product.aperture_mm2), minlength=len(keys))
    order = np.argsort(-weights[at], kind="stable")
    return np.asarray(order[: max(1, int(DENSEST_FRAC * len(product)))], np.int64)


def _patch(rng: np.random.Generator, product: PasteProduct) -> NDArray[np.bool_]:
    centre = int(rng.choice(densest(product)))
    half = float(rng.uniform(*PATCH_HALF_MM))
    dx, dy = product.x_mm - product.x_mm[centre], product.y_mm - product.y_mm[centre]
    return np.asarray(np.hypot(dx / half, dy / (TRAIL * half)) <= 1)


def _as_weight(inside: NDArray[np.bool_]) -> Numbers:
    return inside.astype(np.float64)


_MASKS: dict[str, Callable[[np.random.Generator, PasteProduct], Numbers]] = {
    "squeegee": strip,
    "support": ellipse,
    "removed": patches,
    "kneading": part_of_panel,
    "clamp_excess": rails,
    "clamp_insufficient": rails,
}
