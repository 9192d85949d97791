"""The figures of protocol 3.7 measured on simulated runs, as they were measured on the real boards.

python -m export.simulator.paste.measure [DIFFICULTY]      prints JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from export.simulator.paste.difficulty import Difficulty, difficulty_of
from export.simulator.paste.prints import DRIFT_PRINTS, PrintRun, print_run
from export.simulator.paste.product import LARGE_MM2, PasteProduct, paste_product

APART = 21  # prints between the two real boards of one side
_BOARDS = 400
_DRIFT_RUNS = 40
_SEED = 2024


def measured(product: PasteProduct, difficulty: Difficulty | str = "line", seed: int = _SEED) -> dict[str, float]:
    """Every figure of protocol 3.7 that a run shows, by name with its unit."""
    run = print_run(product, _BOARDS, seed, difficulty, one_run=True)
    first, later = run.volume_pct[:-APART], run.volume_pct[APART:]
    group = product.group
    within = _centred(run.volume_pct, group, np.median)
    change = _centred(later - first, group, np.median)
    least_step, most_step = _day_steps(product, difficulty, seed)
    return {
        "group_mean_least_pct": float(product.mean_pct[:, 0].min()),
        "group_mean_most_pct": float(product.mean_pct[:, 0].max()),
        "group_sigma_pct": float(np.sqrt(np.mean(within**2))),
        "fixed_sigma_pct": float(np.sqrt(np.mean(within.mean(axis=0) ** 2))),
        "two_board_noise_pct": float(np.sqrt(np.mean(change**2) / 2)),
        "same_pads_21_apart_within_group": _correlation(within[:-APART], within[APART:]),
        "same_pads_21_apart_area": _same_pads(run.area_pct, group),
        "same_pads_21_apart_height": _same_pads(run.height_um, group),
        "same_pads_21_apart_overall": float(
            np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(first, later, strict=True)])
        ),
        "excess_kurtosis_within_groups": _pooled_kurtosis(within, group),
        "drift_in_20_prints_pct": _drift(product, difficulty, seed),
        "day_step_large_pads_least_pct": least_step,
        "day_step_large_pads_most_pct": most_step,
        "volume_with_height_within_group": _with_volume(run, run.height_um, group),
        "volume_with_area_within_group": _with_volume(run, run.area_pct, group),
        "good_boards_the_machine_calls_fail_frac": float((run.volume_pct < 45).any(axis=1).mean()),
    }


def _centred(values: Numbers, group: NDArray[np.int64], centre: Callable[..., Numbers]) -> Numbers:
    """(N, P) minus each board's own centre of each group."""
    out: Numbers = values.copy()
    for k in range(int(group.max()) + 1):
        out[:, group == k] -= centre(values[:, group == k], axis=1, keepdims=True)
    return out


def _correlation(one: Numbers, other: Numbers) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _same_pads(values: Numbers, group: NDArray[np.int64]) -> float:
    within = _centred(values, group, np.median)
    return _correlation(within[:-APART], within[APART:])


def _with_volume(run: PrintRun, other: Numbers, group: NDArray[np.int64]) -> float:
    """Correlation within groups of the same pads' values on the same board, each group scaled to its own spread."""
    volume, second = _centred(run.volume_pct, group, np.mean), _centred(other, group, np.mean)
    parts = [
        np.corrcoef(volume[:, group == k].ravel(), second[:, group == k].ravel())[0, 1] * (group == k).mean()
        for k in range(int(group.max()) + 1)
    ]
    return float(np.sum(parts))


def _pooled_kurtosis(within: Numbers, group: NDArray[np.int64]) -> float:
    """Mean over boards and pads of z^4, minus 3, with z by each group's own sigma on its board."""
    z = np.concatenate(
        [within[:, group == k] / within[:, group == k].std(axis=1, keepdims=True) for k in set(group)], 1
    )
    return float(np.mean(z**4) - 3)


def _drift(product: PasteProduct, difficulty: Difficulty | str, seed: int) -> float:
    """Root mean square change of the board's mean in 20 prints, over many short runs."""
    changes = []
    for k in range(_DRIFT_RUNS):
        level = print_run(product, 120, seed + k, difficulty, one_run=True).volume_pct.mean(axis=1)
        changes.append(level[DRIFT_PRINTS:] - level[:-DRIFT_PRINTS])
    return float(np.sqrt(np.mean(np.square(np.array(changes)))))


def _day_steps(product: PasteProduct, difficulty: Difficulty | str, seed: int) -> tuple[float, float]:
    """Least and most change from one day's mean to the next, on the largest pads, without the drift within days."""
    still = replace(difficulty_of(difficulty), drift_pct=0.0, jitter_pct=0.0, boards_per_day=10, boards_per_run=10)
    run = print_run(product, 500, seed, still)
    large = product.aperture_mm2 >= LARGE_MM2
    by_day = np.array([run.volume_pct[run.day == day][:, large].mean() for day in np.unique(run.day)])
    steps = np.abs(np.diff(by_day))
    return float(steps.min()), float(steps.max())


if __name__ == "__main__":
    named = sys.argv[1] if len(sys.argv) > 1 else "line"
    print(json.dumps({name: round(value, 3) for name, value in measured(paste_product(), named).items()}, indent=1))
