"""`best` taught from a data set folder: its good boards as runs, and what is looked at before it becomes a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.paste.learn import Grid, table_of
from edge.paste.table import PadTable
from export.datasets import Row
from export.families.paste_print.best_lessons import CleanRuns
from export.families.paste_print.best_planes import z_of
from export.families.paste_print.best_teaching import fit_best
from export.onnx import run_torch
from export.teaching import Taught, TeachingJob
from export.windows import Prints, prints_of, windows_at

RAISED_Z, RAISED_FRAC = 5.0, 0.05  # of table sigmas and of pads
MIN_CAUGHT_FRAC = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BestCheck:
    """Of good validation windows: the highest score, and which fraction of pads raised by 5 sigmas lies above it."""

    highest_good: float
    caught_frac: float

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"catches {self.caught_frac:.0%} of pads raised by {RAISED_Z:g} sigmas at the highest score of a good "
            f"validation board, {self.highest_good:.3g}"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this network may not become a bundle; empty when it may."""
        if self.caught_frac >= MIN_CAUGHT_FRAC:
            return []
        return [f"the network {self.summary}; it must catch {MIN_CAUGHT_FRAC:.0%}: train longer, or on more boards"]


def teach_best(job: TeachingJob) -> Taught:
    """Train on the good boards of `train`, watch the loss on those of `val`. Raises TrainingFault, DataFault."""
    prints = prints_of(job.folder, job.contract.crop_px)
    good = [row for row in job.samples.val_rows if row.is_good]
    train = [clean_runs(prints, table, boards) for table, boards in halves(prints, job.samples.train_rows)]
    val = clean_runs(prints, prints.table, [prints.at[row.path] for row in good])
    report = fit_best(job.network, train, [val], job.settings, job.seed, job.on_epoch)
    return Taught(report=report, check=check_best(job, prints, good))


def halves(prints: Prints, rows: Sequence[Row]) -> list[tuple[PadTable, list[int]]]:
    """Each half of the days with a table learned from the other: at a station, too, a table is of other boards than
    those it judges."""
    boards = [prints.at[row.path] for row in rows]
    runs = sorted({prints.run[board] for board in boards}, key=_number)
    first = set(runs[: len(runs) // 2])
    parts = [b for b in boards if prints.run[b] in first], [b for b in boards if prints.run[b] not in first]
    if not all(parts):
        return [(prints.table, boards)]
    own = prints.table
    grid = Grid(
        tile=own.tile, row=own.row, col=own.col, x_mm=own.x_mm, y_mm=own.y_mm, side_cells=own.side_cells, n_moved=0
    )
    made = []
    for judged, learned in (parts, parts[::-1]):
        counters = [prints.counters[board] for board in learned]
        table = table_of(own.pad, prints.values[learned], counters, own.group, grid, own.wipe_every)
        made.append((table, judged))
    return made


def _number(run: str) -> tuple[int, str]:
    return (int(run), run) if run.isdigit() else (0, run)


def clean_runs(prints: Prints, table: PadTable, chosen: Sequence[int]) -> CleanRuns:
    """Good boards in printing order, each with the first of its run."""
    boards = sorted(chosen, key=lambda k: (_number(prints.run[k]), prints.counters[k] or 0))
    place = {board: k for k, board in enumerate(boards)}
    start: list[int] = []
    for k, board in enumerate(boards):
        before = prints.before[board]
        start.append(start[place[before]] if before is not None and place.get(before) == k - 1 else k)
    return CleanRuns(
        table=table,
        z=z_of(table, prints.values[boards]),
        counter=np.array([prints.counters[board] or 0 for board in boards], np.int64),
        start=np.array(start, np.int64),
    )


def check_best(job: TeachingJob, prints: Prints, good: Sequence[Row]) -> BestCheck:
    """Score good validation windows as they are, and with some pads of the last board raised."""
    spec = job.contract.window
    assert spec is not None
    table, rng = prints.table, np.random.default_rng(job.seed)
    raised = rng.random(len(table.pad)) < RAISED_FRAC
    ends = [prints.at[row.path] for row in good]
    clean = run_torch(job.scored, windows_at(prints, ends, spec)).score
    moved = windows_at(prints, ends, spec, last_z=np.where(raised, RAISED_Z, 0.0)[:, None].repeat(2, axis=1))
    maps = run_torch(job.scored, moved).map
    assert maps is not None
    pads = maps[:, table.row[raised], table.col[raised]]
    highest = float(clean.max())
    return BestCheck(highest_good=highest, caught_frac=float((pads > highest).mean()))
