"""A real MQTT broker on loopback, as a process: mosquitto where it is installed, else amqtt from the `demo` extra."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


class NoBrokerError(Exception):
    """Neither mosquitto nor amqtt is there, or it does not start."""


@dataclass(slots=True)
class Broker:
    """A running broker. `stop` and `start` take it away and bring it back on the same port."""

    port: int
    folder: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises NoBrokerError."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return
            time.sleep(0.05)
        raise NoBrokerError(f"{self.command[0]} does not accept connections, see {self.folder}/broker.log")

    def stop(self) -> None:
        """Stop; connections break."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextlib.contextmanager
def running_broker(folder: Path, kind: str = "any") -> Iterator[Broker]:
    """A broker on a free port of 127.0.0.1. `kind`: mosquitto, amqtt, or any of the two. Raises NoBrokerError."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    broker = Broker(port=port, folder=folder, command=_command(kind, port, folder))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _command(kind: str, port: int, folder: Path) -> list[str]:
    if kind in ("mosquitto", "any") and MOSQUITTO is not None:
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        return [MOSQUITTO, "-c", str(config)]
    if kind in ("amqtt", "any") and importlib.util.find_spec("amqtt") is not None:
        config = folder / "amqtt.yaml"
        config.write_text(
            f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
            "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
        )
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]
    raise NoBrokerError(f"no broker of kind {kind!r}: install mosquitto, or the extra boardgate[demo]")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
