"""`boardgate msa …`: tables in, tables, JSON and pictures out; the station as an appraiser; one grey level more."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from benchmarks.flips import measure, run
from calibration.msa.gauge import POOL_ABOVE_P
from edge.bundle import read_bundle
from edge.recipe import read_recipe
from export.commands import msa
from export.datasets import read_data_set
from export.demo_stations import as_jpeg, demo_recipe
from export.grey_levels import noisy, shifted
from export.msa_station import StationRequest, analyse_station, run_station
from export.rules_bundle import write_rules_bundle
from export.simulator.board import reference_board
from export.simulator.datasets import PART_NUMBER
from export.simulator.layout import header_board
from tests.calibration.test_msa_attribute import aiag
from tests.calibration.test_msa_gauge import AIAG, study
from tests.export.helpers import PITCH_PX, write_joint_set


def msa_command(*words: object) -> Result:
    return CliRunner().invoke(msa.app, [str(w) for w in words], env={"COLUMNS": "160"})


def write_csv(file: Path, head: list[str], rows: list[list[object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return file


@pytest.fixture
def attribute_table(tmp_path: Path) -> Path:
    cells, reference = aiag()
    # last trials first: the trial column, not the order of the lines, says which is which
    rows: list[list[object]] = [
        [part, who, trial, marks[trial], reference[part]] for trial in (2, 1, 0) for (part, who), marks in cells.items()
    ]
    return write_csv(tmp_path / "study.csv", ["part", "appraiser", "trial", "decision", "truth"], rows)


def gauge_table(folder: Path, leave_out: int = 0) -> Path:
    values = study(AIAG).values
    rows: list[list[object]] = [[f"pad {i}", "ABC"[j], values[i, j, k]] for i, j, k in np.ndindex(*values.shape)]
    return write_csv(folder / "gauge.csv", ["pad", "line", "volume_nl"], rows[leave_out:])


@pytest.mark.unit
def test_attribute_command_gives_the_published_figures(attribute_table: Path, tmp_path: Path) -> None:
    figure, record = tmp_path / "study.png", tmp_path / "study.json"
    done = msa_command(
        "attribute", attribute_table, "--trial", "trial", "--reference", "truth", "--json", record, "--figure", figure
    )
    assert done.exit_code == 0, done.output
    for text in ("84.0 % (70.9 to 92.8) 42/50", "12.5 % (4.7 to 25.2) 6/48", "unacceptable", "78.0 % (64.0 to 88.5)"):
        assert text in done.output
    figures = json.loads(record.read_text("utf-8"))
    assert [a["reference"]["rating"] for a in figures["appraisers"]] == 3 * ["unacceptable"]
    pairs = {p["first"] + p["second"]: p["kappa"]["value"] for p in figures["pairs"]}
    assert pairs == {k: pytest.approx(v, abs=5e-3) for k, v in {"AB": 0.86, "AC": 0.78, "BC": 0.79}.items()}
    assert cv2.imread(str(figure)).shape[1] > 1000


@pytest.mark.unit
def test_attribute_command_without_reference(attribute_table: Path) -> None:
    done = msa_command("attribute", attribute_table)
    assert done.exit_code == 0, done.output
    assert "No reference" in done.output
    assert "miss rate" not in done.output


@pytest.mark.unit
def test_gauge_command_gives_the_published_figures(tmp_path: Path) -> None:
    figure, record = tmp_path / "gauge.png", tmp_path / "gauge.json"
    columns = ("--part", "pad", "--appraiser", "line", "--value", "volume_nl", "--unit", "nl", "--tolerance", "8")
    done = msa_command("gauge", gauge_table(tmp_path), *columns, "--json", record, "--figure", figure)
    assert done.exit_code == 0, done.output
    assert "27.86 (" in done.output
    assert "deviation nl" in done.output
    figures = json.loads(record.read_text("utf-8"))
    assert figures["ndc"] == 4
    grr = next(c for c in figures["components"] if c["name"] == "grr")
    assert grr["tolerance_percent"]["value"] == pytest.approx(100 * 6 * 0.302372 / 8, abs=1e-3)
    assert cv2.imread(str(figure)).shape[1] > 1000
    assert msa.POOL_ABOVE_P == POOL_ABOVE_P


@pytest.mark.unit
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["1", "A", "good"], ["1", "B", ""]], "line 3: nothing in column 'decision'"),
        ([["1", "A", "good"], ["2", "B", "bad"]], "missing cells, 2 of 4: 1 by B; 2 by A"),
        ([["1", "A", "good"], ["1", "A", "bad"], ["2", "A", "bad"]], "unbalanced"),
    ],
)
def test_faulty_attribute_tables_are_refused(tmp_path: Path, rows: list[list[object]], message: str) -> None:
    done = msa_command("attribute", write_csv(tmp_path / "t.csv", ["part", "appraiser", "decision"], rows))
    assert done.exit_code == 1
    assert message in done.output.replace("\n", " ")


@pytest.mark.unit
def test_faulty_gauge_tables_are_refused(tmp_path: Path) -> None:
    columns = ("--part", "pad", "--appraiser", "line", "--value", "volume_nl")
    short = msa_command("gauge", gauge_table(tmp_path, leave_out=1), *columns)
    assert (short.exit_code, "most cells hold 3 trials, but pad 0 by A: 2" in short.output) == (1, True)
    other = msa_command("gauge", gauge_table(tmp_path), "--part", "refdes", *columns[2:])
    assert (other.exit_code, "no column ['refdes']" in other.output) == (1, True)
    text = write_csv(tmp_path / "t.csv", ["pad", "line", "volume_nl"], [["1", "A", "3,5"]])
    assert "'3,5' is not a number" in msa_command("gauge", text, *columns).output


@pytest.mark.unit
def test_trials_listed_twice_and_references_that_change_are_refused(tmp_path: Path) -> None:
    head = ["part", "appraiser", "trial", "decision", "truth"]
    twice = write_csv(tmp_path / "a.csv", head, [["1", "A", "1", "ok", "ok"], ["1", "A", "1", "ng", "ok"]])
    assert "was already in line 2" in msa_command("attribute", twice, "--trial", "trial").output
    two = write_csv(tmp_path / "b.csv", head, [["1", "A", "1", "ok", "ok"], ["1", "A", "2", "ng", "ng"]])
    assert "'ng' for part 1, 'ok' before" in msa_command("attribute", two, "--reference", "truth").output


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A set of drawn joints, and the rules fitted to it."""
    folder = tmp_path_factory.mktemp("msa")
    data = write_joint_set(folder / "joints")
    write_rules_bundle(data, folder / "rules", table="joints.csv")
    return data, folder / "rules"


def station_pictures(data: Path, folder: Path, n_boards: int = 4, per_board: int = 2) -> list[Path]:
    """Crops of joints as single pictures, a few of each, noise in between."""
    folder.mkdir()
    image, paths = cv2.imread(str(data / "dev-test_0.png")), []
    for i in range(n_boards):
        x, y, half = int(PITCH_PX * (i + 1)), int(PITCH_PX), int(PITCH_PX * 0.75)
        crop = image[y - half : y + half, x - half : x + half]
        for k in range(per_board):
            paths.append(folder / f"B{i}_{k}.png")
            cv2.imwrite(str(paths[-1]), noisy(crop, 3 * k, seed=i))
    return paths


@pytest.mark.sweep
def test_station_repeats_itself_and_is_held_against_a_reference(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    data, bundle = drawn
    pictures = station_pictures(data, tmp_path / "pictures")
    truth = write_csv(tmp_path / "truth.csv", ["board", "reference"], [[f"B{i}", "good"] for i in range(4)])
    table, record = tmp_path / "calls.csv", tmp_path / "station.json"
    done = msa_command(
        "station", bundle, *pictures, "--repeats", 3, "--reference", truth, "--table", table, "--json", record
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(record.read_text("utf-8"))
    assert (figures["n_boards"], figures["n_pictures"]) == (4, 8)
    assert figures["same_input_flips"] == figures["same_input_other_scores"] == 0
    # repeats of the same picture are no further trials
    assert figures["agreement"]["n_trials"] == 2
    assert figures["agreement"]["n_bad_parts"] == 0
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    again = msa_command("attribute", table, "--trial", "trial", "--good", "good", "--good", "defect")
    assert again.exit_code == 0, again.output


@pytest.mark.sweep
def test_station_under_one_grey_level(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    data, bundle = drawn
    pictures = tuple(station_pictures(data, tmp_path / "pictures", per_board=1))
    result = analyse_station(run_station(StationRequest(target=bundle, pictures=pictures, repeats=4, grey_levels=1)))
    assert result.agreement.n_trials == 4
    assert result.same_input_flips is None
    assert result.flips is not None
    assert result.flips.n == 4 * 3
    assert result.scores is not None
    assert result.scores.component("repeatability").variance > 0


@pytest.mark.sweep
def test_station_names_what_is_unbalanced(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    data, bundle = drawn
    pictures = station_pictures(data, tmp_path / "pictures")
    done = msa_command("station", bundle, *pictures[:-1])
    assert (done.exit_code, "B3 by station: 1" in done.output) == (1, True)
    assert "is not there" in msa_command("station", bundle, tmp_path / "none_1.png").output
    assert "must hold a group" in msa_command("station", bundle, *pictures, "--board", "B.*").output


@pytest.mark.sweep
def test_station_with_a_recipe_judges_every_place(tmp_path: Path) -> None:
    demo_recipe(tmp_path / "recipe")
    board = reference_board(header_board(PART_NUMBER))
    faulty, place = board.image.copy(), board.places[0]
    cv2.circle(faulty, (round(place.x_px), round(place.y_px)), round(place.pitch_px * 0.7), (240, 240, 240), -1)
    for name, image in {"A": board.image, "B": faulty}.items():
        for k in (1, 2):
            (tmp_path / f"{name}_{k}.jpg").write_bytes(as_jpeg(noisy(image, k, seed=k)))
    (tmp_path / "C_1.jpg").write_bytes(as_jpeg(board.image)[:9_000])  # a torn file: every place held
    (tmp_path / "C_2.jpg").write_bytes(as_jpeg(board.image))
    study = run_station(
        StationRequest(target=tmp_path / "recipe", pictures=tuple(sorted(tmp_path.glob("*.jpg"))), repeats=2)
    )
    n_places = len(read_recipe(tmp_path / "recipe").settings.places)
    assert {call for call, _ in study.called["B", "J1-1"]} == {"defect"}
    assert [call for call, _ in study.called["C", "J1-1"]] == ["held", "held", "good", "good"]
    result = analyse_station(study)
    assert result.n_boards == 3
    assert result.held == 2 * n_places
    assert result.same_input_flips == result.same_input_other_scores == 0
    assert result.agreement.n_parts == 3 * n_places
    assert result.scores is None  # a held board has no scores
    within = result.agreement.appraisers[0].within
    assert within is not None
    assert within.count <= 2 * n_places


@pytest.mark.unit
def test_grey_levels_stop_at_black_and_white() -> None:
    image = np.array([[[0, 128, 255]]], np.uint8)
    assert shifted(image, 1).tolist() == [[[1, 129, 255]]]
    assert shifted(image, -1).tolist() == [[[0, 127, 254]]]
    wide = np.full((50, 50, 3), 128, np.uint8)
    moved = noisy(wide, 1, seed=1).astype(int) - 128
    assert set(np.unique(moved)) == {-1, 0, 1}
    assert abs(moved.mean()) < 0.05
    assert (noisy(wide, 1, seed=1) == noisy(wide, 1, seed=1)).all()


@pytest.mark.sweep
def test_flips_of_rules_on_drawn_joints(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    data, bundle = drawn
    record = tmp_path / "flips.json"
    found = run([bundle], data, table="joints.csv", json_file=record)[0]
    assert {c.way: c.flips for c in found.calls} == dict.fromkeys((c.way for c in found.calls), 0)
    assert found.calls[0].bits_differ == 0
    run([bundle], data, table="joints.csv", json_file=record)
    assert len(json.loads(record.read_text("utf-8"))["results"]) == 1  # the same set again replaces


@pytest.mark.sweep
def test_flips_are_seen(drawn: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that blackens the picture turns verdicts: the benchmark would notice."""
    data, bundle = drawn
    monkeypatch.setattr("benchmarks.flips.shifted", lambda image, levels: np.zeros_like(image))
    rows = read_data_set(data, "joints.csv")
    found = measure(bundle, rows, "dev-test", ())
    assert found.changes[0].flips > 0
    assert not found.kept
    assert found.threshold == read_bundle(bundle).threshold().value
