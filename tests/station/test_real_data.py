"""Real photographs through the real station, judged by a bundle made here and now: the classical rules, fitted to good
joints of train in seconds. What a learned bundle reaches is measured by `boardgate bench boards`."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.board import Outcome, Reason
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.inspection import Inspection
from edge.recipe import read_recipe
from edge.recipe_new import new_recipe
from edge.scorers import EngineChoice
from export.rules_bundle import write_rules_bundle
from tests.station.conftest import Rig

pytestmark = [pytest.mark.peers, pytest.mark.needs_data]

REFERENCE = "images/A_0192.jpg"  # val; shows all 70 pins


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def headers(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of the whole header board."""
    folder = tmp_path_factory.mktemp("headers")
    data = data_dir / "tht-header-joints"
    write_rules_bundle(data, folder / "bundle", table="joints.csv", where=("view=closeup",))
    new_recipe(
        reference=data / REFERENCE,
        places=data / "joints.csv",
        bundle=folder / "bundle",
        out=folder / "recipe",
        recipe_id="headers",
        part_number="H",
        verdict_budget_ms=5_000,
        picture=REFERENCE,
    )
    return folder / "recipe"


def test_no_defective_board_passes_and_the_bridges_are_found(
    start_line: Callable[..., Rig], headers: Path, data_dir: Path
) -> None:
    data = data_dir / "tht-header-joints"
    joints = [r for r in rows_of(data / "joints.csv") if r["split"] == "dev-test" and r["board"] == "E"]
    pictures = sorted({r["path"] for r in joints})[:5]
    rig = start_line(recipe=headers, window_ms=8_000)
    found = bridges = 0
    for path in pictures:
        name = Path(path).stem
        assert rig.gate((data / path).read_bytes(), name, timeout_s=30.0) == "fail"
        called = {f.region.name for f in rig.row_of(name).verdict.defects}
        here = {r["site"].replace("_", "-") for r in joints if r["path"] == path and r["label"] == "bridge"}
        found, bridges = found + len(called & here), bridges + len(here)
    assert bridges >= 20
    assert found >= 0.8 * bridges
    assert rig.passed() == []


def test_a_second_product_is_a_station_too_and_neither_is_taken_for_the_other(
    headers: Path, data_dir: Path, tmp_path: Path
) -> None:
    """Whole boards of `ir-sensor-board`, places as boxes; rules for solder joints know little of components, so this
    asks for verdicts, not for good ones."""
    data = data_dir / "ir-sensor-board"
    index = {r["path"]: r for r in rows_of(data / "index.csv")}
    complete = [p for p, r in index.items() if r["split"] == "train" and r["label"] == "normal"]
    write_rules_bundle(data, tmp_path / "bundle", table="components.csv")
    chosen = [r for r in rows_of(data / "components.csv") if r["path"] == complete[0] and r["mount"] == "SMD"]
    with (tmp_path / "places.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(chosen[0]))
        table.writeheader()
        table.writerows(chosen)
    new_recipe(
        reference=data / complete[0],
        places=tmp_path / "places.csv",
        bundle=tmp_path / "bundle",
        out=tmp_path / "recipe",
        recipe_id="ir",
        part_number="IR",
        verdict_budget_ms=5_000,
        picture=complete[0],
    )
    inspection = Inspection(read_recipe(tmp_path / "recipe"), EngineChoice(), SystemClock())
    for path in complete[1:4] + [p for p, r in index.items() if r["split"] == "val" and r["label"] == "anomaly"][:3]:
        verdict = inspection.inspect(board_from_file(data / path, inspection.reader, SystemClock())).verdict
        assert verdict.reason in (Reason.JUDGED, Reason.OUT_OF_VIEW), (path, verdict.detail)
        assert len(verdict.findings) >= len(inspection.recipe.settings.places) - 2
    other = Inspection(read_recipe(headers), EngineChoice(), SystemClock())
    stranger = board_from_file(data / complete[1], inspection.reader, SystemClock())
    held = other.inspect(stranger).verdict
    assert (held.outcome, held.reason) == (Outcome.UNDECIDED, Reason.NOT_REGISTERED)
