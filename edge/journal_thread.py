"""The journal on a thread of its own, so that a slow disk delays verdicts and never heartbeats.

Jobs go in through a bounded queue; results come back through `results`, and one byte on `wake_fd` says that some are
there. A fault closes the journal; the next job opens it again, so a disk that has room again is used again.
"""

from __future__ import annotations

import datetime
import logging
import os
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from edge.agent_state import load_state
from edge.board import Verdict
from edge.clock import Clock
from edge.journal import KEEP_DAYS, JournalFault, JournalWriter, SignalNote

MAX_JOBS = 64
RETENTION_EVERY_NS = 3_600_000_000_000
MAX_NOTES = 1_000  # signals and events kept in memory while the disk refuses them

log = logging.getLogger("boardgate.journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreJob:
    """Store a verdict; answer to `client`."""

    verdict: Verdict
    client: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The verdict is durable. `is_new` is False when this trigger had its verdict already."""

    job: StoreJob
    seq: int
    is_new: bool
    stored_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStored:
    """The verdict is not durable, so nothing may pass for it."""

    job: StoreJob
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNote:
    """A row for the `event` table."""

    kind: str
    detail: str
    utc: str


class JournalThread:
    """Owns the one JournalWriter."""

    def __init__(self, path: Path, clock: Clock, agent_state: Path | None = None) -> None:
        self._path = path
        self._agent_state = agent_state
        self._next_retention_ns = 0
        self._clock = clock
        self._jobs: queue.Queue[StoreJob | None] = queue.Queue(MAX_JOBS)
        self._notes: deque[SignalNote | EventNote] = deque(maxlen=MAX_NOTES)
        self._writer: JournalWriter | None = None
        self.results: deque[Stored | NotStored] = deque()  # at most one a job
        self.wake_fd, self._wake_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._busy_since_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def store(self, job: StoreJob) -> bool:
        """Queue a verdict; False when the queue is full (the disk hangs)."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def note(self, note: SignalNote | EventNote) -> None:
        """Queue a row of traceability; written soon, kept in memory while the disk refuses."""
        self._notes.append(note)

    def stuck_ms(self) -> float:
        """How long the job in hand has taken so far; 0 when idle."""
        since = self._busy_since_ns
        return 0.0 if since is None else (self._clock.now_ns() - since) / 1e6

    def close(self, timeout_s: float) -> None:
        """Write what is queued, then stop."""
        try:
            self._jobs.put(None, timeout=timeout_s)
        except queue.Full:
            log.error("the journal's disk hangs: left to the end of the process")
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            os.close(self.wake_fd)
            os.close(self._wake_write_fd)

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=0.02 if self._notes else 0.2)
            except queue.Empty:
                self._write_notes()
                self._forget_when_due()
                continue
            if job is None:
                self._write_notes()
                self._close_writer()
                return
            self._busy_since_ns = self._clock.now_ns()
            self.results.append(self._store(job))
            self._busy_since_ns = None
            os.write(self._wake_write_fd, b"x")

    def _store(self, job: StoreJob) -> Stored | NotStored:
        try:
            seq, is_new = self._open().store(job.verdict, self._clock.utc())
        except JournalFault as fault:
            self._close_writer()
            return NotStored(job=job, why=str(fault))
        return Stored(job=job, seq=seq, is_new=is_new, stored_ns=self._clock.now_ns())

    def _write_notes(self) -> None:
        """Write queued notes. Notes that the disk refuses stay, oldest dropped over the bound."""
        while self._notes:
            note = self._notes[0]
            try:
                if isinstance(note, EventNote):
                    self._open().event(note.kind, note.detail, note.utc)
                else:
                    self._open().signal(note)
            except JournalFault as fault:
                log.warning("not noted: %s", fault)
                self._close_writer()
                time.sleep(0.2)
                return
            self._notes.popleft()

    def _forget_when_due(self) -> None:
        """Once an hour, while there is nothing else to do: rows that the consumer has and that are KEEP_DAYS old go.

        The agent's word is only believed for rows that old, so a lie of its loses nothing recent.
        """
        if self._agent_state is None or self._clock.now_ns() < self._next_retention_ns:
            return
        self._next_retention_ns = self._clock.now_ns() + RETENTION_EVERY_NS
        state = load_state(self._agent_state)
        try:
            writer = self._open()
            if state.epoch == writer.epoch:
                before = datetime.datetime.fromisoformat(self._clock.utc().replace("Z", "+00:00"))
                limit = (before - datetime.timedelta(days=KEEP_DAYS)).isoformat()
                gone = writer.forget(state.acked, limit)
                log.info("%d acknowledged verdicts older than %d days forgotten", gone, KEEP_DAYS)
        except JournalFault as fault:
            log.warning("nothing forgotten: %s", fault)
            self._close_writer()

    def _open(self) -> JournalWriter:
        if self._writer is None:
            self._writer = JournalWriter(self._path)
        return self._writer

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
