"""Experiment 2 (protocol 3.5): faults of the printer that grow over 60 boards, after good ones.

    python -m export.families.paste_print.experiment_faults --json paste_faults.json
        [--methods ewma crrn_0.pt ...] [--seeds 301 302 303] [--draws 50] [--amplitudes 1 2 3 5] [--every 1] [--checks]

Simulated, calibrated on real boards. Each draw has a day of its own: 20 good boards, then a run of 60 with one fault.
A pad is defective on boards on which the fault moves it by one sigma of the pad, A f(t) >= 1 (0.9 for A = 1, whose
sigmoid ends below 1). The onset is the first such board; boards until found are counted from it, that board being 1.
Found is the board on which half of the defective pads are called, of the right sign. Drift moves every pad and is no
defect: what is called on it is reported as it is. Thresholds: 1 good validation board in 100. Intervals are over days.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edge.board import Floats
from export.families.paste_print.experiment_file import add_common, merged, methods_of, write
from export.families.paste_print.experiment_metrics import Figure, figure, interval, ratio
from export.families.paste_print.experiment_runs import (
    DAY_BOARDS,
    VALIDATION_SEED,
    Line,
    Method,
    clean_scores,
    days,
    line_of,
    pad_scores,
    thresholds_of,
)
from export.simulator.paste import PrintFault, PrintRun, injected, printer_fault
from export.simulator.paste.faults import AMPLITUDES, FAULT_KINDS, NOT_A_DEFECT

CLEAN_BEFORE, RUN_BOARDS = 20, 60
FIRST_END = 9  # the first board whose window is full
WITHOUT_AMPLITUDE = ("smear", NOT_A_DEFECT)  # their size is that of real boards
CURVE_AMPLITUDE = 3.0
CHECK_KINDS, CHECK_AMPLITUDE = ("squeegee", "support", "removed"), 3.0
HALF = 0.5
VALIDATION_DAYS = 6
DAYS_A_SEED = 17  # printed whatever is asked for, so that fewer draws are some of the same


@dataclass(frozen=True, slots=True)
class Fault:
    """One column of the experiment."""

    kind: str
    amplitude: float


def all_faults(amplitudes: Sequence[float] = AMPLITUDES) -> list[Fault]:
    """Every kind at every amplitude, those of real size once."""
    grown = [Fault(kind, a) for kind in FAULT_KINDS if kind not in WITHOUT_AMPLITUDE for a in amplitudes]
    return grown + [Fault(kind, 1.0) for kind in WITHOUT_AMPLITUDE]


@dataclass(slots=True)
class Tally:
    """Counts of one method and fault, an entry a draw. `found` and `defective` are pads of each board of the injected
    run (60,), NaN where it was not judged; `delay` is infinite where the fault was never found. The others are pads
    called and boards judged: until the onset, where no fault was yet; from the onset, pads that the fault leaves alone;
    and all pads from the fault's start."""

    found: list[Floats] = field(default_factory=list)
    defective: list[Floats] = field(default_factory=list)
    delay: list[float] = field(default_factory=list)
    before: list[tuple[int, int]] = field(default_factory=list)
    beside: list[tuple[int, int]] = field(default_factory=list)
    called: list[tuple[int, int]] = field(default_factory=list)


def moved_z(amplitude: float) -> float:
    """Sigmas from which a pad is defective."""
    return min(1.0, 0.9 * amplitude)


def defective_pads(fault: PrintFault, amplitude: float) -> tuple[NDArray[np.bool_], Floats]:
    """(N, P) which pads are defective on which board, and the sign of their move."""
    volume, area = fault.delta_z[:, :, 0], fault.delta_z[:, :, 1]
    larger = np.where(np.abs(volume) >= np.abs(area), volume, area)
    return np.abs(larger) >= moved_z(amplitude) - 1e-9, np.sign(larger).astype(np.float32)


def add_draw(
    tally: Tally, scores: Floats, ends: NDArray[np.int64], fault: PrintFault, case: Fault, limit: float
) -> None:
    """One draw: scores (boards `ends` of the day, P) at a threshold."""
    called = np.abs(scores) > limit
    at = ends - CLEAN_BEFORE  # board of the injected run, negative before it
    injected_at = at >= 0
    truth, sign = defective_pads(fault, case.amplitude)
    if case.kind == NOT_A_DEFECT:
        truth = np.zeros_like(truth)
    boards = np.flatnonzero(truth.any(axis=1))
    onset = int(boards[0]) if len(boards) else (fault.start if case.kind == NOT_A_DEFECT else RUN_BOARDS)
    found, defective = np.full(RUN_BOARDS, np.nan, np.float32), np.full(RUN_BOARDS, np.nan, np.float32)
    own = truth[at[injected_at]]
    right = called[injected_at] & own & (np.sign(scores[injected_at]) == sign[at[injected_at]])
    found[at[injected_at]], defective[at[injected_at]] = right.sum(axis=1), own.sum(axis=1)
    tally.found.append(found)
    tally.defective.append(defective)
    half = np.flatnonzero((found >= HALF * defective) & (defective > 0))
    tally.delay.append(float(half[0] - onset + 1) if len(half) else np.inf)
    early, late = at < onset, at >= onset
    touched = np.zeros_like(called)
    touched[injected_at] = fault.delta_z[at[injected_at]].any(axis=2)
    tally.before.append((int((called & ~touched)[early].sum()), int(early.sum())))
    tally.beside.append((int((called & ~fault.mask)[late].sum()), int(late.sum())))
    tally.called.append((int(called[at >= fault.start].sum()), int((at >= fault.start).sum())))


def row_of(name: str, case: Fault, tally: Tally, check: str) -> dict[str, Any]:
    """All figures of a method on one fault."""
    found, defective = np.stack(tally.found).astype(np.float64), np.stack(tally.defective).astype(np.float64)
    delay = np.array(tally.delay)
    low, high = interval(lambda draws: float(np.median(delay[draws])), len(delay))
    row: dict[str, Any] = {
        "method": name,
        "check": check,
        "kind": case.kind,
        "amplitude": case.amplitude,
        "draws": len(delay),
        "recall": ratio(np.nansum(found, axis=1), np.nansum(defective, axis=1)),
        "found_frac": round(float(np.isfinite(delay).mean()), 3),
        "boards_until_found": figure(float(np.median(delay)), low, high),
        "false_pads_before_per_panel": _per_panel(tally.before),
        "false_pads_beside_per_panel": _per_panel(tally.beside),
        "called_pads_per_panel": _per_panel(tally.called),
    }
    if case.amplitude == CURVE_AMPLITUDE or case.kind in WITHOUT_AMPLITUDE:
        total = np.nansum(defective, axis=0)
        share = np.divide(np.nansum(found, axis=0), total, out=np.full(RUN_BOARDS, np.nan), where=total > 0)
        row["recall_by_board"] = [round(r, 3) if np.isfinite(r) else None for r in share.tolist()]
    return row


def _per_panel(counts: list[tuple[int, int]]) -> Figure:
    pads, boards = np.array(counts, np.float64).T
    return ratio(pads, boards)


def experiment(
    line: Line,
    methods: Sequence[Method],
    draw_days: Sequence[PrintRun],
    faults: Sequence[Fault],
    every: int,
    *,
    check: str = "",
    counted: bool = True,
    shuffled: bool = False,
) -> list[dict[str, Any]]:
    """A row for each method and fault. `every`: of the judged boards only each so-manieth, for slow methods."""
    thresholds = thresholds_of(clean_scores(line, methods, VALIDATION_SEED, VALIDATION_DAYS, counted=counted))
    ends = np.unique(
        np.concatenate([np.arange(FIRST_END, CLEAN_BEFORE, every), np.arange(CLEAN_BEFORE, DAY_BOARDS, every)])
    )
    rows = []
    for case in track(faults, description=f"faults {check}".strip()):
        tallies = {method.name: Tally() for method in methods}
        for k, day in enumerate(draw_days):
            rng = np.random.default_rng([k, FAULT_KINDS.index(case.kind), int(case.amplitude)])
            fault = printer_fault(rng, line.product, case.kind, RUN_BOARDS, case.amplitude, line.table)
            delta = np.concatenate([np.zeros((CLEAN_BEFORE, *fault.delta_z.shape[1:])), fault.delta_z])
            shuffle = np.random.default_rng(k) if shuffled else None
            run = injected(line.table, day, delta)
            for name, scores in pad_scores(line, run, methods, ends, counted=counted, shuffle=shuffle).items():
                add_draw(tallies[name], scores, ends, fault, case, thresholds[name])
        rows += [row_of(name, case, tally, check) for name, tally in tallies.items()]
    return rows


def main() -> None:
    """The rows of the methods asked for, beside those the file has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_common(parser)
    parser.add_argument("--draws", type=int, default=50, help="of each fault, over all seeds")
    parser.add_argument("--amplitudes", nargs="+", type=float, default=list(AMPLITUDES), help="A, sigmas of the pad")
    parser.add_argument("--every", type=int, default=1, help="judge each so-manieth board only")
    parser.add_argument("--checks", action="store_true", help="also with boards shuffled, and without a counter")
    options = parser.parse_args()
    path: Path = options.json
    line = line_of()
    n_seeds = len(options.seeds)
    draw_days = [
        day
        for k, seed in enumerate(options.seeds)
        for day in days(line, seed, DAYS_A_SEED)[: options.draws // n_seeds + (k < options.draws % n_seeds)]
    ]
    methods = methods_of(line, options.methods)
    found = {"rows": experiment(line, methods, draw_days, all_faults(options.amplitudes), options.every)}
    if options.checks:
        few = [Fault(kind, CHECK_AMPLITUDE) for kind in CHECK_KINDS]
        uncounted = methods_of(line, options.methods, counted=False)
        found["checks"] = [
            *experiment(line, methods, draw_days, few, options.every, check="as they come"),
            *experiment(line, methods, draw_days, few, options.every, check="shuffled", shuffled=True),
            *experiment(line, uncounted, draw_days, few, options.every, check="not counted", counted=False),
        ]
    settings = {"seeds": list(options.seeds), "boards_before": CLEAN_BEFORE, "boards": RUN_BOARDS}
    write(path, merged(path, "experiment_faults", settings, found))


if __name__ == "__main__":
    main()
