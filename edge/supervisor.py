"""`boardgate run`: the three processes of a station on a desk, where no systemd looks after them.

It does what the units do: starts each again when it dies, kills it when its watchdog falls silent, and gives up loudly
on one that cannot get ready. Whatever it does, the gate hardware holds boards by itself meanwhile.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.clock import Clock

WATCHDOG_MS = {"gate": 2_000, "inspector": 10_000, "agent": 60_000}  # as WatchdogSec= in systemd/
RESTART_WAIT_MS = (100, 5_000)  # doubles while a process dies before it is ready
MAX_FAILED_STARTS = 10
READY_TIMEOUT_MS = 120_000  # a big engine may be built at the first start
STOP_TIMEOUT_S = 10.0

log = logging.getLogger("boardgate.run")


@dataclass(slots=True)
class _Child:
    name: str
    watchdog_ms: int
    listener: socket.socket
    address: str
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    heard_ns: int = 0
    start_at_ns: int = 0
    failed_starts: int = 0
    starts: int = field(default=0)


class Supervisor:
    """Starts and restarts. One thread.

    `output`: file descriptor for what the processes print; theirs by default. `modules` and `watchdog_ms` replace, by
    process name, what is run (`python -m …`) and how long it may be silent.
    """

    def __init__(
        self,
        station_file: Path,
        clock: Clock,
        output: int | None = None,
        modules: Mapping[str, str] | None = None,
        watchdog_ms: Mapping[str, int] | None = None,
    ) -> None:
        self._file = station_file
        self._output = output
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="boardgate-")
        self._selector = selectors.DefaultSelector()
        self._modules = {**dict.fromkeys(WATCHDOG_MS, "edge.cli"), **(modules or {})}
        self._children = {name: self._child(name, ms) for name, ms in {**WATCHDOG_MS, **(watchdog_ms or {})}.items()}

    def pid_of(self, name: str) -> int | None:
        """The process id while it runs."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def all_ready(self) -> bool:
        """Whether each process has said READY since its last start."""
        return all(c.is_ready and self.pid_of(c.name) is not None for c in self._children.values())

    def starts_of(self, name: str) -> int:
        """How often it was started."""
        return self._children[name].starts

    def run(self, stop: threading.Event) -> int:
        """Until told to stop (0), or until one process cannot be got ready (1)."""
        try:
            while not stop.is_set():
                for key, _ in self._selector.select(0.05):
                    self._hear(key.data)
                for child in self._children.values():
                    self._look_after(child)
                    if child.failed_starts >= MAX_FAILED_STARTS:
                        log.critical("%s did not get ready in %d starts: giving up", child.name, MAX_FAILED_STARTS)
                        return 1
            return 0
        finally:
            self._stop_all()

    def _child(self, name: str, watchdog_ms: int) -> _Child:
        address = str(Path(self._folder.name) / f"{name}.notify")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(address)
        listener.setblocking(False)
        child = _Child(name=name, watchdog_ms=watchdog_ms, listener=listener, address=address)
        self._selector.register(listener, selectors.EVENT_READ, child)
        return child

    def _hear(self, child: _Child) -> None:
        message = child.listener.recv(4096).decode("utf-8", "replace").splitlines()
        child.heard_ns = self._clock.now_ns()
        if "READY=1" in message:
            child.is_ready = True
            child.failed_starts = 0
            log.info("%s ready, pid %s", child.name, child.process.pid if child.process else "?")

    def _look_after(self, child: _Child) -> None:
        now_ns = self._clock.now_ns()
        if child.process is None:
            if now_ns >= child.start_at_ns:
                self._start(child)
        elif (status := child.process.poll()) is not None:
            self._died(child, status)
        elif now_ns - child.heard_ns > self._patience_ms(child) * 1_000_000:
            log.error("%s silent for %d ms: killed", child.name, self._patience_ms(child))
            child.process.kill()
            child.process.wait()

    def _patience_ms(self, child: _Child) -> int:
        return child.watchdog_ms if child.is_ready else READY_TIMEOUT_MS

    def _start(self, child: _Child) -> None:
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": child.address,
            "WATCHDOG_USEC": str(child.watchdog_ms * 1000),
        }
        environment.pop("WATCHDOG_PID", None)
        command = [sys.executable, "-m", self._modules[child.name], child.name, str(self._file)]
        child.process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=self._output, stderr=self._output
        )
        child.is_ready = False
        child.starts += 1
        child.heard_ns = self._clock.now_ns()

    def _died(self, child: _Child, status: int) -> None:
        why = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        log.error("%s ended: %s; starting it again", child.name, why)
        if not child.is_ready:
            child.failed_starts += 1
        wait_ms = min(RESTART_WAIT_MS[0] * 2**child.failed_starts, RESTART_WAIT_MS[1])
        child.start_at_ns = self._clock.now_ns() + wait_ms * 1_000_000
        child.process = None

    def _stop_all(self) -> None:
        running = [c.process for c in self._children.values() if c.process is not None and c.process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children.values():
            child.listener.close()
        self._selector.close()
        self._folder.cleanup()
