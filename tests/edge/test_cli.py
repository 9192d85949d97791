"""The commands a person types, on the twin's board and the shipped bundle: output, pictures, exit statuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspection import Inspection
from edge.journal import JournalWriter
from edge.recipe import read_recipe
from edge.scorers import EngineChoice
from export.demo_stations import BUNDLE, as_jpeg, demo_recipe
from export.simulator.board import reference_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.layout import header_board

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, a good board's picture and one with a fault painted on."""
    folder = tmp_path_factory.mktemp("desk")
    demo_recipe(folder / "recipe")
    good = reference_board(header_board(PART_NUMBER))
    (folder / "GOOD.jpg").write_bytes(as_jpeg(good.image))
    bad = good.image.copy()
    place = good.places[0]
    cv2.circle(bad, (round(place.x_px), round(place.y_px)), round(place.pitch_px * 0.7), (240, 240, 240), -1)
    (folder / "BAD.jpg").write_bytes(as_jpeg(bad))
    (folder / "TORN.jpg").write_bytes(as_jpeg(good.image)[:9_000])
    return folder


def boardgate(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", *map(str, arguments)]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd or root,
        env={"PYTHONPATH": root, "COLUMNS": "160"},
    )


def test_inspect_says_and_draws(desk: Path, tmp_path: Path) -> None:
    done = boardgate("inspect", desk / "recipe", desk / "GOOD.jpg", desk / "BAD.jpg", "--out", tmp_path)
    assert done.returncode == 3, done.stderr
    assert "PASS" in done.stdout
    assert "FAIL" in done.stdout
    assert "J1-1" in done.stdout
    drawn = cv2.imread(str(tmp_path / "BAD.annotated.png"))
    assert drawn is not None
    assert drawn.shape[0] >= 900


def test_inspect_exit_status_of_good_and_torn(desk: Path, tmp_path: Path) -> None:
    assert boardgate("inspect", desk / "recipe", desk / "GOOD.jpg", "--out", tmp_path).returncode == 0
    torn = boardgate("inspect", desk / "recipe", desk / "TORN.jpg", "--out", tmp_path, "--json")
    assert torn.returncode == 3
    assert json.loads(torn.stdout)["reason"] == "capture_fault"


def test_inspect_single_crops_with_a_bundle(tmp_path: Path) -> None:
    from numpy import load  # noqa: PLC0415

    crop = tmp_path / "crop.png"
    cv2.imwrite(str(crop), load(BUNDLE / "golden/batch.npy")[0])
    done = boardgate("inspect", BUNDLE, crop, "--json")
    row = json.loads(done.stdout)
    assert done.returncode == (3 if row["defect"] else 0)
    assert row["score"] == pytest.approx(float(load(BUNDLE / "golden/score.npy")[0]), rel=0.02)


def test_check_reports_all_files(desk: Path, tmp_path: Path) -> None:
    shutil.copytree(BUNDLE, tmp_path / "bundle")
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"x")
    (tmp_path / "station.toml").write_text('site = "X"\n')
    done = boardgate("check", desk / "recipe", BUNDLE, tmp_path / "bundle", tmp_path / "station.toml", tmp_path / "no")
    assert done.returncode == 1
    assert done.stderr.count("✓") == 2
    assert "model.onnx: hash" in done.stderr
    assert "site: " in done.stderr
    assert "state_dir: Field required" in done.stderr
    assert "does not exist" in done.stderr


def test_recipe_new_then_inspect(desk: Path, tmp_path: Path) -> None:
    source = desk / "recipe-source"
    done = boardgate(
        "recipe", "new", "--reference", source / "reference.png", "--places", source / "places.csv",
        "--bundle", BUNDLE, "--id", "mine", "--part", "P", "--out", tmp_path / "mine",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(read_recipe(tmp_path / "mine").settings.places) == 50
    again = boardgate(
        "recipe", "new", "--reference", source / "places.csv", "--places", source / "places.csv",
        "--bundle", BUNDLE, "--id", "mine", "--part", "P", "--out", tmp_path / "other",
    )  # fmt: skip
    assert again.returncode == 2
    assert "error:" in again.stderr


def test_replay_shows_no_difference_for_the_same_bundle_and_all_for_a_stricter_one(desk: Path, tmp_path: Path) -> None:
    inspection = Inspection(read_recipe(desk / "recipe"), EngineChoice(threads=1), SystemClock())
    journal = JournalWriter(tmp_path / "journal.sqlite")
    for name in ("GOOD", "BAD"):
        board = board_from_file(desk / f"{name}.jpg", inspection.reader, SystemClock())
        journal.store(inspection.inspect(board).verdict, "2026-01-01T")
    journal.close()
    same = boardgate("replay", tmp_path / "journal.sqlite", "--recipe", desk / "recipe")
    assert same.returncode == 0, same.stderr + same.stdout
    assert "2 boards replayed, 0 verdicts differ" in same.stdout
    stricter = stricter_bundle(tmp_path / "stricter")
    done = boardgate(
        "replay", tmp_path / "journal.sqlite", "--recipe", desk / "recipe", "--bundle", stricter, "--json",
        tmp_path / "diff.json",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr + done.stdout
    diff = json.loads((tmp_path / "diff.json").read_text())
    assert [(d["was"], d["now"]) for d in diff] == [("pass", "fail"), ("fail", "fail")]


def stricter_bundle(folder: Path) -> Path:
    """The shipped bundle with a threshold below every score."""
    from tests.edge.test_bundle import edit, sealed  # noqa: PLC0415

    shutil.copytree(BUNDLE, folder)
    edit(folder / "thresholds.json", lambda d: d["precisions"]["fp32"].update(value=-1e6))
    edit(folder / "manifest.json", lambda d: d["graphs"]["fp32"].update(golden_tolerance=0.1))
    sealed(folder)
    return folder


def test_help_of_every_command_has_an_example() -> None:
    for command in ("inspect", "check", "replay", "run", "demo", "gate", "inspector", "agent", "train", "evaluate"):
        assert "Example:" in boardgate(command, "--help").stdout, command


def test_a_station_needs_no_training_stack() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'sklearn', 'scipy', 'export', 'calibration'): sys.modules[name] = None\n"
        "import edge.inspector, edge.gatekeeper, edge.agent, edge.cli, edge.check, edge.replay, edge.inspect_once\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_gate_process_loads_no_engine_and_no_pictures() -> None:
    code = (
        "import sys\n"
        "for name in ('onnxruntime', 'cv2', 'paho'): sys.modules[name] = None\n"
        "import edge.gatekeeper, edge.process\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
