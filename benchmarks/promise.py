"""Is the promise kept? Simulated lots of defects from six kinds of score distribution, at the threshold boardgate
chooses, against the true recall, which is known in closed form.

A lot that breaks its promise has a true recall below the promised one; at most 1 - confidence of all lots may. Beside
it stands what everybody does, the empirical quantile of the same lot. The lots are drawn and judged by the very
functions `boardgate calibrate` uses.
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import cauchy, norm

from benchmarks import promise_reviews
from calibration.bounds import DEFAULT_CONFIDENCE, lower_bound_frac
from calibration.tolerance import count_allowed, highest_below, lowest_above
from edge.board import Floats

LOTS = 10_000
SIZES = (29, 59, 96, 299, 1_000, 3_000)
TARGETS = (0.99, 0.95)
N_GOOD, FALSE_CALL_FRAC = 3_000, 1e-3
CLASSES, PER_CLASS = 3, 408  # the least that carries 0.99 for three classes at once
CHUNK = 500  # lots at a time: a few MB of scores
ALL_CELLS_ERROR_FRAC = 0.01  # chance that Monte-Carlo noise alone turns any of the cells red

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Scores of one kind of distribution: draws of a shape, and the true share above a threshold."""

    draw: Callable[[np.random.Generator, tuple[int, int]], Floats]
    above: Callable[[Floats], Shares]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One promise, made in `lots` lots. `broken_frac` must not exceed 1 - confidence by more than noise."""

    kind: str
    n: int
    promise: str
    promised_frac: float
    target_carried: bool  # False: n is too few for the target, so the strongest promise n carries was made instead
    broken_frac: float
    naive_broken_frac: float  # of the empirical quantile, chosen for the same promise


def _levels(values: list[float], shares: list[float]) -> Kind:
    level, edges = np.array(values, np.float32), np.cumsum(shares)[:-1].astype(np.float32)

    def above(threshold: Floats) -> Shares:
        tail = np.append(np.cumsum(np.array(shares)[::-1])[::-1], 0.0)
        return np.asarray(tail[np.searchsorted(level, threshold, "right")], np.float64)

    return Kind(draw=lambda rng, shape: level[np.searchsorted(edges, rng.random(shape, np.float32))], above=above)


def _rounded(step: float) -> Kind:
    """A probability as a saturating classifier gives it: rounded, and a third of it exactly 1."""
    grid = np.arange(0.0, 1.0 + step / 2, step)
    edges = np.concatenate([grid + step / 2, [np.inf]])[: len(grid)]
    edges[-1] = np.inf
    shares = np.diff(norm.cdf(edges, loc=0.9, scale=0.25), prepend=0.0)
    return _levels(list(grid), list(shares))


def _mixture(share: float) -> Kind:
    """Most defects are gross; a few look nearly good."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        normal = rng.standard_normal(shape, np.float32)
        subtle = rng.random(shape, np.float32) < share
        return np.asarray(np.where(subtle, normal * np.float32(0.5), normal + np.float32(5.0)), np.float32)

    return Kind(draw=draw, above=lambda t: (1 - share) * norm.sf(t, 5.0) + share * norm.sf(t, 0.0, 0.5))


def _cauchy(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.asarray(np.tan(np.float32(math.pi) * (rng.random(shape, np.float32) - np.float32(0.5))), np.float32)


KINDS: dict[str, Kind] = {
    "ties": _rounded(0.02),
    "heavy tails": Kind(draw=_cauchy, above=cauchy.sf),
    "mixture": _mixture(0.03),
    "discrete": _levels([0, 1, 2, 3, 4, 5], [0.004, 0.004, 0.012, 0.08, 0.4, 0.5]),
    "shifted": Kind(
        draw=lambda rng, shape: rng.standard_normal(shape, np.float32) + np.float32(1000.0),
        above=lambda t: norm.sf(t, 1000.0),
    ),
    "tiny": Kind(
        draw=lambda rng, shape: np.exp(rng.standard_normal(shape, np.float32)) * np.float32(1e-30),
        above=lambda t: norm.sf(np.log(np.asarray(t, np.float64) / 1e-30)),
    ),
}


def run(*, lots: int = LOTS, json_file: Path | None = None) -> dict[str, Any]:
    """Simulate, print a table and write `json_file` where one is given."""
    started, cpu = time.perf_counter(), time.process_time()
    rows = simulate(lots)
    reviewed = promise_reviews.simulate()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    result = _record(rows, lots, seconds, cpu_seconds) | {"reviews": [asdict(row) for row in reviewed]}
    Console().print(_table(rows, result))
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


def simulate(lots: int, seed: int = 0) -> list[Row]:
    """Every promise in every kind of lot."""
    rows = []
    for k, (name, kind) in enumerate(KINDS.items()):
        for n in SIZES:
            rows += _recall_rows(name, kind, n, lots, np.random.default_rng([seed, k, n]))
        rows.append(_false_call_row(name, kind, lots, np.random.default_rng([seed, k, 1])))
    rows.append(_classes_row(lots, np.random.default_rng([seed, len(KINDS)])))
    return rows


def allowed_broken_frac(lots: int, cells: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """1 - confidence and the noise of so many lots, so wide that all cells stay inside but once in a hundred runs."""
    broken = 1.0 - confidence
    return broken + float(norm.isf(ALL_CELLS_ERROR_FRAC / cells)) * math.sqrt(broken * confidence / lots)


def _recall_rows(name: str, kind: Kind, n: int, lots: int, rng: np.random.Generator) -> list[Row]:
    promises = _promises(n)
    broken, naive = np.zeros(len(promises)), np.zeros(len(promises))
    for size in _chunks(lots):
        scores = kind.draw(rng, (size, n))
        for i, (recall, misses, _) in enumerate(promises):
            broken[i] += _broken(kind, highest_below(scores, misses), recall)
            naive[i] += _broken(kind, highest_below(scores, math.floor((1 - recall) * n + 1e-9)), recall)
    return [
        Row(
            kind=name,
            n=n,
            promise="recall",
            promised_frac=recall,
            target_carried=carried,
            broken_frac=float(broken[i]) / lots,
            naive_broken_frac=float(naive[i]) / lots,
        )
        for i, (recall, _, carried) in enumerate(promises)
    ]


def _promises(n: int) -> list[tuple[float, int, bool]]:
    """What `n` defects carry: recall, how many of them may be missed, and whether it is one of the targets; where they
    carry no target, the strongest promise there is."""
    counts = {target: count_allowed(n, 1.0 - target, DEFAULT_CONFIDENCE) for target in TARGETS}
    carried = [(target, misses, True) for target, misses in counts.items() if misses is not None]
    return carried or [(lower_bound_frac(n, n, DEFAULT_CONFIDENCE), 0, False)]


def _false_call_row(name: str, kind: Kind, lots: int, rng: np.random.Generator) -> Row:
    allowed = count_allowed(N_GOOD, FALSE_CALL_FRAC, DEFAULT_CONFIDENCE)
    if allowed is None:
        raise ValueError(f"{N_GOOD} good places cannot carry {FALSE_CALL_FRAC}")
    broken = naive = 0
    for size in _chunks(lots):
        scores = kind.draw(rng, (size, N_GOOD))
        broken += int((kind.above(lowest_above(scores, allowed)) > FALSE_CALL_FRAC).sum())
        quantile = lowest_above(scores, math.floor(FALSE_CALL_FRAC * N_GOOD))
        naive += int((kind.above(quantile) > FALSE_CALL_FRAC).sum())
    return Row(
        kind=name,
        n=N_GOOD,
        promise="false calls",
        promised_frac=FALSE_CALL_FRAC,
        target_carried=True,
        broken_frac=broken / lots,
        naive_broken_frac=naive / lots,
    )


def _classes_row(lots: int, rng: np.random.Generator) -> Row:
    """Three classes of different kinds, one threshold: broken where any class falls short."""
    kinds = [KINDS[name] for name in ("mixture", "heavy tails", "ties")]
    target, confidence = TARGETS[0], 1.0 - (1.0 - DEFAULT_CONFIDENCE) / CLASSES
    misses = count_allowed(PER_CLASS, 1.0 - target, confidence)
    if misses is None:
        raise ValueError(f"{PER_CLASS} defects of each of {CLASSES} classes cannot carry {target}")
    broken = naive = 0
    for size in _chunks(lots):
        lot = [kind.draw(rng, (size, PER_CLASS)) for kind in kinds]
        for count, which in ((misses, 0), (math.floor((1 - target) * PER_CLASS), 1)):
            # each class at its own limit: the lowest of them would hide all but one class in scales this different
            fails = [kind.above(highest_below(s, count)) < target for kind, s in zip(kinds, lot, strict=True)]
            any_fails = int(np.any(fails, axis=0).sum())
            broken, naive = (broken + any_fails, naive) if which == 0 else (broken, naive + any_fails)
    return Row(
        kind=f"{CLASSES} classes at once",
        n=PER_CLASS,
        promise="recall",
        promised_frac=target,
        target_carried=True,
        broken_frac=broken / lots,
        naive_broken_frac=naive / lots,
    )


def _broken(kind: Kind, threshold: Floats, recall: float) -> int:
    return int((kind.above(threshold) < recall - 1e-12).sum())


def _chunks(lots: int) -> list[int]:
    return [min(CHUNK, lots - start) for start in range(0, lots, CHUNK)]


def _record(rows: list[Row], lots: int, seconds: float, cpu_seconds: float) -> dict[str, Any]:
    allowed = allowed_broken_frac(lots, len(rows))
    return {
        "command": "boardgate bench promise",
        "lots": lots,
        "confidence": DEFAULT_CONFIDENCE,
        "allowed_broken_frac": allowed,
        "worst_broken_frac": max(row.broken_frac for row in rows),
        "kept": all(row.broken_frac <= allowed for row in rows),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "rows": [asdict(row) for row in rows],
    }


def _table(rows: list[Row], result: dict[str, Any]) -> Table:
    allowed = result["allowed_broken_frac"]
    table = Table(title=f"Promises broken in {result['lots']:,} lots, allowed {allowed:.4f}", title_justify="left")
    for column in ("scores", "n", "promise", "broken", "empirical quantile"):
        table.add_column(column, justify="left" if column == "scores" else "right")
    for row in rows:
        sign = "≥" if row.promise == "recall" else "≤"
        shown = f"{row.broken_frac:.4f}" if row.broken_frac <= allowed else f"[red]{row.broken_frac:.4f}[/red]"
        promise = f"{row.promise} {sign} {row.promised_frac:.4g}"
        table.add_row(row.kind, f"{row.n:,}", promise, shown, f"{row.naive_broken_frac:.3f}")
    table.caption = f"{result['seconds']:.0f} s, {result['cpu_seconds']:.0f} CPU-s"
    return table
