"""How long one region and one batch take here, with the bundle's own graph and pre-processing: the median, the 99th
percentile and the worst of many runs, the first run apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.scorers import checked_scores
from export.report.subjects import Subject

BATCHES = (1, 8, 64)
RUNS = {1: 200, 8: 60, 64: 20}  # about as long for each batch; fewer runs than 100 have no 99th percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One bundle at one batch size: milliseconds for a whole batch over `runs` runs, and for one region of it."""

    name: str
    batch: int
    runs: int
    first_ms: float
    p50_ms: float
    p99_ms: float | None  # None for fewer than 100 runs
    max_ms: float

    @property
    def p50_ms_a_region(self) -> float:
        """The median, for one region."""
        return self.p50_ms / self.batch


def latencies(subjects: Sequence[Subject]) -> list[Latency]:
    """Every bundle at every batch size. Raises ScorerFault."""
    return [_latency(subject, batch) for subject in subjects for batch in BATCHES]


def _latency(subject: Subject, batch: int) -> Latency:
    scored = subject.scored
    inputs = scored.inputs[np.arange(batch) % len(scored.rows)]
    times = []
    for _ in range(RUNS[batch] + 1):
        started = time.perf_counter_ns()
        checked_scores(scored.scorer, inputs)
        times.append((time.perf_counter_ns() - started) / 1e6)
    first, *rest = times
    return Latency(
        name=subject.name,
        batch=batch,
        runs=len(rest),
        first_ms=first,
        p50_ms=float(np.median(rest)),
        p99_ms=float(np.quantile(rest, 0.99)) if len(rest) >= 100 else None,
        max_ms=max(rest),
    )
