"""A pad table from good panels: medians and robust spreads by pad, by aperture group, by stroke and by wipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Names, Numbers, PasteFault, PastePanel
from edge.paste.planes import CLIP_Z, MAD_TO_SIGMA
from edge.paste.table import STROKES, PadTable

SIGMA_FLOOR_PCT = 1.0  # a machine repeats to about a point: less would call its rounding a defect
GROUP_WEIGHT = 4.0  # panels' worth of trust in the aperture group, while a pad has few of its own
GROUP_AREA_MM2 = 0.01  # apertures are told apart to so much area
MIN_PERIODIC = 20  # panels before stroke and wipe are told apart from noise, and noise from what a day does
NOISE_FLOOR_Z = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where pads lie: tile, row and column (P,) of each, and the tiles' side."""

    tile: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    x_mm: Numbers
    y_mm: Numbers
    side_cells: int
    n_moved: int  # pads that shared a cell and went to the nearest free one


def learn_table(panels: Sequence[PastePanel], grid: Grid, wipe_every: int) -> PadTable:
    """From good panels of one product, oldest first. Raises PasteFault when they do not hold the same pads.

    With one panel a pad's mean is mostly its group's and its spread the group's; with many it is its own.
    """
    pads = panels[0].pad
    values = np.stack([values_of(panel, pads) for panel in panels])  # (N, P, 2)
    group = groups_of(panels[0])
    return table_of(pads, values, [panel.counter for panel in panels], group, grid, wipe_every)


def values_of(panel: PastePanel, pads: Names) -> Numbers:
    """(P, 2) volume and area in the order of `pads`. Raises PasteFault for missing and for unknown pads."""
    if len(panel) == len(pads) and np.array_equal(panel.pad, pads):
        return np.column_stack([panel.volume_pct, panel.area_pct])
    order = np.argsort(panel.pad)
    at = order[np.searchsorted(panel.pad, pads, sorter=order).clip(max=len(panel) - 1)]
    if missing := pads[panel.pad[at] != pads][:3].tolist():
        raise PasteFault(f"{len(panel)} pads where the recipe has {len(pads)}; missing {', '.join(missing)} …")
    if len(panel) != len(pads):
        strangers = np.setdiff1d(panel.pad, pads)[:3].tolist()
        raise PasteFault(f"{len(panel)} pads where the recipe has {len(pads)}; unknown {', '.join(strangers)} …")
    return np.column_stack([panel.volume_pct[at], panel.area_pct[at]])


def groups_of(panel: PastePanel) -> NDArray[np.int64]:
    """(P,) aperture groups: nominal area to 0.01 mm2 and stencil thickness to a micrometre."""
    area = np.round(np.nan_to_num(panel.aperture_mm2) / GROUP_AREA_MM2)
    thickness = np.round(np.nan_to_num(panel.stencil_um))
    _, group = np.unique(np.column_stack([area, thickness]), axis=0, return_inverse=True)
    return np.asarray(group.reshape(-1), np.int64)


def table_of(
    pads: Names, values: Numbers, counters: Sequence[int | None], group: NDArray[np.int64], grid: Grid, wipe_every: int
) -> PadTable:
    """A table from values (N, P, 2) of N good panels and their counters."""
    n, n_groups = len(values), int(group.max()) + 1
    group_mean = np.empty((n_groups, 2))
    group_sigma = np.empty((n_groups, 2))
    for k in range(n_groups):
        own = values[:, group == k].reshape(-1, 2)
        group_mean[k] = np.nanmedian(own, axis=0)
        group_sigma[k] = np.maximum(_robust_sigma(own), SIGMA_FLOOR_PCT)
    trust = n / (n + GROUP_WEIGHT) if n > 1 else 0.0
    mean = trust * np.nanmedian(values, axis=0) + (1 - trust) * group_mean[group]
    variance = trust * _robust_sigma(values) ** 2 + (1 - trust) * group_sigma[group] ** 2
    sigma = np.maximum(np.sqrt(variance), SIGMA_FLOOR_PCT)
    z = (values - mean) / sigma
    stroke, wipe = _periodic(z, counters, wipe_every)
    return PadTable(
        pad=pads,
        tile=grid.tile,
        row=grid.row,
        col=grid.col,
        x_mm=grid.x_mm,
        y_mm=grid.y_mm,
        group=group,
        mean_pct=mean,
        sigma_pct=sigma,
        group_mean_pct=group_mean,
        group_sigma_pct=group_sigma,
        stroke_z=stroke,
        wipe_z=wipe,
        noise_z=_noise(z, counters, group, stroke, wipe),
        side_cells=grid.side_cells,
    )


def _robust_sigma(values: Numbers) -> Numbers:
    centre = np.nanmedian(values, axis=0)
    return np.asarray(MAD_TO_SIGMA * np.nanmedian(np.abs(values - centre), axis=0))


def _periodic(z: Numbers, counters: Sequence[int | None], wipe_every: int) -> tuple[Numbers, Numbers]:
    """(P, 2, 2) and (P, W, 2): means by stroke and by place in the wipe cycle, the board's level taken away first.
    Zeros where there are too few panels, or the machine does not count."""
    pads = z.shape[1]
    stroke, wipe = np.zeros((pads, STROKES, 2)), np.zeros((pads, wipe_every, 2))
    known = np.array([counter is not None for counter in counters])
    if known.sum() < MIN_PERIODIC:
        return stroke, wipe
    count = np.array([counter or 0 for counter in counters])
    left = z - np.nanmedian(z, axis=1, keepdims=True)
    for table, every in ((stroke, STROKES), (wipe, wipe_every)):
        for phase in range(every):
            rows = known & (count % every == phase)
            if rows.any():
                table[:, phase] = np.nanmean(left[rows], axis=0)
        left = left - table[:, count % every].transpose(1, 0, 2)
    return stroke, wipe


def _noise(
    z: Numbers, counters: Sequence[int | None], group: NDArray[np.int64], stroke: Numbers, wipe: Numbers
) -> Numbers:
    """(P, 2): robust spread of z (N, P, 2) without its groups' levels, stroke and wipe; 1 from too few panels."""
    if len(z) < MIN_PERIODIC:
        return np.ones(z.shape[1:])
    left = np.clip(z, -CLIP_Z, CLIP_Z)
    for k in range(int(group.max()) + 1):
        own = group == k
        left[:, own] -= np.nanmedian(left[:, own], axis=1, keepdims=True)
    for n, counter in enumerate(counters):
        if counter is not None:
            left[n] -= stroke[:, counter % STROKES] + wipe[:, counter % wipe.shape[1]]
    return np.maximum(_robust_sigma(left), NOISE_FLOOR_Z)


def grid_of(x_mm: Numbers, y_mm: Numbers, cell_mm: float, side_cells: int) -> Grid:
    """Pads to cells of `cell_mm`, in tiles of `side_cells`. Of pads that share a cell the first stays; the others go to
    the nearest free cell of their tile. Raises PasteFault when a tile has more pads than cells."""
    row_all = np.floor((y_mm - y_mm.min()) / cell_mm).astype(np.int64)
    col_all = np.floor((x_mm - x_mm.min()) / cell_mm).astype(np.int64)
    tiles_wide = int(col_all.max()) // side_cells + 1
    tile = (row_all // side_cells) * tiles_wide + col_all // side_cells
    _, tile = np.unique(tile, return_inverse=True)
    row, col = row_all % side_cells, col_all % side_cells
    n_moved = 0
    for k in range(int(tile.max()) + 1):
        n_moved += _part_shared(row, col, np.flatnonzero(tile == k), side_cells)
    return Grid(
        tile=np.asarray(tile, np.int64), row=row, col=col, x_mm=x_mm, y_mm=y_mm, side_cells=side_cells, n_moved=n_moved
    )


def grid_for(panel: PastePanel, cell_mm: float, side_cells: int) -> Grid:
    """By the pads' positions; where the machine gives none, in the order of its file."""
    if panel.x_mm is None or panel.y_mm is None:
        return grid_in_order(len(panel), side_cells)
    return grid_of(panel.x_mm, panel.y_mm, cell_mm, side_cells)


def grid_in_order(n: int, side_cells: int) -> Grid:
    """For exports without positions: pads in the file's own order, row by row. Neighbours in the file are often
    neighbours on the board."""
    at = np.arange(n)
    tile, inside = np.divmod(at, side_cells * side_cells)
    row, col = np.divmod(inside, side_cells)
    return Grid(
        tile=tile,
        row=row,
        col=col,
        x_mm=(col + tile * (side_cells + 2)).astype(np.float64),
        y_mm=row.astype(np.float64),
        side_cells=side_cells,
        n_moved=0,
    )


def _part_shared(row: NDArray[np.int64], col: NDArray[np.int64], pads: NDArray[np.int64], side: int) -> int:
    if len(pads) > side * side:
        raise PasteFault(f"{len(pads)} pads in a tile of {side} x {side} cells: take smaller cells")
    cell = row[pads] * side + col[pads]
    _, first = np.unique(cell, return_index=True)
    moved = np.setdiff1d(np.arange(len(pads)), first)
    free = np.ones(side * side, bool)
    free[cell[first]] = False
    for k in moved:
        open_cells = np.flatnonzero(free)
        distance = (open_cells // side - row[pads[k]]) ** 2 + (open_cells % side - col[pads[k]]) ** 2
        target = open_cells[int(np.argmin(distance))]
        free[target] = False
        row[pads[k]], col[pads[k]] = divmod(int(target), side)
    return len(moved)
