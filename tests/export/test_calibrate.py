"""`boardgate calibrate` and `recalibrate` on a small drawn set, with a bundle of rules: no torch, a second or two."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

import export
from calibration.limits import PromiseFault
from calibration.reviews import ReviewFault
from calibration.splits import SplitFault
from edge.board import Finding, Outcome, Region
from edge.bundle import read_bundle
from edge.journal import JournalWriter
from edge.scorers import EngineChoice, load_scorer
from export import calibrate_tables, recalibrate_tables
from export.calibrate import CalibrationReport, calibrate, parting_notes
from export.recalibrate import LockedSet, RecalibrationReport, recalibrate
from export.review_file import ReviewFileFault, read_reviews
from export.rules_bundle import write_rules_bundle
from tests.edge.helpers import verdict
from tests.export.helpers import write_joint_set

pytestmark = pytest.mark.sweep

TABLE = "joints.csv"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("set") / "joints")


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rules") / "bundle"
    write_rules_bundle(data, out, table=TABLE)
    return out


@pytest.fixture
def weak(bundle: Path, data: Path, tmp_path: Path) -> CalibrationReport:
    return calibrate(bundle, data, tmp_path / "weak", table=TABLE, accept_weaker=True, check_split="dev-test")


def _shown(group: object) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(group)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_the_data_cannot_carry_is_refused_with_what_it_takes(bundle: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(PromiseFault) as fault:
        calibrate(bundle, data, tmp_path / "out", table=TABLE)
    said = str(fault.value)
    assert "recall 0.99 at 95 % confidence cannot be promised from val" in said
    assert "bridge: needs ≥ 368 caught defects for 0.99; has " in said
    assert "--accept-weaker" in said
    assert not (tmp_path / "out").exists()


def test_the_weaker_promise_is_written_with_its_evidence(weak: CalibrationReport, bundle: Path) -> None:
    made, before = read_bundle(weak.out, weak.identity), read_bundle(bundle)
    threshold = made.threshold()
    assert threshold.choice.method == "recall"
    assert not threshold.choice.kept
    assert threshold.choice.split == "val"
    assert threshold.measured is not None
    assert threshold.measured.split == "dev-test"
    assert threshold.measured.data_sha256 != threshold.choice.data_sha256
    assert made.thresholds.tool.startswith("boardgate calibrate ")
    assert made.model() == before.model()
    assert (made.golden_batch == before.golden_batch).all()
    load_scorer(made, EngineChoice(threads=1))  # the golden check passes at the new threshold
    text = _shown(calibrate_tables.tables(weak))
    assert "needs ≥ 368" in text
    assert "on dev-test: recall" in text


def test_a_promise_that_is_carried_is_kept(bundle: Path, data: Path, tmp_path: Path) -> None:
    report = calibrate(bundle, data, tmp_path / "out", table=TABLE, recall=0.15, confidence=0.6)
    choice = report.precisions["fp32"].threshold.choice
    assert choice.kept
    assert all((p.recall_lower or 0) >= 0.15 for p in choice.promises)
    assert "nothing was measured on other data" in " ".join(report.notes)


def test_a_precision_that_passes_what_fp32_calls_is_named() -> None:
    folder = Path(export.__file__).parent
    parts = read_bundle(folder / "demo_axi_bundle")
    lost = {p: graph.parity.lost_defects for p, graph in parts.manifest.graphs.items() if graph.parity.lost_defects}
    assert lost  # its thresholds were chosen anew for each precision
    assert [note.split()[0] for note in parting_notes(parts)] == list(lost)
    assert not parting_notes(read_bundle(folder / "demo_bundle"))


def test_later_boards_are_held_out_in_time_order(bundle: Path, data: Path, tmp_path: Path) -> None:
    report = calibrate(bundle, data, tmp_path / "out", table=TABLE, recall=0.5, accept_weaker=True, hold_out_frac=0.5)
    threshold = report.precisions["fp32"].threshold
    assert threshold.choice.split == "val, earlier boards"
    assert threshold.choice.n_good_boards == 2
    assert threshold.measured is not None
    assert threshold.measured.split == "val, later boards"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"split": "train"}, "taught the bundle"),
        ({"check_split": "train"}, "taught the bundle"),
        ({"check_split": "val"}, "cannot come from the same rows"),
        ({"check_split": "dev-test", "hold_out_frac": 0.5}, "name one of them"),
    ],
)
def test_splits_that_would_deceive_are_refused(
    bundle: Path, data: Path, tmp_path: Path, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(SplitFault, match=said):
        calibrate(bundle, data, tmp_path / "out", table=TABLE, **asked)  # type: ignore[arg-type]


def test_a_split_through_a_board_is_refused(bundle: Path, data: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(data, mixed)
    text = (mixed / TABLE).read_text()
    (mixed / TABLE).write_text(text.replace("dev-test0", "val0"))
    with pytest.raises(SplitFault, match=r"share 1 boards \(val0\)"):
        calibrate(bundle, mixed, tmp_path / "out", table=TABLE, accept_weaker=True, check_split="dev-test")


def test_a_bundle_that_learned_from_validation_is_not_calibrated_on_it(data: Path, tmp_path: Path) -> None:
    write_rules_bundle(data, tmp_path / "tuned", table=TABLE, variant="tuned")
    with pytest.raises(SplitFault, match="learned from 'val' too"):
        calibrate(tmp_path / "tuned", data, tmp_path / "out", table=TABLE, accept_weaker=True)


class _Line:
    """A station's journal and its reviews, made by hand: places J1-1, J1-2, … of one board, with given scores."""

    def __init__(self, folder: Path, bundle: Path, data: Path, identity: str) -> None:
        self.folder, self.bundle, self.data, self.identity = folder, bundle, data, identity
        self.value = read_bundle(bundle).threshold().value

    def run(self, said: list[tuple[float, str]], **more: object) -> RecalibrationReport:
        """`said`: score above or below the threshold, and the review; empty for a place nobody reviewed."""
        writer = JournalWriter(self.folder / "journal.sqlite")
        findings = tuple(
            Finding(
                region=Region(refdes="J1", pin=str(i), x_px=1, y_px=1, side_px=9, threshold=self.value),
                score=float(np.float32(self.value + by)),
            )
            for i, (by, _) in enumerate(said)
        )
        outcome = Outcome.FAIL if any(f.is_defect for f in findings) else Outcome.PASS
        board = verdict("B1", outcome, findings=findings, n_regions=len(findings), bundle_sha256=self.identity)
        writer.store(board, "2026-01-01T00:00:00Z")
        writer.close()
        rows = [("uid", "refdes", "pin", "verdict", "label", "reviewer", "utc")]
        rows += [
            (board.uid, "J1", str(i), word, "", "ann", "2026-01-02T08:00:00Z")
            for i, (_, word) in enumerate(said)
            if word
        ]
        with (self.folder / "reviews.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        return recalibrate(
            self.bundle,
            self.folder / "out",
            journal=self.folder / "journal.sqlite",
            reviews=self.folder / "reviews.csv",
            data_folder=self.data,
            table=TABLE,
            **more,  # type: ignore[arg-type]
        )


@pytest.fixture
def line(weak: CalibrationReport, data: Path, tmp_path: Path) -> _Line:
    return _Line(tmp_path, weak.out, data, weak.identity)


def test_an_escape_lowers_the_threshold_and_says_so_before_it_does(line: _Line) -> None:
    said = [(-0.2, "escape"), (0.5, "defect"), (-0.1, ""), (-0.9, "")]
    report = line.run(said)
    assert report.move.direction == "lower"
    assert report.move.after < line.value - 0.2
    assert (report.places_gained, report.places_lost) == (2, 0)
    assert report.reviewed_gained == {"escape, not said": 1}
    assert report.identity == ""
    assert not (line.folder / "out").exists()
    assert "nothing was written" in _shown(recalibrate_tables.tables(report))


def test_what_is_applied_loads_with_the_reviews_in_its_evidence(line: _Line) -> None:
    report = line.run([(-0.2, "escape"), (0.5, "defect")], apply=True)
    made = read_bundle(line.folder / "out", report.identity).threshold()
    assert made.value == report.move.after
    assert made.measured is None
    assert made.choice.reviews is not None
    assert made.choice.reviews.n_escapes == 1
    assert made.choice.reviews.previous_value == line.value


def test_false_calls_cannot_raise_past_a_promise_that_has_no_room(line: _Line) -> None:
    report = line.run([(0.3, "false_call"), (0.1, "false_call")], apply=True)
    assert report.move.direction == "stay"
    assert report.move.stopped_by.startswith("the promise of ")
    assert not (line.folder / "out").exists()


def test_a_raise_within_the_promise_keeps_the_locked_set(bundle: Path, data: Path, tmp_path: Path) -> None:
    """A threshold that false calls decided lies below the recall limit: there is room."""
    both = {"recall": 0.5, "confidence": 0.6, "false_call_ppm": 300_000.0, "accept_weaker": True}
    report = calibrate(bundle, data, tmp_path / "both", table=TABLE, **both)  # type: ignore[arg-type]
    line = _Line(tmp_path, tmp_path / "both", data, report.identity)
    locked = LockedSet(data=data, table=TABLE, split="val")
    moved = line.run([(0.01, "false_call"), (0.2, "defect")], locked=locked)
    assert moved.locked_caught is not None
    assert moved.locked_caught[1] >= moved.locked_caught[0]
    assert moved.move.direction == "raise"
    assert moved.reviewed_lost == {"false call": 1}
    before = report.precisions["fp32"].threshold.choice.promises
    assert [p.recall_lower for p in moved.threshold.choice.promises] == [p.recall_lower for p in before]


def test_other_rows_than_those_of_the_choice_are_refused(line: _Line) -> None:
    with pytest.raises(SplitFault, match="name those rows"):
        line.run([(0.5, "defect")], split="dev-test")


def test_reviews_that_contradict_the_journal_are_refused(line: _Line) -> None:
    with pytest.raises(ReviewFileFault, match="J1-0: reviewed as escape, and the station called it"):
        line.run([(0.5, "escape")])


def test_reviews_of_another_threshold_are_refused(line: _Line) -> None:
    line.value += 1.0
    with pytest.raises(ReviewFault, match="the station judged at"):
        line.run([(0.5, "defect")])


def test_json_lines_are_read_and_the_last_word_counts(tmp_path: Path) -> None:
    row = '{"uid": "u", "refdes": "J1", "verdict": "%s", "reviewer": "ann", "utc": "%s"}'
    lines = [row % ("defect", "2026-01-02T08:00:00Z"), row % ("false_call", "2026-01-03T08:00:00Z")]
    (tmp_path / "reviews.jsonl").write_text("\n".join(reversed(lines)))
    file = read_reviews(tmp_path / "reviews.jsonl")
    assert [r.verdict for r in file.rows.values()] == ["false_call"]
    assert file.overruled == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uid,refdes,verdict,reviewer,utc\nu,J1,maybe,ann,2026-01-02T08:00\n", "line 2 verdict"),
        ("uid,refdes,verdict,reviewer\nu,J1,defect,ann\n", "line 2 utc"),
        ("uid,refdes,verdict,reviewer,utc\n", "holds no review"),
        ('{"uid": 1\n', "line 1: not JSON"),
        ("{}\n", "line 1 uid"),
    ],
)
def test_broken_files_of_reviews_name_the_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "reviews").write_text(text)
    with pytest.raises(ReviewFileFault, match=said):
        read_reviews(tmp_path / "reviews")


def test_a_missing_picture_is_named(bundle: Path, data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    cv2.imwrite(str(broken / "val_0.png"), np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(Exception, match=r"val_0\.png: centre"):
        calibrate(bundle, broken, tmp_path / "out", table=TABLE, accept_weaker=True)
