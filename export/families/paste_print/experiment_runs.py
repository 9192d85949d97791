"""What the experiments on paste run on: a line's pad table, days of good boards by seed, and the pads' scores of any
method over them. Everything is simulated, calibrated on real boards.

Seeds of training, of the choice of charts, of validation (thresholds) and of test are different ones; no board of a
test seed is seen before the thresholds are fixed. A day is one run without a stop, and the unit of every bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.planes import BoardPads, board_planes
from edge.paste.table import PadTable
from export.simulator.paste import DIFFICULTIES, PasteProduct, PrintRun, paste_product, print_run, product_table
from export.simulator.paste.prints import starts_of
from export.simulator.paste.windows import gathered

PRODUCT = "PP-1"
TRAIN_SEED, TRAIN_BOARDS = 101, 300
CHOICE_SEED = 151  # of the charts
VALIDATION_SEED = 201
TEST_SEEDS = (301, 302, 303)
DAY_BOARDS = 80
WINDOWS_AT_ONCE = 64  # 18 MB of windows of three planes

Ends = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to judge: windows (N, T, planes, S, S) float32 to a signed map (N, S, S), of the last board's pads."""

    name: str
    planes: tuple[str, ...]
    map: Callable[[Floats], Floats]
    boards: int = 10
    each_pad_alone: bool = False  # no neighbour counts: pads may come in any layout, (N, T, planes, P, 1) too


@dataclass(frozen=True, slots=True)
class Line:
    """A product on a line: its pads, and what good boards of the training seed say of them."""

    product: PasteProduct
    table: PadTable
    difficulty: str


def line_of(difficulty: str = "line") -> Line:
    """The line of a difficulty, with the table learned from its training run."""
    product = paste_product(PRODUCT)
    run = print_run(product, TRAIN_BOARDS, TRAIN_SEED, difficulty)
    return Line(product, product_table(product, run), difficulty)


def days(line: Line, seed: int, n_days: int, boards: int = DAY_BOARDS) -> list[PrintRun]:
    """Good boards of so many days, each one run of `boards` without a stop, at the day's own level."""
    without_stops = replace(DIFFICULTIES[line.difficulty], boards_per_day=boards, boards_per_run=boards)
    run = print_run(line.product, n_days * boards, seed, without_stops)
    return [run.part(slice(k * boards, (k + 1) * boards)) for k in range(n_days)]


def planes_of(line: Line, run: PrintRun, planes: Sequence[str], *, counted: bool = True) -> Floats:
    """(N, C, S, S) float32 of a run's boards. With `counted` False the machine does not count: stroke and wipe planes
    are 0, and nothing of them is taken away."""
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    table = line.table
    stack = np.zeros((len(run), len(planes), table.side_cells, table.side_cells), np.float32)
    for k, counter in enumerate(run.counter.tolist()):
        stack[k] = board_planes(table, BoardPads(table, values[k], counter if counted else None), planes)[0]
    return stack


def pad_scores(
    line: Line,
    run: PrintRun,
    methods: Sequence[Method],
    ends: Ends,
    *,
    counted: bool = True,
    shuffle: np.random.Generator | None = None,
) -> dict[str, Floats]:
    """Each method's signed scores (K, P) of the boards `ends`. With `shuffle` the boards before the last one come in
    any order, the same for every method."""
    names = tuple(dict.fromkeys(name for method in methods for name in method.planes))
    stack, starts = planes_of(line, run, names, counted=counted), starts_of(run)
    orders = {boards: _order(boards, shuffle) for boards in {method.boards for method in methods}}
    scores = {}
    for method in methods:
        own = stack[:, [names.index(name) for name in method.planes]]
        if method.each_pad_alone:
            own = own[:, :, line.table.row, line.table.col, None]
        parts = []
        for k in range(0, len(ends), WINDOWS_AT_ONCE):
            windows = gathered(own, starts, method.boards, ends[k : k + WINDOWS_AT_ONCE])
            maps = method.map(windows[:, orders[method.boards]] if shuffle is not None else windows)
            parts.append(maps[:, :, 0] if method.each_pad_alone else maps[:, line.table.row, line.table.col])
        scores[method.name] = np.concatenate(parts)
    return scores


def ends_of(run: PrintRun, boards: int, step: int = 1) -> Ends:
    """Every `step`-th board that ends a window of `boards` without a gap."""
    return np.arange(boards - 1, len(run), step)


def clean_scores(
    line: Line, methods: Sequence[Method], seed: int, n_days: int, *, step: int = 1, counted: bool = True
) -> dict[str, Floats]:
    """Scores (windows, P) of good boards of these days."""
    longest = max(method.boards for method in methods)
    by_day = [
        pad_scores(line, day, methods, ends_of(day, longest, step), counted=counted) for day in days(line, seed, n_days)
    ]
    return {method.name: np.concatenate([scores[method.name] for scores in by_day]) for method in methods}


def threshold_of(clean: Floats, false_frac: float = 0.01) -> float:
    """What the worst pad of all but 1 in 100 good boards stays below: scores (N, P) of validation boards."""
    return float(np.quantile(np.abs(clean).max(axis=1), 1 - false_frac))


def thresholds_of(clean: Mapping[str, Floats]) -> dict[str, float]:
    """A threshold for each method."""
    return {name: threshold_of(scores) for name, scores in clean.items()}


def _order(boards: int, shuffle: np.random.Generator | None) -> NDArray[np.int64]:
    if shuffle is None:
        return np.arange(boards)
    return np.append(shuffle.permutation(boards - 1), boards - 1)
