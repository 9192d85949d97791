"""The gate process: journal first, then the gate link. No network, no GPU, small.

One loop over the serial port, the inspector's socket, the journal's results and the link's own timers. A verdict is
written by the journal thread; only the row that came back from there may become a signal (I5). Every doubt is silence,
and silence makes the gate hardware hold the board.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading

from edge.board import Outcome, Verdict
from edge.clock import Clock
from edge.handover import LineBuffer, LineFault, line
from edge.journal import (
    DRIFT_EVENTS,
    DRIFT_OFF,
    DRIFT_ON,
    LINK_DOWN,
    LINK_UP,
    PORT_LOST,
    JournalFault,
    JournalReader,
    SignalNote,
)
from edge.journal_thread import EventNote, JournalThread, NotStored, Stored, StoreJob
from edge.matching import Matcher, Signal
from edge.notify import Notifier
from edge.station import Station
from edge.verdict_json import NotAVerdictError, verdict_from_object
from firmware_bridge import host_events
from firmware_bridge.errors import LocalError
from firmware_bridge.frames import VerdictCode
from firmware_bridge.host import HostSession
from firmware_bridge.links import Link
from firmware_bridge.links import serial as serial_link
from firmware_bridge.port import StationPort

MAX_CLIENTS = 4  # one inspector; a second while it restarts; people with a terminal
LOOP_MAX_S = 0.05
JOURNAL_STUCK_MS = 5_000.0  # after this the watchdog is no longer fed
HOLD_REASON_NOT_STORED = 0xFFFF

CODES = {Outcome.PASS: VerdictCode.PASS, Outcome.FAIL: VerdictCode.FAIL, Outcome.UNDECIDED: VerdictCode.HOLD}

log = logging.getLogger("boardgate.gate")


class Gatekeeper:
    """The loop and what it owns. One thread besides the journal's."""

    def __init__(self, station: Station, clock: Clock, notifier: Notifier) -> None:
        self._station = station
        self._clock = clock
        self._notifier = notifier
        self._session = HostSession()
        self._matcher = Matcher(station.settings.gate.verdict_ttl_ms * 1_000_000)
        self._journal = JournalThread(station.journal, clock, station.agent_state)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._journal.wake_fd, selectors.EVENT_READ, self._on_journal)
        self._listener = _listen(station)
        self._selector.register(self._listener, selectors.EVENT_READ, self._on_connect)
        self._clients: dict[int, tuple[socket.socket, LineBuffer]] = {}
        self._port = StationPort(self._open_link, self._session, clock_ns=clock.now_ns)
        self._port_fd: int | None = None
        self._told: dict[int, tuple[Signal, int]] = {}  # token → what was sent and when; one open token at a time
        self._link_state = ""
        self._drifting = _was_drifting(station)

    def run(self, stop: threading.Event) -> None:
        """Gate boards until told to stop."""
        self._notifier.ready()
        while not stop.is_set():
            self._watch_port()
            for key, _ in self._selector.select(self._port.wait_s(LOOP_MAX_S)):
                key.data(key.fd)
            self._handle(self._port.step(0.0))
            if self._journal.stuck_ms() < JOURNAL_STUCK_MS:
                self._notifier.watchdog()
        self._close()

    # ---- the inspector's side ---------------------------------------------------------------------------------------

    def _on_connect(self, _fd: int) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        if len(self._clients) >= MAX_CLIENTS:
            log.warning("more than %d clients, the newest is refused", MAX_CLIENTS)
            client.close()
            return
        self._clients[client.fileno()] = (client, LineBuffer())
        self._selector.register(client, selectors.EVENT_READ, self._on_client)

    def _on_client(self, fd: int) -> None:
        client, lines = self._clients[fd]
        try:
            data = client.recv(1 << 20)
            messages = lines.feed(data)
        except (OSError, LineFault) as err:
            log.warning("inspector's connection closed: %s", err)
            return self._drop_client(fd)
        if not data:
            return self._drop_client(fd)
        for message in messages:
            if isinstance(message.get("beat"), int):
                self._session.set_loop_counter(message["beat"])
            elif "verdict" in message:
                self._take_verdict(fd, message["verdict"])

    def _take_verdict(self, fd: int, body: object) -> None:
        try:
            verdict = verdict_from_object(body)
        except NotAVerdictError as err:
            log.error("the inspector sent something that is no verdict: %s", err)
            return self._drop_client(fd)
        job = StoreJob(verdict=verdict, client=fd, received_ns=self._clock.now_ns())
        if not self._journal.store(job):
            self._not_stored(NotStored(job=job, why="the journal's queue is full: its disk hangs"))

    def _reply(self, fd: int, message: dict[str, object]) -> None:
        if fd not in self._clients:
            return  # it died meanwhile; the next inspector asks again by the same uid
        try:
            self._clients[fd][0].sendall(line(message))
        except OSError as err:
            log.warning("no answer to the inspector: %s", err)
            self._drop_client(fd)

    def _drop_client(self, fd: int) -> None:
        if (known := self._clients.pop(fd, None)) is not None:  # one read may hold several reasons to drop it
            self._selector.unregister(known[0])
            known[0].close()

    # ---- the journal's side -----------------------------------------------------------------------------------------

    def _on_journal(self, fd: int) -> None:
        os.read(fd, 4096)
        while self._journal.results:
            result = self._journal.results.popleft()
            if isinstance(result, Stored):
                self._stored(result)
            else:
                self._not_stored(result)

    def _stored(self, result: Stored) -> None:
        verdict = result.job.verdict
        self._reply(result.job.client, {"stored": verdict.uid, "seq": result.seq, "new": result.is_new})
        journal_ms = (result.stored_ns - result.job.received_ns) / 1e6
        log.info("board=%s seq=%d outcome=%s new=%s journal_ms=%.1f", verdict.board_id, result.seq,
                 verdict.outcome.value, result.is_new, journal_ms)  # fmt: skip
        if result.is_new:
            self._drift_changed(verdict)
            signal = self._matcher.verdict_stored(verdict, result.seq, self._clock.now_ns(), journal_ms)
            self._tell(signal)

    def _not_stored(self, result: NotStored) -> None:
        """Nothing may pass for it, and if its board stands at the gate, the gate is told so at once."""
        verdict = result.job.verdict
        self._reply(result.job.client, {"refused": verdict.uid, "why": result.why})
        open_board = self._matcher.open_board
        if open_board is not None and open_board[1] == verdict.board_id:
            self._event("journal_refused", f"board {verdict.board_id} held: {result.why}")
            self._matcher.board_over()
            try:
                self._session.send_verdict(
                    open_board[0], VerdictCode.HOLD, HOLD_REASON_NOT_STORED, 0, self._clock.now_ns()
                )
            except LocalError as err:
                log.warning("hold not sent: %s", err)

    def _drift_changed(self, verdict: Verdict) -> None:
        """One event when the alarm begins and one when it ends; what drifts meanwhile is in each verdict."""
        if bool(verdict.drift) != self._drifting:
            self._drifting = bool(verdict.drift)
            self._event(DRIFT_ON if verdict.drift else DRIFT_OFF, verdict.drift or f"at board {verdict.board_id}")

    # ---- the gate's side --------------------------------------------------------------------------------------------

    def _tell(self, signal: Signal | None) -> None:
        if signal is None:
            return
        now_ns = self._clock.now_ns()
        verdict = signal.verdict
        try:
            self._session.send_verdict(
                signal.token, CODES[verdict.outcome], verdict.reason.wire_code, signal.seq & 0xFFFFFFFF, now_ns
            )
        except LocalError as err:
            self._note(signal.seq, verdict.board_id, signal.token, f"not sent: {err}")
            return
        self._told = {signal.token: (signal, now_ns)}

    def _handle(self, events: list[host_events.Event]) -> None:
        for event in events:
            self._on_link_event(event)

    def _on_link_event(self, event: host_events.Event) -> None:
        match event:
            case host_events.BoardPresent():
                self._tell(self._matcher.board_present(event.token, event.barcode, self._clock.now_ns()))
            case host_events.VerdictConfirmed():
                self._confirmed(event)
            case host_events.BoardGone():
                self._gone(event)
            case host_events.CommandFailed():
                self._event("command_failed", f"{event.what.value}: {event.why}")
            case host_events.LinkUp():
                self._link_changed(LINK_UP, f"session {event.session}, gate firmware {event.firmware}")
            case host_events.LinkDown():
                self._matcher.board_over()
                self._link_changed(LINK_DOWN, f"{event.reason.value}: {event.detail}")
            case host_events.GateFault():
                self._event("gate_fault", f"{event.code.name.lower()} detail {event.detail:#x}")
            case _:
                log.debug("%s", event)

    def _confirmed(self, event: host_events.VerdictConfirmed) -> None:
        told = self._told.pop(event.token, None)
        if told is None:
            return  # a HOLD without a verdict row
        signal, sent_ns = told
        self._journal.note(
            SignalNote(
                seq=signal.seq,
                board_id=signal.verdict.board_id,
                token=event.token,
                what=f"confirmed {event.code.name.lower()}",
                us_since_board=event.us_since_board,
                journal_ms=signal.journal_ms,
                gate_ms=(self._clock.now_ns() - sent_ns) / 1e6,
                utc=self._clock.utc(),
            )
        )

    def _gone(self, event: host_events.BoardGone) -> None:
        open_board = self._matcher.open_board
        if open_board is not None and open_board[0] == event.token:
            self._note(None, open_board[1], event.token, f"gone without a verdict: {event.how.name.lower()}")
            self._matcher.board_over()

    def _link_changed(self, kind: str, detail: str) -> None:
        if (kind + detail) != self._link_state:
            self._event(kind, detail)
        self._link_state = kind + detail

    # ---- the port ---------------------------------------------------------------------------------------------------

    def _open_link(self) -> Link:
        path = self._station.path(self._station.settings.gate.port)
        return serial_link.open(serial_link.SerialConfig(port=str(path)))

    def _watch_port(self) -> None:
        """Wait on the port's file too, whichever it is now; say so when it cannot be opened."""
        if (fd := self._port.fileno()) != self._port_fd:
            if self._port_fd is not None:
                self._selector.unregister(self._port_fd)
            if fd is not None:
                self._selector.register(fd, selectors.EVENT_READ, lambda _: None)
            self._port_fd = fd
        if self._port.last_error:
            self._link_changed(PORT_LOST, self._port.last_error)

    # ---- odds and ends ----------------------------------------------------------------------------------------------

    def _note(self, seq: int | None, board_id: str, token: int, what: str) -> None:
        log.warning("board=%s seq=%s token=%08x %s", board_id, seq, token, what)
        self._journal.note(SignalNote(seq=seq, board_id=board_id, token=token, what=what, utc=self._clock.utc()))

    def _event(self, kind: str, detail: str) -> None:
        log.log(logging.INFO if kind == LINK_UP else logging.WARNING, "%s: %s", kind, detail)
        self._journal.note(EventNote(kind=kind, detail=detail, utc=self._clock.utc()))

    def _close(self) -> None:
        self._port.close()
        for client, _ in self._clients.values():
            client.close()
        self._listener.close()
        self._journal.close(timeout_s=5.0)


def _was_drifting(station: Station) -> bool:
    """Whether the last event of drift, before this process started, was its begin. Unknown is no."""
    try:
        with contextlib.closing(JournalReader(station.journal)) as reader:
            last = reader.last_event(*DRIFT_EVENTS)
    except JournalFault:
        return False
    return last is not None and last.kind == DRIFT_ON


def _listen(station: Station) -> socket.socket:
    path = station.handover_socket
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # left by a process that was killed; the folder is this process's own
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o660)  # the inspector's group
    listener.listen(MAX_CLIENTS)
    listener.setblocking(False)
    return listener


def run_gate(station: Station, clock: Clock, notifier: Notifier, stop: threading.Event) -> None:
    """The process."""
    Gatekeeper(station, clock, notifier).run(stop)
