"""Figures of a bundle on a split: what they are, what is said where nothing can be said, which data is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import recall_score

from calibration.bounds import lower_bound_frac, upper_bound_frac
from edge.scorers import EngineChoice
from export.datasets import fingerprint
from export.evaluate import evaluate, evaluation_of, tables
from export.evaluation import Evaluation
from export.independence import SameDataFault, shared_with_threshold
from export.rules_bundle import write_rules_bundle
from export.scoring import ScoredSplit, SplitRequest, score_split
from export.table_columns import column_of
from tests.export.report_set import N_DEFECT, N_GOOD, PARTS, UNSEEN_LABEL, UNSEEN_PART, with_threshold, write_report_set

pytestmark = pytest.mark.sweep

LINE_KEYS = {
    *("prevalence_ppm", "escape_ppm", "escape_ppm_upper", "false_calls_per_defect", "boards"),
    *("boards_without_false_call", "per_part", "labels_without_defects", "unsaid", "precision", "engine"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report_set(tmp_path_factory.mktemp("data") / "lot")


@pytest.fixture(scope="module")
def bundle(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "rules"
    write_rules_bundle(folder, out)
    return out


@pytest.fixture(scope="module")
def scored(folder: Path, bundle: Path) -> ScoredSplit:
    return score_split(bundle, SplitRequest(data=folder), EngineChoice(threads=1))


@pytest.fixture(scope="module")
def found(scored: ScoredSplit) -> Evaluation:
    return evaluation_of(scored, prevalence_ppm=2000.0)


def _printed(report: Evaluation) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(tables(report))
    return file.getvalue()


def test_figures_are_those_of_the_rows(scored: ScoredSplit, found: Evaluation) -> None:
    truth = (~scored.is_good).astype(int)
    assert (found.n_good, found.n_defect) == (N_GOOD, 2 * N_DEFECT)
    assert found.recall == pytest.approx(recall_score(truth, scored.called), abs=1e-12)
    assert found.false_call_ppm == pytest.approx(1e6 * scored.called[scored.is_good].mean(), abs=1e-6)
    assert found.n_defect_units == 2 * N_DEFECT - 1  # one bridge was seen twice
    assert found.per_label["bridge"].n_units == N_DEFECT - 1
    assert found.escape_ppm_upper == pytest.approx(2000.0 * (1.0 - found.recall_lower), abs=1e-9)
    assert found.recall_lower_places < found.recall_lower
    assert found.boards == 4
    assert found.boards_without_false_call <= 4
    assert found.board_is == "board"


def test_the_object_is_plain_json_with_what_was_agreed(found: Evaluation) -> None:
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written.keys() >= LINE_KEYS
    assert written["per_label"]["bridge"]["recall_lower"] == found.per_label["bridge"].recall_lower


def test_a_class_without_defects_is_said_and_not_dropped(found: Evaluation) -> None:
    assert found.labels_without_defects == [UNSEEN_LABEL]
    assert f"no defects of class '{UNSEEN_LABEL}' at hand: nothing can be said" in found.unsaid
    assert UNSEEN_LABEL not in found.per_label
    line = next(line for line in _printed(found).splitlines() if UNSEEN_LABEL in line)
    assert "nothing can be said" in line


def test_part_numbers_have_figures_of_their_own(scored: ScoredSplit, found: Evaluation) -> None:
    assert set(found.per_part) == {*PARTS, UNSEEN_PART}
    assert sum(part.n_good for part in found.per_part.values()) == N_GOOD
    for name in PARTS:
        part, chosen = found.per_part[name], scored.parts == name
        assert part.false_calls == int(scored.called[chosen & scored.is_good].sum())
        assert part.recall_lower == lower_bound_frac(part.caught, part.n_defect)
        assert part.false_call_ppm_upper == pytest.approx(1e6 * upper_bound_frac(part.false_calls, part.n_good))
    unseen = found.per_part[UNSEEN_PART]
    assert (unseen.n_good, unseen.recall, unseen.false_call_ppm_upper) == (0, None, None)
    assert len(unseen.unsaid) == 2


def test_a_part_number_is_judged_at_its_own_threshold(scored: ScoredSplit) -> None:
    lenient = with_threshold(scored, by_part={PARTS[0]: float(scored.score.max())})
    report = evaluation_of(lenient)
    assert report.per_part[PARTS[0]].caught == 0
    assert report.per_part[PARTS[0]].false_calls == 0
    assert report.per_part[PARTS[1]].caught > 0
    assert report.caught == report.per_part[PARTS[1]].caught


def test_a_split_without_defects_says_what_is_lacking(folder: Path, bundle: Path) -> None:
    report = evaluate(bundle, folder, where=["label=good"])
    assert (report.recall, report.recall_lower, report.f1, report.auroc, report.escape_ppm) == (None,) * 5
    assert "no defects at hand: nothing can be said about recall and escapes" in report.unsaid
    assert report.defect_free_boards == 4
    assert report.boards_held_for_nothing_frac_upper is not None
    assert "nothing can be said" in _printed(report)
    json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize("split", ["val", "train"])
def test_the_split_that_chose_the_threshold_is_refused(folder: Path, bundle: Path, split: str) -> None:
    with pytest.raises(SameDataFault, match="figures from it prove nothing"):
        evaluate(bundle, folder, split=split)


def test_a_renamed_copy_of_it_is_refused_too(folder: Path, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another-lot"
    shutil.copytree(folder, copy)
    index = copy / "index.csv"
    index.write_text(index.read_text().replace(",val,", ",holdout,"))
    with pytest.raises(SameDataFault, match="golden crops"):
        evaluate(bundle, copy, split="holdout")


def test_rows_with_the_fingerprint_of_the_choice_are_refused(scored: ScoredSplit) -> None:
    own = fingerprint(scored.data, (), scored.rows).sha256
    chosen_here = with_threshold(scored, choice=scored.threshold.choice.model_copy(update={"data_sha256": own}))
    assert "these very rows" in shared_with_threshold(chosen_here)
    with pytest.raises(SameDataFault, match="these very rows"):
        evaluation_of(chosen_here)


def test_figures_asked_for_all_the_same_say_that_they_prove_nothing(folder: Path, bundle: Path) -> None:
    report = evaluate(bundle, folder, split="val", on_threshold_data=True)
    assert "threshold chosen on splits" in report.shared_with_threshold
    assert "NO EVIDENCE" in _printed(report)


def test_an_independent_split_is_not_accused(scored: ScoredSplit, found: Evaluation) -> None:
    assert shared_with_threshold(scored) == found.shared_with_threshold == ""


def test_columns_are_read_whole_and_by_their_whole_name(scored: ScoredSplit) -> None:
    row = dataclasses.replace(scored.rows[0], line="board=A,b,label=good,my_board=Z,part_number=")
    assert column_of(row, "board") == "A,b"
    assert column_of(row, "part_number") == ""
    assert column_of(row, "site") == ""


def test_pictures_stand_for_boards_where_the_table_names_none(folder: Path, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lot"
    shutil.copytree(folder, copy)
    index = copy / "index.csv"
    index.write_text(index.read_text().replace("dev-test-board-1", "unknown"))
    report = evaluate(bundle, copy)
    assert report.board_is == "picture"
    assert report.boards == report.pictures == N_GOOD
    assert np.isclose(report.boards_without_false_call_frac, report.pictures_without_false_call_frac)
