"""The paper's Tables II and III made again: every network with every score it has, over seeds.

    python -m export.families.solder_joint.paper_tables --data DIR --table joints.csv --val-where view=closeup \\
        --seeds 3 --epochs 30 --json benchmarks/results/solder_joint_paper_tables.json

Each network is taught as `boardgate train` teaches it; the threshold is the 99th percentile of good validation places,
and dev-test is scored once at that frozen threshold. One entry a network and seed, written as it comes: what the file
holds already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from export.datasets import fingerprint, read_data_set
from export.families.solder_joint.paper_figures import summary_of
from export.families.solder_joint.paper_study import KINDS, SPLIT, Study, entries, read_bench
from export.faults import WorkshopFault
from export.onnx import tool_versions
from export.training_record import EpochReport


class StudyFault(WorkshopFault):
    """A study that cannot go on: which file, and what differs."""


def run(
    study: Study, kinds: Sequence[str], seeds: int, out: Path, checkpoints: Path | None, bar: Bar
) -> dict[str, Any]:
    """Teach what `out` lacks of `kinds`, every network of a seed before the next seed, and write after each; the file's
    content.

    Raises StudyFault when the file is of another study.
    """
    content = _begun(study, out)
    bench = read_bench(study)
    wanted = [(kind, seed) for seed in range(seeds) for kind in kinds]
    there = {(entry["variant"], entry["seed"]) for entry in content["entries"]}
    for kind, seed in bar.trainings(wanted, there):
        made = entries(study, bench, kind, seed, checkpoints, bar.epoch)
        content["entries"] += [json.loads(json.dumps(asdict(entry))) for entry in made]
        content["rows"] = summary_of(content["entries"])
        _write(content, out)
    return content


def _begun(study: Study, out: Path) -> dict[str, Any]:
    data = read_data_set(study.data, study.table, study.lane)
    rows = data.split(SPLIT)
    labels = sorted({row.label for row in rows})
    content: dict[str, Any] = {
        "command": "python -m export.families.solder_joint.paper_tables --data tht-header-joints --table joints.csv "
        f"--val-where {' '.join(study.lane)} --epochs {study.epochs}",
        "study": json.loads(json.dumps(study.described())),
        "split": SPLIT,
        "rows_sha256": fingerprint(data, (), rows).sha256,
        "counts": {label: sum(row.label == label for row in rows) for label in labels},
        "tools": tool_versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "entries": [],
        "rows": [],
    }
    if not out.exists():
        return content
    before: dict[str, Any] = json.loads(out.read_text("utf-8"))
    for key in ("study", "split", "rows_sha256"):
        if before[key] != content[key]:
            raise StudyFault(f"{out}: is of another study: {key} {before[key]!r}, asked for {content[key]!r}")
    return before


def _write(content: dict[str, Any], out: Path) -> None:
    aside = out.with_name(f".{out.name}")
    aside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    aside.replace(out)


class Bar:
    """Two bars: trainings, and the epochs of the one that runs; a line for each that ended."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self.progress, self.epochs = progress, epochs
        self.all: TaskID = progress.add_task("networks", state="")
        self.one: TaskID = progress.add_task("epochs", total=epochs, state="")

    def trainings(self, wanted: Sequence[tuple[str, int]], there: set[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Those of `wanted` that are not there yet, told as they come."""
        self.progress.update(self.all, total=len(wanted), completed=sum(one in there for one in wanted))
        for variant, seed in wanted:
            if (variant, seed) in there:
                continue
            self.progress.reset(self.one, description=f"{variant}, seed {seed}")
            yield variant, seed
            self.progress.advance(self.all)
            self.progress.console.print(f"{variant}, seed {seed}: done")

    def epoch(self, report: EpochReport) -> None:
        """One epoch of the training that runs."""
        self.progress.update(self.one, completed=report.epoch, state=f"validation {report.val_loss:.1f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or go on with the study that the arguments name."""
    parser = argparse.ArgumentParser(description="the paper's Tables II and III, made again")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table")
    parser.add_argument("--val-where", action="append", default=[], metavar="COLUMN=VALUE")
    parser.add_argument("--preset", default="fast", help="fast: narrow networks; paper: the paper's widths")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--float32", action="store_true", help="train in FP32 instead of bfloat16")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="these alone; all if not said")
    parser.add_argument("--checkpoints", type=Path, help="folder that keeps the networks, plain and constrained")
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args(arguments)
    study = Study(
        data=asked.data,
        table=asked.table,
        lane=tuple(asked.val_where),
        preset=asked.preset,
        epochs=asked.epochs,
        bfloat16=not asked.float32,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=Console()) as progress:
        run(study, asked.kinds, asked.seeds, asked.json, asked.checkpoints, Bar(progress, asked.epochs))


if __name__ == "__main__":
    main()
