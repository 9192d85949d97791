#!/usr/bin/python3
"""Stands in for `/opt/boardgate/bin/boardgate` when the units are started for real: each process tries what it must be
able to do and what it must not, prints one `probe NAME yes|no` a line, then feeds its watchdog. Standard library only.

`boardgate gate|inspector|agent STATION.toml`. A file /etc/boardgate/freeze-PROCESS makes that one stop feeding, a file
/etc/boardgate/die-PROCESS makes it fail at its start.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

STATE = Path("/var/lib/boardgate")
JOURNAL = STATE / "gate" / "journal.sqlite"
HANDOVER = STATE / "gate" / "handover.sock"
CREDENTIALS = Path("/run/credentials/boardgate-agent.service")


def notify(message: str) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end:
        end.sendto(message.encode(), os.environ["NOTIFY_SOCKET"])


def possible(what: Callable[[], object]) -> bool:
    try:
        what()
    except (OSError, sqlite3.Error):
        return False
    return True


def write(path: Path) -> None:
    path.write_text("x")


def connect() -> None:
    with closing(socket.socket(socket.AF_UNIX)) as end:
        end.connect(str(HANDOVER))


def read_journal() -> None:
    with closing(sqlite3.connect(f"file:{JOURNAL}?mode=ro", uri=True)) as db:
        db.execute("SELECT count(*) FROM verdict").fetchone()


def write_journal() -> None:
    with closing(sqlite3.connect(JOURNAL, timeout=0.1)) as db, db:
        db.execute("INSERT INTO verdict VALUES (1)")


def take_picture() -> None:
    """By rename, as the inspector takes every picture: one mount, or it fails."""
    (STATE / "inspector" / "work").mkdir(exist_ok=True)
    os.rename(STATE / "inbox" / "A1.jpg", STATE / "inspector" / "work" / "A1.jpg")


def internet() -> None:
    socket.socket(socket.AF_INET).close()


def see_init() -> None:
    Path("/proc/1/status").read_text()


GATE: dict[str, Callable[[], object]] = {
    "writes_own_folder": lambda: write(STATE / "gate" / "probe"),
    "writes_inspector_folder": lambda: write(STATE / "inspector" / "probe"),
    "writes_inbox": lambda: write(STATE / "inbox" / "probe.part"),
    "uses_the_internet": internet,
    "sees_other_processes": see_init,
}
INSPECTOR: dict[str, Callable[[], object]] = {
    "takes_a_picture": take_picture,
    "connects_to_the_gate": connect,
    "reads_the_journal": read_journal,
    "writes_the_journal": write_journal,
    "writes_gate_folder": lambda: write(STATE / "gate" / "probe"),
    "writes_bundles": lambda: write(STATE / "bundles" / "probe"),
    "uses_the_internet": internet,
    "reads_cpuinfo": Path("/proc/cpuinfo").read_text,
    "sees_other_processes": see_init,
}
AGENT: dict[str, Callable[[], object]] = {
    "writes_own_folder": lambda: write(STATE / "agent" / "probe"),
    "reads_the_journal": read_journal,
    "writes_the_journal": write_journal,
    "connects_to_the_gate": connect,
    "reads_the_boot_id": Path("/proc/sys/kernel/random/boot_id").read_text,
    "reads_bundles": lambda: os.listdir(STATE / "bundles"),
    "sees_pictures": lambda: os.stat(STATE / "inspector"),
    "sees_the_inbox": lambda: os.stat(STATE / "inbox"),
    "uses_the_internet": internet,
    "reads_its_password": (CREDENTIALS / "mqtt-password").read_text,
    "sees_roots_credentials": lambda: os.listdir("/etc/boardgate/credentials"),
    "sees_other_processes": see_init,
}


def main() -> None:
    name = sys.argv[1]
    if Path(f"/etc/boardgate/die-{name}").exists():
        sys.exit("told to die")
    if name == "gate":
        HANDOVER.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(HANDOVER))
        HANDOVER.chmod(0o660)
        listener.listen(1)
        db = sqlite3.connect(JOURNAL, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS verdict (seq INTEGER)")
        db.execute("INSERT INTO verdict VALUES (0)")
    else:
        deadline_ns = time.monotonic_ns() + 10_000_000_000
        while not possible(read_journal) and time.monotonic_ns() < deadline_ns:
            time.sleep(0.1)
    for probe, attempt in {"gate": GATE, "inspector": INSPECTOR, "agent": AGENT}[name].items():
        print("probe", name, probe, "yes" if possible(attempt) else "no")
    notify("READY=1\nSTATUS=probed")
    while True:
        if not Path(f"/etc/boardgate/freeze-{name}").exists():
            notify("WATCHDOG=1")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
