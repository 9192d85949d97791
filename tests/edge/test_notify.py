"""sd_notify against a real datagram socket: what arrives, what is never sent, and that nothing waits or raises."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.notify import MAX_STATUS_BYTES, MAX_UNIX_PATH_BYTES, PINGS_PER_WATCHDOG, Notifier

pytestmark = pytest.mark.unit


class HandClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at_ns = 1_000_000_000

    def now_ns(self) -> int:
        return self.at_ns

    def utc(self) -> str:
        return "2025-01-01T00:00:00.000Z"


class Manager:
    """The service manager's end: a bound datagram socket."""

    def __init__(self, address: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(2.0)

    def read(self) -> str:
        return self.socket.recv(4096).decode()

    def nothing_came(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(2.0)
        return False


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bg-"))  # short: a socket path holds 107 bytes, pytest's own may not fit
    yield folder / "notify"
    shutil.rmtree(folder)


@pytest.fixture
def manager(path: Path) -> Iterator[Manager]:
    end = Manager(str(path))
    with closing(end.socket):
        yield end


def notifier(path: Path, clock: HandClock | None = None, watchdog_ms: int = 2_000) -> Notifier:
    environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(watchdog_ms * 1000), "WATCHDOG_PID": str(os.getpid())}
    return Notifier(environ, clock)


def test_each_message_arrives_as_systemd_reads_it(path: Path, manager: Manager) -> None:
    with closing(notifier(path)) as told:
        assert told.connected
        assert told.ready("bundle 7f3a verified, waiting for boards")
        assert manager.read() == "READY=1\nSTATUS=bundle 7f3a verified, waiting for boards"
        assert told.watchdog()
        assert manager.read() == "WATCHDOG=1"
        assert told.status("board A1 held")
        assert manager.read() == "STATUS=board A1 held"
        assert told.stopping()
        assert manager.read() == "STOPPING=1"
        assert told.fault == ""


def test_an_abstract_socket_is_reached() -> None:
    name = f"boardgate-test-{os.getpid()}"
    end = Manager(b"\0" + name.encode())
    with closing(end.socket), closing(Notifier({"NOTIFY_SOCKET": f"@{name}"})) as told:
        assert told.ready()
        assert end.read() == "READY=1"


def test_without_a_service_manager_every_call_is_quiet_and_well() -> None:
    told = Notifier({})
    assert not told.connected
    assert told.watchdog_ms is None
    assert told.ready()
    assert told.watchdog()
    assert told.status("x")
    assert told.stopping()
    assert told.fault == ""


def test_the_environment_of_the_process_is_the_default(path: Path, manager: Manager) -> None:
    code = (
        "from edge.notify import Notifier; import sys; n = Notifier(); sys.exit(not (n.connected and n.ready('child')))"
    )
    environ = {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, cwd=Path(__file__).parents[2], timeout=30)
    assert manager.read() == "READY=1\nSTATUS=child"


def test_a_busy_loop_sends_no_more_than_systemd_needs(path: Path, manager: Manager) -> None:
    clock = HandClock()
    with closing(notifier(path, clock, watchdog_ms=2_000)) as told:
        for _ in range(2_000):  # one turn a millisecond for two seconds
            assert told.watchdog()
            clock.at_ns += 1_000_000
        count = 0
        while not manager.nothing_came():
            count += 1
    assert count == PINGS_PER_WATCHDOG


def test_a_ping_that_failed_is_tried_again_at_the_next_turn(path: Path) -> None:
    clock = HandClock()
    with closing(notifier(path, clock)) as told:
        assert not told.watchdog()  # nobody bound yet
        end = Manager(str(path))
        with closing(end.socket):
            assert told.watchdog()
            assert end.read() == "WATCHDOG=1"


def test_an_unchanged_status_is_sent_once(path: Path, manager: Manager) -> None:
    with closing(notifier(path)) as told:
        assert told.status("17 boards")
        assert told.status("17 boards")
        assert told.status("18 boards")
    assert [manager.read(), manager.read()] == ["STATUS=17 boards", "STATUS=18 boards"]
    assert manager.nothing_came()


def test_a_status_cannot_bring_fields_of_its_own(path: Path, manager: Manager) -> None:
    with closing(notifier(path)) as told:
        told.status("held\nWATCHDOG=1\0\x1b[31m")
    assert manager.read() == "STATUS=held WATCHDOG=1 [31m"


def test_a_long_status_is_cut_between_characters(path: Path, manager: Manager) -> None:
    with closing(notifier(path)) as told:
        told.status("µ" * 5_000)
    assert manager.read() == "STATUS=" + "µ" * (MAX_STATUS_BYTES // 2)


def test_a_manager_that_is_gone_is_reported_once_and_found_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="boardgate.notify")
    first = Manager(str(path))
    with closing(notifier(path)) as told:
        assert told.ready()
        first.socket.close()
        path.unlink()
        assert not told.status("one")
        assert not told.status("two")
        assert "STATUS=two not sent" in told.fault
        second = Manager(str(path))
        with closing(second.socket):
            assert told.status("three")
            assert second.read() == "STATUS=three"
        assert told.fault == ""
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]


def test_a_manager_that_does_not_read_holds_nothing_up(path: Path, manager: Manager) -> None:
    results: list[bool] = []

    def fill() -> None:
        with closing(notifier(path)) as told:
            results.extend(told.status(f"{i}") for i in range(20_000))

    worker = threading.Thread(target=fill, daemon=True)
    worker.start()
    worker.join(timeout=20)
    assert not worker.is_alive(), "a full socket made the loop wait"
    assert results[0] is True
    assert results[-1] is False


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("/" + "x" * MAX_UNIX_PATH_BYTES, "at most"),
        ("vsock:2:1234", "absolute path"),
        ("relative", "absolute path"),
    ],
)
def test_an_address_that_cannot_be_used_is_reported_and_not_raised(address: str, word: str) -> None:
    told = Notifier({"NOTIFY_SOCKET": address})
    assert word in told.fault
    assert not told.connected
    assert not told.ready()


@pytest.mark.parametrize(
    ("environ", "watchdog_ms"),
    [
        ({"WATCHDOG_USEC": "2000000"}, 2_000),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2_000),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "me"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_who_is_watched(environ: dict[str, str], watchdog_ms: int | None) -> None:
    assert Notifier(environ).watchdog_ms == watchdog_ms


def test_an_unwatched_process_sends_no_ping(path: Path, manager: Manager) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(path)})) as told:
        assert told.watchdog()
    assert manager.nothing_came()


@given(text=st.text(max_size=400), usec=st.text(max_size=30), pid=st.text(max_size=30))
def test_no_environment_and_no_text_raises(text: str, usec: str, pid: str) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": "@boardgate-nobody", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid})) as told:
        answers = [told.ready(text), told.watchdog(), told.status(text), told.stopping(text)]
    assert {type(answer) for answer in answers} == {bool}


# An environment holds no zero byte and nothing that was not bytes.
@given(
    kind=st.sampled_from(["", "/", "@"]),
    rest=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=200),
)
def test_no_address_raises(kind: str, rest: str) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": kind + rest})) as told:
        answer = told.ready()
    assert isinstance(answer, bool)
