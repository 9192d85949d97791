"""What a joint costs to score: every network on every CPU engine, against rules, the naive export and the machine's own
matrix product, in one run.

A way is timed from pixels to scores, pre-processing included, as the station runs it. Rounds alternate between the ways
and the matrix product, so that whatever else the machine does slows all of them alike and the ratios hold; first runs
are told apart. "All told" adds cutting the joints out of a picture and judging them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.peak import Rate, matrix_product
from benchmarks.scoring_boards import BOARD_PLACES, BOARDS, BenchBoard, crops
from benchmarks.scoring_ways import NAIVE, Score, Way, versions, ways
from edge.board import Board, Finding, Image
from edge.gate import Judged, judge

BATCHES = (1, 64)
PRODUCTS_A_ROUND = 5
COMMAND = "boardgate bench scoring"

console = Console(width=max(160, Console().width) if not Console().is_terminal else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one call took, a joint."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds a joint of one way at one batch size, over the rounds after the first. `peak_frac` is the graph's
    multiply-adds at the median, over the best matrix product of the same run; None where they are not counted, and
    for eight-bit graphs, whose peak is another one."""

    way: str
    family: str
    network: str
    precision: str
    engine: str
    batch: int
    flops: int
    p50_us: float
    p99_us: float
    min_us: float
    first_us: float
    cpu_us: float  # processor time of all threads, median: what a busy machine changes least
    times_naive: float
    peak_frac: float | None
    peak_cpu_frac: float | None  # the same of processor time: what one processor does in a second, over its own peak
    all_told_us: float | None  # crop, score and verdict, a joint of a whole board; at the largest batch only
    all_told_cpu_us: float | None


def run(
    *,
    family: str = "solder_joint",
    threads: int = 2,
    rounds: int = 30,
    json_file: Path | None = None,
    picture: Path | None = None,
) -> list[Cost]:
    """Measure a family's ways, print a table, write `json_file` and `picture` where they are given."""
    all_ways = list(track(ways(family, threads), "exporting", console=console))
    product, peaks, board = matrix_product(threads), [], BOARDS[family]()
    times: dict[tuple[str, int], list[Taken]] = {(w.name, b): [] for w in all_ways for b in BATCHES}
    told: dict[str, list[Taken]] = {w.name: [] for w in all_ways}
    for _ in track(range(rounds + 1), "measuring", console=console):
        peaks += [product() for _ in range(PRODUCTS_A_ROUND)]
        for way in all_ways:
            for batch in BATCHES:
                times[way.name, batch].append(_us_a_joint(lambda w=way, b=batch: w.score(crops(family, b)), batch))
            if way.network != NAIVE:  # takes seconds, and nobody would run it
                told[way.name].append(_us_a_joint(lambda w=way: _whole_board(board, w.score), BOARD_PLACES))
    peak = Rate(wall=max(p.wall for p in peaks), cpu=max(p.cpu for p in peaks))
    costs = _costs(all_ways, times, told, peak)
    figures = _record(family, costs, threads, rounds, peak)
    console.print(_table(figures))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    if picture is not None:
        plot(picture, figures)
    return costs


def _us_a_joint(work: Callable[[], object], joints: int) -> Taken:
    started_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    work()
    wall_ns, busy_ns = time.perf_counter_ns() - started_ns, time.process_time_ns() - cpu_ns
    return Taken(wall_us=wall_ns / 1e3 / joints, cpu_us=busy_ns / 1e3 / joints)


def _whole_board(board: BenchBoard, score: Score) -> object:
    """Crop, score, judge: what a board costs once it is registered, over as many places as BOARD_PLACES."""
    regions = board.regions(BOARD_PLACES)
    result: Any = score(board.cut(regions))
    scores = result[0] if isinstance(result, tuple) else result
    findings = tuple(Finding(region=r, score=float(np.max(s))) for r, s in zip(regions, scores, strict=True))
    return judge(_board(board.image), _JUDGED, findings, 1, ())


_JUDGED = Judged(recipe_id="bench", recipe_sha256="0" * 64, bundle_sha256="0" * 64, n_regions=BOARD_PLACES)


def _board(image: Image) -> Board:
    return Board(
        uid="bench",
        board_id="bench",
        trigger_ns=0,
        trigger_utc="",
        picture_path="",
        picture_sha256="",
        image=image,
    )


def _costs(
    all_ways: list[Way], times: dict[tuple[str, int], list[Taken]], told: dict[str, list[Taken]], peak: Rate
) -> list[Cost]:
    naive = {b: _median_us(v) for (name, b), v in times.items() if name.startswith(NAIVE)}
    return [
        _cost(way, batch, times[way.name, batch], naive[batch], peak, told[way.name])
        for way in all_ways
        for batch in BATCHES
    ]


def _cost(way: Way, batch: int, values: list[Taken], naive_us: float, peak: Rate, told: list[Taken]) -> Cost:
    warm = np.array([taken.wall_us for taken in values[1:]])
    p50, cpu = float(np.median(warm)), float(np.median([taken.cpu_us for taken in values[1:]]))
    counted = way.flops > 0 and way.precision == "fp32"
    return Cost(
        way=way.name,
        family=way.family,
        network=way.network,
        precision=way.precision,
        engine=way.engine,
        batch=batch,
        flops=way.flops,
        p50_us=p50,
        p99_us=float(np.quantile(warm, 0.99)),
        min_us=float(warm.min()),
        first_us=values[0].wall_us,
        cpu_us=cpu,
        times_naive=naive_us / p50,
        peak_frac=way.flops / (p50 / 1e6) / peak.wall if counted else None,
        peak_cpu_frac=way.flops / (cpu / 1e6) / peak.cpu if counted else None,
        all_told_us=_median_us(told) if told and batch == BATCHES[-1] else None,
        all_told_cpu_us=float(np.median([t.cpu_us for t in told[1:]])) if told and batch == BATCHES[-1] else None,
    )


def _median_us(taken: list[Taken]) -> float:
    return float(np.median([t.wall_us for t in taken[1:]]))


def _record(family: str, costs: list[Cost], threads: int, rounds: int, peak: Rate) -> dict[str, Any]:
    return {
        "command": COMMAND if family == "solder_joint" else f"{COMMAND} --family {family}",
        "family": family,
        "threads": threads,
        "rounds": rounds,
        "peak_gflops": peak.wall / 1e9,
        "peak_gflops_a_processor": peak.cpu / 1e9,
        "costs": [asdict(c) for c in costs],
        **machine(),
        **versions(),
    }


def _table(figures: dict[str, Any]) -> Table:
    what, peak = BOARDS[figures["family"]]().what, figures["peak_gflops"]
    title = f"A {what}, pixels to score, {figures['threads']} threads; matrix product {peak:.0f} GFLOP/s"
    table = Table(title=title, caption=f"load {figures['load_1_min']}", title_justify="left")
    table.add_column("way")
    for column in (
        "batch",
        "p50 µs",
        "p99 µs",
        "first µs",
        "cpu µs",
        "times naive",
        "of peak",
        "by cpu time",
        "all told µs",
    ):
        table.add_column(column, justify="right")
    for c in figures["costs"]:
        table.add_row(
            c["way"],
            str(c["batch"]),
            *(f"{c[k]:.0f}" for k in ("p50_us", "p99_us", "first_us", "cpu_us")),
            f"{c['times_naive']:.1f}",
            *("" if c[k] is None else f"{c[k]:.0%}" for k in ("peak_frac", "peak_cpu_frac")),
            *("" if c[k] is None else f"{c[k]:.0f}" for k in ("all_told_us", "all_told_cpu_us")),
        )
    return table


def plot(path: Path, figures: dict[str, Any]) -> None:
    """Draw the medians at both batch sizes, a pair of bars a way, from what the benchmark wrote."""
    import matplotlib as mpl  # noqa: PLC0415 - a workshop library

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    names = list(dict.fromkeys(c["way"] for c in figures["costs"]))[::-1]
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.42 * len(names)), layout="constrained")
    for batch, offset, colour in zip(BATCHES, (0.2, -0.2), ("#7fb3d5", "#1f4e79"), strict=True):
        of = {c["way"]: c for c in figures["costs"] if c["batch"] == batch}
        rows = [k + offset for k in range(len(names))]
        axes.barh(rows, [of[n]["p50_us"] for n in names], height=0.38, color=colour, label=f"batch {batch}")
        for row, name in zip(rows, names, strict=True):
            share = of[name]["peak_frac"]
            text = f" {of[name]['p50_us']:.0f} µs" + (f", {share:.0%} of peak" if share is not None else "")
            axes.text(of[name]["p50_us"], row, text, va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel(f"µs a place, pixels to score, median; {figures['threads']} threads, {figures['processor']}")
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    console.print(f"plot: {path}")
