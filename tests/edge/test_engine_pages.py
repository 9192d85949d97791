"""docs/tensorrt.md says what the last `make gpu-check` found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.gpu_check import page, written_into

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGE, FIGURES = ROOT / "docs/tensorrt.md", ROOT / "benchmarks/results/gpu_check.json"


def test_the_pages_tables_are_the_measured_ones() -> None:
    text, report = PAGE.read_text("utf-8"), json.loads(FIGURES.read_text())
    assert written_into(text, report) == text, "run: make gpu-check"
    assert ("not run on a GPU yet" in page(report)) == bool(report["not_on_a_gpu"])
    assert all(row["ok"] for row in report["engine_free"])


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="the page lacks"):
        written_into("nothing here", {"engine_free": [], "not_on_a_gpu": "needs_gpu"})
