"""The files that are timed are files of their formats, with the one fault that was put in."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.paste_files import PANEL_NAME, SHORT_PADS, parse_panel, summarise_table, write_panel, write_table

pytestmark = pytest.mark.unit


def test_the_panel_is_whole(tmp_path: Path) -> None:
    path = tmp_path / PANEL_NAME
    write_panel(path, 700, seed=1)
    found = parse_panel(path)
    assert (found["pads"], found["doubts"]) == (700, 0)


def test_the_table_has_one_panel_that_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, 3 * 3112 + SHORT_PADS, seed=1)
    found = summarise_table(path)
    assert (found["rows"], found["panels"], found["refused"]) == (3 * 3112 + SHORT_PADS, 3, 1)
    assert found["unexpected"] == [("2631904000300520102844", SHORT_PADS)]
