"""The journal: what was seen, decided and sent. SQLite, WAL, `synchronous=FULL`: a row that was written survives a
power cut. The gate process alone writes it; the agent and people read it with `open_reader`.

Nothing is ever updated to something better: a verdict row is written once, and what the gate did with it is a row of
its own. A board that was inspected twice over a crash has one row, by its trigger's uid.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.board import Verdict
from edge.verdict_json import verdict_from_json, verdict_to_json

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 2.0
LINK_UP, LINK_DOWN, PORT_LOST = GATE_LINK_EVENTS = ("gate_link_up", "gate_link_down", "gate_port_lost")
DRIFT_ON, DRIFT_OFF = DRIFT_EVENTS = ("drift_on", "drift_off")  # the first verdict under alarm, the first without
KEEP_DAYS = 30  # an acknowledged verdict is kept this long for traceability

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    board_id TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('pass', 'fail', 'undecided')),
    reason TEXT NOT NULL,
    decided_utc TEXT NOT NULL,
    body TEXT NOT NULL            -- the whole verdict as JSON: findings, scores, hashes, times
) STRICT;
CREATE INDEX verdict_board ON verdict (board_id);
CREATE TABLE signal (             -- what the gate was told and what its relay did
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER REFERENCES verdict (seq),
    board_id TEXT NOT NULL,
    token INTEGER NOT NULL,
    what TEXT NOT NULL,           -- confirmed pass|fail|hold, gone, window, failed …
    us_since_board INTEGER,
    journal_ms REAL,              -- from the inspector's message to the durable row
    gate_ms REAL,                 -- from the durable row, or the board's arrival if later, to the gate's answer
    utc TEXT NOT NULL
) STRICT;
CREATE TABLE event (              -- alarms and refusals, each chained to the one before by its hash
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    utc TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
"""


class JournalFault(Exception):
    """The journal cannot be written or read; while this lasts nothing may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One verdict with its place in the journal."""

    seq: int
    decided_utc: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One alarm or refusal."""

    id: int
    utc: str
    kind: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNote:
    """What the gate was told about a board, or did with it."""

    seq: int | None  # of the verdict; None where there was none
    board_id: str
    token: int
    what: str
    us_since_board: int | None = None
    journal_ms: float | None = None
    gate_ms: float | None = None
    utc: str


class JournalWriter:
    """The one writer. Use from one thread. Every call that returns has its row on the disk."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            _create_or_check(self._db, path)
            self.epoch = _meta(self._db, "epoch")
        except (OSError, sqlite3.Error) as err:
            raise JournalFault(f"{path}: {err}") from err

    def store(self, verdict: Verdict, decided_utc: str) -> tuple[int, bool]:
        """Write one verdict; returns its seq and whether it is new. The same uid again changes nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                row = self._db.execute("SELECT seq FROM verdict WHERE uid = ?", (verdict.uid,)).fetchone()
                if row is None:
                    cursor = self._db.execute(
                        "INSERT INTO verdict (uid, board_id, outcome, reason, decided_utc, body) VALUES (?,?,?,?,?,?)",
                        (
                            verdict.uid,
                            verdict.board_id,
                            verdict.outcome.value,
                            verdict.reason.value,
                            decided_utc,
                            verdict_to_json(verdict),
                        ),
                    )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as err:
            raise JournalFault(f"verdict of board {verdict.board_id} not stored: {err}") from err
        return (row[0], False) if row is not None else (int(cursor.lastrowid or 0), True)

    def signal(self, note: SignalNote) -> None:
        """Write what the gate was told or did."""
        self._execute(
            "INSERT INTO signal (seq, board_id, token, what, us_since_board, journal_ms, gate_ms, utc)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (
                note.seq,
                note.board_id,
                note.token,
                note.what,
                note.us_since_board,
                note.journal_ms,
                note.gate_ms,
                note.utc,
            ),
        )

    def event(self, kind: str, detail: str, utc: str) -> None:
        """Write an alarm or a refusal, chained to the one before."""
        last = self._execute("SELECT hash FROM event ORDER BY id DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        digest = event_hash(previous, utc, kind, detail)
        self._execute("INSERT INTO event (utc, kind, detail, hash) VALUES (?,?,?,?)", (utc, kind, detail, digest))

    def forget(self, acknowledged_seq: int, before_utc: str) -> int:
        """Delete verdicts that were acknowledged *and* decided before `before_utc`; returns how many."""
        old = "SELECT seq FROM verdict WHERE seq <= ? AND decided_utc < ?"
        self._execute(f"DELETE FROM signal WHERE seq IN ({old})", (acknowledged_seq, before_utc))
        done = self._execute("DELETE FROM verdict WHERE seq <= ? AND decided_utc < ?", (acknowledged_seq, before_utc))
        return done.rowcount

    def close(self) -> None:
        """Close; the journal may then be copied as one file."""
        self._db.close()

    def _execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as err:
            raise JournalFault(str(err)) from err


class JournalReader:
    """Reads while the writer writes. Opened read-only: needs no write permission on the folder."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise JournalFault(f"{path}: no journal there")
        try:
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
            self.epoch = _meta(self._db, "epoch")
            found = _meta(self._db, "schema_version")
        except sqlite3.Error as err:
            raise JournalFault(f"{path}: {err}") from err
        if found != str(SCHEMA_VERSION):
            raise JournalFault(f"{path}: schema {found}, this version reads {SCHEMA_VERSION}")

    def verdicts_after(self, seq: int, limit: int) -> list[JournalRow]:
        """Up to `limit` verdicts with a higher seq, in order."""
        rows = self._query(
            "SELECT seq, decided_utc, body FROM verdict WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        )
        return [JournalRow(seq=s, decided_utc=t, verdict=verdict_from_json(body)) for s, t, body in rows]

    def all_verdicts(self) -> Iterator[JournalRow]:
        """Every verdict, in order, without holding them all."""
        seq = 0
        while rows := self.verdicts_after(seq, 256):
            yield from rows
            seq = rows[-1].seq

    def events_after(self, event_id: int, limit: int) -> list[EventRow]:
        """Up to `limit` events with a higher id, in order."""
        rows = self._query(
            "SELECT id, utc, kind, detail, hash FROM event WHERE id > ? ORDER BY id LIMIT ?", (event_id, limit)
        )
        return [EventRow(id=i, utc=u, kind=k, detail=d, hash=h) for i, u, k, d, h in rows]

    def last_event(self, *kinds: str) -> EventRow | None:
        """The newest event of one of these kinds."""
        marks = ",".join("?" * len(kinds))
        sql = f"SELECT id, utc, kind, detail, hash FROM event WHERE kind IN ({marks}) ORDER BY id DESC LIMIT 1"
        rows = self._query(sql, kinds)
        return EventRow(**dict(zip(("id", "utc", "kind", "detail", "hash"), rows[0], strict=True))) if rows else None

    def signals(self) -> list[SignalNote]:
        """Every signal, in order."""
        rows = self._query(
            "SELECT seq, board_id, token, what, us_since_board, journal_ms, gate_ms, utc FROM signal ORDER BY id"
        )
        names = ("seq", "board_id", "token", "what", "us_since_board", "journal_ms", "gate_ms", "utc")
        return [SignalNote(**dict(zip(names, row, strict=True))) for row in rows]

    def counts(self) -> dict[str, int]:
        """Outcome to number of boards."""
        return dict(self._query("SELECT outcome, count(*) FROM verdict GROUP BY outcome"))

    def last_seq(self) -> int:
        """The highest seq; 0 when empty."""
        return int(self._query("SELECT coalesce(max(seq), 0) FROM verdict")[0][0])

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _query(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as err:
            raise JournalFault(str(err)) from err


def event_hash(previous: str, utc: str, kind: str, detail: str) -> str:
    """The chain: SHA-256 over the hash before and this event's fields as JSON."""
    return hashlib.sha256(json.dumps([previous, utc, kind, detail]).encode()).hexdigest()


def _create_or_check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0] == 0:
        epoch = f"INSERT INTO meta VALUES ('epoch', '{secrets.token_hex(8)}')"
        version = f"INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}')"
        db.executescript(f"BEGIN; {_SCHEMA} {epoch}; {version}; COMMIT;")
    if (found := _meta(db, "schema_version")) != str(SCHEMA_VERSION):
        raise JournalFault(f"{path}: schema {found}, this version writes {SCHEMA_VERSION}")


def _meta(db: sqlite3.Connection, key: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise JournalFault(f"journal without {key}")
    return str(row[0])
