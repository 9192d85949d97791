"""Data set folders of paste prints: Koh Young files of boards in printing order, and the truth of every moved pad.

A set is its arguments, byte for byte with the same NumPy. Splits are days: the first ones are `train`, without faults;
`val` and `dev-test` have runs of good boards and runs with one fault each. Sizes are in sigmas of the pad table of the
training days. A drift of the whole panel is no defect, and every run has one anyway: it is not among the faults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from edge.paste.table import PadTable
from edge.recipe_toml import settings_toml
from export.simulator.datasets import DEV_TEST, TRAIN, VAL, check_fraction, write_table
from export.simulator.paste.difficulty import Difficulty, difficulty_of
from export.simulator.paste.faults import FAULT_KINDS, NOT_A_DEFECT, printer_fault, random_pads
from export.simulator.paste.files import FILE_SETTINGS, koh_young_name, write_koh_young
from export.simulator.paste.prints import PrintRun, print_run
from export.simulator.paste.product import PasteProduct, paste_product
from export.simulator.paste.windows import injected, product_table

GOOD = "good"
RANDOM_PADS = "random_pads"
SET_KINDS = (RANDOM_PADS, *(kind for kind in FAULT_KINDS if kind != NOT_A_DEFECT))
MIN_BOARDS = 100
DEFECT_SIGMA = 1.0  # a board is defective when a pad moved by more …
GOOD_SIGMA = 0.05  # … good when none moved by more than this, and between the two nobody is to be scored on it
NEAR_DEFECT = "near_defect"
RUN_BOARDS = (10, 25)  # a run's length: windows of 10 lie inside, and there are many runs
_MIN_DAYS = 5
_SET_AMPLITUDES = (2.0, 3.0, 5.0)
_RANDOM_RATIO = (0.005, 0.05)
_INDEX_COLUMNS = ("path", "label", "split", "board", "run", "counter", "day", "product")
_PAD_COLUMNS = ("path", "pad", "delta_volume_z", "delta_area_z")

Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteSet:
    """What `write_paste_set` wrote: the folder, and boards by (split, label)."""

    folder: Path
    boards: Mapping[tuple[str, str], int]
    moved_pads: int  # rows of pads.csv


def write_paste_set(
    folder: Path,
    n_boards: int,
    seed: int,
    difficulty: Difficulty | str = "line",
    fault_rate: float = 0.5,
    *,
    product: str = "PP-1",
) -> PasteSet:
    """Write `boards/*.csv` (Koh Young), `machine.toml`, `pads.csv` and, last, `index.csv`: without it a folder is
    unfinished.

    `fault_rate` of the runs of val and of dev-test (those of ten boards or more) have a fault; its boards are labelled
    by its kind once a pad has moved by more than 1 sigma of the training days, `near_defect` before, and `good` where
    nothing moved yet. Raises FileExistsError for a folder that is not empty, ValueError for arguments out of range.
    """
    check_fraction("fault_rate", fault_rate)
    if n_boards < MIN_BOARDS:
        raise ValueError(f"n_boards is {n_boards}: a set has at least {MIN_BOARDS}")
    layout = paste_product(product)
    clean = print_run(layout, n_boards, seed, _days_of(difficulty_of(difficulty), n_boards))
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: give another folder or remove it first")
    splits = _splits(clean.day)
    table = product_table(layout, clean.part(splits == TRAIN))
    run, delta_z, kind = _with_faults(layout, table, clean, splits, fault_rate, seed)
    (folder / "boards").mkdir(parents=True, exist_ok=True)
    index: list[Record] = []
    pads: list[Record] = []
    for k in range(n_boards):
        path = f"boards/{koh_young_name(run, k)}"
        (folder / path).write_bytes(write_koh_young(layout, run, k))
        label = _label(kind[k], float(np.abs(delta_z[k]).max()))
        index.append({"path": path, "label": label, "split": splits[k], "board": path[7:-4]} | _when(run, k))
        pads += _moved(path, layout, delta_z[k])
    write_table(folder / "pads.csv", _PAD_COLUMNS, pads)
    (folder / "machine.toml").write_text(settings_toml(FILE_SETTINGS, "How boards/*.csv are to be read."), "utf-8")
    write_table(folder / "index.csv", _INDEX_COLUMNS, index)
    counts = Counter((str(row["split"]), str(row["label"])) for row in index)
    return PasteSet(folder=folder, boards=MappingProxyType(counts), moved_pads=len(pads))


def _label(kind: str, farthest_z: float) -> str:
    """A fault that begins moves many pads by little: neither good nor yet what anybody must call."""
    if farthest_z > DEFECT_SIGMA:
        return kind
    return NEAR_DEFECT if farthest_z > GOOD_SIGMA else GOOD


def _days_of(set_to: Difficulty, n_boards: int) -> Difficulty:
    """At least five days of nearly the same length, so that each split has its own, of two runs or more."""
    n_days = max(_MIN_DAYS, -(-n_boards // set_to.boards_per_day))
    per_day = -(-n_boards // n_days)
    per_run = int(np.clip(per_day // 2, *RUN_BOARDS))
    return replace(set_to, boards_per_day=per_day, boards_per_run=per_run)


def _splits(day: NDArray[np.int64]) -> NDArray[np.str_]:
    """(N,) half of the days or more are train, then a fifth val, the rest dev-test."""
    days = np.unique(day)
    n_val = max(1, len(days) // 5)
    n_train = (len(days) + 1) // 2
    place = day - days[0]
    return np.select([place < n_train, place < n_train + n_val], [TRAIN, VAL], DEV_TEST)


def _with_faults(
    product: PasteProduct, table: PadTable, clean: PrintRun, splits: NDArray[np.str_], fault_rate: float, seed: int
) -> tuple[PrintRun, Numbers, list[str]]:
    """The run with faults, what each pad really moved in table sigmas (N, P, 2), and the fault of each board."""
    rng = np.random.default_rng([seed, 0x9A57E2])
    delta_z = np.zeros((len(clean), len(product), 2))
    kind = [GOOD] * len(clean)
    order = rng.permutation(len(SET_KINDS)).tolist()
    n_faults = 0
    for split in (VAL, DEV_TEST):
        runs, lengths = np.unique(clean.run[splits == split], return_counts=True)
        runs = runs[lengths >= RUN_BOARDS[0]]
        for chosen in np.sort(rng.permutation(runs)[: round(fault_rate * len(runs))]).tolist():
            boards = np.flatnonzero(clean.run == chosen)
            name = SET_KINDS[order[n_faults % len(order)]]
            delta_z[boards] = _fault(rng, product, table, clean.part(boards), name)
            kind[boards[0] : boards[-1] + 1] = [name] * len(boards)
            n_faults += 1
    run = injected(table, clean, delta_z)
    really = np.stack([run.volume_pct - clean.volume_pct, run.area_pct - clean.area_pct], axis=-1) / table.sigma_pct
    return run, really, kind


def _fault(rng: np.random.Generator, product: PasteProduct, table: PadTable, run: PrintRun, kind: str) -> Numbers:
    amplitude = float(rng.choice(_SET_AMPLITUDES))
    if kind != RANDOM_PADS:
        return printer_fault(rng, product, kind, len(run), amplitude, table, run).delta_z
    sign = 1.0 if rng.integers(2) else -1.0
    moves = random_pads(rng, (len(run), len(product)), float(rng.uniform(*_RANDOM_RATIO)), sign * amplitude)
    return np.repeat(moves[:, :, None], 2, axis=2)


def _when(run: PrintRun, k: int) -> Record:
    return {
        "run": int(run.run[k]),
        "counter": int(run.counter[k]),
        "day": int(run.day[k]),
        "product": run.product,
    }


def _moved(path: str, product: PasteProduct, delta_z: Numbers) -> list[Record]:
    return [
        {
            "path": path,
            "pad": str(product.pad[k]),
            "delta_volume_z": f"{delta_z[k, 0]:.3f}",
            "delta_area_z": f"{delta_z[k, 1]:.3f}",
        }
        for k in np.flatnonzero(delta_z.any(axis=1))
    ]
