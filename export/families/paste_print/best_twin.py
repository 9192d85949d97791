"""Runs of the paste twin for `best` to learn from: many days, several pad tables, each learned from other boards."""

from __future__ import annotations

import numpy as np

from edge.paste.learn import grid_of, table_of
from edge.paste.table import PadTable
from export.families.paste_print.best_lessons import CleanRuns
from export.families.paste_print.best_planes import z_of
from export.simulator.paste.prints import PrintRun, print_run, starts_of
from export.simulator.paste.product import CELL_MM, SIDE_CELLS, WIPE_EVERY, PasteProduct, paste_product

TRAIN_SEEDS, VAL_SEEDS, TABLE_SEEDS = 51_000, 52_000, 53_000  # apart from all seeds of experiments
TABLES = ((200, "line"), (300, "line"), (400, "line"), (300, "easy"), (300, "hard"))  # boards, and their difficulty
BOARDS = 1000
VAL_BOARDS = 200


def twin_runs(seed: int, product: str = "PP-1") -> tuple[list[CleanRuns], list[CleanRuns]]:
    """Runs to train on and to watch the training by: one of each for every table."""
    layout = paste_product(product)
    train, val = [], []
    for k, (n_boards, difficulty) in enumerate(TABLES):
        own = 10 * seed + k
        table = _table(layout, print_run(layout, n_boards, TABLE_SEEDS + own, difficulty))
        train.append(_clean(table, print_run(layout, BOARDS, TRAIN_SEEDS + own, difficulty)))
        val.append(_clean(table, print_run(layout, VAL_BOARDS, VAL_SEEDS + own, difficulty)))
    return train, val


def _table(layout: PasteProduct, run: PrintRun) -> PadTable:
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    grid = grid_of(layout.x_mm, layout.y_mm, CELL_MM, SIDE_CELLS)
    return table_of(layout.pad, values, run.counter.tolist(), layout.group, grid, WIPE_EVERY)


def _clean(table: PadTable, run: PrintRun) -> CleanRuns:
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    return CleanRuns(table=table, z=z_of(table, values), counter=run.counter, start=starts_of(run))
