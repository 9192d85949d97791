"""The tables of the README, of acceptance and of tuning, made from the stored results and never typed.

python -m export.simulator.xray.checks.page RESULTS_DIR export/simulator/xray/README.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ACCEPTANCE, TUNING = "acceptance", "tuning"  # marks of the page
FILES = {ACCEPTANCE: "xray_twin.json", TUNING: "xray_twin_tuning.json"}

Result = dict[str, Any]


def page_with(text: str, results: Path) -> str:
    """The page with its tables between their marks, from a folder of results. Raises ValueError for a page without
    marks, OSError without the files."""
    for mark, made in ((ACCEPTANCE, table), (TUNING, tuning_table)):
        begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
        if begin not in text or end not in text:
            raise ValueError(f"the page lacks {begin} ... {end}")
        head, rest = text.split(begin, 1)
        result = json.loads((results / FILES[mark]).read_text("utf-8"))
        text = f"{head}{begin}\n{made(result)}\n{end}{rest.split(end, 1)[1]}"
    return text


def tuning_table(result: Result) -> str:
    """Markdown: a row a classifier, beside what the paper reports and what a better network is to reach."""
    names = ("auroc", "fpr_at_recall_90", "fpr_at_recall_95", "fpr_at_recall_99")
    rows = [
        ("the paper's 3D-CNN, on its own data", result["published_3d_cnn"]),
        ("wanted of a better network", result["wanted_of_a_better_network"]),
        ("gradient boosting on 156 numbers", result["boosting_on_features"]),
    ]
    if "paper_3d_cnn_small" in result:
        small = result["paper_3d_cnn_small"]
        crop = (
            f"the paper's 3D-CNN at {result['crop_px']} px, rate {small['learning_rate']:g}, {small['epochs']} epochs"
        )
        rows += [(crop, small), ("a small residual network", result["small_residual"])]
    judged = result["boosting_on_features"]
    lines = ["| | AUROC | FPR at recall 0.90 | 0.95 | 0.99 |", "|---|---|---|---|---|"]
    for name, row in rows:
        cells = [f"{row[key]:.3f}" if key in row else "" for key in names]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    counts = f"{judged['n_good']} good and {judged['n_defect']} defective ones"
    return "\n".join(
        [
            *lines,
            "",
            f"`{result['difficulty']}`, {result['kind']}: taught on {result['n_train']} joints, judged on {counts} of",
            "part numbers that were not taught; one seed.",
        ]
    )


def table(result: Result) -> str:
    """Markdown: a row a figure, with what was allowed and whether the check holds."""
    rows = ["| check | real | twin | allowed | holds |", "|---|---|---|---|---|"]
    checks = result["checks"]
    for part in (_profiles, _noise, _fakes, _voids, _false_calls, _ablations):
        rows += [f"| {' | '.join(cells)} |" for cells in part(checks)]
    speed = ", ".join(f"{kind} {one['joints_per_cpu_s']:.0f}" for kind, one in checks["speed"].items())
    failed = ", ".join(name.split("_")[0] for name, check in checks.items() if check.get("holds") is False)
    return "\n".join(
        [
            *rows,
            "",
            f"Checks that do not hold: {failed or 'none'}.",
            "",
            f"Joints drawn in a second of one core: {speed}.",
        ]
    )


def _profiles(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["1_profiles"]
    for row in check["rows"]:
        real, twin = ([f"{p['half_radius_px']:.1f} px, {p['edge_px']:.1f} px"] for p in (row["real"], row["twin"]))
        yield f"1 ball at t = {row['t']}: half radius, edge", *real, *twin, "10 %, 15 %", _word(check["holds"])


def _noise(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["2_noise"]
    for row in check["rows"]:
        cells = [
            f"{n['deviation']:.3g} at {n['mean']:.3g}; {n['correlation_1px']:.2f}, {n['correlation_2px']:.2f}"
            for n in (row["real"], row["twin"])
        ]
        name = f"2 noise, {row['where'].replace('_', ' ')}: deviation; correlation at 1, 2 px"
        yield name, *cells, "20 %; 0.1", _word(check["holds"])


def _fakes(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["3_spot_the_fake"]
    for row in check["rows"]:
        aucs = "; ".join(f"{part} {one['linear']:.2f}, {one['net']:.2f}" for part, one in row["auc"].items())
        holds = max(auc for part in row["auc"].values() for auc in part.values()) <= check["allowed"]["stop"]
        yield f"3 told from real at t = {row['t']}: AUROC, linear and net", "", aucs, "0.95", _word(holds)


def _voids(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["4_voids"]
    for row in check["rows"]:
        name = f"4 void of {row['diameter_frac']:.2f} at t = {row['height_t']:.0f}: contrast, t to half of it"
        yield name, "", f"{row['peak_mu']:.2f}, {row['half_t']:.1f}", "0.23 to 0.41, 6 to 8", _word(row["holds"])


def _false_calls(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["5_false_calls_on_real_balls"]
    called = f"{check['called']} of {check['n_real']} real good balls called"
    copy = f"{check['twin_copy_called']} of {check['n_twin_copy']} of the twin's copy of them"
    yield f"5 taught on {check['n_train']} joints of the twin", called, copy, "5 %", _word(check["holds"])


def _ablations(checks: Result) -> Iterator[tuple[str, ...]]:
    check = checks["6_ablations"]
    for name, row in check["rows"].items():
        figure = f"AUROC {row['auroc_against_truth']:.3f}"
        moved = f"moves by {2 * check['standard_error']:.3f}"
        holds = "" if name == "faithful" else _word(abs(check["moved"][name]) > 2 * check["standard_error"])
        yield f"6 taught on: {name.replace('_', ' ')}", "", figure, moved if holds else "", holds


def _word(holds: bool) -> str:
    return "yes" if holds else "**no**"


def main() -> None:
    """Rewrite the tables of a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of results")
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    options.page.write_text(page_with(options.page.read_text("utf-8"), options.results), "utf-8")


if __name__ == "__main__":
    main()
