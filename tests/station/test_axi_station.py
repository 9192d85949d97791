"""The AXI station with everything real: index files and slices in, verdicts at the gate; whatever is wrong with a file,
a slice or a region, the board is held."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.axi.recipe_new import new_axi_recipe
from edge.board import Outcome, Reason, Verdict
from edge.journal import JournalReader
from edge.replay import replay_journal
from export.simulator.line import LineTwin
from tests.edge.axi.desk import LIGHT, board, bundle, moved, write_files

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    bundle(tmp_path / "bundle")
    new_axi_recipe(
        good=[write_files(tmp_path, board(f"G{k}")) for k in range(2)],
        machine=tmp_path / "machine.toml",
        bundle=tmp_path / "bundle",
        out=tmp_path / "recipe",
        recipe_id="axi",
        part_number="P-1",
        verdict_budget_ms=10_000,
    )
    return tmp_path


@pytest.fixture
def line(home: Path) -> Iterator[LineTwin]:
    with LineTwin(home / "line", home / "recipe", window_ms=15_000) as twin:
        yield twin


def gated(line: LineTwin, index: Path) -> tuple[str, Verdict]:
    """What the gate did with the board of an index, and its verdict."""
    event = line.gate_board(index.stem, index.read_bytes(), ".json", 30.0)
    found = [row.verdict for row in JournalReader(line.station.journal).all_verdicts()]
    return str(event.result), next(verdict for verdict in reversed(found) if verdict.board_id == index.stem)


def test_good_boards_pass_defects_fail_and_replay_agrees(line: LineTwin, home: Path) -> None:
    assert gated(line, write_files(home, board("B1")))[0] == "pass"
    result, verdict = gated(line, write_files(home, board("B2", J2_4=LIGHT)))
    assert result != "pass"
    assert verdict.outcome is Outcome.FAIL
    assert [(finding.region.name, finding.kind) for finding in verdict.defects] == [("J2-4", "missing")]
    assert replay_journal(line.station.journal, home / "recipe", None, threads=1, json_file=None)


def _cut_slice(index: Path) -> None:
    picture = index.parent / "pictures" / index.stem / "V1_01.png"
    picture.write_bytes(picture.read_bytes()[:-20])


def _other_slice(index: Path) -> None:
    pictures = index.parent / "pictures" / index.stem
    shutil.copy(pictures / "V2_00.png", pictures / "V1_00.png")


def _half(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:300])


def _other_product(index: Path) -> None:
    index.write_text(index.read_text().replace("DESK-1", "DESK-2"))


def _one_joint_less(index: Path) -> None:
    shown = board(index.stem)
    write_files(index.parent, replace(shown, joints=shown.joints[:-1]))


def _region_elsewhere(index: Path) -> None:
    write_files(index.parent, moved(board(index.stem), "J1-3", dx_px=10.0))


@pytest.mark.parametrize(
    ("spoil", "reason", "says"),
    [
        (_half, Reason.CAPTURE_FAULT, "not a whole X-ray index"),
        (_cut_slice, Reason.CAPTURE_FAULT, "V1_01.png"),
        (_other_slice, Reason.CAPTURE_FAULT, "V1_00.png"),
        (_other_product, Reason.NOT_REGISTERED, "DESK-2"),
        (_one_joint_less, Reason.OUT_OF_VIEW, "7 of 8"),
        (_region_elsewhere, Reason.OUT_OF_VIEW, "1 wrong regions, not judged: J1-3"),
    ],
    ids=["half", "cut-slice", "other-slice", "other-product", "joint-less", "region-elsewhere"],
)
def test_a_bad_board_of_xray_is_held(
    line: LineTwin, home: Path, spoil: Callable[[Path], None], reason: Reason, says: str
) -> None:
    index = write_files(home, board("B3"))
    spoil(index)
    result, verdict = gated(line, index)
    assert result != "pass"
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, reason)
    assert says in verdict.detail
