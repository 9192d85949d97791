"""What a namer is worth: macro-F1 by window and by run, boards until named, alarms where there was nothing to name.

An alarm is what the station would say: one name, probable enough, on so many boards in a row. Intervals resample runs,
not boards: boards of one run share their fault and their drift.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.bounds import upper_bound_frac
from edge.paste.fault_naming import KINDS
from export.families.paste_print.namer_runs import NOT_FAULTS, QUIET_SIGMA, ScoredRun

BOOTSTRAP_ROUNDS = 500
BEFORE = "before a fault"
REACH_BOARDS, AIM_BOARDS = 5, 2
MAX_VAL_ALARM_FRAC = 0.0005  # half of what is allowed, for what validation cannot know
SPARED_FRAC = 0.02  # of the runs may be named later for the sake of a stricter rule
PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
IN_A_ROW = (1, 2, 3)

Indices = NDArray[np.int64]
Probabilities = NDArray[np.floating]
Judged = tuple[ScoredRun, Probabilities]  # a run and (N, K) for each of its boards


@dataclass(frozen=True, slots=True)
class Rule:
    """When a name is said: at least so probable, on so many boards in a row."""

    probability: float
    boards_in_a_row: int


def alarms_of(probability: Probabilities, rule: Rule) -> Indices:
    """(N,) index into KINDS of what is said on each board of a run; 0 for nothing."""
    best = probability.argmax(axis=1)
    probable = np.where(probability.max(axis=1) >= rule.probability, best, 0)
    said = np.array(probable)
    for back in range(1, rule.boards_in_a_row):
        before = np.concatenate([np.zeros(back, np.int64), probable[:-back]])
        said[said != before] = 0
    return said


def confusion(truth: Indices, said: Indices) -> Indices:
    """(K, K): rows are what is right, columns what was said."""
    k = len(KINDS)
    return np.bincount(truth * k + said, minlength=k * k).reshape(k, k)


def macro_f1(counts: Indices) -> float:
    """Mean F1 of the kinds that occur, from a confusion matrix."""
    right, truth, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    there = truth > 0
    return float((2.0 * right[there] / (truth + said)[there]).mean())


def window_confusion(judged: Sequence[Judged]) -> Indices:
    """Every board of every run whose right name is settled, by the most probable name."""
    return np.asarray(np.sum([_windows(run, p) for run, p in judged], axis=0))


def run_confusion(judged: Sequence[Judged], rule: Rule) -> Indices:
    """Each run once, by the first name said since there was anything to name; faults without an onset are left out."""
    counts = np.zeros((len(KINDS), len(KINDS)), np.int64)
    for run, probability in judged:
        if run.what in NOT_FAULTS or run.onset is not None:
            counts[KINDS.index(run.kind), _first_name(run, alarms_of(probability, rule))[0]] += 1
    return counts


def delays_of(judged: Sequence[Judged], rule: Rule) -> NDArray[np.float64]:
    """(runs with an onset,) boards from the onset to the right name, 0 where it was said by then; infinite where
    another name was said first, or none."""
    delays = []
    for run, probability in judged:
        if (onset := run.onset) is not None:
            name, at = _first_name(run, alarms_of(probability, rule))
            delays.append(max(0.0, float(at - onset)) if KINDS[name] == run.kind else np.inf)
    return np.array(delays)


def false_alarms(judged: Sequence[Judged], rule: Rule, what: Sequence[str]) -> tuple[int, int]:
    """Boards with an alarm and boards in all, of the runs that show `what`: of NOT_FAULTS, or BEFORE, the boards of
    faulty runs before there is anything to name."""
    said = [_nothing_yet(run, alarms_of(p, rule)) for run, p in judged if _is_of(run, what)]
    return int(sum((s > 0).sum() for s in said)), sum(len(s) for s in said)


def chosen_rule(judged: Sequence[Judged]) -> Rule:
    """On validation runs: of the rules with at most half the allowed false alarms on boards without a fault, those that
    name nearly as many runs within 2 boards as the best of them does; of these the strictest, for a real line shows
    what no simulation does. The strictest of all where none is quiet enough."""
    rules = [Rule(p, k) for k in IN_A_ROW for p in PROBABILITIES]
    in_time = {}
    for rule in rules:
        alarms, boards = false_alarms(judged, rule, NOT_FAULTS)
        if alarms <= MAX_VAL_ALARM_FRAC * boards:
            in_time[rule] = float((delays_of(judged, rule) <= AIM_BOARDS).mean())
    least = max(in_time.values(), default=0.0) - SPARED_FRAC
    return max(
        (rule for rule, frac in in_time.items() if frac >= least),
        key=lambda rule: (rule.boards_in_a_row, rule.probability),
        default=rules[-1],
    )


def interval(judged: Sequence[Judged], figure: Callable[[Sequence[Judged]], float]) -> tuple[float, float]:
    """95 %: runs drawn anew within each kind."""
    rng = np.random.default_rng(0)
    by_what: dict[str, list[Judged]] = {}
    for one in judged:
        by_what.setdefault(one[0].what, []).append(one)
    values = [
        figure([group[i] for group in by_what.values() for i in rng.integers(0, len(group), len(group))])
        for _ in range(BOOTSTRAP_ROUNDS)
    ]
    lower, upper = np.quantile(values, [0.025, 0.975])
    return float(lower), float(upper)


def delay_figures(delays: NDArray[np.float64]) -> dict[str, float | int | None]:
    """Median, 90th percentile (None: that many were never rightly named) and how many came in time."""
    median, p90 = (float(np.quantile(delays, q, method="higher")) for q in (0.5, 0.9))
    return {
        "runs": len(delays),
        "median_boards": median if np.isfinite(median) else None,
        "p90_boards": p90 if np.isfinite(p90) else None,
        "within_5_boards_frac": float((delays <= REACH_BOARDS).mean()),
        "within_2_boards_frac": float((delays <= AIM_BOARDS).mean()),
        "never_or_wrong": int(np.isinf(delays).sum()),
    }


def alarm_figures(judged: Sequence[Judged], rule: Rule) -> dict[str, dict[str, float | int]]:
    """False alarms by what the boards were, with exact 95 % upper bounds per 1,000 boards."""
    figures: dict[str, dict[str, float | int]] = {}
    for what in (*NOT_FAULTS, BEFORE):
        alarms, boards = false_alarms(judged, rule, (what,))
        if boards:
            figures[what] = {
                "boards": boards,
                "alarms": alarms,
                "per_1000": 1000.0 * alarms / boards,
                "per_1000_upper": 1000.0 * upper_bound_frac(alarms, boards),
            }
    return figures


def figures_of(judged: Sequence[Judged], rule: Rule) -> dict[str, Any]:
    """All of a namer's figures on test runs."""
    windows, runs, delays = window_confusion(judged), run_confusion(judged, rule), delays_of(judged, rule)
    amplitudes = sorted({run.amplitude for run, _ in judged if run.onset is not None})
    return {
        "macro_f1_windows": _with_interval(judged, lambda drawn: macro_f1(window_confusion(drawn))),
        "macro_f1_runs": _with_interval(judged, lambda drawn: macro_f1(run_confusion(drawn, rule))),
        "confusion_windows": windows.tolist(),
        "confusion_runs": runs.tolist(),
        "delay": delay_figures(delays),
        "delay_by_amplitude": {
            f"{a:g}": delay_figures(delays_of([one for one in judged if one[0].amplitude == a], rule))
            for a in amplitudes
        },
        "false_alarms": alarm_figures(judged, rule),
    }


def _with_interval(judged: Sequence[Judged], figure: Callable[[Sequence[Judged]], float]) -> dict[str, float]:
    lower, upper = interval(judged, figure)
    return {"value": figure(judged), "lower": lower, "upper": upper}


def _is_of(run: ScoredRun, what: Sequence[str]) -> bool:
    return (run.what if run.what in NOT_FAULTS else BEFORE) in what


def _nothing_yet(run: ScoredRun, said: Indices) -> Indices:
    """Of a run with a fault only the boards before it; of others all."""
    return said if run.what in NOT_FAULTS else said[: int(np.argmax(run.strength >= QUIET_SIGMA))]


def _first_name(run: ScoredRun, said: Indices) -> tuple[int, int]:
    """Index into KINDS of the first name said, and on which board; (0, N) for none. In a run with a fault, from the
    first board on which there is anything to name: earlier names are false alarms, counted elsewhere."""
    begin = 0
    if run.kind != KINDS[0]:
        begin = int(np.argmax(run.strength >= QUIET_SIGMA))
    named = begin + np.flatnonzero(said[begin:])
    return (int(said[named[0]]), int(named[0])) if len(named) else (0, len(said))


def _windows(run: ScoredRun, probability: Probabilities) -> Indices:
    settled = run.labels >= 0
    return confusion(run.labels[settled], probability.argmax(axis=1)[settled])
