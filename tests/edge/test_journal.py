"""The journal: once written, always there, once; faults are faults and never silence."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge.agent_state import AgentState, save_state
from edge.board import Outcome
from edge.clock import SystemClock
from edge.journal import JournalFault, JournalReader, JournalWriter, SignalNote, event_hash
from edge.journal_thread import EventNote, JournalThread, NotStored, Stored, StoreJob
from edge.verdict_json import NotAVerdictError, verdict_from_json, verdict_to_json
from tests.edge.helpers import verdict

pytestmark = pytest.mark.unit

UTC = "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_verdict_survives_json(outcome: Outcome) -> None:
    before = verdict(outcome=outcome)
    assert verdict_from_json(verdict_to_json(before)) == before


def test_what_a_finding_says_of_kind_and_place_survives_json() -> None:
    plain = verdict(outcome=Outcome.FAIL)
    for changes in ({"kind": "bridge"}, {"kind": "bridge", "seen_at_px": (3.25, 7.5)}):
        before = replace(plain, findings=(replace(plain.findings[0], **changes),))
        assert verdict_from_json(verdict_to_json(before)) == before
    torn = verdict_to_json(before).replace(",3.25,7.5]", ",3.25]")
    with pytest.raises(NotAVerdictError, match="a finding of 9 values"):
        verdict_from_json(torn)


@pytest.mark.parametrize(
    "change",
    [
        '"outcome":"fail"',  # contradicts its findings
        '"outcome":"PASS"',
        '"outcome":"pass","n_regions":2',
        '"outcome":"pass","findings":[["J1","1",1,2,3,1.0,NaN]]',
        '"outcome":"pass","uid":7',
    ],
)
def test_a_verdict_that_lies_is_refused_on_the_way_in(change: str) -> None:
    text = verdict_to_json(verdict())
    assert '"outcome":"pass"' in text
    if '"findings"' in change:
        text = text[: text.index('"findings"')] + text[text.index('"stages"') :]
    with pytest.raises(NotAVerdictError):
        verdict_from_json(text.replace('"n_regions":1,', "", "n_regions" in change).replace('"outcome":"pass"', change))


def test_store_read_and_the_same_trigger_twice(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.sqlite")
    assert writer.store(verdict("A"), UTC) == (1, True)
    assert writer.store(verdict("B", Outcome.FAIL), UTC) == (2, True)
    assert writer.store(verdict("A"), UTC) == (1, False)
    reader = JournalReader(tmp_path / "j.sqlite")
    assert [(r.seq, r.verdict) for r in reader.all_verdicts()] == [
        (1, verdict("A")),
        (2, verdict("B", Outcome.FAIL)),
    ]
    assert reader.counts() == {"pass": 1, "fail": 1}
    assert reader.last_seq() == 2
    epoch = reader.epoch
    writer.close()
    assert JournalReader(tmp_path / "j.sqlite").epoch == epoch


def test_rows_are_durable_before_store_returns(tmp_path: Path) -> None:
    """A process that dies the moment after `store` has lost nothing."""
    code = (
        "import os, pathlib, sys; from edge.journal import JournalWriter; from tests.edge.helpers import verdict\n"
        f"w = JournalWriter(pathlib.Path({str(tmp_path / 'j.sqlite')!r}))\n"
        "for i in range(20): w.store(verdict(f'A{i}'), 't')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2])
    assert JournalReader(tmp_path / "j.sqlite").last_seq() == 20


def test_synchronous_full(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.sqlite")
    assert writer._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_events_are_chained(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.sqlite")
    for i in range(3):
        writer.event("alarm", f"number {i}", UTC)
    previous = ""
    for row in JournalReader(tmp_path / "j.sqlite").events_after(0, 10):
        assert row.hash == event_hash(previous, row.utc, row.kind, row.detail)
        previous = row.hash


def test_only_acknowledged_and_old_rows_are_forgotten(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j.sqlite")
    for i in range(4):
        writer.store(verdict(f"A{i}"), f"2026-01-0{i + 1}")
    writer.signal(SignalNote(seq=1, board_id="A0", token=1, what="confirmed pass", utc=UTC))
    assert writer.forget(acknowledged_seq=3, before_utc="2026-01-03") == 2
    reader = JournalReader(tmp_path / "j.sqlite")
    assert [r.seq for r in reader.all_verdicts()] == [3, 4]
    assert reader.signals() == []
    assert writer.store(verdict("new"), UTC) == (5, True), "numbers are never used again"


def test_a_reader_needs_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalFault, match="no journal there"):
        JournalReader(tmp_path / "j.sqlite")
    (tmp_path / "text.sqlite").write_text("hello" * 100)
    with pytest.raises(JournalFault):
        JournalReader(tmp_path / "text.sqlite")


def test_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "j.sqlite").close()
    with sqlite3.connect(tmp_path / "j.sqlite") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    db.close()
    with pytest.raises(JournalFault, match="schema 99"):
        JournalReader(tmp_path / "j.sqlite")
    with pytest.raises(JournalFault, match="schema 99"):
        JournalWriter(tmp_path / "j.sqlite")


def results_of(thread: JournalThread, n: int) -> list[Stored | NotStored]:
    pause = threading.Event()
    for _ in range(500):
        if len(thread.results) >= n:
            break
        pause.wait(0.01)
    return list(thread.results)


def job(name: str) -> StoreJob:
    return StoreJob(verdict=verdict(name), client=1, received_ns=0)


def test_thread_stores_and_notes(tmp_path: Path) -> None:
    thread = JournalThread(tmp_path / "j.sqlite", SystemClock())
    assert thread.store(job("A"))
    (stored,) = results_of(thread, 1)
    assert isinstance(stored, Stored)
    assert (stored.seq, stored.is_new) == (1, True)
    thread.note(EventNote(kind="alarm", detail="x", utc=UTC))
    thread.note(SignalNote(seq=1, board_id="A", token=5, what="confirmed pass", utc=UTC))
    thread.close(5.0)
    reader = JournalReader(tmp_path / "j.sqlite")
    assert [e.kind for e in reader.events_after(0, 9)] == ["alarm"]
    assert [s.what for s in reader.signals()] == ["confirmed pass"]


def test_a_journal_that_cannot_be_written_says_so_and_recovers(tmp_path: Path) -> None:
    blocked = tmp_path / "gate"
    blocked.write_text("a file where the folder should be")
    thread = JournalThread(blocked / "j.sqlite", SystemClock())
    thread.store(job("A"))
    (refused,) = results_of(thread, 1)
    assert isinstance(refused, NotStored)
    thread.note(EventNote(kind="alarm", detail="kept in memory meanwhile", utc=UTC))
    blocked.unlink()
    thread.store(job("A"))
    stored = results_of(thread, 2)[1]
    assert isinstance(stored, Stored)
    thread.close(5.0)
    assert [e.detail for e in JournalReader(blocked / "j.sqlite").events_after(0, 9)] == ["kept in memory meanwhile"]


def test_wake_fd_tells_of_results(tmp_path: Path) -> None:
    thread = JournalThread(tmp_path / "j.sqlite", SystemClock())
    thread.store(job("A"))
    results_of(thread, 1)
    os.set_blocking(thread.wake_fd, True)
    assert os.read(thread.wake_fd, 10) == b"x"
    thread.close(5.0)


@pytest.mark.parametrize(("epoch_matches", "left"), [(True, ["new"]), (False, ["old", "new"])])
def test_retention_goes_by_the_consumers_word_and_by_age(tmp_path: Path, epoch_matches: bool, left: list[str]) -> None:
    writer = JournalWriter(tmp_path / "j.sqlite")
    writer.store(verdict("old"), "2020-01-01T00:00:00.000Z")
    writer.store(verdict("new"), SystemClock().utc())
    epoch = writer.epoch if epoch_matches else "another journal's"
    writer.close()
    save_state(tmp_path / "agent.json", AgentState(epoch=epoch, acked=2))
    thread = JournalThread(tmp_path / "j.sqlite", SystemClock(), tmp_path / "agent.json")
    time.sleep(0.5)
    thread.close(5.0)
    assert [r.verdict.board_id for r in JournalReader(tmp_path / "j.sqlite").all_verdicts()] == left
