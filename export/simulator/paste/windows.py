"""From runs of prints to what a graph takes: a clean run's pad table, defects put into a run, windows of boards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.learn import grid_of, groups_of, table_of
from edge.paste.panel import Numbers
from edge.paste.planes import BoardPads, board_planes
from edge.paste.table import PadTable
from export.simulator.paste.files import panel_of
from export.simulator.paste.prints import PrintRun, height_of, starts_of
from export.simulator.paste.product import CELL_MM, SIDE_CELLS, WIPE_EVERY, PasteProduct

PAPER_PLANES = ("mask", "volume", "area")
LEAST_AREA_PCT = 1.0  # paste that is there covers something
BATCH = 256  # windows at once: 70 MB at T = 10 and three planes


def product_table(product: PasteProduct, run: PrintRun) -> PadTable:
    """The pad table a recipe would learn from this run of good boards."""
    grid = grid_of(product.x_mm, product.y_mm, CELL_MM, SIDE_CELLS)
    group = groups_of(panel_of(product, run, 0))
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    return table_of(product.pad, values, run.counter.tolist(), group, grid, WIPE_EVERY)


def injected(table: PadTable, run: PrintRun, delta_z: Numbers) -> PrintRun:
    """The run with `delta_z` pad sigmas of the table added: (N, P) to volume and area alike, or (N, P, 2). Nothing goes
    below 0; height follows. Pads whose delta is 0 keep their bytes. Raises ValueError for another shape."""
    shape = run.volume_pct.shape
    if delta_z.shape == shape:
        delta_z = np.repeat(delta_z[:, :, None], 2, axis=2)
    if delta_z.shape != (*shape, 2):
        raise ValueError(f"delta_z: shape {delta_z.shape}, expected {shape} or {(*shape, 2)}")
    moved = (delta_z != 0).any(axis=2)
    volume = np.maximum(run.volume_pct + delta_z[:, :, 0] * table.sigma_pct[:, 0], 0.0)
    area = np.maximum(run.area_pct + delta_z[:, :, 1] * table.sigma_pct[:, 1], 0.0)
    area = np.where(moved & (volume > 0), np.maximum(area, LEAST_AREA_PCT), area)
    return run.with_paste(
        volume_pct=np.where(moved, volume, run.volume_pct),
        area_pct=np.where(moved, area, run.area_pct),
        height_um=np.where(moved, height_of(run.stencil_um, volume, area), run.height_um),
    )


def run_planes(table: PadTable, run: PrintRun, planes: Sequence[str] = PAPER_PLANES, tile: int = 0) -> Floats:
    """(N, C, S, S) float32: each board's planes once, of one tile. Raises ValueError for a tile the table lacks."""
    if not 0 <= tile < table.n_tiles:
        raise ValueError(f"tile is {tile}, the table has {table.n_tiles}")
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    side = table.side_cells
    stack = np.empty((len(run), len(planes), side, side), np.float32)
    for k, counter in enumerate(run.counter.tolist()):
        stack[k] = board_planes(table, BoardPads(table, values[k], counter), planes)[tile]
    return stack


def gathered(stack: Floats, starts: NDArray[np.int64], boards: int, ends: NDArray[np.int64]) -> Floats:
    """(K, T, C, S, S) float32 windows that end at the boards `ends`, from planes (N, C, S, S) and the first board of
    each board's stretch (N,). Boards before the stretch are missing: all planes 0."""
    at = ends[:, None] + np.arange(1 - boards, 1)
    missing = at < starts[ends][:, None]
    windows = stack[np.where(missing, 0, at)]
    windows[missing] = 0
    return windows


def windows(
    table: PadTable,
    run: PrintRun,
    planes: Sequence[str] = PAPER_PLANES,
    boards: int = 10,
    ends: Sequence[int] | NDArray[np.int64] | None = None,
    tile: int = 0,
) -> Floats:
    """(K, T, C, S, S) float32, oldest board first, for every end in `ends` (every board when None).

    A window never crosses a stop, a jump of the counter or a change of day: boards before it are missing, all planes 0.
    A thousand windows of ten take 280 MB; `window_batches` keeps memory bounded. Raises ValueError out of range.
    """
    wanted = _checked_ends(run, boards, ends)
    return gathered(run_planes(table, run, planes, tile), starts_of(run), boards, wanted)


def window_batches(
    table: PadTable,
    run: PrintRun,
    planes: Sequence[str] = PAPER_PLANES,
    boards: int = 10,
    ends: Sequence[int] | NDArray[np.int64] | None = None,
    tile: int = 0,
    batch: int = BATCH,
) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """The same windows, `batch` at a time: (K,) ends and (K, T, C, S, S). Planes are worked out once."""
    wanted = _checked_ends(run, boards, ends)
    stack, starts = run_planes(table, run, planes, tile), starts_of(run)
    for k in range(0, len(wanted), batch):
        part = wanted[k : k + batch]
        yield part, gathered(stack, starts, boards, part)


def full_ends(run: PrintRun, boards: int = 10) -> NDArray[np.int64]:
    """The boards at which a window of `boards` ends that lacks none."""
    at = np.arange(len(run))
    return np.asarray(at[at - starts_of(run) >= boards - 1], np.int64)


def _checked_ends(run: PrintRun, boards: int, ends: Sequence[int] | NDArray[np.int64] | None) -> NDArray[np.int64]:
    if boards < 1:
        raise ValueError(f"boards is {boards}: a window has at least one")
    wanted = np.arange(len(run)) if ends is None else np.asarray(ends, np.int64)
    if wanted.ndim != 1 or (len(wanted) and (wanted.min() < 0 or wanted.max() >= len(run))):
        raise ValueError(f"ends: expected numbers of boards from 0 to {len(run) - 1}")
    return wanted
