"""The study: what is counted is what is there, the paper's way of making defects makes them, the command runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.board import Floats, Image  # noqa: E402
from export.families.bga_package import paper_tables, study_data  # noqa: E402
from export.families.bga_package.page import page_with_tables  # noqa: E402
from export.families.bga_package.study_data import GOOD, UNTOUCHED_WAY, Judged, draw_judged, paper_made  # noqa: E402
from export.families.bga_package.study_figures import paper_figures, rate, real_figures, twin_figures  # noqa: E402
from export.families.bga_package.study_methods import Answers  # noqa: E402
from export.simulator.xray.packages import Look  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

KINDS = ("missing", "bridge")


def judged(labels: list[str], strengths: list[str], groups: list[str]) -> Judged:
    n = len(labels)
    return Judged(
        crops=np.zeros((n, 256, 256, 3), np.uint8),
        label=np.array(labels),
        strength=np.array(strengths),
        group=np.array(groups),
        part=np.array(["P"] * n),
        boxes=np.tile(np.array([64, 64, 96, 96]), (n, 1)),
    )


def scores(*values: float) -> Floats:
    return np.array(values, np.float32)


def test_twin_figures_count_kinds_strengths_names_and_places() -> None:
    some = judged(
        [GOOD, GOOD, "missing", "missing", "bridge"],
        ["", "", "plain", "limit", "plain"],
        ["known", "unseen", "known", "unseen", "known"],
    )
    some = Judged(
        crops=np.concatenate([some.crops, some.crops[-1:]]),
        label=np.append(some.label, "bridge"),
        strength=np.append(some.strength, "plain"),
        group=np.append(some.group, "unseen"),
        part=np.append(some.part, "P"),
        boxes=np.concatenate([some.boxes, some.boxes[-1:]]),
    )
    maps = np.zeros((6, 32, 32), np.float32)
    maps[2:, 10, 10] = 1.0  # pixel 84: in the box
    maps[3, 20, 20] = 2.0
    answers = Answers(
        score=scores(1, 3, 5, 2, 4, 6), map=maps, kind=np.array([[1, 0]] * 4 + [[0, 1], [1, 0]], np.float32)
    )
    figures = twin_figures(some, answers, scores(0.5, 2.5), KINDS)
    assert figures["threshold"] == 2.5
    assert {group: row["hits"] for group, row in figures["false_calls"].items()} == {"known": 0, "unseen": 1}
    strengths = figures["kinds"]["missing"]["strengths"]
    assert strengths["plain"]["known"]["hits"] == 1
    assert strengths["limit"]["unseen"] == rate(0, 1)  # 2 is below the good one of its own group, 3
    assert figures["kinds"]["missing"]["auroc"] == {"known": 1.0, "unseen": 0.0}
    assert figures["auroc"] == {"known": 1.0, "unseen": 0.5}
    assert figures["kinds"]["bridge"]["at_threshold"]["hits"] == 2
    assert (figures["named"]["hits"], figures["named"]["n"]) == (2, 3)
    assert figures["named"]["told"]["bridge"] == {"missing": 1, "bridge": 1}
    assert (figures["located"]["hits"], figures["located"]["n"]) == (3, 3)


def test_a_site_is_found_when_any_of_its_tiles_is() -> None:
    tiles = judged([GOOD, GOOD, "bridge", "bridge", "splatter"], [""] * 5, ["high", "low", "high", "high", "low"])
    answers = Answers(score=scores(0.1, 0.9, 0.2, 3.0, 0.8))
    figures = real_figures(tiles, answers, scores(1.0, 0.7), np.array(["high", "low"]), ())
    assert figures["threshold"] == 1.0
    assert figures["sites"]["bridge, high"] == {"auroc": 0.75, "tiles": 2, "tiles_called": 1, "found": True}
    assert figures["sites"]["splatter, low"]["found"] is False
    assert figures["false_calls"]["low"]["hits"] == 0


def test_accuracy_is_of_good_and_paper_made() -> None:
    made = {UNTOUCHED_WAY: scores(0.0, 2.0), "scratch": scores(3.0, 0.5)}
    figures = paper_figures(scores(0.2, 1.5), made, scores(0.4, 1.0))
    assert (figures["accuracy"]["hits"], figures["accuracy"]["n"]) == (2, 4)
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)
    assert figures["ways"][UNTOUCHED_WAY]["called"]["hits"] == 1
    counts = figures["densities"]["counts"]
    assert sum(counts[GOOD]) == sum(counts["scratch"]) == 2


def test_rates_have_exact_intervals() -> None:
    assert rate(0, 0) == {"n": 0, "hits": 0}
    row = rate(9, 10)
    assert row["lower"] == pytest.approx(0.555, abs=1e-3)
    assert row["upper"] == pytest.approx(0.9975, abs=1e-3)


def test_judged_packages_are_even_over_kinds_and_types() -> None:
    some = draw_judged(Look.XRAY, 4, 1, seed=3)
    assert len(some) == 4 + 8 * 3
    assert (some.group == "known").sum() == (some.group == "unseen").sum()
    assert all((some.label == label).sum() == 3 for label in set(some.label) - {GOOD})


def test_the_paper_s_ways_make_defects() -> None:
    good = draw_judged(Look.OPTICAL, 2, 0, seed=3).crops
    made = paper_made(good)
    for name, crops in made.items():
        changed = (np.abs(crops.astype(int) - made[UNTOUCHED_WAY]).max(axis=3) > 8).mean(axis=(1, 2))
        assert (changed > 0).all() == (name != UNTOUCHED_WAY), name
    emptied = [made[f"balls placed at {p}"].mean() for p in (0.99, 0.9, 0.5)]
    assert emptied == sorted(emptied, reverse=True)


def test_paper_tables_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study_data, "paper_made", lambda good: {UNTOUCHED_WAY: good, "scratch": _striped(good)})
    given = ["--json", str(tmp_path / "study.json"), "--work", str(tmp_path), "--sets", "optical"]
    small = ["--packages", "20", "--judged-good", "4", "--judged-each", "1", "--seeds", "0"]
    paper_tables.main([*given, *small, "--methods", "PCA-48"])
    content = json.loads((tmp_path / "study.json").read_text("utf-8"))
    (entry,) = content["entries"]
    assert (entry["method"], entry["set"], entry["parameters"]) == ("PCA-48", "optical", 0)
    assert entry["twin"]["kinds"]["missing"]["strengths"]["plain"]["known"]["n"] in (0, 1)
    assert content["sets"]["optical"]["train_good"] == 12
    capsys.readouterr()
    paper_tables.main([*given, *small, "--methods", "PCA-48"])  # everything is there: nothing is done again
    assert capsys.readouterr().out == ""
    with pytest.raises(paper_tables.StudyFault, match="another study"):
        paper_tables.main([*given, *small, "--methods", "PCA-48", "--packages", "21"])
    page = page_with_tables("# x\n<!-- study: packages -->\nold\n<!-- end -->\n", content)
    assert "old" not in page
    assert "PCA-48" in page


def _striped(good: Image) -> Image:
    made = good.copy()
    made[:, 100:104] = 255
    return made


def test_the_readme_s_tables_are_the_result_s() -> None:
    root = Path(__file__).parents[3]
    content = json.loads((root / "benchmarks/results/bga_package_paper.json").read_text("utf-8"))
    page = (root / "export/families/bga_package/README.md").read_text("utf-8")
    assert page_with_tables(page, content) == page
    assert {entry["set"] for entry in content["entries"]} == {"optical", "xray", "real"}
