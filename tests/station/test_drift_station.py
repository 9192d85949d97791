"""A lamp that loses light, on a whole station: boards of the line twin through the three processes. The verdict, the
log, the event log and, where the station is set so, the gate say it; nothing that is not good passes because of it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge.board import Board, Image, Outcome, Reason
from edge.clock import SystemClock
from edge.drift import DriftMonitor, drift_key
from edge.drift_chart import REFERENCE_BOARDS
from edge.inspection import Inspection
from edge.inspector import DRIFT_FILE
from edge.journal import DRIFT_EVENTS, EventRow, JournalReader
from edge.recipe import read_recipe
from edge.scorers import EngineChoice
from export.demo_stations import as_jpeg
from export.simulator.board import render_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.imaging import EASY
from export.simulator.layout import header_board
from export.simulator.line import LineTwin

pytestmark = [pytest.mark.peers, pytest.mark.slow]

RENDERED, LEARNED_FROM = 6, 20
LAMP_SPREAD_FRAC, LAMP_STEP_FRAC = 0.01, 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Good boards that pass, and the numbers of boards under the usual lamp."""

    boards: tuple[Image, ...]
    numbers: np.ndarray
    key: str


def lit(image: Image, rng: np.random.Generator, step_frac: float = 0.0) -> Image:
    """The board under a lamp that flickers by LAMP_SPREAD_FRAC, and has lost `step_frac`."""
    gain = (1 - step_frac) * (1 + LAMP_SPREAD_FRAC * rng.standard_normal())
    return np.clip(np.rint(image * gain), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def usual(recipe: Path) -> Usual:
    inspection = Inspection(read_recipe(recipe), EngineChoice(threads=2, maps=False), SystemClock())
    layout, rng = header_board(PART_NUMBER), np.random.default_rng(0)
    passing = []
    for seed in range(RENDERED):
        image = render_board(layout, {}, EASY, seed=seed).image
        if inspection.inspect(board_of(image)).verdict.outcome is Outcome.PASS:
            passing.append(image)
    assert len(passing) >= 2
    seen = [inspection.inspect(board_of(lit(passing[i % len(passing)], rng))) for i in range(LEARNED_FROM)]
    numbers = np.array([s.drift_numbers for s in seen], np.float64)
    by = inspection.judged
    return Usual(boards=tuple(passing), numbers=numbers, key=drift_key(by.recipe_sha256, by.bundle_sha256, "fp32"))


def board_of(image: Image) -> Board:
    clock = SystemClock()
    return Board(
        uid="u",
        board_id="b",
        trigger_ns=clock.now_ns(),
        trigger_utc=clock.utc(),
        picture_path="",
        picture_sha256="",
        image=image,
    )


def line_that_has_learned(folder: Path, recipe: Path, usual: Usual, *, hold: bool) -> LineTwin:
    """A station that has seen its first boards already: their numbers, drawn from the usual ones."""
    line = LineTwin(folder, recipe, window_ms=3_000)
    settings = line.station.file.read_text("utf-8")
    wanted = settings.replace("[inspect]\n", f"[inspect]\nhold_on_drift = {str(hold).lower()}\n")
    line.station.file.write_text(wanted, "utf-8")
    monitor = DriftMonitor(line.station.pictures / DRIFT_FILE, usual.key)
    rng = np.random.default_rng(1)
    for number in range(REFERENCE_BOARDS):
        monitor.observe(f"L{number}", usual.numbers[rng.integers(len(usual.numbers))])
    assert monitor.drift == ""
    monitor.save()
    return line


def events(line: LineTwin) -> list[EventRow]:
    time.sleep(0.5)  # notes are written soon, not at once
    return [e for e in JournalReader(line.station.journal).events_after(0, 1_000) if e.kind in DRIFT_EVENTS]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("hold", [False, True])
def test_a_lamp_step_is_said_everywhere(tmp_path: Path, recipe: Path, usual: Usual, hold: bool) -> None:
    rng = np.random.default_rng(2)
    with line_that_has_learned(tmp_path / "line", recipe, usual, hold=hold) as line:
        results = {}
        for number in range(24):
            image = lit(usual.boards[number % len(usual.boards)], rng, LAMP_STEP_FRAC if number >= 4 else 0.0)
            results[f"D{number}"] = line.gate_board(f"D{number}", as_jpeg(image)).result
        begun = events(line)
        for process in ("gate", "inspector"):
            pid = line.supervisor.pid_of(process)
            assert pid is not None
            os.kill(pid, signal.SIGTERM)  # a clean stop keeps the state
            time.sleep(0.5)
            line.wait_ready()
        line.gate_board("AFTER", as_jpeg(lit(usual.boards[0], rng, LAMP_STEP_FRAC)))
        rows = [r.verdict for r in JournalReader(line.station.journal).all_verdicts()]
        after = events(line)
        log = (line.folder / "station.log").read_text("utf-8", "replace")

    said = [v.board_id for v in rows if v.drift]
    assert not {"D0", "D1", "D2", "D3"} & set(said)
    assert "D23" in said, "6 % are found within 20 boards"
    assert "AFTER" in said, "the state outlived the restart"
    assert all("lamp -" in v.drift for v in rows if v.drift)
    assert [e.kind for e in begun] == ["drift_on"]
    assert begun[0].detail == next(v.drift for v in rows if v.drift)
    assert [e.kind for e in after] == ["drift_on"], "once, although the gate process began anew"
    assert f"board={said[0]} " in log
    assert "drift='lamp -" in log
    for verdict in rows:
        if hold and verdict.drift:
            assert verdict.outcome is not Outcome.PASS
            assert results.get(verdict.board_id) != "pass"
    reasons = {v.reason for v in rows if v.drift}
    assert (Reason.DRIFT in reasons) == hold
    if not hold:
        assert any(v.outcome is Outcome.PASS for v in rows if v.drift)
