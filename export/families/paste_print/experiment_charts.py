"""Which charts the EWMA comparators have: chosen on good and injected boards of seeds that no test has.

    python -m export.families.paste_print.experiment_charts --json paste_charts.json [--comparators ewma ewma_group]

For each candidate the threshold is set on good boards (1 in 100 called); judged by F1 at that threshold, as a mean over
random pads (ratio 0.1 and 0.3; mu 1, 1.5, 2, 3, 5; fixed and redrawn) and the printer's faults (amplitude 1, 2, 3).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from edge.board import Floats
from edge.scorers.paste_rules import Comparator
from export.families.paste_print.experiment_file import DATA, write
from export.families.paste_print.experiment_methods import comparator_method
from export.families.paste_print.experiment_pads import BLOCK, Condition, drawn_delta
from export.families.paste_print.experiment_runs import (
    CHOICE_SEED,
    DAY_BOARDS,
    Ends,
    Line,
    clean_scores,
    days,
    ends_of,
    line_of,
    pad_scores,
    thresholds_of,
)
from export.paste_rules import LAST_BOARD, ChartKind
from export.simulator.paste import PrintRun, injected, printer_fault

MOVED_Z = 0.9  # sigmas of the pad from which a pad of a fault is defective
KINDS = ("squeegee", "support", "removed", "kneading", "clamp_excess", "clamp_insufficient")
CLEAN_BEFORE = 20
LAST = LAST_BOARD[0]


def candidates() -> dict[str, tuple[ChartKind, ...]]:
    """Charts by what they are called."""
    found: dict[str, tuple[ChartKind, ...]] = {"last board": LAST_BOARD}
    for weight in (0.1, 0.2, 0.4):
        found[f"EWMA {weight}"] = (ChartKind(weight),)
    for clip in (None, 2.0, 2.5, 3.0):
        said = "" if clip is None else f", clipped at {clip}"
        for weight in (0.1, 0.2, 0.4):
            found[f"last board + EWMA {weight}{said}"] = (LAST, ChartKind(weight, 1, clip))
        for weight in (0.1, 0.2):
            stroke = ChartKind(0.2, 2, clip)
            found[f"last board + EWMA {weight} + stroke{said}"] = (LAST, ChartKind(weight, 1, clip), stroke)
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """Injected boards: the run, the judged boards, and what was added to each pad of these (windows, P)."""

    name: str
    run: PrintRun
    ends: Ends
    added: Floats


def cases(line: Line) -> list[Case]:
    """All that candidates are judged on."""
    by_day = days(line, CHOICE_SEED + 1, 4)
    made = []
    n_pads = len(line.product)
    for mu in (1.0, -1.5, 2.0, -3.0, 5.0):
        for share in (0.1, 0.3):
            for fixed in (True, False):
                rng = np.random.default_rng([int(10 * abs(mu)), int(10 * share), fixed])
                condition = Condition(mu, share, fixed)
                delta = drawn_delta(rng, condition, DAY_BOARDS, n_pads)
                ends = ends_of(by_day[0], BLOCK, BLOCK)
                run = injected(line.table, by_day[0], delta.astype(np.float64))
                made.append(Case(f"pads {mu:g}, {share:g}, {condition.variant}", run, ends, delta[ends]))
    for kind in KINDS:
        for amplitude in (1.0, 2.0, 3.0):
            for k, day in enumerate(by_day):
                rng = np.random.default_rng([k, int(amplitude), KINDS.index(kind)])
                n = DAY_BOARDS - CLEAN_BEFORE
                fault = printer_fault(rng, line.product, kind, n, amplitude, line.table)
                grown = np.concatenate([np.zeros((CLEAN_BEFORE, n_pads, 2)), fault.delta_z])
                ends = np.arange(CLEAN_BEFORE, DAY_BOARDS, 3)
                added = grown[ends, :, 0].astype(np.float32)
                made.append(Case(f"{kind}, {amplitude:g}", injected(line.table, day, grown), ends, added))
    return made


def chosen_by(line: Line, comparator: Comparator) -> list[dict[str, Any]]:
    """F1, recall and false pads per panel of every candidate, by case and as means."""
    charts = candidates()
    methods = {name: comparator_method(line, comparator, kinds) for name, kinds in charts.items()}
    thresholds = {
        name: thresholds_of(clean_scores(line, [method], CHOICE_SEED, 6))[comparator]
        for name, method in track(methods.items(), description=f"{comparator}: thresholds")
    }
    counts: dict[str, dict[str, Floats]] = {name: {} for name in charts}
    for case in track(cases(line), description=f"{comparator}: injected"):
        for name, method in methods.items():
            scores = pad_scores(line, case.run, [method], case.ends)[comparator]
            own = _counts(scores, case.added, thresholds[name])
            counts[name][case.name] = counts[name].get(case.name, np.zeros(4, np.float32)) + own
    return [_row(comparator, name, thresholds[name], counts[name]) for name in charts]


def _counts(scores: Floats, added: Floats, threshold: float) -> Floats:
    """Found, defective, called falsely, panels. Pads moved by less than `MOVED_Z` are neither."""
    truth = np.abs(added) >= MOVED_Z
    called = np.abs(scores) > threshold
    found = called & truth & (np.sign(scores) == np.sign(added))
    false = called & ((added == 0) | (np.sign(scores) != np.sign(added)))
    return np.array([found.sum(), truth.sum(), false.sum(), len(scores)], np.float32)


def _row(comparator: str, name: str, threshold: float, counts: dict[str, Floats]) -> dict[str, Any]:
    table = np.stack(list(counts.values())).astype(np.float64)
    found, truth, false, panels = table.T
    f1 = 2 * found / np.maximum(found + truth + false, 1)
    return {
        "method": f"{comparator}: {name}",
        "threshold": round(threshold, 3),
        "mean_f1": round(float(f1.mean()), 4),
        "mean_recall": round(float(np.mean(found / np.maximum(truth, 1))), 4),
        "mean_false_pads_per_panel": round(float(np.mean(false / panels)), 3),
    }


def main() -> None:
    """A row for each candidate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--comparators", nargs="+", default=["ewma", "ewma_group"])
    options = parser.parse_args()
    line = line_of()
    rows = [row for comparator in options.comparators for row in chosen_by(line, comparator)]
    command = "python -m export.families.paste_print.experiment_charts"
    write(
        options.json, {"command": command, "data": DATA, "settings": {"seed": CHOICE_SEED}, "found": {"charts": rows}}
    )


if __name__ == "__main__":
    main()
