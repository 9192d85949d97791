"""X-rayed joints at a station: a recipe from good boards' files, and what becomes of boards that are not like them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.axi.board import AxiBoard, AxiView
from edge.axi.inspection import AxiInspection
from edge.axi.recipe import AxiRecipe
from edge.axi.recipe_new import new_axi_recipe
from edge.board import Outcome, Reason, Verdict
from edge.bundle import BundleFault
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspections import bundles_of, inspection_of, open_recipe, with_bundle
from edge.scorers import EngineChoice
from edge.settings import SettingsFault
from tests.edge.axi.desk import BLANK, LIGHT, board, bundle, moved, triggered, write_files

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> AxiRecipe:
    folder = tmp_path_factory.mktemp("axi")
    made = open_recipe(make_recipe(folder))
    assert isinstance(made, AxiRecipe)
    return made


@pytest.fixture(scope="module")
def inspection(recipe: AxiRecipe) -> AxiInspection:
    made = inspection_of(recipe, EngineChoice(threads=1), SystemClock())
    assert isinstance(made, AxiInspection)
    return made


def make_recipe(folder: Path, **changes: float) -> Path:
    bundle(folder / "bundle")
    good = [write_files(folder, moved(board(f"B{k}"), "J1-1", dx_px=k - 1)) for k in range(3)]
    return new_axi_recipe(
        good=good,
        machine=folder / "machine.toml",
        bundle=folder / "bundle",
        out=folder / "recipe",
        recipe_id="desk",
        part_number="P-1",
        verdict_budget_ms=60_000,
        threshold=changes.get("threshold"),
    ).parent


def judged(inspection: AxiInspection, shown: AxiBoard) -> Verdict:
    clock = SystemClock()
    return inspection.inspect(replace(triggered(shown), trigger_ns=clock.now_ns())).verdict


def test_a_recipe_holds_the_usual_boxes_and_views(recipe: AxiRecipe) -> None:
    assert len(recipe.places) == 8
    assert recipe.places[0].box_px == (20.0, 20.0, 40.0, 40.0)  # the median of three that differ by a pixel each
    assert {name: view.n_slices for name, view in recipe.settings.views.items()} == {"V1": 3, "V2": 3}
    assert recipe.settings.n_good_boards == 3
    assert recipe.settings.file.pictures == "../pictures"


def test_a_good_board_passes_with_every_joint_scored(inspection: AxiInspection) -> None:
    verdict = judged(inspection, board())
    assert (verdict.outcome, verdict.n_scored, verdict.n_regions) == (Outcome.PASS, 8, 8)


def test_a_defect_is_named_with_its_kind_and_place(inspection: AxiInspection) -> None:
    verdict = judged(inspection, board(J2_3=LIGHT))
    assert verdict.outcome is Outcome.FAIL
    assert [(f.region.name, f.kind) for f in verdict.defects] == [("J2-3", "missing")]
    assert all(not f.kind for f in verdict.findings if not f.is_defect)


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (moved(board(), "J1-2", dx_px=4.0), "J1-2 0.20 of its side from its usual place"),
        (moved(board(), "J2-1", dx_px=0.0, factor=1.5), "J2-1 1.50 times its usual size"),
        (moved(board(), "J2-1", dx_px=0.0, factor=0.5), "J2-1 0.50 times its usual size"),
        (board(J1_4=BLANK), "J1-4 shows no joint of its own"),
    ],
)
def test_a_wrong_region_is_not_judged_and_holds_the_board(
    inspection: AxiInspection, spoiled: AxiBoard, told: str
) -> None:
    verdict = judged(inspection, spoiled)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.OUT_OF_VIEW)
    assert told in verdict.detail
    assert verdict.n_scored == 7


def test_a_defect_beside_a_wrong_region_is_a_defect(inspection: AxiInspection) -> None:
    verdict = judged(inspection, moved(board(J2_4=LIGHT), "J1-2", dx_px=9.0))
    assert verdict.outcome is Outcome.FAIL
    assert "1 wrong regions, not judged: J1-2" in verdict.detail


def test_a_joint_that_is_not_there_holds_the_board(inspection: AxiInspection) -> None:
    shown = board()
    verdict = judged(inspection, replace(shown, joints=shown.joints[:-1]))
    assert (verdict.outcome, verdict.reason, verdict.n_scored) == (Outcome.UNDECIDED, Reason.OUT_OF_VIEW, 7)


def test_another_program_is_held(inspection: AxiInspection) -> None:
    verdict = judged(inspection, replace(board(), board_type="OTHER"))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.NOT_REGISTERED)
    stranger = replace(board().joints[0], refdes="X9")
    verdict = judged(inspection, replace(board(), joints=(*board().joints, stranger)))
    assert verdict.reason is Reason.NOT_REGISTERED
    assert "X9-1" in verdict.detail


def test_a_missing_slice_is_held_never_judged_without(inspection: AxiInspection) -> None:
    verdict = judged(inspection, board(n_slices=2))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.CAPTURE_FAULT)
    assert "the recipe has (120, 120, 3)" in verdict.detail


def test_a_view_of_another_name_is_held(inspection: AxiInspection) -> None:
    shown = board()
    other = AxiView(name="V9", slices=shown.views[0].slices)
    verdict = judged(inspection, replace(shown, views=(other, shown.views[1])))
    assert verdict.reason is Reason.NOT_REGISTERED


def test_a_file_with_a_fault_is_held_with_it(inspection: AxiInspection) -> None:
    verdict = inspection.inspect(triggered(None, "slice 2 is not the one the index names")).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.CAPTURE_FAULT)
    assert "slice 2" in verdict.detail


def test_the_machines_calls_are_said(inspection: AxiInspection) -> None:
    shown = board()
    called = tuple(replace(joint, called=joint.name == "J1-1") for joint in shown.joints)
    assert "the machine called 1 joints" in judged(inspection, replace(shown, joints=called)).detail


def test_a_file_goes_from_disk_to_its_verdict_and_picture(inspection: AxiInspection, recipe: AxiRecipe) -> None:
    path = write_files(recipe.folder.parent, moved(board("B77", J1_1=LIGHT), "J2-2", dx_px=8.0))
    shown = board_from_file(path, inspection.reader, SystemClock())
    assert (shown.board_id, shown.capture_fault) == ("B77", "")
    inspected = inspection.inspect(shown)
    assert inspected.verdict.outcome is Outcome.FAIL
    picture = inspection.drawn(shown, inspected)
    assert picture is not None
    assert (picture == np.array([0, 150, 255])).all(axis=2).any()  # the wrong region's box
    assert (picture == np.array([40, 30, 230])).all(axis=2).any()  # the defect's


def test_boards_that_differ_make_no_recipe(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    good = [write_files(tmp_path, board("B1")), write_files(tmp_path, board("B2", n_slices=2))]
    short = board("B3")
    good.append(write_files(tmp_path, replace(short, joints=short.joints[:-1])))
    arguments = {
        "machine": tmp_path / "machine.toml",
        "bundle": tmp_path / "bundle",
        "out": tmp_path / "recipe",
        "recipe_id": "desk",
        "part_number": "P-1",
        "verdict_budget_ms": 1_000,
    }
    with pytest.raises(SettingsFault, match=r"B2\.json: another program"):
        new_axi_recipe(good=good, **arguments)  # type: ignore[arg-type]
    with pytest.raises(SettingsFault, match="B3: other joints than B1"):
        new_axi_recipe(good=[good[0], good[2]], **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "recipe").exists()


def test_a_looser_threshold_is_refused(tmp_path: Path) -> None:
    made = open_recipe(make_recipe(tmp_path, threshold=0.9))
    with pytest.raises(BundleFault, match="looser"):
        inspection_of(made, EngineChoice(threads=1), SystemClock())


def test_a_changed_table_is_refused(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path)
    (folder / "joints.csv").write_bytes((folder / "joints.csv").read_bytes() + b"\n")
    with pytest.raises(SettingsFault, match=r"joints\.sha256"):
        open_recipe(folder)


def test_another_bundle_may_judge(recipe: AxiRecipe) -> None:
    other = with_bundle(recipe, recipe.bundle_folder)
    assert bundles_of(other)["axi"].sha256 == bundles_of(recipe)["axi"].sha256


@pytest.mark.parametrize("machine", ['"xyz"', "[]", "7", "{}"])
def test_a_machine_that_no_recipe_is_of_is_a_fault_of_that_field(tmp_path: Path, machine: str) -> None:
    (tmp_path / "recipe.toml").write_text(f"machine = {machine}\n", "utf-8")
    with pytest.raises(SettingsFault, match="machine"):
        open_recipe(tmp_path)
