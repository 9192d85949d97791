"""The units started for real, by a systemd in a throw-away container: what each process can and cannot do under them.

Needs root, systemd-nspawn (Debian: systemd-container) and a Python outside /root and /home; skipped by name without.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# What stub_station.py tries as each process, and whether it must work.
EXPECTED = {
    "gate": {
        "writes_own_folder": True,
        "writes_inspector_folder": False,
        "writes_inbox": False,
        "uses_the_internet": False,
        "sees_other_processes": False,
    },
    "inspector": {
        "takes_a_picture": True,
        "connects_to_the_gate": True,
        "reads_the_journal": True,
        "reads_cpuinfo": True,
        "writes_the_journal": False,
        "writes_gate_folder": False,
        "writes_bundles": False,
        "uses_the_internet": False,
        "sees_other_processes": False,
    },
    "agent": {
        "writes_own_folder": True,
        "reads_the_journal": True,
        "reads_the_boot_id": True,
        "reads_bundles": True,
        "uses_the_internet": True,
        "reads_its_password": True,
        "writes_the_journal": False,
        "connects_to_the_gate": False,
        "sees_pictures": False,
        "sees_the_inbox": False,
        "sees_roots_credentials": False,
        "sees_other_processes": False,
    },
}


def boot(output: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="bg-boot-") as work:
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            str(HERE / "boot_container.sh"),
            work,
            output,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)


def why_not() -> str:
    """Why this machine cannot start a container; "" when it can."""
    if os.geteuid() != 0:
        return "needs root: a container"
    for tool in ("systemd-nspawn", "unshare"):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    if not Path("/usr/bin/python3").exists():
        return "needs /usr/bin/python3"
    probe = boot("--probe")
    return f"needs systemd-nspawn to work here: {probe.stderr.strip()[-200:]}" if probe.returncode else ""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of checks_in_container.sh."""
    if reason := why_not():
        pytest.skip(reason)
    output = tmp_path_factory.mktemp("live") / "seen.txt"
    done = boot(str(output))
    assert done.returncode == 0, done.stderr
    return output.read_text().splitlines()


pytestmark = [pytest.mark.needs_systemd, pytest.mark.slow]


def test_the_run_came_to_its_end(seen: list[str]) -> None:
    assert seen[-1] == "end", "\n".join(seen)
    assert not [line for line in seen if line.startswith(("never:", "install failed", "uninstall failed"))]


def test_all_three_start(seen: list[str]) -> None:
    assert states(seen, "started") == {"gate": "active", "inspector": "active", "agent": "active"}


@pytest.mark.parametrize("process", list(EXPECTED))
def test_each_can_do_its_work_and_no_more(seen: list[str], process: str) -> None:
    probes = [line.split()[2:] for line in seen if line.startswith(f"probe {process} ")]
    assert {name: answer == "yes" for name, answer in probes} == EXPECTED[process]


def test_the_gate_makes_its_files_as_the_readers_need_them(seen: list[str]) -> None:
    files = {Path(f[1]).name: f[2:] for f in (line.split() for line in seen if line.startswith("file "))}
    assert files["handover.sock"] == ["660", "boardgate-gate", "boardgate-gate"]
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"):
        assert files[name] == ["644", "boardgate-gate", "boardgate-gate"]


def test_a_frozen_gate_says_where_it_hung_and_comes_back(seen: list[str]) -> None:
    assert [line for line in seen if line.startswith("trace ")]
    assert states(seen, "thawed") == {"gate": "active", "inspector": "active", "agent": "active"}


def test_after_its_last_restart_a_process_stays_down_and_the_others_go_on(seen: list[str]) -> None:
    assert states(seen, "gave-up") == {"gate": "active", "inspector": "failed", "agent": "active"}


def test_stopping_the_target_stops_all(seen: list[str]) -> None:
    assert states(seen, "stopped")["gate"] == "inactive"
    assert states(seen, "stopped")["agent"] == "inactive"


def test_uninstall_leaves_no_unit(seen: list[str]) -> None:
    assert not [line for line in seen if line.startswith("/etc/systemd/system/")]


def states(seen: list[str], when: str) -> dict[str, str]:
    return {f[1]: f[2] for f in (line.split() for line in seen if line.startswith(f"{when} "))}
