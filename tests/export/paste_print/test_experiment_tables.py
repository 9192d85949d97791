"""The experiments' tables and pictures are made from the committed result files, and from nothing typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export.families.paste_print.experiment_figures import auprc_by_ratio, pr_curves, recall_over_boards, sweep_curves
from export.families.paste_print.experiment_tables import RESULTS, SECTIONS, TITLES, in_order, label, paste_tables

pytestmark = pytest.mark.sweep
MAX_RESULT_BYTES = 600_000


def result(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content


def test_every_section_has_a_title_and_a_table_with_every_method() -> None:
    tables = paste_tables()
    assert tables.keys() == TITLES.keys()
    for file in ("paste_pads", "paste_faults"):
        methods = {row["method"] for row in result(file)["found"]["rows"]}
        assert {"refit", "group", "group_median", "pad", "pad_level", "ewma"} <= methods
        first = next(iter(SECTIONS[file]))
        assert all(f"| {label(method)} |" in tables[first] for method in methods)


def test_a_changed_figure_changes_the_table(tmp_path: Path) -> None:
    data = result("paste_pads")
    data["found"]["rows"][0]["auprc"][0] = 0.1234
    (tmp_path / "paste_pads.json").write_text(json.dumps(data))
    assert paste_tables(tmp_path)["pads_auprc"] != paste_tables()["pads_auprc"]


def test_result_files_say_what_they_are_and_stay_small() -> None:
    for file in SECTIONS:
        assert (RESULTS / f"{file}.json").stat().st_size < MAX_RESULT_BYTES
        assert result(file)["command"].startswith("python -m export.families.paste_print.experiment_")
    for file in ("paste_pads", "paste_faults", "paste_charts"):
        assert "simulated" in result(file)["data"]


def test_comparators_come_first_and_have_their_letters() -> None:
    assert in_order(["crrn_0", "ewma", "refit", "best_0"]) == ["refit", "ewma", "best_0", "crrn_0"]
    assert label("refit") == "(a) refit"
    assert label("crrn_0") == "crrn_0"


def test_pictures_are_drawn_from_the_result_files(tmp_path: Path) -> None:
    pads, faults = result("paste_pads"), result("paste_faults")
    figures = (pr_curves(pads, 5.0), auprc_by_ratio(pads), recall_over_boards(faults), sweep_curves(pads))
    for k, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{k}.png", dpi=40)
        assert (tmp_path / f"{k}.png").stat().st_size > 5_000
