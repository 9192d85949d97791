"""What a place costs to score: every network of a family on every CPU engine, against rules, the naive export and the
machine's own matrix product, in one run.

A way is timed from pixels to scores, pre-processing included, as the station runs it. Rounds alternate between the ways
and the matrix product, so that whatever else the machine does slows all of them alike and the ratios hold; first runs
are told apart, and what is slow has fewer rounds, spread over the run. "All told" adds cutting the places of a whole
board and judging them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.machine import machine
from benchmarks.peak import Rate, matrix_product
from benchmarks.scoring_boards import FAMILIES, BenchFamily, Places, regions
from benchmarks.scoring_picture import plot
from benchmarks.scoring_table import screen_table
from benchmarks.scoring_ways import NAIVE, Way, versions, ways
from edge.board import Board, Finding
from edge.gate import Judged, judge
from export.families import one_of

PRODUCTS_A_ROUND = 5
BUDGET_S = 3.0  # of one way at one batch size: what takes longer in all has fewer rounds …
LEAST_ROUNDS = 5  # … but as many as these
COMMAND = "boardgate bench scoring"
DEFAULT_ROUNDS = 30

console = Console(width=max(160, Console().width) if not Console().is_terminal else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one call took, a place."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds a place of one way at one batch size, over the rounds after the first. `peak_frac` is the graph's
    multiply-adds at the median, over the best matrix product of the same run; None where they are not counted, and
    for eight-bit graphs, whose peak is another one."""

    way: str
    family: str
    network: str
    precision: str
    engine: str
    batch: int
    rounds: int
    flops: int
    p50_us: float
    p99_us: float
    min_us: float
    first_us: float
    cpu_us: float  # processor time of all threads, median: what a busy machine changes least
    times_naive: float
    peak_frac: float | None
    peak_cpu_frac: float | None  # the same of processor time: what one processor does in a second, over its own peak
    all_told_us: float | None  # cut, score and verdict, a place of a whole board; at the largest batch only
    all_told_cpu_us: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    """One call over and over: `places` at a time, at most `rounds` times after the first."""

    work: Callable[[], object]
    places: int
    rounds: int
    taken: list[Taken] = field(default_factory=list)

    def take(self, k: int) -> None:
        """In round `k` of the run, from 0: call, where it is due."""
        kept = self.kept_rounds
        if k == 0 or k * kept // self.rounds != (k - 1) * kept // self.rounds:
            self.taken.append(_us_a_place(self.work, self.places))

    @property
    def kept_rounds(self) -> int:
        """How many rounds after the first fit the budget; all of them before the first is known."""
        if not self.taken:
            return self.rounds
        first_s = self.taken[0].wall_us * self.places / 1e6
        return min(self.rounds, max(LEAST_ROUNDS, int(BUDGET_S / first_s)))


def run(
    *,
    family: str = "solder_joint",
    presets: Sequence[str] = (),
    threads: int = 2,
    rounds: int = DEFAULT_ROUNDS,
    json_file: Path | None = None,
    picture: Path | None = None,
) -> list[Cost]:
    """Measure a family's ways (of all presets where none is named), print a table, write `json_file` and `picture`
    where they are given. Raises UnknownName."""
    bench: BenchFamily = one_of(FAMILIES, family, "family")
    places, product, peaks = bench.places(), matrix_product(threads), list[Rate]()
    all_ways = list(track(ways(family, threads, presets), "exporting", console=console))
    times = {(way.name, b): _scoring_of(way, places, b, rounds) for way in all_ways for b in bench.batches}
    told = {way.name: _whole_board(way, places, rounds) for way in all_ways if way.network != NAIVE}
    for k in track(range(rounds + 1), "measuring", console=console):
        peaks += [product() for _ in range(PRODUCTS_A_ROUND)]
        for timing in (*times.values(), *told.values()):
            timing.take(k)
    peak = Rate(wall=max(p.wall for p in peaks), cpu=max(p.cpu for p in peaks))
    costs = _costs(all_ways, bench, times, told, peak)
    figures = _record(family, presets, costs, threads, rounds, peak)
    console.print(screen_table(figures))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    if picture is not None:
        plot(picture, figures)
        console.print(f"plot: {picture}")
    return costs


def _scoring_of(way: Way, places: Places, batch: int, rounds: int) -> _Timing:
    inputs = places.cut(way.contract, batch)
    return _Timing(work=lambda: way.score(inputs), places=batch, rounds=rounds)


def _whole_board(way: Way, places: Places, rounds: int) -> _Timing:
    """Cut, score, judge: what a board costs once it is registered, or its file is read."""
    n, board = places.n_whole, _board()
    where = regions(n)
    by = Judged(recipe_id="bench", recipe_sha256="0" * 64, bundle_sha256="0" * 64, n_regions=n)

    def work() -> object:
        scores = way.score(places.cut(way.contract, n)).score
        findings = tuple(Finding(region=r, score=float(s)) for r, s in zip(where, scores, strict=True))
        return judge(board, by, findings, 1, ())

    return _Timing(work=work, places=n, rounds=rounds)


def _board() -> Board:
    return Board(
        uid="bench",
        board_id="bench",
        trigger_ns=0,
        trigger_utc="",
        picture_path="",
        picture_sha256="",
        image=np.zeros((1, 1, 3), np.uint8),
    )


def _us_a_place(work: Callable[[], object], places: int) -> Taken:
    started_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    work()
    wall_ns, busy_ns = time.perf_counter_ns() - started_ns, time.process_time_ns() - cpu_ns
    return Taken(wall_us=wall_ns / 1e3 / places, cpu_us=busy_ns / 1e3 / places)


def _costs(
    all_ways: list[Way],
    bench: BenchFamily,
    times: dict[tuple[str, int], _Timing],
    told: dict[str, _Timing],
    peak: Rate,
) -> list[Cost]:
    naive = {b: _median(t.taken).wall_us for (name, b), t in times.items() if name.startswith(NAIVE)}
    return [
        _cost(way, b, times[way.name, b].taken, naive[b], peak, told.get(way.name) if b == bench.batch else None)
        for way in all_ways
        for b in bench.batches
    ]


def _cost(way: Way, batch: int, values: list[Taken], naive_us: float, peak: Rate, told: _Timing | None) -> Cost:
    warm = np.array([taken.wall_us for taken in values[1:]])
    median = _median(values)
    p50, cpu = median.wall_us, median.cpu_us
    whole = None if told is None else _median(told.taken)
    counted = way.flops > 0 and way.precision == "fp32"
    return Cost(
        way=way.name,
        family=way.family,
        network=way.network,
        precision=way.precision,
        engine=way.engine,
        batch=batch,
        rounds=len(warm),
        flops=way.flops,
        p50_us=p50,
        p99_us=float(np.quantile(warm, 0.99)),
        min_us=float(warm.min()),
        first_us=values[0].wall_us,
        cpu_us=cpu,
        times_naive=naive_us / p50,
        peak_frac=way.flops / (p50 / 1e6) / peak.wall if counted else None,
        peak_cpu_frac=way.flops / (cpu / 1e6) / peak.cpu if counted else None,
        all_told_us=None if whole is None else whole.wall_us,
        all_told_cpu_us=None if whole is None else whole.cpu_us,
    )


def _median(taken: list[Taken]) -> Taken:
    """Of the calls after the first."""
    return Taken(
        wall_us=float(np.median([t.wall_us for t in taken[1:]])), cpu_us=float(np.median([t.cpu_us for t in taken[1:]]))
    )


def _record(
    family: str, presets: Sequence[str], costs: list[Cost], threads: int, rounds: int, peak: Rate
) -> dict[str, Any]:
    options = "" if family == "solder_joint" else f" --family {family}"
    options += "".join(f" --preset {name}" for name in presets) + ("" if threads == 2 else f" --threads {threads}")
    options += "" if rounds == DEFAULT_ROUNDS else f" --rounds {rounds}"
    places = FAMILIES[family].places()
    return {
        "command": COMMAND + options,
        "family": family,
        "place": places.what,
        "whole_board_places": places.n_whole,
        "threads": threads,
        "rounds": rounds,
        "peak_gflops": peak.wall / 1e9,
        "peak_gflops_a_processor": peak.cpu / 1e9,
        "costs": [asdict(c) for c in costs],
        **machine(),
        **versions(),
    }
