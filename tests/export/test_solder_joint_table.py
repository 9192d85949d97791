"""The results table: seeds of one kind together, yardsticks below, doubtful reports refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.solder_joint_table import ReportFault, markdown, read_reports, rows_of, run, yardsticks_of

pytestmark = pytest.mark.unit


def _report(folder: Path, *, seed: int, auroc: float, variant: str = "cae/recon") -> Path:
    content = {
        "family": "solder_joint",
        "preset": "fast",
        "variant": variant,
        "seed": seed,
        "input": "grey standardised",
        "data": "drawn",
        "where": ["view=closeup"],
        "split": "dev-test",
        "per_label": {"bridge": {"auroc": auroc}},
        "yardsticks": {"PCA-8": {"bridge": 0.75}},
        "f1": 0.5,
        "recall": 0.25,
        "false_call_ppm": 10_000.0,
        "ms_per_region": 0.5,
    }
    file = folder / f"{variant.replace('/', '-')}-{seed}.json"
    file.write_text(json.dumps(content))
    return file


def test_seeds_are_one_row_with_mean_and_deviation(tmp_path: Path) -> None:
    files = [_report(tmp_path, seed=s, auroc=a) for s, a in ((0, 0.8), (1, 0.9), (2, 1.0))]
    (row,) = rows_of(read_reports(files))
    assert row.seeds == [0, 1, 2]
    assert row.auroc["bridge"].mean == pytest.approx(0.9)
    assert row.auroc["bridge"].deviation == pytest.approx(0.1)


def test_the_table_and_the_written_figures_are_the_same(tmp_path: Path) -> None:
    files = [_report(tmp_path, seed=0, auroc=0.8), _report(tmp_path, seed=0, auroc=0.9, variant="vae/elbo")]
    printed = run(files, tmp_path / "result.json")
    assert "| fast | cae/recon | grey standardised | 1 | 0.800 | 0.500 | 0.250 | 10,000 |" in printed
    assert "| *yardstick* | PCA-8 |  |  | 0.750 |  |  |  |" in printed
    written = json.loads((tmp_path / "result.json").read_text())
    assert [row["variant"] for row in written["rows"]] == ["cae/recon", "vae/elbo"]


def test_a_seed_that_comes_twice_is_refused(tmp_path: Path) -> None:
    file = _report(tmp_path, seed=0, auroc=0.8)
    with pytest.raises(ReportFault, match="a seed comes twice"):
        rows_of(read_reports([file, file]))


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"family": "solder_joint"}')
    with pytest.raises(ReportFault, match=r"a\.json: is no report"):
        read_reports([tmp_path / "a.json"])


def test_lanes_have_a_table_each(tmp_path: Path) -> None:
    first = _report(tmp_path, seed=0, auroc=0.8)
    reports = read_reports([first])
    other = json.loads(first.read_text()) | {"where": []}
    both = [*reports, other]
    text = markdown(rows_of(both), yardsticks_of(both))
    assert "**drawn, view=closeup, dev-test**" in text
    assert "**drawn, all, dev-test**" in text
