"""Boards through the whole station at a given takt: learned and rules side by side in one run, time by stage.

Both stations are up at the same time and boards alternate between them, so that whatever else the machine does hits
both. What is simulated: conveyor, camera and gate. What is measured is the station that ships.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.board import Outcome, Reason
from edge.journal import JournalReader
from export.demo_stations import DemoBoard, demo_board, demo_recipe
from export.simulator.datasets import draw_boards
from export.simulator.line import SITE, STATION, LineTwin, MqttAt
from firmware_bridge.peers.broker import running_broker
from firmware_bridge.peers.mqtt_consumer import MqttConsumer

STAGES = ("capture", "register", "crop", "score", "drift", "judge", "journal", "gate", "mqtt")
SEED = 77
WARM_UP_BOARDS = 3  # reported apart: the first run of anything is slower

console = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class StationTimes:
    """Milliseconds by stage, one entry a board, and what became of the boards."""

    name: str
    ms: dict[str, list[float]]
    board_to_relay_ms: list[float]
    first_total_ms: float
    deadline_misses: int
    outcomes: dict[str, int]


def run(out: Path, bundles: dict[str, Path], n_boards: int, takt_ms: int, json_path: Path | None) -> list[StationTimes]:
    """Run and print; writes `latency.png` into `out` and the figures to `json_path`."""
    rendered = draw_boards(SEED, n_boards + WARM_UP_BOARDS, "line", defective_boards_frac=0.3)
    boards = [
        demo_board(b, r) for b, r in track(rendered, "rendering", total=n_boards + WARM_UP_BOARDS, console=console)
    ]
    with contextlib.ExitStack() as stack:
        lines = {name: _line(stack, out / name, bundle) for name, bundle in bundles.items()}
        _alternate(boards, {name: line for name, (line, _) in lines.items()}, takt_ms)
        for _, consumer in lines.values():
            consumer.wait_for(len(boards), 15.0)
        times = [_times(name, line, consumer) for name, (line, consumer) in lines.items()]
    _print(times, n_boards, takt_ms)
    figures = _as_json(times, n_boards, takt_ms)
    plot(out / "latency.png", figures)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(figures, indent=1) + "\n")
    return times


def _line(stack: contextlib.ExitStack, folder: Path, bundle: Path) -> tuple[LineTwin, MqttConsumer]:
    shutil.rmtree(folder, ignore_errors=True)  # a former run's journal would be counted too
    recipe = demo_recipe(folder / "recipe", bundle)
    broker = stack.enter_context(running_broker(folder / "broker"))
    consumer = stack.enter_context(MqttConsumer("127.0.0.1", broker.port, SITE, STATION))
    line = LineTwin(folder / "line", recipe, mqtt=MqttAt(port=broker.port, protocol="3.1.1"), window_ms=5_000)
    return stack.enter_context(line), consumer


def _alternate(boards: list[DemoBoard], lines: dict[str, LineTwin], takt_ms: int) -> None:
    for board in track(boards, f"gating, takt {takt_ms} ms", console=console):
        for line in lines.values():
            due = time.monotonic() + takt_ms / 1000
            line.gate_board(board.board_id, board.data)
            time.sleep(max(0.0, due - time.monotonic()))


def _times(name: str, line: LineTwin, consumer: MqttConsumer) -> StationTimes:
    reader = JournalReader(line.station.journal)
    rows = list(reader.all_verdicts())
    signals = {s.seq: s for s in reader.signals() if s.seq is not None}
    ms: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for row in rows[WARM_UP_BOARDS:]:
        verdict, signal = row.verdict, signals.get(row.seq)
        spent = {s.stage: s.ms for s in verdict.stages}
        for stage in ("capture", "register", "crop", "score", "drift"):
            ms[stage].append(spent.get(stage, 0.0))
        ms["judge"].append(verdict.total_ms - sum(spent.values()))
        if signal is not None:
            ms["journal"].append(signal.journal_ms or 0.0)
            ms["gate"].append(signal.gate_ms or 0.0)
        arrived = consumer.arrived_utc.get((reader.epoch, row.seq))
        if arrived is not None:
            decided = datetime.datetime.fromisoformat(row.decided_utc.replace("Z", "+00:00")).timestamp()
            ms["mqtt"].append((arrived - decided) * 1000)
    verdicts = [r.verdict for r in rows]
    relay = [s.us_since_board / 1000 for s in list(signals.values())[WARM_UP_BOARDS:] if s.us_since_board is not None]
    return StationTimes(
        name=name,
        ms=ms,
        board_to_relay_ms=relay,
        first_total_ms=verdicts[0].total_ms,
        deadline_misses=sum(v.reason is Reason.DEADLINE for v in verdicts),
        outcomes={o.value: sum(v.outcome is o for v in verdicts) for o in Outcome},
    )


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    return tuple(float(np.quantile(values, q)) for q in (0.5, 0.99, 1.0)) if values else (0.0, 0.0, 0.0)  # type: ignore[return-value]


def _print(times: list[StationTimes], n_boards: int, takt_ms: int) -> None:
    table = Table(title=f"{n_boards} boards of 50 joints a station, takt {takt_ms} ms, ms p50 / p99 / max")
    table.add_column("stage")
    for t in times:
        table.add_column(t.name, justify="right")
    for stage in STAGES:
        table.add_row(stage, *(" / ".join(f"{q:.1f}" for q in _quantiles(t.ms[stage])) for t in times))
    table.add_section()
    table.add_row(
        "board clamped → relay", *(" / ".join(f"{q:.0f}" for q in _quantiles(t.board_to_relay_ms)) for t in times)
    )
    table.add_row("first board, to verdict", *(f"{t.first_total_ms:.0f}" for t in times))
    table.add_row("deadline misses", *(str(t.deadline_misses) for t in times))
    table.add_row("pass / fail / held", *(" / ".join(str(n) for n in t.outcomes.values()) for t in times))
    console.print(table)


def plot(path: Path, figures: dict[str, Any]) -> None:
    """Draw the medians by stage, a bar a station, from what the benchmark wrote."""
    import matplotlib as mpl  # noqa: PLC0415 - a workshop library

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    stations = {name: s["ms_p50_p99_max"] for name, s in figures["stations"].items()}
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.9 * len(stations)), layout="constrained")
    colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.95, len(STAGES)))
    for row, ms in enumerate(stations.values()):
        left = 0.0
        for stage, colour in zip(STAGES, colours, strict=True):
            width = ms[stage][0]
            axes.barh(row, width, left=left, color=colour, label=stage if row == 0 else None)
            left += width
        total = sum(ms[s][1] for s in STAGES)
        axes.plot([total], [row], "k|", markersize=18)
        axes.text(total, row, " sum of p99", va="center", fontsize=8)
    axes.set_yticks(range(len(stations)), list(stations))
    axes.margins(x=0.12)
    axes.set_xlabel("ms, p50 of each stage")
    axes.legend(ncols=len(STAGES), fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    console.print(f"plot: {path}")


def _as_json(times: list[StationTimes], n_boards: int, takt_ms: int) -> dict[str, Any]:
    return {
        "command": f"boardgate bench latency --boards {n_boards} --takt-ms {takt_ms}",
        "boards": n_boards,
        "takt_ms": takt_ms,
        "stations": {
            t.name: {
                "ms_p50_p99_max": {s: [round(q, 2) for q in _quantiles(t.ms[s])] for s in STAGES},
                "board_to_relay_ms_p50_p99_max": [round(q, 1) for q in _quantiles(t.board_to_relay_ms)],
                "first_board_ms": round(t.first_total_ms, 1),
                "deadline_misses": t.deadline_misses,
                "outcomes": t.outcomes,
            }
            for t in times
        },
    }
