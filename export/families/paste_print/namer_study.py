"""Naming the printer's fault, experiment 3 of the CRRN paper: its networks and its picture beside ours.

    python -m export.families.paste_print.namer_study --json FILE [--out FOLDER] [--rows NAME...] [--bundle FOLDER]
        [--fewer N]

Simulated, calibrated on real boards: runs of `export.simulator.paste`, seeds of train, validation and test apart. The
file is written after every training; what it holds already is not trained again. With `--out` the row `own` leaves
`namer.onnx` and `namer.json` there, of the seed with the best macro-F1 on validation. `--bundle` adds rows whose maps
are that bundle's graph's. `--fewer N` takes every Nth run, to see that all works.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from edge.paste.fault_namer import MapSource, NamerEvidence
from edge.paste.fault_naming import KINDS
from export.families import one_of
from export.families.paste_print.namer_bundle import namer_files, write_namer
from export.families.paste_print.namer_rows import (
    COUNTS,
    GRAPH,
    GRAPH_ROWS,
    OWN,
    PRODUCT,
    ROWS,
    Row,
    ScoredSet,
    TrainedRow,
    scored_set,
    train_row,
)
from export.families.paste_print.namer_runs import SPLIT_SEEDS, RunCounts
from export.families.paste_print.namer_scores import graph_scores, way_scores
from export.faults import WorkshopFault
from export.onnx import tool_versions

SIMULATED = "simulated, calibrated on real boards"
COMMAND = "python -m export.families.paste_print.namer_study --json FILE --out NAMER"
COMPARED_PICTURES = 64
SAID_OF_ROWS = (
    "The paper's networks (ResNet-18, Inception-v4) are without ImageNet weights, on pictures enlarged to 48 and 80 "
    "pixels, a few epochs and a share of the runs (asked_frac of the rows): what one processor core can do, and no "
    "fair upper bound. Figures of the paper's picture are with the EWMA chart's maps in place of CRRN's."
)

Trained = tuple[str, Row, TrainedRow, ScoredSet]


class StudyFault(WorkshopFault):
    """A result file of another study: what it says, what was asked for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and judge the rows that the file lacks; write the namer; print the table."""
    asked = _parsed(arguments)
    torch.set_num_threads(1)
    rows = {**ROWS, **(GRAPH_ROWS if asked.bundle else {})}
    chosen = {name: one_of(rows, name, "row") for name in (asked.rows or rows)}
    counts = {split: _fewer(n, asked.fewer) for split, n in COUNTS.items()}
    content = _begun(asked.json, counts)
    best: TrainedRow | None = None
    for name, row, trained, scored in _trainings(chosen, counts, content, asked.bundle):
        content["entries"].append(trained.entry)
        _write(content, asked.json)
        if name == OWN and asked.out and (best is None or trained.val_macro_f1 > best.val_macro_f1):
            best = trained
            _leave_namer(asked.out, row, trained, scored)
    Console().print(_table(content))


def _trainings(
    rows: dict[str, Row], counts: dict[str, RunCounts], content: dict[str, Any], bundle: Path | None
) -> Iterator[Trained]:
    """What the file lacks, one training at a time; rows of one way of scoring pads follow each other."""
    there = {(entry["row"], entry["seed"]) for entry in content["entries"]}
    for source in dict.fromkeys(row.source for row in rows.values()):
        of_source = [(n, r, seed) for n, r in rows.items() if r.source == source for seed in r.seeds]
        lacking = [one for one in of_source if (one[0], one[2]) not in there]
        if not lacking:
            continue
        scored = scored_set(graph_scores(bundle) if source == GRAPH and bundle else way_scores(source), counts)
        for name, row, seed in lacking:
            yield name, row, train_row(name, row, scored, seed), scored


def _leave_namer(out: Path, row: Row, trained: TrainedRow, scored: ScoredSet) -> None:
    entry, test = trained.entry, trained.entry["test"]
    figures = {name: test[name] for name in ("macro_f1_windows", "macro_f1_runs", "false_alarms", "delay")}
    seeds = {**SPLIT_SEEDS, "training": entry["seed"]}
    evidence = NamerEvidence.model_validate({"data": f"{PRODUCT}, {SIMULATED}", "seeds": seeds, **figures})
    pictures = scored.taught(row.channels).picture[:COMPARED_PICTURES].astype("float32")
    source: MapSource = "printer" if row.source == "printer" else "graph"
    write_namer(
        out, namer_files(trained.named, row.channels, source, scored.threshold, trained.rule, evidence, pictures)
    )


def _table(content: dict[str, Any]) -> Table:
    table = Table(title=f"naming the printer's fault ({SIMULATED})")
    for column in ("row", "seed", "macro-F1 windows", "macro-F1 runs", "named within 5", "clean alarms"):
        table.add_column(column, overflow="fold")
    for entry in content["entries"]:
        test = entry["test"]
        f1 = [f"{f['value']:.3f} [{f['lower']:.3f}, {f['upper']:.3f}]" for f in _both(test)]
        alarms = test["false_alarms"]["clean"]
        within = f"{100 * test['delay']['within_5_boards_frac']:.1f} %"
        table.add_row(entry["row"], str(entry["seed"]), *f1, within, f"{alarms['alarms']} of {alarms['boards']}")
    return table


def _both(test: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    return test["macro_f1_windows"], test["macro_f1_runs"]


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="experiment 3: naming the printer's fault from anomaly maps")
    parser.add_argument("--json", type=Path, required=True, help="where all figures go")
    parser.add_argument("--out", type=Path, help="folder for namer.onnx and namer.json")
    parser.add_argument("--rows", nargs="+", help=f"of: {'; '.join((*ROWS, *GRAPH_ROWS))}")
    parser.add_argument("--bundle", type=Path, help="a bundle of this family, for rows with its graph's maps")
    parser.add_argument("--fewer", type=int, default=1, help="every Nth run only")
    return parser.parse_args(arguments)


def _fewer(counts: RunCounts, every: int) -> RunCounts:
    names = ("fault", "clean", "drift", "random", "single")
    return dataclasses.replace(counts, **{name: -(-getattr(counts, name) // every) for name in names})


def _begun(file: Path, counts: dict[str, RunCounts]) -> dict[str, Any]:
    """The file's content so far. Raises StudyFault when it is of another study."""
    content: dict[str, Any] = {
        "command": COMMAND,
        "data": f"{PRODUCT}, {SIMULATED}",
        "note": SAID_OF_ROWS,
        "classes": list(KINDS),
        "runs": json.loads(json.dumps({split: dataclasses.asdict(n) for split, n in counts.items()})),
        "seeds": SPLIT_SEEDS,
        "rows": json.loads(json.dumps({name: dataclasses.asdict(row) for name, row in (ROWS | GRAPH_ROWS).items()})),
        "tools": tool_versions(),
        "entries": [],
    }
    if file.exists():
        before: dict[str, Any] = json.loads(file.read_text("utf-8"))
        for key in ("data", "classes", "runs", "seeds"):
            if before[key] != content[key]:
                raise StudyFault(f"{file}: is of another study: {key} {before[key]}, asked for {content[key]}")
        return {**content, "entries": before["entries"]}
    return content


def _write(content: dict[str, Any], file: Path) -> None:
    aside = file.with_name(f".{file.name}")
    aside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    aside.replace(file)


if __name__ == "__main__":
    main()
