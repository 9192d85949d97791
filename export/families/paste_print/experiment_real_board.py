"""The real failing board (protocol, end of 3.6): paste wiped off 17 pads, judged with nothing but this one board.

Only one top side can be had, so no pad has a history: each pad is held against its own aperture group on the board
itself, by median and MAD of volume, area and height. That is a rule of one board, not of the station's windows, which
learn from good panels. The limit is what Gaussian values pass once in 100 boards, and the floor of sigma the repeat
noise of protocol 3.7 (measured on a pair of boards of which this is one). The form of the rule was chosen knowing this
board, and real groups have longer tails than Gaussian ones: more good pads are called than the limit says, here and on
the other side's board, where nothing was wiped.

    python -m export.families.paste_print.experiment_real_board --data ../shared/data --json paste_real_board.json
        [--methods ewma crrn_0.pt ...]

Beside it stands what methods of the line twin say of the same board, given as all boards of their windows, at their own
thresholds: its groups give each pad's mean and spread, its file the order of cells, as the machine gave no positions.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from edge.paste.learn import grid_in_order, table_of
from edge.paste.panel import MAX_PADS, PasteFault
from edge.paste.planes import REPEAT_PCT, BoardPads, board_planes, own_group_z, pads_of_map
from edge.scorers.paste_rules import PLANES_OF
from export.families.paste_print.experiment_file import methods_of
from export.families.paste_print.experiment_methods import COMPARATORS
from export.families.paste_print.experiment_runs import (
    VALIDATION_SEED,
    Line,
    Method,
    clean_scores,
    line_of,
    thresholds_of,
)

FOLDER = "kohyoung-spi-boards"
TOP, BOTTOM = "board_top_index24857_fail.csv.gz", "board_bot_index24566_fail.csv.gz"
WIPED_LIBRARY = "PART22"
COLUMNS = ("volume_pct", "area_pct", "height_um")
OF_MANY_BOARDS = ("steady_volume", "steady_area")  # in sigmas of what a day leaves: one board does not tell them
FALSE_PADS_PER_BOARD = 0.01
VALIDATION_DAYS = 6
MAX_BYTES = 16 * 1024 * 1024  # unpacked; 2,584 pads are 0.5 MB


@dataclass(frozen=True, slots=True)
class RealBoard:
    """One side as measured: values (P, 3) volume %, area %, height in per cent of the stencil; groups (P,)."""

    values: NDArray[np.float64]
    group: NDArray[np.int64]
    is_good: NDArray[np.bool_]  # (P,) by the machine
    is_wiped: NDArray[np.bool_]  # (P,) not good and of the library that was wiped


def read_real_board(path: Path) -> RealBoard:
    """Raises PasteFault for a table that is too large, or whose pads cannot be read; OSError when it is not there."""
    with gzip.open(path) as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise PasteFault(f"{path}: more than {MAX_BYTES} bytes")
    rows = list(csv.DictReader(io.StringIO(text.decode("utf-8"))))
    if not 1 <= len(rows) <= MAX_PADS:
        raise PasteFault(f"{path}: {len(rows)} pads, expected 1 to {MAX_PADS}")
    try:
        values = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
        stencil_um = np.array([float(row["nominal_thickness_um"]) for row in rows])
        names = [row["aperture_group"] for row in rows]
        is_good = np.array([row["result"] == "GOOD" for row in rows])
        of_library = np.array([row["library"] == WIPED_LIBRARY for row in rows])
    except (KeyError, ValueError) as err:
        raise PasteFault(f"{path}: {err}") from None
    values[:, 2] *= 100.0 / stencil_um
    _, group = np.unique(names, return_inverse=True)
    return RealBoard(values, np.asarray(group, np.int64), is_good, ~is_good & of_library)


def gaussian_limit(n_pads: int, n_values: int = len(COLUMNS)) -> float:
    """Sigmas that one pad in 100 boards passes, were all its values Gaussian and independent."""
    tail = FALSE_PADS_PER_BOARD / (n_pads * n_values)
    return float(norm.isf(tail / 2))


def own_board_z(values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """(P, K) values in robust sigmas of the aperture group on this very board, each of the K alone."""
    return np.column_stack([own_group_z(value, group) for value in values.T])


def called_pads(board: RealBoard, limit: float) -> NDArray[np.bool_]:
    """(P,) whose worst of volume, area and height lies beyond the limit."""
    return np.asarray(np.abs(own_board_z(board.values, board.group)).max(axis=1) > limit)


def figures(board: RealBoard) -> dict[str, Any]:
    """What the rule calls, all three values and volume alone."""
    z = np.abs(own_board_z(board.values, board.group))
    limits = {"three values": gaussian_limit(len(z)), "volume alone": gaussian_limit(len(z), 1)}
    farthest = {"three values": z.max(axis=1), "volume alone": z[:, 0]}
    return {
        "pads": len(z),
        "rules": {
            name: {"limit_sigma": limits[name], **_counts(board, farthest[name] > limits[name])} for name in limits
        },
        "curve": [
            {"limit_sigma": float(limit), **_counts(board, farthest["three values"] > limit)}
            for limit in np.arange(3.0, 7.01, 0.25)
        ],
    }


def _counts(board: RealBoard, called: NDArray[np.bool_]) -> dict[str, Any]:
    other = ~board.is_good & ~board.is_wiped
    return {
        "wiped_called": int(called[board.is_wiped].sum()),
        "wiped": int(board.is_wiped.sum()),
        "other_defects_called": int(called[other].sum()),
        "other_defects": int(other.sum()),
        "good_called": int(called[board.is_good].sum()),
        "good": int(board.is_good.sum()),
        "good_called_frac": float(called[board.is_good].mean()),
    }


def repeated(board: RealBoard, line: Line, methods: Sequence[Method]) -> list[dict[str, Any]]:
    """What each method calls when this board is all its window has, at its threshold on the line twin."""
    thresholds = thresholds_of(clean_scores(line, methods, VALIDATION_SEED, VALIDATION_DAYS))
    names = np.array([str(k) for k in range(len(board.values))])
    values, grid = board.values[:, :2], grid_in_order(len(names), line.table.side_cells)
    table = table_of(names, values[None], [None], board.group, grid, line.table.wipe_every)
    pads = BoardPads(table, values, None)
    rows = []
    for method in methods:
        planes = board_planes(table, pads, method.planes)
        maps = method.map(np.repeat(planes[:, None], method.boards, axis=1))
        called = np.abs(pads_of_map(table, np.asarray(maps, np.float32))) > thresholds[method.name]
        rows.append({"method": method.name, "threshold": round(thresholds[method.name], 3), **_counts(board, called)})
    return rows


def main() -> None:
    """Both sides to JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data sets")
    parser.add_argument("--json", type=Path, required=True)
    one_board = [name for name in COMPARATORS if not {*OF_MANY_BOARDS} & {*PLANES_OF[name]}]
    parser.add_argument("--methods", nargs="*", default=one_board, help="comparators, or files of networks")
    options = parser.parse_args()
    folder = options.data / FOLDER
    boards = {"top": read_real_board(folder / TOP), "bottom": read_real_board(folder / BOTTOM)}
    line = line_of()
    result = {
        "command": "python -m export.families.paste_print.experiment_real_board --data DATA --json JSON",
        "data": FOLDER,
        "sigma_floor_pct": REPEAT_PCT,
        "boards": {name: figures(board) for name, board in boards.items()},
        "repeated": repeated(boards["top"], line, methods_of(line, options.methods)),
    }
    options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
