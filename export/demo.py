"""`boardgate demo`: a whole line on one machine in half a minute, without torch, root or an installed broker.

Boards are rendered by the line twin and judged by the small bundles beside this file, which were trained on such
boards. The stations are real: three processes each, a serial line (a pseudo-terminal) to a simulated gate, MQTT through
a real broker.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge.board import Outcome, Reason, Verdict
from edge.inspect_once import COLOURS
from edge.journal import JournalReader
from export.demo_board import DemoBoard
from export.demo_stations import STATIONS, DemoStation
from export.simulator.line import SITE, LineTwin, MqttAt
from firmware_bridge.peers.broker import running_broker
from firmware_bridge.peers.conveyor import SimEvent
from firmware_bridge.peers.mqtt_consumer import MqttConsumer

WINDOW_MS = 3_000
STAGES = ("capture", "register", "crop", "pads", "planes", "regions", "score", "printer", "drift")  # in their order

console = Console(width=max(120, Console().width) if not Console().is_terminal else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What one station saw, said and drew."""

    verdicts: dict[str, Verdict]
    n_arrived: int
    n_boards: int


def run_demo(out: Path, n_boards: int, takt_ms: int) -> int:
    """Run the demo, one station after the other; exit status 0 when every board got its verdict and the consumer has
    committed all of them."""
    _empty(out)
    with running_broker(out / "broker") as broker:
        shifts = [_run_station(station, out / station.name, broker.port, n_boards, takt_ms) for station in STATIONS]
    console.print("\n[dim]Boards, camera and gate are simulated (the line twin); the stations are those that ship.[/]")
    return 0 if all(len(s.verdicts) == s.n_arrived == s.n_boards for s in shifts) else 1


def _run_station(station: DemoStation, out: Path, broker_port: int, n_boards: int, takt_ms: int) -> Shift:
    console.rule(f"[bold]{station.title}")
    recipe = station.make_recipe(out / "recipe")
    boards = list(_with_trouble(_rendered(station, n_boards, out), station.stranger(out)))
    with contextlib.ExitStack() as stack:
        console.print("[bold]starting[/] a simulated gate and the station's three processes …")
        consumer = stack.enter_context(MqttConsumer("127.0.0.1", broker_port, SITE, station.name))
        mqtt = MqttAt(port=broker_port, protocol="3.1.1")
        line = stack.enter_context(LineTwin(out / "line", recipe, mqtt=mqtt, window_ms=WINDOW_MS, station=station.name))
        events = _run_belt(line, boards, takt_ms)
        consumer.wait_for(len(boards), 10.0)
        n_arrived = len(consumer.rows)
    verdicts = {r.verdict.board_id: r.verdict for r in JournalReader(line.station.journal).all_verdicts()}
    _print_boards(boards, verdicts, events)
    _print_latency(verdicts)
    picture = _draw(out, station, boards, verdicts)
    mistakes = _draw_mistakes(out, station, boards, verdicts)
    console.print(f"\nMQTT: {n_arrived} of {len(verdicts)} verdicts committed by the consumer and acknowledged")
    console.print(f"one picture of each kind of mistake: {', '.join(mistakes) or 'none was made'}")
    console.print(f"picture: [bold]{picture}[/]   journal: {line.station.journal}   log: {line.folder / 'station.log'}")
    return Shift(verdicts=verdicts, n_arrived=n_arrived, n_boards=len(boards))


def _rendered(station: DemoStation, n: int, home: Path) -> Iterator[DemoBoard]:
    with _progress("rendering boards", n) as advance:
        for board in station.boards(n, home):
            yield board
            advance()


def _with_trouble(boards: Iterator[DemoBoard], stranger: DemoBoard) -> Iterator[DemoBoard]:
    """Two boards that no line is spared: a torn picture, and a board of another product."""
    boards = iter(boards)
    first = next(boards)
    yield first
    torn = first.data[: len(first.data) // 2]
    yield replace(first, board_id="TORN-1", data=torn, defects={}, story="half a file")
    yield stranger
    yield from boards


def _run_belt(line: LineTwin, boards: list[DemoBoard], takt_ms: int) -> dict[str, SimEvent]:
    """One board a takt; each leaves the gate before the next is clamped."""
    events = {}
    with _progress(f"gating boards, takt {takt_ms} ms", len(boards)) as advance:
        for board in boards:
            due = time.monotonic() + takt_ms / 1000
            events[board.board_id] = line.gate_board(board.board_id, board.data, board.suffix)
            time.sleep(max(0.0, due - time.monotonic()))
            advance()
    return events


def _print_boards(boards: list[DemoBoard], verdicts: dict[str, Verdict], events: dict[str, SimEvent]) -> None:
    table = Table(
        title="What the line saw",
        caption="found = defective places called; the rest of a row is the station's own word",
    )
    for column in ("board", "really on it", "verdict", "found", "missed", "false", "gate relay", "ms", "reason"):
        table.add_column(column, justify="right" if column in ("found", "missed", "false", "ms") else "left")
    escapes = false_calls = 0
    for board in boards:
        verdict = verdicts[board.board_id]
        called = {f.region.name for f in verdict.defects}
        missed = board.defects.keys() - called if verdict.findings else set()
        false = called - board.defects.keys() - board.unsaid
        escapes += bool(board.defects) and verdict.outcome is Outcome.PASS
        false_calls += len(false)
        table.add_row(
            board.board_id,
            board.story or ", ".join(sorted({*board.defects.values()})) or "good",
            f"[{COLOURS[verdict.outcome]}]{verdict.outcome.value}[/]",
            str(len(called & board.defects.keys())),
            f"[red]{len(missed)}[/]" if missed else "0",
            f"[yellow]{len(false)}[/]" if false else "0",
            str(events[board.board_id].result),
            f"{verdict.total_ms:.0f}",
            verdict.detail if verdict.outcome is Outcome.UNDECIDED else str(verdict.printer_fault or ""),
        )
    console.print(table)
    n_places = sum(v.n_scored for v in verdicts.values())
    console.print(f"defective boards passed: [bold]{escapes}[/]   false calls: {false_calls} of {n_places} places")


def _print_latency(verdicts: dict[str, Verdict]) -> None:
    judged = [v for v in verdicts.values() if v.findings]
    stages = {s.stage for v in judged for s in v.stages}
    table = Table(title=f"Trigger to verdict, {len(judged)} boards", title_justify="left")
    for column in ("stage", "p50 ms", "max ms"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage in STAGES:
        if stage in stages:
            ms = [sum(s.ms for s in v.stages if s.stage == stage) for v in judged]
            table.add_row(stage, f"{np.median(ms):.1f}", f"{max(ms):.1f}")
    total = [v.total_ms for v in judged]
    table.add_row("[bold]total[/]", f"{np.median(total):.1f}", f"{max(total):.1f}")
    console.print(table)


def _draw(home: Path, station: DemoStation, boards: list[DemoBoard], verdicts: dict[str, Verdict]) -> Path:
    """A failed board beside a passed one, as the station called them."""
    path, pictures = home / "annotated.png", []
    for outcome in (Outcome.FAIL, Outcome.PASS):
        candidates = [b for b in boards if verdicts[b.board_id].outcome is outcome]
        if candidates:
            worst = max(candidates, key=lambda b: _n_found(b, verdicts[b.board_id]))
            pictures.append(station.drawn(worst.data, verdicts[worst.board_id], home))
    if pictures:
        height = max(p.shape[0] for p in pictures)
        padded = [cv2.copyMakeBorder(p, 0, height - p.shape[0], 0, 8, cv2.BORDER_CONSTANT) for p in pictures]
        cv2.imwrite(str(path), np.hstack(padded))
    return path


def _n_found(board: DemoBoard, verdict: Verdict) -> int:
    return len({f.region.name for f in verdict.defects} & board.defects.keys())


def _draw_mistakes(
    home: Path, station: DemoStation, boards: list[DemoBoard], verdicts: dict[str, Verdict]
) -> list[str]:
    """The first board of each kind of mistake, annotated: a place missed, a false call, a board held."""
    folder, drawn = home / "mistakes", dict[str, Path]()
    for board in boards:
        verdict = verdicts[board.board_id]
        called = {f.region.name for f in verdict.defects}
        kinds = {
            "missed": bool(verdict.findings) and bool(board.defects.keys() - called),
            "false-call": bool(called - board.defects.keys() - board.unsaid),
            "held": verdict.outcome is Outcome.UNDECIDED and verdict.reason is not Reason.CAPTURE_FAULT,
        }
        for kind in (k for k, made in kinds.items() if made and k not in drawn):
            folder.mkdir(exist_ok=True)
            drawn[kind] = folder / f"{kind}.png"
            cv2.imwrite(str(drawn[kind]), station.drawn(board.data, verdict, home))
    return [str(path) for path in drawn.values()]


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _empty(out: Path) -> None:
    """Clear what an earlier demo left; refuse to touch a folder that is anything else."""
    marker = out / ".boardgate-demo"
    if out.exists() and any(out.iterdir()):
        if not marker.exists():
            raise FileExistsError(f"{out}: not empty, and not left by an earlier demo")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()
