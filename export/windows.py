"""Windows of boards from a data set of machine files: `index.csv` with a row a board (`path,label,split,run,counter`).

Every board is read by the station's reader. The pad table is learned from the good boards of `train`, as a recipe
would; a row's window is its board and those printed before it in the same run.
"""

from __future__ import annotations

import collections
import csv
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.bundle import Contract, WindowSpec
from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste import DEFAULT_CELL_MM, DEFAULT_WIPE_EVERY
from edge.paste.learn import grid_for, groups_of, table_of, values_of
from edge.paste.panel import Numbers, PasteFault, PastePanel
from edge.paste.planes import BoardPads, board_planes
from edge.paste.table import PadTable
from edge.paste.window import MAX_STEP
from edge.settings import SettingsFault, read_toml
from export.datasets import GOOD_LABELS, INDEX, TRAIN_SPLIT, DataFault, Row

MACHINE_FILE = "machine.toml"  # beside `index.csv`: how the machine's files are read
MAX_TABLE_BOARDS = 300  # good boards a pad table is learned from: their medians move no more with others
MAX_BOARDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """All boards of a data set: values (N, P, 2) in the table's order, counters (N,), and the table."""

    table: PadTable
    values: Numbers
    counters: tuple[int | None, ...]
    at: dict[str, int]  # path -> which board
    before: tuple[int | None, ...]  # the board printed before each, in the same run
    run: tuple[str, ...]


def contract_windows(folder: Path, rows: Sequence[Row], contract: Contract) -> Floats:
    """(N, T, C, S, S) float32, oldest board first. Boards before a run's first are missing: all planes 0. Raises
    DataFault."""
    prints, spec = prints_of(folder, contract.crop_px), contract.window
    if spec is None:
        raise DataFault(f"{folder}: the bundle judges pictures, and these are boards of paste")
    if prints.table.n_tiles != 1:
        raise DataFault(f"{folder}: a panel of {prints.table.n_tiles} tiles; training takes panels of one")
    return windows_at(prints, [prints.at[row.path] for row in rows], spec)


def windows_at(prints: Prints, ends: Sequence[int], spec: WindowSpec, last_z: Numbers | None = None) -> Floats:
    """(N, T, C, S, S) float32 of the boards `ends` and those before them; `last_z` (P, 2) table sigmas are added to the
    last board of each."""
    table, side = prints.table, prints.table.side_cells

    def planes_of(board: int, extra_z: Numbers | None = None) -> Floats:
        values = prints.values[board] + (0.0 if extra_z is None else extra_z * table.sigma_pct)
        return board_planes(table, BoardPads(table, values, prints.counters[board]), spec.planes)[0]

    chains = [_chain(prints, end, spec.boards) for end in ends]
    planes = {board: planes_of(board) for board in sorted({board for chain in chains for board in chain})}
    windows = np.zeros((len(ends), spec.boards, len(spec.planes), side, side), np.float32)
    for window, chain in zip(windows, chains, strict=True):
        for age, board in enumerate(chain):
            window[spec.boards - 1 - age] = planes[board]
        if last_z is not None:
            window[-1] = planes_of(chain[0], last_z)
    return windows


def prints_of(folder: Path, side_cells: int) -> Prints:
    """Every board of a data set, read once as long as its table stays the same. Raises DataFault."""
    index = folder / INDEX
    try:
        digest = hashlib.sha256(index.read_bytes()).hexdigest()
    except OSError as err:
        raise DataFault(f"{index}: cannot be read: {err.strerror}") from None
    return _read(folder.resolve(), side_cells, digest)


@lru_cache(maxsize=2)
def _read(folder: Path, side_cells: int, _digest: str) -> Prints:
    with (folder / INDEX).open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    if not 1 <= len(records) <= MAX_BOARDS:
        raise DataFault(f"{folder / INDEX}: {len(records)} boards, allowed 1 to {MAX_BOARDS}")
    if missing := sorted({"path", "label", "split"} - records[0].keys()):
        raise DataFault(f"{folder / INDEX}: lacks the columns {missing}")
    settings = machine_settings(folder)
    panels = [_panel(folder / record["path"], settings) for record in records]
    pads = panels[0].pad
    values = np.stack([_values(folder / r["path"], panel, panels[0]) for r, panel in zip(records, panels, strict=True)])
    good = [k for k, r in enumerate(records) if r["split"] == TRAIN_SPLIT and r["label"] in GOOD_LABELS]
    if not good:
        raise DataFault(f"{folder / INDEX}: no good board of split {TRAIN_SPLIT!r} to learn the pads from")
    chosen = good[:MAX_TABLE_BOARDS]
    counters = tuple(panel.counter for panel in panels)
    table = table_of(
        pads,
        values[chosen],
        [counters[k] for k in chosen],
        groups_of(panels[0]),
        grid_for(panels[0], DEFAULT_CELL_MM, side_cells),
        DEFAULT_WIPE_EVERY,
    )
    return Prints(
        table=table,
        values=values,
        counters=counters,
        at={record["path"]: k for k, record in enumerate(records)},
        before=_before(records, counters),
        run=tuple(record.get("run", "") for record in records),
    )


def machine_settings(folder: Path) -> PasteFileSettings:
    """How a data set's files are to be read. Raises DataFault."""
    file = folder / MACHINE_FILE
    try:
        return read_toml(file, PasteFileSettings)
    except SettingsFault as fault:
        raise DataFault(str(fault)) from None


def _panel(path: Path, settings: PasteFileSettings) -> PastePanel:
    try:
        return read_panel(path.read_bytes(), path.name, settings)
    except (OSError, PasteFault) as err:
        raise DataFault(f"{path}: {err}") from None


def _values(path: Path, panel: PastePanel, first: PastePanel) -> NDArray[np.float64]:
    try:
        return values_of(panel, first.pad)
    except PasteFault as fault:
        raise DataFault(f"{path}: {fault}") from None


def _before(records: Sequence[dict[str, str]], counters: Sequence[int | None]) -> tuple[int | None, ...]:
    """The board printed before each in its run, unless the counter jumps; None where the machine does not count."""
    by_run: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
    for k, (record, counter) in enumerate(zip(records, counters, strict=True)):
        if counter is not None:
            by_run[record.get("run", "")].append((counter, k))
    before: list[int | None] = [None] * len(records)
    for boards in by_run.values():
        boards.sort()
        for (earlier, k), (later, n) in itertools.pairwise(boards):
            if 1 <= later - earlier <= MAX_STEP:
                before[n] = k
    return tuple(before)


def _chain(prints: Prints, board: int, length: int) -> list[int]:
    """The board and those before it, newest first, at most `length`."""
    chain = [board]
    while len(chain) < length and (earlier := prints.before[chain[-1]]) is not None:
        chain.append(earlier)
    return chain
