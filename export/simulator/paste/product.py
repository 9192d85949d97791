"""Products of the paste twin: where pads lie, how large their apertures are, and what the stencil does to each.

A product is frozen: its name settles every number. Print direction is along y, the conveyor's rails are the two sides
at low and high y. Pads lie at least one cell of 1.2 mm apart, coarser than real fine pitch, so that a panel is a tile.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.paste import DEFAULT_CELL_MM, DEFAULT_WIPE_EVERY
from edge.paste.panel import Names, Numbers
from export.simulator.paste.sites import Site, sub_board_sites

CELL_MM = DEFAULT_CELL_MM  # sites are laid out on the grid that a recipe takes
SIDE_CELLS = 48
SUB_CELLS = 24  # a sub-board's side
WIPE_EVERY = DEFAULT_WIPE_EVERY  # the twin's stencil is wiped as real ones are
PRODUCTS = {"PP-1": (2, 2, 101), "PP-100K": (20, 20, 102)}  # sub-boards down and across, seed of the stencil

MEAN_RANGE_PCT = (62.0, 126.0)  # of aperture groups on real boards (protocol 3.7)
REPEAT_RANGE = (1.4 / 3.05, 4.4 / 3.05)  # of aperture groups, in units of the pooled repeat sigma
FIXED_RANGE = (1.0 / 4.7, 8.6 / 4.7)  # so that group sigmas run from 1.7 to 9.7 points
LARGE_MM2 = 3.0  # apertures that show a day's step wholly
AREA_OF_MEAN = 0.58  # exponent: of what a group lacks of 100 %, the part that is area (a choice)
_TRANSFER_RATIO = 1.2  # area ratio over which the transfer of paste comes near its best


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteProduct:
    """P pads in G aperture groups. Gains are fixed properties of this stencil and printer, without unit, (P,)."""

    name: str
    pad: Names  # REFDES_SUBBOARD/PIN
    x_mm: Numbers  # (P,)
    y_mm: Numbers  # (P,)
    aperture_mm2: Numbers  # (P,)
    stencil_um: Numbers  # (P,) stepped: 120, 150 or 180
    group: NDArray[np.int64]  # (P,) 0 … G-1
    mean_pct: Numbers  # (P, 2) volume and area of the pad's group
    fixed_gain: Numbers  # (P, 2) what stays on this pad, volume and area, in pooled sigmas
    repeat_gain: Numbers  # (P,) repeat sigma of its group over the pooled one
    level_gain: Numbers  # (P,) how much of the board's slow drift it shows, about 1
    day_gain: Numbers  # (P,) how much of a day's step it shows, 1 from LARGE_MM2 up
    wipe_gain: Numbers  # (P,) root mean square 1, smooth over the panel, more on small apertures
    stroke_gain: Numbers  # (P,) root mean square 1, smooth over the panel, both signs

    def __len__(self) -> int:
        return len(self.pad)

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the panel."""
        return float(np.ceil(self.x_mm.max() / CELL_MM) * CELL_MM), float(np.ceil(self.y_mm.max() / CELL_MM) * CELL_MM)


@functools.cache
def paste_product(name: str = "PP-1") -> PasteProduct:
    """A product by name: PP-1 (1,000 pads, one tile) or PP-100K (100,000 pads, 100 tiles). Raises ValueError."""
    if name not in PRODUCTS:
        raise ValueError(f"product is {name!r}, expected one of {', '.join(PRODUCTS)}")
    down, across, seed = PRODUCTS[name]
    rng = np.random.default_rng([seed, 0x9A57E])
    sites = sub_board_sites()
    n_sub = down * across
    sub = np.repeat(np.arange(n_sub), len(sites))
    row = np.tile([site.row for site in sites], n_sub) + SUB_CELLS * (sub // across)
    col = np.tile([site.col for site in sites], n_sub) + SUB_CELLS * (sub % across)
    x_mm, y_mm = _centre_mm(col), _centre_mm(row)
    aperture = np.tile([site.aperture_mm2 for site in sites], n_sub)
    stencil = np.tile([site.stencil_um for site in sites], n_sub)
    ratio = np.tile([site.area_ratio for site in sites], n_sub)
    _, group = np.unique(np.column_stack([aperture, stencil]), axis=0, return_inverse=True)
    group = np.asarray(group.reshape(-1), np.int64)
    volume_mean = _mean_of_ratio(ratio)
    by_mean = np.argsort(np.argsort([volume_mean[group == k][0] for k in range(int(group.max()) + 1)]))
    fixed_gain = rng.standard_normal((len(x_mm), 2)) * _group_gain(by_mean, group, FIXED_RANGE)[:, None]
    size = _log_scaled(aperture)
    u, v = x_mm / x_mm.max(), y_mm / y_mm.max()
    return PasteProduct(
        name=name,
        pad=np.array([_pad_name(site, k + 1) for k in range(n_sub) for site in sites]),
        x_mm=x_mm,
        y_mm=y_mm,
        aperture_mm2=aperture,
        stencil_um=stencil,
        group=group,
        mean_pct=np.column_stack([volume_mean, 100 * (volume_mean / 100) ** AREA_OF_MEAN]),
        fixed_gain=fixed_gain / np.sqrt(np.mean(fixed_gain**2, axis=0)),
        repeat_gain=_group_gain(rng.permutation(by_mean), group, REPEAT_RANGE),
        level_gain=volume_mean / volume_mean.mean() * (1 + 0.1 * rng.uniform(-1, 1, int(group.max()) + 1)[group]),
        day_gain=0.3 + 0.7 * np.minimum(size / size[aperture >= LARGE_MM2].min(), 1),
        wipe_gain=_unit((1.5 - size) * (1 + 0.6 * _smooth(rng, u, v))),
        stroke_gain=_unit(2 * u - 1 + 0.8 * _smooth(rng, u, v)),
    )


def _centre_mm(cell: NDArray[np.int64]) -> Numbers:
    """Centres of cells; the first row and column stand a little outwards, so that no pad lies on a cell's edge when a
    grid starts at the outermost pad."""
    return np.round((cell + 0.5) * CELL_MM - np.where(cell == 0, 0.3, 0.0), 3)


def _pad_name(site: Site, sub_board: int) -> str:
    return f"{site.refdes}_{sub_board:02d}/{site.pin}"


def _mean_of_ratio(area_ratio: Numbers) -> Numbers:
    """Volume in per cent: small area ratios keep paste in the aperture."""
    low, high = MEAN_RANGE_PCT
    released = 1 - np.exp(-(area_ratio - area_ratio.min()) / _TRANSFER_RATIO)
    return np.asarray(low + (high - low) * released / released.max())


def _log_scaled(values: Numbers) -> Numbers:
    """0 at the smallest, 1 at the largest, by the logarithm."""
    log = np.log(values)
    return np.asarray((log - log.min()) / (log.max() - log.min()))


def _group_gain(rank: NDArray[np.int64], group: NDArray[np.int64], span: tuple[float, float]) -> Numbers:
    """(P,) one factor a group over `span`, larger by its rank (G,), root mean square near 1 over the pads."""
    spread = (rank / (len(rank) - 1))[group]
    power = 1.0
    for _ in range(40):  # bends the spread until the pooled sigma is the measured one
        gain = span[0] + (span[1] - span[0]) * spread**power
        power *= float(np.sqrt(np.mean(gain**2)))
    return np.asarray(gain)


def _smooth(rng: np.random.Generator, u: Numbers, v: Numbers) -> Numbers:
    """A gentle pattern over the panel from -1 to 1: two waves of about one period a panel."""
    waves = np.zeros(len(u))
    for _ in range(2):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        waves += 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 1.2) * (u * np.cos(angle) + v * np.sin(angle)) + phase)
    return waves


def _unit(gain: Numbers) -> Numbers:
    return np.asarray(gain / np.sqrt(np.mean(gain**2)))
