"""The fault table of docs/faults.md, a test a row. For each: nothing passes that should not, the verdict is in the
journal, and the next good board is gated."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.board import Outcome, Reason
from firmware_bridge.peers.broker import Broker
from firmware_bridge.peers.mqtt_consumer import MqttConsumer
from tests.station.conftest import Pictures, Rig, mqtt_at

pytestmark = [pytest.mark.peers, pytest.mark.slow]


def test_good_and_bad(rig: Rig, pictures: Pictures) -> None:
    assert rig.gate(pictures.good, "GOOD") == "pass"
    assert rig.gate(pictures.bad, "BAD") == "fail"
    assert [r.verdict.outcome for r in rig.rows()] == [Outcome.PASS, Outcome.FAIL]
    called = {f.region.name for f in rig.rows()[1].verdict.defects}
    assert "J1-1" in called


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise", Reason.SCORER_FAULT),
        ("nan", Reason.SCORER_FAULT),
        ("inf", Reason.SCORER_FAULT),
        ("shape", Reason.SCORER_FAULT),
        ("count", Reason.SCORER_FAULT),
        ("dtype", Reason.SCORER_FAULT),
        ("late 2500", Reason.DEADLINE),
    ],
)
def test_scorer_that_misbehaves(rig: Rig, pictures: Pictures, fault: str, reason: Reason) -> None:
    rig.spoil_scorer(fault)
    assert rig.gate(pictures.good, "A1") in ("hold", "window_expired", "tripped")
    verdict = rig.row_of("A1").verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, reason)
    if reason is Reason.DEADLINE:
        assert "most in score" in verdict.detail
    rig.spoil_scorer("")
    assert rig.good_board_passes()
    assert "A1" not in rig.passed()


def test_scorer_that_hangs(rig: Rig, pictures: Pictures) -> None:
    rig.spoil_scorer("hang")
    assert rig.gate(pictures.good, "A1") in ("window_expired", "tripped")
    rig.spoil_scorer("")
    rig.row_of("A1")
    assert rig.good_board_passes()
    assert "A1" not in rig.passed()
    assert rig.line.supervisor.starts_of("inspector") == 2


def test_a_picture_that_kills_the_inspector_every_time_is_set_aside(rig: Rig, pictures: Pictures) -> None:
    rig.spoil_scorer("hang")
    assert rig.gate(pictures.good, "POISON") in ("window_expired", "tripped")
    row = rig.row_of("POISON", timeout_s=40.0)
    assert (row.verdict.outcome, row.verdict.reason) == (Outcome.UNDECIDED, Reason.INTERRUPTED)
    assert Path(row.verdict.picture_path).parent.name == "set_aside"
    rig.spoil_scorer("")
    assert rig.good_board_passes()


def huge_jpeg(good: bytes) -> bytes:
    """The good picture with a frame header that says 60,000 x 60,000."""
    at = good.index(b"\xff\xc0")
    return good[: at + 5] + struct.pack(">HH", 60_000, 60_000) + good[at + 9 :]


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("truncated", lambda p: p.good[: len(p.good) // 2], Reason.CAPTURE_FAULT),
        ("empty", lambda p: b"", Reason.CAPTURE_FAULT),
        ("not-a-picture", lambda p: b"MZ" + bytes(5_000), Reason.CAPTURE_FAULT),
        ("huge", lambda p: huge_jpeg(p.good), Reason.CAPTURE_FAULT),
        ("wrong-board", lambda p: p.stranger, Reason.NOT_REGISTERED),
    ],
)
def test_picture_that_is_wrong(
    rig: Rig, pictures: Pictures, name: str, spoil: Callable[[Pictures], bytes], reason: Reason
) -> None:
    assert rig.gate(spoil(pictures), name) in ("hold", "window_expired")
    verdict = rig.row_of(name).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, reason)
    assert rig.good_board_passes()
    assert name not in rig.passed()


def test_picture_of_the_wrong_size(rig: Rig, pictures: Pictures) -> None:
    half = cv2.resize(cv2.imdecode(np.frombuffer(pictures.good, np.uint8), cv2.IMREAD_COLOR), None, fx=0.5, fy=0.5)
    assert rig.gate(cv2.imencode(".png", half)[1].tobytes(), "small", ".png") == "hold"
    assert "the recipe expects" in rig.row_of("small").verdict.detail
    assert rig.good_board_passes()


def test_wrong_barcode(rig: Rig, pictures: Pictures) -> None:
    rig.line.gate.board("WANTED")
    rig.line.drop("OTHER.jpg", pictures.good)
    assert rig.line.gate.wait_result("WANTED", 10.0).result == "window_expired"
    assert rig.row_of("OTHER").verdict.outcome is Outcome.PASS
    assert rig.good_board_passes()
    assert "WANTED" not in rig.passed()


@pytest.mark.parametrize("victim", ["inspector", "gate", "agent"])
def test_process_killed_over_a_board(rig: Rig, pictures: Pictures, victim: str) -> None:
    rig.spoil_scorer("late 500")
    rig.line.feed("A1", pictures.bad)
    time.sleep(0.4)
    pid = rig.line.supervisor.pid_of(victim)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    result = rig.line.gate.wait_result("A1", 15.0).result
    assert result != "pass"
    assert rig.row_of("A1").verdict.outcome is not Outcome.PASS
    rig.spoil_scorer("")
    assert rig.good_board_passes()


def test_serial_unplugged_garbage_replugged(rig: Rig, pictures: Pictures) -> None:
    rig.line.gate.unplug()
    assert rig.gate(pictures.good, "A1") != "pass"
    rig.line.gate.replug()
    assert rig.good_board_passes()
    rig.line.gate.garbage(20_000)
    assert rig.good_board_passes()
    assert rig.row_of("A1").verdict.outcome is Outcome.PASS, "the verdict is kept, the board was held"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A 4 MB disk under the journal. Needs the right to mount."""
    folder = tmp_path / "line" / "state" / "gate"
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs_mount: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_disk_full(small_disk: Path, start_line: Callable[..., Rig], pictures: Pictures) -> None:
    rig = start_line()
    assert rig.gate(pictures.good, "BEFORE") == "pass"
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(8 * 1024 * 1024))
    rig.line.feed("A1", pictures.good)
    assert rig.line.gate.wait_result("A1", 15.0).result != "pass"
    filler.unlink()
    assert rig.row_of("A1").verdict.outcome is Outcome.PASS, "kept by the inspector until the disk took it"
    assert rig.good_board_passes()
    assert rig.passed()[0] == "BEFORE"
    assert "A1" not in rig.passed()


def test_journal_read_only(small_disk: Path, start_line: Callable[..., Rig], pictures: Pictures) -> None:
    """The folder turns read-only under the gate process, as a failing disk does; open files would not notice."""
    rig = start_line()
    assert rig.gate(pictures.good, "BEFORE") == "pass"
    subprocess.run(["mount", "--bind", "-o", "ro", str(small_disk), str(small_disk)], check=True)
    pid = rig.line.supervisor.pid_of("gate")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    rig.line.feed("A1", pictures.good)
    assert rig.line.gate.wait_result("A1", 15.0).result != "pass"
    subprocess.run(["umount", "-l", str(small_disk)], check=True)
    rig.row_of("A1")
    assert rig.good_board_passes()
    assert "A1" not in rig.passed()


@pytest.fixture
def own_recipe(tmp_path: Path, recipe: Path) -> Path:
    """A copy of the recipe with a bundle of its own to spoil."""
    shutil.copytree(recipe, tmp_path / "own" / "recipe")
    settings = (recipe / "recipe.toml").read_text()
    bundle_line = next(line for line in settings.splitlines() if line.strip().startswith("path"))
    source = (recipe / bundle_line.split('"')[1]).resolve()
    shutil.copytree(source, tmp_path / "own" / "bundle")
    (tmp_path / "own" / "recipe" / "recipe.toml").write_text(settings.replace(bundle_line, 'path = "../bundle"'))
    return tmp_path / "own" / "recipe"


@pytest.mark.parametrize("file", ["model.onnx", "thresholds.json", "golden/score.npy", "manifest.json"])
def test_bundle_tampered(start_line: Callable[..., Rig], own_recipe: Path, pictures: Pictures, file: str) -> None:
    target = own_recipe.parent / "bundle" / file
    whole = target.read_bytes()
    target.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    rig = start_line(recipe=own_recipe)
    assert rig.gate(pictures.good, "A1") == "hold"
    verdict = rig.row_of("A1").verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.NOT_READY)
    assert "hash" in verdict.detail
    target.write_bytes(whole)
    time.sleep(6.0)  # a refused bundle is looked at again every 5 s
    assert rig.good_board_passes()
    assert "A1" not in rig.passed()


@pytest.mark.needs_mosquitto
def test_broker_away_stopped_and_slow(
    start_line: Callable[..., Rig], broker: Broker, consumer: MqttConsumer, pictures: Pictures
) -> None:
    rig = start_line(mqtt=mqtt_at(broker))
    assert rig.gate(pictures.good) == "pass"
    broker.stop()
    assert rig.gate(pictures.good) == "pass", "the line does not wait for the broker"
    broker.start()
    assert rig.gate(pictures.bad) == "fail"
    assert broker.process is not None
    broker.process.send_signal(signal.SIGSTOP)
    assert rig.gate(pictures.good) == "pass", "nor for one that hangs"
    broker.process.send_signal(signal.SIGCONT)
    assert consumer.wait_for(4, 60.0)
    assert sorted(seq for _, seq in consumer.rows) == [r.seq for r in rig.rows()] == [1, 2, 3, 4]
