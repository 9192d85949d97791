"""A panel of paste through the inspection: judged when everything was there, held with a reason otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.board import Board, Outcome, Reason, Verdict
from edge.bundle import BundleFault
from edge.paste import inspection as under_test
from edge.paste.inspection import PasteInspection
from edge.paste.panel import PastePanel
from edge.scorers import EngineChoice
from edge.verdict_json import verdict_from_json, verdict_to_json
from tests.edge.helpers import FakeClock
from tests.edge.paste.desk import PADS, panel, recipe

pytestmark = pytest.mark.unit


@pytest.fixture
def inspection(tmp_path: Path) -> PasteInspection:
    return PasteInspection(recipe(tmp_path), EngineChoice(), FakeClock())


def board(shown: PastePanel | None, fault: str = "") -> Board:
    return Board(
        uid="u1",
        board_id="B1",
        trigger_ns=FakeClock().ns,
        trigger_utc="2026-01-01T00:00:00Z",
        picture_path="/nowhere/B1.csv",
        picture_sha256="c" * 64,
        image=None,
        panel=shown,
        capture_fault=fault,
    )


def judged(inspection: PasteInspection, shown: PastePanel) -> Verdict:
    return inspection.inspect(board(shown)).verdict


def test_a_usual_print_passes_with_every_pad_scored(inspection: PasteInspection) -> None:
    verdict = judged(inspection, panel())
    assert (verdict.outcome, verdict.n_scored, verdict.n_regions) == (Outcome.PASS, PADS, PADS)
    assert verdict.n_unlisted > 0
    assert verdict_from_json(verdict_to_json(verdict)) == verdict


def test_defects_are_named_with_their_kind(inspection: PasteInspection) -> None:
    moved = np.zeros((PADS, 2))
    moved[7, 0], moved[9, 1] = 60.0, -60.0
    verdict = judged(inspection, panel(moved_pct=moved))
    assert verdict.outcome is Outcome.FAIL
    assert {(f.region.name, f.kind) for f in verdict.defects} == {("R7_01-1", "excess"), ("R9_01-1", "insufficient")}
    assert verdict_from_json(verdict_to_json(verdict)) == verdict


def test_a_pad_that_was_not_measured_holds_the_board(inspection: PasteInspection) -> None:
    moved = np.zeros((PADS, 2))
    moved[3, 1] = np.nan
    verdict = judged(inspection, panel(moved_pct=moved))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.OUT_OF_VIEW)
    assert "63 of 64" in verdict.detail


def test_a_defect_is_a_defect_beside_a_pad_not_measured(inspection: PasteInspection) -> None:
    moved = np.zeros((PADS, 2))
    moved[3, 1], moved[7, 0] = np.nan, 80.0
    assert judged(inspection, panel(moved_pct=moved)).outcome is Outcome.FAIL


@pytest.mark.parametrize("n", [63, 65])
def test_another_number_of_pads_is_held_never_all_good(inspection: PasteInspection, n: int) -> None:
    verdict = judged(inspection, panel(n=n))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.CAPTURE_FAULT)
    assert f"{n} pads where the recipe has 64" in verdict.detail


def test_another_program_is_held_and_empties_the_window(inspection: PasteInspection) -> None:
    judged(inspection, panel(counter=10))
    verdict = judged(inspection, panel(counter=11, job="PANEL-BOT"))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.NOT_REGISTERED)
    assert "PANEL-BOT" in verdict.detail
    assert "window emptied" in verdict.detail
    assert judged(inspection, panel(counter=12)).outcome is Outcome.PASS


def test_a_gap_in_the_sequence_is_said(inspection: PasteInspection) -> None:
    assert "anew" not in judged(inspection, panel(counter=10)).detail
    assert "anew" not in judged(inspection, panel(counter=11)).detail
    assert "window begins anew: panel 31 after panel 11" in judged(inspection, panel(counter=31)).detail


def test_a_file_with_a_fault_is_held_with_it(inspection: PasteInspection) -> None:
    verdict = inspection.inspect(board(None, "line 17, Volume(%): 'abc'")).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, Reason.CAPTURE_FAULT)
    assert "line 17" in verdict.detail


def test_many_defects_are_listed_up_to_a_bound(inspection: PasteInspection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MAX_LISTED_DEFECTS", 10)
    monkeypatch.setattr(under_test, "LISTED_GOOD", 0)
    verdict = judged(inspection, panel(moved_pct=np.full((PADS, 2), 70.0)))
    assert verdict.outcome is Outcome.FAIL
    assert (len(verdict.findings), verdict.n_unlisted) == (10, PADS - 10)
    assert verdict.detail.startswith("at least 10 of 64")


def test_a_late_board_is_held(tmp_path: Path) -> None:
    clock = FakeClock()
    inspection = PasteInspection(recipe(tmp_path), EngineChoice(), clock)
    late = board(panel())
    clock.advance_ms(6_000)
    assert inspection.inspect(late).verdict.reason is Reason.DEADLINE


def test_a_recipe_whose_usual_print_fails_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFault, match="usual print scores"):
        PasteInspection(recipe(tmp_path, threshold=-1.0), EngineChoice(), FakeClock())


def test_a_recipe_on_tiles_of_another_size_is_refused(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    with pytest.raises(BundleFault, match="tiles of 9 cells a side, the bundle takes 8"):
        PasteInspection(replace(made, table=replace(made.table, side_cells=9)), EngineChoice(), FakeClock())


def test_fewer_than_no_regions_cannot_be_unlisted(inspection: PasteInspection) -> None:
    verdict = judged(inspection, panel())
    with pytest.raises(ValueError, match="n_unlisted -1"):
        replace(verdict, n_unlisted=-1)


def test_a_panel_is_drawn_with_its_verdict(inspection: PasteInspection) -> None:
    moved = np.zeros((PADS, 2))
    moved[7, 0] = 60.0
    shown = board(panel(moved_pct=moved))
    picture = inspection.drawn(shown, inspection.inspect(shown))
    assert picture is not None
    assert picture.shape[0] > inspection.drawing.height_px
    assert inspection.drawn(board(panel(n=63)), inspection.inspect(board(panel(n=63)))) is None


def test_a_recipe_may_be_stricter_than_its_bundle_never_looser(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    strict = replace(made, settings=made.settings.model_copy(update={"threshold": 4.0}))
    moved = np.zeros((PADS, 2))
    moved[7, 0] = 5.0 * made.table.sigma_pct[7, 0] + made.table.mean_pct[7, 0] - 90.0
    shown = panel(moved_pct=moved)
    assert judged(PasteInspection(made, EngineChoice(), FakeClock()), shown).outcome is Outcome.PASS
    assert judged(PasteInspection(strict, EngineChoice(), FakeClock()), shown).outcome is Outcome.FAIL
    loose = replace(made, settings=made.settings.model_copy(update={"threshold": 7.0}))
    with pytest.raises(BundleFault, match="looser than the bundle's 6"):
        PasteInspection(loose, EngineChoice(), FakeClock())
