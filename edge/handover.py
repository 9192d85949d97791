"""From the inspector to the gate process: one Unix socket, one JSON object a line.

    inspector → gate   {"beat": 4711}                          the loop counter; says "I am still inspecting"
                       {"verdict": {…}}                        as in verdict_json
    gate → inspector   {"stored": uid, "seq": 12, "new": true} it is on the disk
                       {"refused": uid, "why": "…"}            it is not; the inspector keeps it and asks again

A verdict is in two places until it is `stored`, never in none.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.board import Verdict
from edge.clock import Clock
from edge.verdict_json import verdict_to_json

MAX_LINE_BYTES = 4 * 1024 * 1024  # 5,000 regions of a recipe at some 120 bytes, with room
REPLY_TIMEOUT_S = 1.0
RETRY_S = 0.2
BEAT_EVERY_NS = 50_000_000
SEND_TIMEOUT_S = 1.0

log = logging.getLogger("boardgate.handover")


class LineFault(Exception):
    """The other side sent something that is not a line of JSON of bounded length."""


class LineBuffer:
    """Bytes in, JSON objects out. Bounded; raises LineFault, after which the connection is to be closed."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The objects completed by `data`."""
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > MAX_LINE_BYTES:
            raise LineFault(f"no line end within {MAX_LINE_BYTES} bytes")
        return [_parsed(line) for line in lines]


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as err:
        raise LineFault(f"not JSON: {err}") from None
    if not isinstance(value, dict):
        raise LineFault(f"a {type(value).__name__}, expected an object")
    return value


def line(message: dict[str, Any]) -> bytes:
    """One message as it goes over the socket."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Handover:
    """The inspector's end. `submit` returns only once the verdict is on the gate process's disk."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._socket: socket.socket | None = None
        self._lines = LineBuffer()
        self._next_beat_ns = 0
        self._complaint = ""

    def beat(self, counter: int) -> None:
        """Pass the loop counter on, at most every 50 ms. Never waits for the gate process; a lost beat is no harm."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_beat_ns:
            return
        self._next_beat_ns = now_ns + BEAT_EVERY_NS
        self._try_send(line({"beat": counter & 0xFFFFFFFF}))

    def submit(self, verdict: Verdict, waiting: Callable[[], object], stop: threading.Event) -> int | None:
        """Hand one verdict over; returns its seq in the journal, or None when `stop` came first.

        Asks again five times a second for as long as it takes: giving up would lose the verdict, and meanwhile no
        further board is judged, so the line is held. Calls `waiting` before each further attempt.
        """
        message = b'{"verdict":' + verdict_to_json(verdict).encode() + b"}\n"
        while not stop.is_set():
            if self._try_send(message) and (seq := self._stored(verdict.uid)) is not None:
                self._complain("")
                return seq
            waiting()
            stop.wait(RETRY_S)
        return None

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._lines = LineBuffer()

    def _stored(self, uid: str) -> int | None:
        """Wait for the answer about `uid`. None: refused, late, or the connection broke."""
        end_ns = self._clock.now_ns() + int(REPLY_TIMEOUT_S * 1e9)
        while self._socket is not None and (left_ns := end_ns - self._clock.now_ns()) > 0:
            self._socket.settimeout(left_ns / 1e9)
            try:
                data = self._socket.recv(65_536)
                replies = self._lines.feed(data)
            except (OSError, LineFault) as err:
                self._complain(f"no answer from the gate process: {err}")
                break
            if not data:
                self._complain("the gate process closed the connection")
                break
            for reply in replies:
                if reply.get("stored") == uid:
                    return int(reply["seq"])
                if reply.get("refused") == uid:
                    self._complain(f"the gate process cannot store the verdict: {reply.get('why')}")
                    return None
        self.close()
        return None

    def _try_send(self, message: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(SEND_TIMEOUT_S)
                self._socket.connect(str(self._path))
            self._socket.settimeout(SEND_TIMEOUT_S)
            self._socket.sendall(message)
        except OSError as err:
            self._complain(f"gate process not reached at {self._path}: {err}")
            self.close()
            return False
        return True

    def _complain(self, what: str) -> None:
        """Log a condition when it changes, not each time it is met."""
        if what != self._complaint:
            if what:
                log.warning("%s", what)
            else:
                log.info("the gate process takes verdicts again")
        self._complaint = what
