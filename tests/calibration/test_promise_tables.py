"""The stored proof says what it should, and its tables render from the record alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.promise_tables import promise_example_table, promise_table

pytestmark = pytest.mark.unit

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def test_the_stored_simulation_kept_its_promises() -> None:
    result = json.loads((RESULTS / "promise.json").read_text("utf-8"))
    assert result["lots"] >= 10_000
    assert result["cpu_seconds"] < 60
    assert result["kept"]
    assert {row["n"] for row in result["rows"]} >= {29, 59, 96, 299, 1_000, 3_000}
    assert all(row["broken_frac"] <= result["allowed_broken_frac"] < 0.06 for row in result["rows"])
    good_only = [row for row in result["rows"] if row["promise"] == "false calls"]
    assert all(1.0 - row["broken_frac"] >= 0.945 for row in good_only)
    table = promise_table(result)
    assert table.count("\n| ") == 2 + 6
    assert "heavy tails" in table


def test_the_stored_example_says_how_many_more_defects_it_takes() -> None:
    result = json.loads((RESULTS / "promise_example.json").read_text("utf-8"))
    table = promise_example_table(result)
    assert "| close-ups: missing | 7 | 60 | 1 | 0.590 | 368 | 361 |" in table
    for lane in result["lanes"].values():
        assert not any(row["kept"] for row in lane["thresholds"][:2])
