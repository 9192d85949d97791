"""Families that compare: approved pictures in recipes, embedded by the bundle, and what the station makes of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.board import Board, Outcome, Reason
from edge.bundle import BundleFault, read_bundle
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspection import Inspection
from edge.recipe import Part, PictureFile, read_recipe
from edge.recipe_new import new_recipe
from edge.references import MAX_APPROVED, Compared, approved_pictures, references_fault
from edge.scorers import EngineChoice, ScorerFault, check_golden, checked_scores, load_scorer
from edge.settings import SettingsFault
from tests.edge.component_bundle import TABLE, part_crops, parts_board, write_component_bundle
from tests.edge.rules_bundle import write_rules_bundle

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_component_bundle(tmp_path_factory.mktemp("bundles") / "parts.bundle")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "ref.png"), parts_board(1))
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"good{k}.png"), parts_board(10 + k))
    (tmp_path / "places.csv").write_text(TABLE)
    return tmp_path


def make(desk: Path, bundle: Path, table: str = TABLE, n_good: int = 3) -> Path:
    (desk / "places.csv").write_text(table)
    return new_recipe(
        reference=desk / "ref.png",
        places=desk / "places.csv",
        bundle=bundle,
        out=desk / "recipe",
        recipe_id="parts",
        part_number="P-1",
        verdict_budget_ms=5_000,
        good=[desk / f"good{k}.png" for k in range(n_good)],
    )


def outcome(desk: Path, **changes: str) -> tuple[Outcome, set[str]]:
    inspection = Inspection(read_recipe(desk / "recipe"), EngineChoice(), SystemClock())
    cv2.imwrite(str(desk / "board.png"), parts_board(99, **changes))
    board: Board = board_from_file(desk / "board.png", inspection.reader, SystemClock())
    verdict = inspection.inspect(board).verdict
    assert verdict.reason is Reason.JUDGED
    return verdict.outcome, {finding.region.name for finding in verdict.defects}


def test_a_recipe_holds_approved_pictures_of_each_part(desk: Path, bundle: Path) -> None:
    recipe = read_recipe(make(desk, bundle))
    assert {name: part.turns_deg for name, part in recipe.settings.parts.items()} == {"CAP": (0,), "RES": (0, 180)}
    assert [len(part.references) for part in recipe.settings.parts.values()] == [3, 3]
    assert {pictures.shape for pictures in recipe.approved.values()} == {(MAX_APPROVED, 128, 128, 3)}
    assert np.array_equal(recipe.approved["RES"][3], np.rot90(recipe.approved["RES"][0], 2))
    assert [place.margin_frac for place in recipe.settings.places] == [0.1, 0.1]


def test_good_parts_pass_and_a_missing_one_is_found(desk: Path, bundle: Path) -> None:
    make(desk, bundle)
    assert outcome(desk) == (Outcome.PASS, set())
    assert outcome(desk, without="CAP") == (Outcome.FAIL, {"C1"})


def test_a_part_may_be_turned_only_where_the_recipe_says_so(desk: Path, bundle: Path) -> None:
    make(desk, bundle)
    assert outcome(desk, turned="RES") == (Outcome.PASS, set())
    assert outcome(desk, turned="CAP") == (Outcome.FAIL, {"C1"})
    make(desk, bundle, TABLE.replace("0 180", "0"))
    assert outcome(desk, turned="RES") == (Outcome.FAIL, {"R1"})


def test_the_reference_alone_will_do(desk: Path, bundle: Path) -> None:
    recipe = read_recipe(make(desk, bundle, n_good=0))
    assert [len(part.references) for part in recipe.settings.parts.values()] == [1, 1]
    assert outcome(desk) == (Outcome.PASS, set())


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (TABLE.replace("CAP,0", ",0"), "line 2 part_number: is empty"),
        (TABLE.replace("0 180", "0 45"), "line 3 turns_deg: '0 45', expected some of 0 90 180 270"),
        (TABLE.replace("0 180", "180"), "line 3 turns_deg: turns (180,), expected some of"),
        (TABLE + "R2,RES,0,200,150,60\n", "line 4 turns_deg: (0,) for 'RES', an earlier line says (0, 180)"),
    ],
)
def test_a_table_that_does_not_say_what_is_compared(desk: Path, bundle: Path, table: str, named: str) -> None:
    with pytest.raises(SettingsFault) as fault:
        make(desk, bundle, table)
    assert named in str(fault.value)
    assert not (desk / "recipe").exists()


def test_a_board_that_is_not_this_board_is_not_approved(desk: Path, bundle: Path) -> None:
    cv2.imwrite(str(desk / "good1.png"), np.zeros((400, 480, 3), np.uint8))
    with pytest.raises(SettingsFault, match=r"good1\.png"):
        make(desk, bundle)


def test_approved_boards_are_of_no_use_to_joints(desk: Path) -> None:
    joints = write_rules_bundle(desk / "joints.bundle")
    with pytest.raises(SettingsFault, match="compares no parts"):
        make(desk, joints)


def test_a_part_without_approved_pictures_holds_every_board(desk: Path, bundle: Path) -> None:
    file = make(desk, bundle)
    file.write_text(file.read_text().replace('part_number = "CAP"', 'part_number = ""'))
    with pytest.raises(BundleFault, match=r"C1: part_number '' has no approved pictures"):
        Inspection(read_recipe(desk / "recipe"), EngineChoice(), SystemClock())


def test_an_approved_picture_that_changed_is_refused(desk: Path, bundle: Path) -> None:
    make(desk, bundle)
    picture = desk / "recipe" / "parts" / "0000-CAP-1.png"
    cv2.imwrite(str(picture), np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(SettingsFault, match=r"parts.CAP.references.sha256: .*0000-CAP-1.png has"):
        read_recipe(desk / "recipe")


def test_golden_parts_are_checked_with_their_pictures(bundle: Path) -> None:
    read = read_bundle(bundle)
    scorer = load_scorer(read, EngineChoice())
    assert read.golden_approved is not None
    read.golden_approved.pictures[:] = 255 - read.golden_approved.pictures
    with pytest.raises(BundleFault, match="golden"):
        check_golden(read, scorer)


def test_a_bundle_that_compares_needs_its_golden_pictures(tmp_path: Path) -> None:
    folder = write_component_bundle(tmp_path / "b")
    (folder / "golden" / "compared.npy").unlink()
    with pytest.raises(BundleFault, match=r"compared\.npy"):
        read_bundle(folder)


def test_crops_alone_are_no_scores(bundle: Path) -> None:
    scorer = load_scorer(read_bundle(bundle), EngineChoice())
    with pytest.raises(ScorerFault, match="nothing to compare with"):
        checked_scores(scorer, part_crops(parts_board(5)))


def test_rows_go_with_their_references() -> None:
    crops = part_crops(parts_board(5))
    both = Compared(crops, np.arange(2, dtype=np.float32)[:, None, None])
    assert both[[1]].references.ravel().tolist() == [1.0]
    with pytest.raises(ValueError, match="2 crops with the references of 1"):
        Compared(crops, both.references[:1])


@pytest.mark.parametrize(
    ("n", "turns_deg", "named"),
    [
        (0, (0,), "0 reference pictures"),
        (6, (0,), "6 reference pictures"),
        (3, (0, 90, 180, 270), "at most 10"),
        (1, (90,), "0 among them"),
        (1, (0, 0), "each once"),
        (1, (0, 45), "expected some of"),
    ],
)
def test_what_cannot_be_compared_with(n: int, turns_deg: tuple[int, ...], named: str) -> None:
    assert named in references_fault(n, turns_deg)
    with pytest.raises(ValueError, match=r"reference pictures|turns"):
        approved_pictures(np.zeros((n, 8, 8, 3), np.uint8), turns_deg)
    files = tuple(PictureFile(path=f"{k}.png", sha256="0" * 64) for k in range(n))
    with pytest.raises(ValueError, match="references"):
        Part(references=files, turns_deg=turns_deg)
