"""The unit files: a reason beside every line, one sandbox for all, exposure within its limit, the station's paths."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.station import read_station

SYSTEMD = Path(__file__).parents[2] / "systemd"
PROCESSES = ("gate", "inspector", "agent")
UNIT_FILES = (*(f"boardgate-{p}.service" for p in PROCESSES), "boardgate.target")
STATE_DIR = "/var/lib/boardgate"

# Every directive used, with the systemd version it is from. JetPack 6 has 249; a newer one would be ignored there.
NEWEST_ALLOWED = 249
SINCE = {
    **dict.fromkeys(["CacheDirectory", "CacheDirectoryMode"], 235),
    **dict.fromkeys(["Description", "Documentation", "Wants", "After", "PartOf", "RequiresMountsFor"], 201),
    **dict.fromkeys(["Type", "NotifyAccess", "ExecStart", "Environment", "User", "Group", "UMask", "Nice"], 201),
    **dict.fromkeys(["TimeoutStartSec", "TimeoutStopSec", "Restart", "RestartSec", "WatchdogSec"], 201),
    **dict.fromkeys(["OOMScoreAdjust", "LimitNOFILE", "LimitCORE", "IOSchedulingPriority", "SyslogIdentifier"], 201),
    **dict.fromkeys(["CapabilityBoundingSet", "NoNewPrivileges", "PrivateTmp", "PrivateNetwork", "WantedBy"], 201),
    **{"SystemCallFilter": 187, "SystemCallArchitectures": 209, "SystemCallErrorNumber": 209, "StartLimitBurst": 209},
    **{"DevicePolicy": 208, "DeviceAllow": 208, "PrivateDevices": 209, "RestrictAddressFamilies": 211},
    **{"ProtectHome": 214, "TasksMax": 227, "StartLimitIntervalSec": 230, "MemoryMax": 231, "ReadWritePaths": 231},
    **{"ReadOnlyPaths": 231, "InaccessiblePaths": 231, "MemoryDenyWriteExecute": 231, "RestrictRealtime": 231},
    **{"CPUWeight": 232, "MemorySwapMax": 232, "PrivateUsers": 232, "ProtectControlGroups": 232, "RemoveIPC": 232},
    **{"ProtectKernelModules": 232, "ProtectKernelTunables": 232, "ProtectSystem": 232},
    **{"BindPaths": 233, "BindReadOnlyPaths": 233, "RestrictNamespaces": 233, "IPAddressDeny": 235},
    **{"KeyringMode": 235, "LockPersonality": 235, "TemporaryFileSystem": 238, "ProtectHostname": 242},
    **{"RestrictSUIDSGID": 242, "TimeoutAbortSec": 243, "ProtectKernelLogs": 244, "ProtectClock": 245},
    **{"LoadCredential": 247, "ProcSubset": 247, "ProtectProc": 247, "PrivateIPC": 248},
}
NEEDS_NO_REASON = {"Description", "Documentation"}  # they are reasons

# The sandbox all three share, word for word.
SHARED_FROM = "# --- what it may become ---"

MAX_EXPOSURE = {"agent": 1.5, "gate": 1.0, "inspector": 1.5}

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One directive and what stands above it."""

    number: int
    section: str
    key: str
    value: str
    above: str


def directives(name: str) -> list[Line]:
    found, section, above = [], "", ""
    for number, text in enumerate((SYSTEMD / name).read_text().splitlines(), 1):
        if text.startswith("["):
            section = text.strip("[]")
        elif text and not text.startswith("#"):
            key, _, value = text.partition("=")
            found.append(Line(number=number, section=section, key=key, value=value, above=above))
        above = text
    return found


def values(name: str, key: str) -> list[str]:
    return [line.value for line in directives(name) if line.key == key]


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|min)?", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "s": 1.0, None: 1.0, "min": 60.0}[unit]


@pytest.mark.unit
@pytest.mark.parametrize("name", UNIT_FILES)
def test_each_line_has_its_reason_above_it(name: str) -> None:
    bare = [
        f"{name}:{line.number} {line.key}={line.value}"
        for line in directives(name)
        if line.key not in NEEDS_NO_REASON and not (line.above.startswith("# ") and len(line.above) >= 12)
    ]
    assert not bare


@pytest.mark.unit
@pytest.mark.parametrize("name", UNIT_FILES)
def test_every_directive_is_known_to_the_oldest_systemd_served(name: str) -> None:
    for line in directives(name):
        assert line.key in SINCE, f"{name}:{line.number}: add {line.key} to SINCE with the version it is from"
        assert SINCE[line.key] <= NEWEST_ALLOWED, f"{name}:{line.number}: {line.key} is from {SINCE[line.key]}"


@pytest.mark.unit
def test_the_shared_sandbox_is_the_same_word_for_word() -> None:
    parts = {(SYSTEMD / f"boardgate-{p}.service").read_text().partition(SHARED_FROM)[2] for p in PROCESSES}
    assert len(parts) == 1
    assert "SystemCallFilter=~@privileged @resources" in parts.pop()


@pytest.mark.unit
@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_is_watched_and_restarted_within_limits(process: str) -> None:
    name = f"boardgate-{process}.service"
    assert values(name, "Type") == ["notify"]
    assert values(name, "NotifyAccess") == ["main"]
    assert values(name, "Restart") == ["always"]
    assert values(name, "PartOf") == ["boardgate.target"]
    assert values(name, "ExecStart") == [f"/opt/boardgate/bin/boardgate {process} /etc/boardgate/station.toml"]
    assert seconds(values(name, "WatchdogSec")[0]) == {"gate": 2, "inspector": 10, "agent": 60}[process]
    for key in ("OOMScoreAdjust", "MemoryMax", "TasksMax", "LimitNOFILE", "TimeoutStopSec", "TimeoutAbortSec"):
        assert len(values(name, key)) == 1, key


@pytest.mark.unit
@pytest.mark.parametrize("process", ["gate", "inspector"])
def test_a_process_that_dies_at_once_reaches_its_last_restart(process: str) -> None:
    """Restarts that never add up to the limit would flap for ever."""
    name = f"boardgate-{process}.service"
    interval_s = seconds(values(name, "StartLimitIntervalSec")[0])
    burst = int(values(name, "StartLimitBurst")[0])
    slowest_turn_s = sum(seconds(values(name, key)[0]) for key in ("RestartSec", "WatchdogSec", "TimeoutAbortSec"))
    assert burst * slowest_turn_s < interval_s


@pytest.mark.unit
def test_memory_runs_out_for_the_line_last() -> None:
    agent, inspector, gate = (
        int(values(f"boardgate-{p}.service", "OOMScoreAdjust")[0]) for p in ("agent", "inspector", "gate")
    )
    assert agent > inspector > 0 > gate


@pytest.mark.unit
def test_only_the_agent_has_a_network_and_it_has_no_device() -> None:
    for process in ("gate", "inspector"):
        name = f"boardgate-{process}.service"
        assert values(name, "PrivateNetwork") == ["yes"]
        assert values(name, "RestrictAddressFamilies") == ["AF_UNIX"]
        assert values(name, "IPAddressDeny") == ["any"]
    assert values("boardgate-agent.service", "PrivateDevices") == ["yes"]
    assert values("boardgate-agent.service", "DeviceAllow") == []
    assert values("boardgate-gate.service", "DeviceAllow") == ["char-ttyACM rw", "char-ttyUSB rw"]


@pytest.mark.unit
def test_the_agent_is_in_no_group_that_can_make_a_verdict() -> None:
    memberships = [
        line.split()[1:]
        for line in (SYSTEMD / "sysusers.d/boardgate.conf").read_text().splitlines()
        if line[:2] == "m "
    ]
    assert [group for user, group in memberships if user == "boardgate-agent"] == ["boardgate"]
    assert ["boardgate-inspector", "boardgate-gate"] in memberships
    assert [user for user, group in memberships if group == "boardgate-gate"] == ["boardgate-inspector"]


@pytest.mark.unit
def test_the_units_give_each_process_the_folders_the_station_uses(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text(
        'site = "plant"\nstation = "aoi-1"\nstate_dir = "/var/lib/boardgate"\n'
        '[capture]\ninbox = "/var/lib/boardgate/inbox"\n[inspect]\nrecipe = "recipe.toml"\n'
        '[gate]\nport = "/dev/serial/by-id/x"\n'
    )
    station = read_station(file)
    assert values("boardgate-gate.service", "ReadWritePaths") == [str(station.journal.parent)]
    assert station.handover_socket.parent == station.journal.parent
    inspector = values("boardgate-inspector.service", "ReadWritePaths")
    assert str(station.pictures.parent) in inspector
    assert f"-{station.inbox}" in inspector
    assert str(station.journal.parent) in values("boardgate-inspector.service", "ReadOnlyPaths")[0].split()
    assert str(station.journal.parent) in values("boardgate-agent.service", "BindReadOnlyPaths")[0].split()
    assert values("boardgate-agent.service", "BindPaths") == [str(station.agent_dir)]
    folders = (SYSTEMD / "tmpfiles.d/boardgate.conf").read_text()
    for folder in (station.journal.parent, station.pictures, station.agent_dir, station.inbox):
        assert f"\nd {folder} " in folders


@pytest.mark.unit
def test_the_folder_is_no_python_package() -> None:
    """It would shadow python-systemd."""
    assert not list(SYSTEMD.rglob("*.py"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with the units installed, a stand-in program, and this machine's own units to depend on."""
    root = tmp_path_factory.mktemp("image")
    program = root / "opt/boardgate/bin/boardgate"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    target = root / "etc/systemd/system"
    target.mkdir(parents=True)
    for name in UNIT_FILES:
        shutil.copy(SYSTEMD / name, target)
    return root


def verify(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "verify", "--man=no", f"--root={root}", name]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
@pytest.mark.needs_systemd
@pytest.mark.parametrize("name", UNIT_FILES)
def test_verify_finds_nothing(image: Path, name: str) -> None:
    done = verify(image, name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.needs_systemd
@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("ProtectClock=yes", "ProtectClok=yes", "Unknown key"),
        ("WatchdogSec=2s", "WatchdogSec=2 parsecs", "Failed to parse"),
        ("/opt/boardgate/bin/boardgate gate", "/opt/elsewhere/bin/boardgate gate", "not executable"),
    ],
)
def test_verify_would_find_a_fault(image: Path, tmp_path: Path, was: str, becomes: str, complaint: str) -> None:
    root = tmp_path / "image"
    shutil.copytree(image, root, symlinks=True)
    unit = root / "etc/systemd/system/boardgate-gate.service"
    assert was in unit.read_text()
    unit.write_text(unit.read_text().replace(was, becomes))
    assert complaint in verify(root, unit.name).stderr


def exposure(unit: Path) -> float:
    """Overall exposure, 0 (shut) to 10 (open), as `systemd-analyze security` gives it for a file."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@needs_systemd
@pytest.mark.needs_systemd
@pytest.mark.parametrize("process", PROCESSES)
def test_exposure_is_within_its_limit(process: str) -> None:
    assert exposure(SYSTEMD / f"boardgate-{process}.service") <= MAX_EXPOSURE[process]


@needs_systemd
@pytest.mark.needs_systemd
def test_exposure_would_show_an_open_unit(tmp_path: Path) -> None:
    text = (SYSTEMD / "boardgate-gate.service").read_text()
    opened = tmp_path / "boardgate-gate.service"
    opened.write_text(re.sub(r"^(PrivateNetwork|RestrictAddressFamilies|SystemCallFilter)=.*$", "", text, flags=re.M))
    assert exposure(opened) > MAX_EXPOSURE["gate"]
