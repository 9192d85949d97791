"""install.sh into a folder: what it writes, that a second run changes nothing, what it refuses and what it leaves."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
WRITTEN = (
    "etc/systemd/system/boardgate.target",
    "etc/systemd/system/boardgate-gate.service",
    "etc/systemd/system/boardgate-inspector.service",
    "etc/systemd/system/boardgate-agent.service",
    "etc/sysusers.d/boardgate.conf",
    "etc/tmpfiles.d/boardgate.conf",
    "usr/local/share/doc/boardgate/systemd.md",
)

pytestmark = [
    pytest.mark.needs_systemd,
    pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="needs systemd-sysusers and systemd-tmpfiles"),
]


def install(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SYSTEMD / "install.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def with_program(root: Path, venv: str = "opt/boardgate") -> Path:
    program = root / venv / "bin/boardgate"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return with_program(tmp_path)


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(root)): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(root.rglob("*")) if p.is_file()
    }


def test_it_writes_the_units_as_they_are_and_says_what_is_next(root: Path) -> None:
    done = install("--root", str(root))
    assert done.returncode == 0, done.stderr
    for name in WRITTEN:
        assert (root / name).is_file(), name
        assert stat.S_IMODE((root / name).stat().st_mode) == 0o644
    installed = root / "etc/systemd/system/boardgate-gate.service"
    assert installed.read_text() == (SYSTEMD / "boardgate-gate.service").read_text()
    assert "systemctl enable --now boardgate.target" in done.stdout
    assert "/etc/boardgate/station.toml is not there yet" in done.stderr


def test_a_second_run_changes_nothing(root: Path) -> None:
    install("--root", str(root))
    before = files(root)
    done = install("--root", str(root))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("unchanged") == len(WRITTEN)
    assert files(root) == before


def test_an_upgrade_says_what_changed(root: Path) -> None:
    install("--root", str(root))
    unit = root / WRITTEN[1]
    unit.write_text("[Service]\n")
    done = install("--root", str(root))
    assert f"changed    {unit}" in done.stdout
    assert unit.read_text() == (SYSTEMD / "boardgate-gate.service").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners of folders")
def test_folders_belong_to_whom_they_should(root: Path) -> None:
    install("--root", str(root))
    users = {f[0]: int(f[2]) for f in (x.split(":") for x in (root / "etc/passwd").read_text().splitlines())}
    groups = {f[0]: int(f[2]) for f in (x.split(":") for x in (root / "etc/group").read_text().splitlines())}
    expected = {
        "gate": ("boardgate-gate", "boardgate", 0o750),
        "inspector": ("boardgate-inspector", "boardgate-inspector", 0o750),
        "agent": ("boardgate-agent", "boardgate", 0o750),  # the gate process reads agent.json
        "inbox": ("boardgate-inspector", "boardgate-inbox", 0o2770),
    }
    for name, (user, group, mode) in expected.items():
        found = (root / "var/lib/boardgate" / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (users[user], groups[group], mode), name
    secret = (root / "etc/boardgate/credentials/mqtt-password").stat()
    assert (secret.st_uid, stat.S_IMODE(secret.st_mode)) == (0, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: systemd-tmpfiles")
def test_a_password_survives_the_next_run(root: Path) -> None:
    install("--root", str(root))
    secret = root / "etc/boardgate/credentials/mqtt-password"
    secret.write_text("not to be lost")
    install("--root", str(root))
    assert secret.read_text() == "not to be lost"


def test_paths_are_put_in_everywhere(tmp_path: Path) -> None:
    root = with_program(tmp_path, "srv/bg")
    done = install("--root", str(root), "--venv", "/srv/bg/", "--config", "/etc/line3/a.toml", "--inbox", "/srv/aoi3")
    assert done.returncode == 0, done.stderr
    inspector = (root / "etc/systemd/system/boardgate-inspector.service").read_text()
    assert "ExecStart=/srv/bg/bin/boardgate inspector /etc/line3/a.toml" in inspector
    assert "ReadWritePaths=-/srv/aoi3" in inspector
    everything = "".join((root / name).read_text() for name in WRITTEN[:6])
    assert "/opt/boardgate" not in everything
    assert "/var/lib/boardgate/inbox" not in everything
    assert "d /srv/aoi3" not in everything  # the owner's own folder: its owners stay as they are


def test_a_dry_run_touches_nothing(root: Path) -> None:
    before = files(root)
    done = install("--root", str(root), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("would write (new)") == len(WRITTEN)
    assert "would run: systemd-sysusers" in done.stdout
    assert files(root) == before
    assert not (root / "etc").exists()


def test_uninstall_keeps_what_the_station_recorded(root: Path) -> None:
    install("--root", str(root))
    journal = root / "var/lib/boardgate/gate/journal.sqlite"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_text("verdicts")
    dropin = root / "etc/systemd/system/boardgate-agent.service.d/10-broker.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\n")
    done = install("--root", str(root), "--uninstall")
    assert done.returncode == 0, done.stderr
    assert not [name for name in WRITTEN if (root / name).exists()]
    assert journal.read_text() == "verdicts"
    assert dropin.exists()
    assert install("--root", str(root), "--uninstall").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--venv", "opt/boardgate"], "absolute path"),
        (["--venv", "/opt/board gate"], "only letters"),
        (["--config", "/etc/%n.toml"], "only letters"),
        (["--config", "/etc/a|b.toml"], "only letters"),
        (["--inbox", "/srv/../home/x"], "no .."),
        (["--inbox", "/home/aoi/out"], "see no /home"),
        (["--venv", "/root/venv"], "see no /home"),
        (["--venv"], "needs a value"),
        (["--force"], "unknown argument"),
        (["--root", "/no/such/folder"], "not a folder"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(root: Path, arguments: list[str], word: str) -> None:
    done = install("--root", str(root), *arguments)
    assert done.returncode == 2
    assert word in done.stderr
    assert not (root / "etc").exists()


def test_without_the_program_it_refuses_and_says_what_is_first(tmp_path: Path) -> None:
    done = install("--root", str(tmp_path))
    assert done.returncode == 1
    assert "pip install boardgate" in done.stderr
    assert not (tmp_path / "etc").exists()


def test_settings_that_point_elsewhere_are_called_out(root: Path) -> None:
    config = root / "etc/boardgate/station.toml"
    config.parent.mkdir(parents=True)
    config.write_text('state_dir = "/srv/state"\n[capture]\ninbox = "/var/lib/boardgate/inbox"\n')
    done = install("--root", str(root))
    assert done.returncode == 0
    assert 'state_dir = "/srv/state"' in done.stderr
    assert "inbox =" not in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(["shellcheck", str(SYSTEMD / "install.sh")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
