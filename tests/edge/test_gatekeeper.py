"""The gate process against a simulated gate on a real pseudo-terminal: journal first, own board only, silence holds."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.board import Outcome, Verdict
from edge.clock import SystemClock
from edge.gatekeeper import Gatekeeper
from edge.handover import Handover
from edge.journal import JournalReader
from edge.notify import Notifier
from edge.station import Station, read_station
from firmware_bridge.gate import GateSettings
from firmware_bridge.peers.conveyor import ConveyorSettings, SimEvent
from firmware_bridge.peers.gate import SimulatedGate
from tests.edge.helpers import verdict

pytestmark = pytest.mark.peers

STATION = """
site = "t"
station = "s"
state_dir = "state"
capture = { inbox = "inbox" }
inspect = { recipe = "recipe" }
gate = { port = "gate-port" }
"""


class Desk:
    """A gate process in a thread, an inspector's end that beats, and the simulated gate."""

    def __init__(self, folder: Path, gate: SimulatedGate, station: Station) -> None:
        self.folder, self.gate, self.station = folder, gate, station
        self.stop = threading.Event()
        self.frozen = threading.Event()
        self.handover = Handover(station.handover_socket, SystemClock())
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start_gatekeeper(self) -> Gatekeeper:
        keeper = Gatekeeper(self.station, SystemClock(), Notifier({}))
        self._run(lambda: keeper.run(self.stop))
        return keeper

    def start_beats(self) -> None:
        self._run(self._beat)

    def submit(self, of: Verdict) -> int | None:
        with self._lock:
            return self.handover.submit(of, lambda: None, self.stop)

    def result(self, barcode: str, timeout_s: float = 8.0) -> SimEvent:
        return self.gate.wait_result(barcode, timeout_s)

    def wait_session(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self.gate.command({"cmd": "status"})["state"] == "idle":
                return
            time.sleep(0.01)
        raise TimeoutError("no session with the gate")

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(10)
        self.handover.close()

    def _beat(self) -> None:
        counter = 0
        while not self.stop.is_set():
            if not self.frozen.is_set():
                counter += 1
                with self._lock:
                    self.handover.beat(counter)
            time.sleep(0.02)

    def _run(self, what: object) -> None:
        thread = threading.Thread(target=what, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "station.toml").write_text(STATION)
    settings = ConveyorSettings(patience_s=3.0)
    with SimulatedGate(tmp_path / "gate-port", settings=settings, gate_settings=GateSettings(window_ms=1_000)) as gate:
        desk = Desk(tmp_path, gate, read_station(tmp_path / "station.toml"))
        desk.start_gatekeeper()
        desk.start_beats()
        desk.wait_session()
        with contextlib.closing(desk):
            yield desk


@pytest.mark.parametrize(
    ("outcome", "result"), [(Outcome.PASS, "pass"), (Outcome.FAIL, "fail"), (Outcome.UNDECIDED, "hold")]
)
def test_each_outcome_reaches_the_relay(desk: Desk, outcome: Outcome, result: str) -> None:
    desk.gate.board("A1")
    assert desk.submit(verdict("A1", outcome)) == 1
    assert desk.result("A1").result == result
    time.sleep(0.3)
    (signal,) = JournalReader(desk.station.journal).signals()
    assert (signal.seq, signal.board_id) == (1, "A1")
    assert signal.what == f"confirmed {result}"
    assert signal.journal_ms is not None
    assert signal.gate_ms is not None


def test_verdict_first_then_the_board(desk: Desk) -> None:
    desk.submit(verdict("A1"))
    desk.gate.board("A1")
    assert desk.result("A1").result == "pass"


def test_another_boards_verdict_passes_nothing(desk: Desk) -> None:
    desk.gate.board("A1")
    desk.submit(verdict("A2"))
    assert desk.result("A1").result == "window_expired"


def test_no_verdict_no_pass(desk: Desk) -> None:
    desk.gate.board("A1")
    assert desk.result("A1").result == "window_expired"


def test_the_same_trigger_again_signals_nothing(desk: Desk) -> None:
    desk.gate.board("A1")
    desk.submit(verdict("A1"))
    desk.result("A1")
    assert desk.submit(verdict("A1")) == 1
    desk.gate.board("A1")
    results = []
    end = time.monotonic() + 4
    while len(results) < 2 and time.monotonic() < end:
        results = [e.result for e in desk.gate.events if e.event == "result"]
        time.sleep(0.02)
    assert results == ["pass", "window_expired"]


def test_a_frozen_inspector_trips_the_gate_and_a_living_one_brings_it_back(desk: Desk) -> None:
    desk.frozen.set()
    desk.gate.wait_event(lambda e: e.event == "trip" or "frozen" in str(e.detail), 5.0, "trip")
    desk.gate.board("A1")
    assert desk.result("A1").result == "tripped"
    desk.frozen.clear()
    desk.wait_session()
    desk.submit(verdict("A2"))
    desk.gate.board("A2")
    assert desk.result("A2").result == "pass"


def test_unplugged_and_plugged_again(desk: Desk) -> None:
    desk.gate.board("A1")
    desk.gate.unplug()
    desk.submit(verdict("A1"))
    assert desk.result("A1").result != "pass"
    desk.gate.replug()
    desk.wait_session()
    desk.gate.board("A2")
    desk.submit(verdict("A2"))
    assert desk.result("A2").result == "pass"
    assert JournalReader(desk.station.journal).last_seq() == 2


def test_garbage_on_the_line_changes_nothing(desk: Desk) -> None:
    desk.gate.garbage(5_000)
    desk.gate.board("A1")
    desk.submit(verdict("A1"))
    assert desk.result("A1").result == "pass"


def test_gate_power_cut(desk: Desk) -> None:
    desk.gate.board("A1")
    desk.gate.command({"cmd": "restart"})
    desk.wait_session()
    desk.gate.board("A2")
    desk.submit(verdict("A2"))
    assert desk.result("A2").result == "pass"


def test_journal_that_refuses_holds_the_board_and_the_verdict_is_kept(desk: Desk) -> None:
    """The journal's folder is taken away: nothing may pass until it is back, and then nothing is missing."""
    desk.gate.board("A0")
    desk.submit(verdict("A0"))
    assert desk.result("A0").result == "pass"
    blocker = sqlite3.connect(desk.station.journal, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    seqs: list[int | None] = []
    waiting = threading.Thread(target=lambda: seqs.append(desk.submit(verdict("A1"))))
    desk.gate.board("A1")
    waiting.start()
    assert desk.result("A1").result in ("hold", "window_expired", "tripped")
    blocker.execute("ROLLBACK")
    blocker.close()
    waiting.join(15)
    assert seqs == [2]
    desk.wait_session()
    desk.submit(verdict("A2"))
    desk.gate.board("A2")
    assert desk.result("A2").result == "pass"


@pytest.mark.parametrize(
    "message",
    [
        b"garbage\n",
        b"[1,2]\n",
        b'{"verdict": 7}\n',
        b'{"verdict": 7}\n{"verdict": 8}\ngarbage\n',
        b'{"verdict": {"uid": "x"}}\n',
        b'{"beat": "x"}\n',
        b"\x00\xff" * 10,
    ],
)
def test_a_stranger_on_the_socket_cannot_hurt(desk: Desk, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(desk.station.handover_socket))
        stranger.sendall(message)
        stranger.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionError):
            stranger.recv(100)
    desk.gate.board("A1")
    desk.submit(verdict("A1"))
    assert desk.result("A1").result == "pass"
