"""The results table of a family, from the reports that `boardgate evaluate --json` wrote.

    boardgate bench joints REPORT.json... [--json benchmarks/results/solder_joint.json]

Seeds of one bundle kind are one row: mean and standard deviation. Yardsticks (PCA, cues that know nothing of solder or
parts) of the same rows of data stand below. Prints markdown, which is what the family's README shows, and writes the
same figures.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COMMAND = "boardgate train {family} … && boardgate evaluate … --json REPORT.json; boardgate bench joints REPORT.json…"
RESULT = Path(__file__).parent / "results" / "solder_joint.json"
SHOWN_CUES = (
    "PCA-8",
    "PCA-8 on bgr unit",
    "PCA-8 on grey unit",
    "grey deviation",
    "mean grey",
    "mean colour",
    "sharpness",
    "aspect",
    "file size",
    "file format",
)

Report = dict[str, Any]


class ReportFault(Exception):
    """A report that cannot stand in the table: which file, what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and standard deviation over `n` seeds; the deviation of one seed is not known and 0."""

    mean: float
    deviation: float
    n: int

    def text(self, digits: int) -> str:
        """`0.912 ± 0.010`, or the mean alone for one seed."""
        mean = f"{self.mean:,.{digits}f}"
        return f"{mean} ± {self.deviation:,.{digits}f}" if self.n > 1 else mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One kind of bundle on one lane of one data set, over its seeds."""

    data: str
    lane: str
    split: str
    preset: str
    variant: str
    input: str  # channels and normalisation
    seeds: list[int]
    auroc: dict[str, Spread]  # by label
    f1: Spread
    recall: Spread
    false_call_ppm: Spread
    ms_per_region: Spread


def read_reports(files: Sequence[Path]) -> list[Report]:
    """The reports, in the order given. Raises ReportFault on one that is no evaluation of labelled defects."""
    reports = []
    for file in files:
        report: Report = json.loads(file.read_text("utf-8"))
        if (
            missing := {"family", "preset", "variant", "input", "seed", "per_label", "yardsticks", "data", "where"}
            - report.keys()
        ):
            raise ReportFault(f"{file}: is no report of `boardgate evaluate --json`, lacks {sorted(missing)}")
        if not report["per_label"]:
            raise ReportFault(f"{file}: its split has no defects, so nothing can be ranked")
        reports.append(report)
    return reports


def rows_of(reports: Sequence[Report]) -> list[ResultRow]:
    """One row for each kind of bundle and lane, sorted. Raises ReportFault when a seed comes twice."""
    groups: dict[tuple[str, ...], list[Report]] = defaultdict(list)
    for report in reports:
        groups[(*_lane(report), report["preset"], report["variant"], report["input"])].append(report)
    return [_row(key, group) for key, group in sorted(groups.items())]


def yardsticks_of(reports: Sequence[Report]) -> dict[str, dict[str, dict[str, float]]]:
    """Lane -> yardstick -> label -> AUROC; the same for every bundle of one input on that lane."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for report in reports:
        found.setdefault(_lane_name(_lane(report)), {}).update(report["yardsticks"])
    return found


def markdown(rows: Sequence[ResultRow], yardsticks: dict[str, dict[str, dict[str, float]]]) -> str:
    """A table for each lane: bundles, then yardsticks."""
    parts = []
    for lane, cues in sorted(yardsticks.items()):
        mine = [r for r in rows if _lane_name((r.data, r.lane, r.split)) == lane]
        labels = list(mine[0].auroc)
        head = ["preset", "variant / score", "input", "seeds", *(f"AUROC {label}" for label in labels)]
        head += ["F1", "recall", "false calls ppm"]
        lines = [f"**{lane}**", "", _line(head), _line(["---"] * len(head))]
        lines += [_line(_cells(row, labels)) for row in mine]
        for name in SHOWN_CUES:
            if name in cues:
                values = [f"{cues[name][label]:.3f}" for label in labels]
                lines.append(_line(["*yardstick*", name, "", "", *values, "", "", ""]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def run(files: Sequence[Path], out: Path) -> str:
    """Write the figures of these reports to `out`; returns the table as markdown. Raises ReportFault."""
    reports = read_reports(files)
    rows, yardsticks = rows_of(reports), yardsticks_of(reports)
    command = COMMAND.format(family=reports[0]["family"])
    content = {"command": command, "rows": [asdict(row) for row in rows], "yardsticks": yardsticks}
    out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return markdown(rows, yardsticks)


def _row(key: tuple[str, ...], reports: list[Report]) -> ResultRow:
    data, lane, split, preset, variant, kind = key
    seeds = sorted(report["seed"] for report in reports)
    if len(set(seeds)) != len(seeds):
        raise ReportFault(f"{preset} {variant} on {data}: a seed comes twice in {seeds}")
    return ResultRow(
        data=data,
        lane=lane,
        split=split,
        preset=preset,
        variant=variant,
        input=kind,
        seeds=seeds,
        auroc={label: _spread([r["per_label"][label]["auroc"] for r in reports]) for label in reports[0]["per_label"]},
        f1=_spread([r["f1"] for r in reports]),
        recall=_spread([r["recall"] for r in reports]),
        false_call_ppm=_spread([r["false_call_ppm"] for r in reports]),
        ms_per_region=_spread([r["ms_per_region"] for r in reports]),
    )


def _spread(values: list[float]) -> Spread:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(mean=statistics.fmean(values), deviation=deviation, n=len(values))


def _lane(report: Report) -> tuple[str, str, str]:
    return report["data"], " ".join(report["where"]) or "all", report["split"]


def _lane_name(lane: tuple[str, ...]) -> str:
    return ", ".join(lane)


def _cells(row: ResultRow, labels: list[str]) -> list[str]:
    aurocs = [row.auroc[label].text(3) for label in labels]
    figures = [row.f1.text(3), row.recall.text(3), row.false_call_ppm.text(0)]
    return [row.preset, row.variant, row.input, str(len(row.seeds)), *aurocs, *figures]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
