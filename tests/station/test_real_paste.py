"""The real failing board at the station: its raw file, a recipe of this one board, rules that need no history.

The limit is not tuned to it: what Gaussian pads pass once in a hundred boards, in the sigmas the rules were fitted in.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.board import Outcome
from edge.bundle import read_bundle
from edge.capture.board_file import board_from_file
from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.clock import SystemClock
from edge.inspections import inspection_of, open_recipe
from edge.paste.recipe_new import new_paste_recipe
from edge.scorers import EngineChoice
from export.families.paste_print.experiment_real_board import gaussian_limit
from export.rules_bundle import write_rules_bundle
from export.simulator.paste.sets import write_paste_set

pytestmark = pytest.mark.needs_data

FILE = PasteFileSettings(format="koh_young_csv", date_order="mdy")
TOP = "MN63485020201110164344.csv"
MAX_GOOD_CALLED_FRAC = 0.002


def test_the_wiped_pads_are_called(data_dir: Path, tmp_path: Path) -> None:
    sample = data_dir.parent / "samples" / "kohyoung-spi-csv" / TOP
    if not sample.is_file():
        pytest.skip(f"needs {sample}")
    write_paste_set(tmp_path / "set", 160, seed=5, fault_rate=0.0)
    write_rules_bundle(tmp_path / "set", tmp_path / "bundle", family="paste_print", variant="own_board")
    sigma = max(json.loads(read_bundle(tmp_path / "bundle").model())["charts"][0]["sigmas"])
    panel = read_panel(sample.read_bytes(), TOP, FILE)
    recipe = new_paste_recipe(
        good=[sample],
        bundle=tmp_path / "bundle",
        out=tmp_path / "recipe",
        recipe_id="real",
        part_number="A5E",
        verdict_budget_ms=10_000,
        file=FILE,
        cell_mm=1.0,
        wipe_every_boards=5,
        threshold=gaussian_limit(len(panel)) / sigma,
    )
    inspection = inspection_of(open_recipe(recipe), EngineChoice(), SystemClock())
    verdict = inspection.inspect(board_from_file(sample, inspection.reader, SystemClock())).verdict
    assert verdict.outcome is Outcome.FAIL
    called = {finding.region.refdes for finding in verdict.defects}
    is_good = panel.pad_result == "GOOD"
    wiped = {pad for pad in panel.pad[~is_good].tolist() if pad.startswith("PART22#")}
    assert len(wiped) == 17
    assert wiped <= called
    assert np.isin(panel.pad[is_good], list(called)).mean() <= MAX_GOOD_CALLED_FRAC
