"""Experiment 1 (protocol 3.4): random pads moved by mu sigmas, by ratio of pads, excess and insufficient apart.

    python -m export.families.paste_print.experiment_pads --json paste_pads.json
        [--methods ewma crrn_0.pt ...] [--seeds 301 302 303] [--days 4] [--sweep]

Simulated, calibrated on real boards. Sigma is the pad's own over good boards of many days (the pad table's), which days
and drift widen: about 7 points of volume, 2.4 times what a pad repeats to, so mu 2 is about 5 repeat sigmas. "fixed":
the same pads on all boards of a window; "redrawn": others on each. A window is one draw. Thresholds: 1 good validation
board in 100. Methods already in the file stay, unless named again. Intervals are over days.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from edge.board import Floats
from export.families.paste_print.experiment_file import add_common, merged, methods_of, write
from export.families.paste_print.experiment_metrics import ByRun, figure, interval, ratio
from export.families.paste_print.experiment_runs import (
    VALIDATION_SEED,
    Line,
    Method,
    clean_scores,
    days,
    ends_of,
    line_of,
    pad_scores,
    thresholds_of,
)
from export.simulator.paste import DIFFICULTIES, PrintRun, injected, random_pads

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5)
FEW_RATIOS = (0.1, 0.3, 0.5)
PAPER_MU, SMALL_MU = (5.0, -5.0), (1.5, -1.5, 2.0, -2.0, 3.0, -3.0)
CURVE_MU = (5.0, 2.0)
BLOCK = 10  # boards of a draw: one window
DAY_BLOCKS = 6
VALIDATION_DAYS, CLEAN_STEP = 6, 2
SWEEP_MU, SWEEP_RATIO = 2.0, 0.1


@dataclass(frozen=True, slots=True)
class Condition:
    """One column of the experiment."""

    mu: float
    ratio: float
    fixed: bool

    @property
    def variant(self) -> str:
        return "fixed" if self.fixed else "redrawn"


def conditions() -> list[Condition]:
    """mu of the paper at all its ratios, smaller ones at three."""
    wanted = [(mu, r) for mu in PAPER_MU for r in RATIOS] + [(mu, r) for mu in SMALL_MU for r in FEW_RATIOS]
    return [Condition(mu, r, fixed) for mu, r in wanted for fixed in (True, False)]


def drawn_delta(rng: np.random.Generator, condition: Condition, n_boards: int, n_pads: int) -> Floats:
    """(N, P) sigmas to add, other pads in every block of boards that makes a window."""
    blocks = [
        random_pads(rng, (min(BLOCK, n_boards - k), n_pads), condition.ratio, condition.mu, condition.fixed)
        for k in range(0, n_boards, BLOCK)
    ]
    return np.concatenate(blocks).astype(np.float32)


def scored_condition(
    line: Line, methods: Sequence[Method], test_days: Sequence[PrintRun], condition: Condition
) -> tuple[dict[str, list[Floats]], list[Floats]]:
    """By method the scores (windows, P) of each day, and by day what was added to the judged boards, (windows, P)."""
    scores: dict[str, list[Floats]] = {method.name: [] for method in methods}
    added = []
    for k, day in enumerate(test_days):
        rng = np.random.default_rng([k, int(100 * condition.ratio), int(10 * abs(condition.mu)), condition.fixed])
        delta = drawn_delta(rng, condition, len(day), day.volume_pct.shape[1])
        ends = ends_of(day, BLOCK, BLOCK)
        of_day = pad_scores(line, injected(line.table, day, delta.astype(np.float64)), methods, ends)
        added.append(delta[ends])
        for name, values in of_day.items():
            scores[name].append(values)
    return scores, added


def condition_row(
    name: str, condition: Condition, scores: list[Floats], added: list[Floats], threshold: float
) -> dict[str, Any]:
    """All figures of a method in one condition; excess lies above the threshold, insufficient below minus it."""
    sign = np.float32(np.sign(condition.mu))
    truth = [a != 0 for a in added]
    by_run = ByRun([sign * s for s in scores], truth)
    low, high = interval(by_run.auprc, len(scores))
    found = np.array([((sign * s > threshold) & t).sum() for s, t in zip(scores, truth, strict=True)], np.float64)
    false = np.array([((np.abs(s) > threshold) & ~t).sum() for s, t in zip(scores, truth, strict=True)], np.float64)
    row: dict[str, Any] = {
        "method": name,
        "mu": condition.mu,
        "ratio": condition.ratio,
        "variant": condition.variant,
        "auprc": figure(by_run.auprc(), low, high),
        "recall": ratio(found, np.array([t.sum() for t in truth], np.float64)),
        "false_pads_per_panel": ratio(false, np.array([len(s) for s in scores], np.float64)),
        "best_f1": round(by_run.best_f1(), 4),
    }
    if abs(condition.mu) in CURVE_MU and condition.fixed:
        row["precision_at_recall"] = [round(p, 3) for p in by_run.precision_at()]
    return row


def experiment(line: Line, methods: Sequence[Method], test_seeds: Sequence[int], n_days: int) -> dict[str, Any]:
    """Rows of all conditions and, by method, its threshold and what it calls on good test boards."""
    thresholds = thresholds_of(clean_scores(line, methods, VALIDATION_SEED, VALIDATION_DAYS))
    test_days = [day for seed in test_seeds for day in days(line, seed, n_days, DAY_BLOCKS * BLOCK)]
    ends = ends_of(test_days[0], BLOCK, CLEAN_STEP)
    good: dict[str, list[Floats]] = {method.name: [] for method in methods}
    for day in track(test_days, description="good boards"):
        for name, values in pad_scores(line, day, methods, ends).items():
            good[name].append(values)
    rows = []
    for condition in track(conditions(), description="random pads"):
        scores, added = scored_condition(line, methods, test_days, condition)
        rows += [condition_row(name, condition, scores[name], added, thresholds[name]) for name in scores]
    return {"rows": rows, "good": [good_row(name, good[name], thresholds[name]) for name in good]}


def good_row(name: str, scores: list[Floats], threshold: float) -> dict[str, Any]:
    """What a method calls on good boards of the test days."""
    panels = np.array([len(s) for s in scores], np.float64)
    pads = np.array([(np.abs(s) > threshold).sum() for s in scores], np.float64)
    boards = np.array([(np.abs(s).max(axis=1) > threshold).sum() for s in scores], np.float64)
    return {
        "method": name,
        "threshold": round(threshold, 4),
        "false_pads_per_panel": ratio(pads, panels),
        "boards_called_frac": ratio(boards, panels),
    }


def sweep(names: Sequence[str], test_seeds: Sequence[int], n_days: int) -> list[dict[str, Any]]:
    """Recall by the amplitude of wipe and stroke, which nobody has measured in volume: tables, charts and thresholds
    are made anew for each amplitude, networks stay as they are."""
    rows = []
    lines = [name for name in DIFFICULTIES if name.startswith("line-periodic-")]
    for difficulty in track(lines, description="wipe and stroke"):
        line = line_of(difficulty)
        methods = methods_of(line, names)
        thresholds = thresholds_of(clean_scores(line, methods, VALIDATION_SEED, VALIDATION_DAYS))
        test_days = [day for seed in test_seeds for day in days(line, seed, n_days, DAY_BLOCKS * BLOCK)]
        for mu in (SWEEP_MU, -SWEEP_MU):
            for fixed in (True, False):
                condition = Condition(mu, SWEEP_RATIO, fixed)
                scores, added = scored_condition(line, methods, test_days, condition)
                for name, own in scores.items():
                    row = condition_row(name, condition, own, added, thresholds[name])
                    kept = ("method", "mu", "ratio", "variant", "auprc", "recall", "false_pads_per_panel")
                    amplitude = DIFFICULTIES[difficulty].wipe_amplitude
                    rows.append({"amplitude": amplitude, **{key: row[key] for key in kept}})
    return rows


def main() -> None:
    """The rows of the methods asked for, beside those the file has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_common(parser)
    parser.add_argument("--days", type=int, default=4, help="test days of each seed")
    parser.add_argument("--sweep", action="store_true", help="also by amplitude of wipe and stroke")
    options = parser.parse_args()
    path: Path = options.json
    line = line_of()
    found = experiment(line, methods_of(line, options.methods), options.seeds, options.days)
    if options.sweep:
        found["sweep"] = sweep(options.methods, options.seeds, options.days)
    settings = {
        "seeds": list(options.seeds),
        "days_a_seed": options.days,
        "windows_a_day": DAY_BLOCKS,
        "pads": len(line.product),
        "sigma_pct_median": round(float(np.median(line.table.sigma_pct[:, 0])), 2),
        "sigma_repeat_pct": DIFFICULTIES[line.difficulty].repeat_sigma_pct,
    }
    write(path, merged(path, "experiment_pads", settings, found))


if __name__ == "__main__":
    main()
