"""The line twin around a real station: a conveyor, a simulated gate, and three real processes.

What is simulated is the conveyor, the camera and the gate hardware. The station is the one that runs on a line: the
same processes, sockets, files, serial protocol (over a pseudo-terminal) and MQTT.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from edge.clock import SystemClock
from edge.station import Station, read_station
from edge.supervisor import Supervisor
from firmware_bridge.gate import GateSettings
from firmware_bridge.peers.conveyor import ConveyorSettings, SimEvent
from firmware_bridge.peers.gate import SimulatedGate

SITE, STATION = "twin", "aoi-1"
READY_TIMEOUT_S = 60.0
IN_SESSION = ("idle", "board", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAt:
    """The broker, if the line has one. `protocol`: 5 or 3.1.1."""

    port: int
    protocol: str = "5"


class LineTwin:
    """A line of one station. Use as a context manager; `feed` boards, then ask the gate what became of them."""

    def __init__(
        self,
        folder: Path,
        recipe: Path,
        *,
        mqtt: MqttAt | None = None,
        window_ms: int = 2_000,
        threads: int = 2,
        modules: Mapping[str, str] | None = None,
        watchdog_ms: Mapping[str, int] | None = None,
        station: str = STATION,
    ) -> None:
        self.folder = folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "inbox").mkdir(exist_ok=True)
        # Off the real belt a board waits for its station; here one without a session is taken away soon.
        belt = ConveyorSettings(patience_s=max(2.0, window_ms / 1000))
        self.gate = SimulatedGate(folder / "gate-port", settings=belt, gate_settings=GateSettings(window_ms=window_ms))
        station_file = folder / "station.toml"
        station_file.write_text(_station_toml(recipe, mqtt, threads, station), encoding="utf-8")
        self.station: Station = read_station(station_file)
        self._log = (folder / "station.log").open("ab")
        self.supervisor = Supervisor(station_file, SystemClock(), self._log.fileno(), modules, watchdog_ms)
        self._stop = threading.Event()
        self._exit_status: int | None = None
        self._thread = threading.Thread(target=self._supervise, name="station", daemon=True)

    def __enter__(self) -> LineTwin:
        self.gate.__enter__()
        self._thread.start()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30.0)
        self.gate.__exit__(kind, value, trace)
        self._log.close()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Until all three processes are ready and the gate is in session. TimeoutError holds the station's log."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self._exit_status is None:
            if self.supervisor.all_ready() and self.gate.command({"cmd": "status"})["state"] in (
                "idle",
                "board",
                "result",
            ):
                return
            time.sleep(0.02)
        log = (self.folder / "station.log").read_text("utf-8", "replace")[-3_000:]
        raise TimeoutError(f"the station is not ready after {timeout_s} s; its log ends:\n{log}")

    def drop(self, name: str, data: bytes) -> None:
        """Put one picture file into the inbox the way a machine should: aside, then renamed."""
        aside = self.station.inbox / f".{name}"
        aside.write_bytes(data)
        os.replace(aside, self.station.inbox / name)

    def feed(self, board_id: str, data: bytes, suffix: str = ".jpg") -> None:
        """A board arrives: it is clamped at the gate and its picture is taken."""
        self.gate.board(board_id)
        self.drop(board_id + suffix, data)

    def gate_board(self, board_id: str, data: bytes, suffix: str = ".jpg", timeout_s: float = 15.0) -> SimEvent:
        """Feed one board and wait for what the gate did with it."""
        self.feed(board_id, data, suffix)
        return self.gate.wait_result(board_id, timeout_s)

    def _supervise(self) -> None:
        self._exit_status = self.supervisor.run(self._stop)


def _station_toml(recipe: Path, mqtt: MqttAt | None, threads: int, station: str) -> str:
    broker = f'\n[mqtt]\nhost = "127.0.0.1"\nport = {mqtt.port}\nprotocol = "{mqtt.protocol}"\n' if mqtt else ""
    return f"""site = "{SITE}"
station = "{station}"
state_dir = "state"

[capture]
inbox = "inbox"

[inspect]
recipe = "{recipe.resolve()}"
threads = {threads}

[gate]
port = "gate-port"
{broker}"""
