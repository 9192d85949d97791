"""What the agent does under its unit: read the journal without any right to write, while the gate process writes.

Both sides are processes of their own, because SQLite shares locks and memory between connections of one process. As
root they take two users' rights, in a folder made as tmpfiles.d makes it; otherwise the folder and its files are made
read-only before the reader comes, once the writer has them open.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.journal import JournalReader, JournalWriter

pytestmark = pytest.mark.unit

GATE_UID, GATE_GID, COMMON_GID, AGENT_UID = 65_531, 65_531, 65_532, 65_533  # no such users needed
UTC = "2025-01-01T00:00:00.000Z"
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def journal() -> Iterator[Path]:
    """The path of a journal in a folder made as tmpfiles.d makes it."""
    base = Path(tempfile.mkdtemp(prefix="bg-journal-"))  # pytest's own folders let no second user through
    base.chmod(0o711)
    folder = base / "gate"
    folder.mkdir()
    if IS_ROOT:
        os.chown(folder, GATE_UID, COMMON_GID)
    folder.chmod(0o750)
    yield folder / "journal.sqlite"
    shutil.rmtree(base)


class Peer:
    """A forked process that answers one line per line, with the rights of `uid`."""

    def __init__(self, uid: int, groups: list[int], make_answer: Callable[[], Callable[[str], str]]) -> None:
        asked, self._ask = os.pipe()
        self._answer, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:  # never returns into pytest
            os.close(self._ask)  # so that the parent's end is the only one: its close is the end of work
            os.close(self._answer)
            _serve(asked, answers, uid, groups, make_answer)
        os.close(asked)
        os.close(answers)

    def __call__(self, line: str = "") -> str:
        os.write(self._ask, line.encode() + b"\n")
        return os.read(self._answer, 4096).decode()

    def kill(self) -> None:
        """As a power cut or kill -9: nothing is closed."""
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> None:
        os.close(self._ask)
        os.close(self._answer)
        os.waitpid(self.pid, 0)


def _serve(asked: int, answers: int, uid: int, groups: list[int], make: Callable[[], Callable[[str], str]]) -> None:
    try:
        if IS_ROOT:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
        os.umask(0o022)  # UMask= of the gate's unit
        answer: Callable[[str], str] | None = None
        while line := os.read(asked, 4096):
            try:
                answer = answer or make()
                text = answer(line.decode().strip())
            except Exception as err:  # noqa: BLE001  the parent asserts on it
                text = f"{type(err).__name__}: {err}"
            os.write(answers, text.encode())
    finally:
        os._exit(0)


@contextmanager
def gate_process(journal: Path) -> Iterator[Peer]:
    """Writes one event per line."""

    def make() -> Callable[[str], str]:
        writer = JournalWriter(journal)

        def answer(kind: str) -> str:
            if kind == "close":
                writer.close()
            else:
                writer.event(kind, "", UTC)
            return "done"

        return answer

    peer = Peer(GATE_UID, [], make)
    yield peer
    peer.kill()


@contextmanager
def agent_process(journal: Path) -> Iterator[Peer]:
    """Answers with the kinds of all events; one connection, opened at the first question that it can be opened at."""

    def make() -> Callable[[str], str]:
        reader = JournalReader(journal)
        return lambda _: ",".join(row.kind for row in reader.events_after(0, 100))

    with gate_files_shut(journal):
        peer = Peer(AGENT_UID, [COMMON_GID], make)
        yield peer
        peer.kill()


@contextmanager
def gate_files_shut(journal: Path) -> Iterator[None]:
    """For a test that is not root: nobody, not even this user, may open anything there to write."""
    shut = [] if IS_ROOT else [journal.parent, *journal.parent.iterdir()]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in shut}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            if path.exists():
                path.chmod(mode)


def test_the_files_are_there_to_read_and_not_to_write(journal: Path) -> None:
    with gate_process(journal) as gate:
        assert gate("one") == "done"
        for suffix in ("", "-wal", "-shm"):
            assert stat.S_IMODE(Path(f"{journal}{suffix}").stat().st_mode) == 0o644, suffix
        with gate_files_shut(journal):
            intruder = Peer(AGENT_UID, [COMMON_GID], lambda: lambda name: str((journal.parent / name).write_text("x")))
            assert "Permission denied" in intruder("journal.sqlite")
            assert "Permission denied" in intruder("journal.sqlite-wal")
            assert "Permission denied" in intruder("new")
            intruder.kill()


def test_it_reads_while_the_writer_writes(journal: Path) -> None:
    with gate_process(journal) as gate:
        gate("one")
        with agent_process(journal) as agent:
            assert agent() == "one"
            gate("two")
            assert agent() == "one,two"
            with agent_process(journal) as second:
                assert second() == "one,two"


def test_it_reads_over_a_killed_writer(journal: Path) -> None:
    with gate_process(journal) as gate:
        gate("one")
    with agent_process(journal) as agent:
        assert agent() == "one"


@pytest.mark.skipif(not IS_ROOT, reason="needs root: the writer must get in where the reader must not")
def test_an_open_reader_outlives_its_writer(journal: Path) -> None:
    with gate_process(journal) as gate:
        gate("one")
    with agent_process(journal) as agent:
        assert agent() == "one"
        with gate_process(journal) as gate:
            gate("two")
            assert agent() == "one,two"
        assert agent() == "one,two"
        with gate_process(journal) as gate:
            gate("three")
            gate("close")
            assert agent() == "one,two,three"


@pytest.mark.skipif(not IS_ROOT, reason="needs root: the writer must get in where the reader must not")
def test_after_a_clean_stop_the_journal_cannot_be_opened_until_the_writer_is_back(journal: Path) -> None:
    """SQLite removes the write-ahead log with its last connection, and a reader without rights cannot make one."""
    with gate_process(journal) as gate:
        gate("one")
        gate("close")
        with agent_process(journal) as agent:
            assert agent().startswith("JournalFault")
    with gate_process(journal) as gate, agent_process(journal) as agent:
        gate("two")
        assert agent() == "one,two"
