"""The paper's tables on a data set of one's own.

    python -m export.families.pth_component.paper_tables --data DIR --table components.csv --json FILE
        [--tables 4 5 backbones strategies] [--backbones NAME...] [--layers N...] [--epochs N] [--triplets N]
        [--pairs N] [--seeds N...]

Tables 4 and 5 and the strategies are made with the first backbone. The defaults are for a processor: a small backbone,
few epochs, four of the paper's eleven counts of layers. Only splits `train` and `val` are read. The file is written
after every training; what it holds already is not trained again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge.board import Floats, Image
from edge.families import FAMILIES
from export.datasets import TRAIN_SPLIT, VAL_SPLIT, fingerprint, has_places, read_data_set
from export.families.pth_component.contract import contract
from export.families.pth_component.paper_experiments import (
    FEW_LAYERS,
    Experiment,
    backbones_table,
    run_experiment,
    strategies_table,
    table_4,
    table_5,
)
from export.families.pth_component.paper_rows import TITLES, table_rows
from export.families.pth_component.part_crops import GraphInput, PartCrops, read_part_crops
from export.families.pth_component.presets import PAPER_TRAINING, PRESETS
from export.faults import WorkshopFault
from export.onnx import tool_versions

FAMILY = "pth_component"
DEFAULT_BACKBONES = ("mobilenetv3_small_100", "mobilenetv3_large_100")
DEFAULT_EPOCHS, DEFAULT_TRIPLETS, DEFAULT_SEEDS = 5, 512, (0, 1, 2)


class StudyFault(WorkshopFault):
    """A result file of another study: what it says, what was asked for."""


def experiments_of(
    tables: Sequence[str], backbones: Sequence[str], layers: Sequence[int], train: PartCrops
) -> list[Experiment]:
    """The rows of the tables asked for."""
    made: dict[str, Callable[[], list[Experiment]]] = {
        "4": lambda: table_4(backbones[0], layers),
        "5": lambda: table_5(backbones[0], train),
        "backbones": lambda: backbones_table(backbones),
        "strategies": lambda: strategies_table(backbones[0]),
    }
    return [experiment for name in tables for experiment in made[name]()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiments that the file lacks, print the tables."""
    asked = _parsed(arguments)
    content, train, val, graph_input = _begun(asked)
    training = dataclasses.replace(
        PAPER_TRAINING,
        epochs=asked.epochs,
        patience_epochs=asked.epochs,
        triplets_per_epoch=asked.triplets,
        val_triplets=asked.pairs,
    )
    there = [(entry["experiment"], entry["run"]["seed"]) for entry in content["entries"]]
    experiments = experiments_of(asked.tables, asked.backbones, asked.layers, train)
    console = Console()
    for experiment, seed in track([(e, s) for e in experiments for s in asked.seeds], "trainings", console=console):
        described = json.loads(json.dumps(dataclasses.asdict(experiment)))
        if (described, seed) in there:
            continue
        run = run_experiment(experiment, train, val, training, graph_input, seed)
        content["entries"].append({"experiment": described, "run": dataclasses.asdict(run)})
        _write(content, asked.json)
    for name in asked.tables:
        head, rows = table_rows(content, name)
        table = Table(title=TITLES[name])
        for column in head:
            table.add_column(column, justify="left" if column == head[0] else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the paper's Tables 4 and 5, its backbones and strategies, made again")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--table", help="table of components, for instance components.csv")
    parser.add_argument("--json", type=Path, required=True, help="where all figures go")
    parser.add_argument("--tables", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--backbones", nargs="+", default=list(DEFAULT_BACKBONES))
    parser.add_argument("--layers", nargs="+", type=int, default=list(FEW_LAYERS), help="Table 4, of MobileNetV3 large")
    parser.add_argument("--epochs", type=int, default=DEFAULT_EPOCHS)
    parser.add_argument("--triplets", type=int, default=DEFAULT_TRIPLETS, help="drawn once, as in the paper")
    parser.add_argument("--pairs", type=int, default=PAPER_TRAINING.val_triplets, help="triplets behind each figure")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(DEFAULT_SEEDS))
    return parser.parse_args(arguments)


def _begun(asked: argparse.Namespace) -> tuple[dict[str, Any], PartCrops, PartCrops, GraphInput]:
    """The file's content so far, and what is trained and decided on. Raises DataFault, TrainingFault, StudyFault."""
    data = read_data_set(asked.data, asked.table)
    rows = {split: data.normals(split) for split in (TRAIN_SPLIT, VAL_SPLIT)}
    paper = PRESETS["paper"]
    agreed = contract(
        channels=paper.channels,
        normalisation=paper.normalisation,
        places=has_places((*rows[TRAIN_SPLIT], *rows[VAL_SPLIT])),
        variant=paper.variants[paper.default_variant],
    )

    def graph_input(crops: Image) -> Floats:
        return FAMILIES[FAMILY].graph_input(crops, agreed)

    name = asked.data.resolve().name  # paths of this machine stay out of the file
    content = {
        "command": f"python -m export.families.pth_component.paper_tables --data {name}"
        + (f" --table {asked.table}" if asked.table else "")
        + f" --epochs {asked.epochs} --triplets {asked.triplets} --pairs {asked.pairs}",
        "data": fingerprint(data, rows[TRAIN_SPLIT], rows[VAL_SPLIT]).model_dump(mode="json"),
        "tools": tool_versions(),
        "machine": platform.machine(),
        "entries": [],
    }
    train, val = (read_part_crops(asked.data, of, agreed) for of in rows.values())
    if asked.json.exists():
        before = json.loads(asked.json.read_text("utf-8"))
        for key in ("command", "data"):
            if before[key] != content[key]:
                raise StudyFault(f"{asked.json}: is of another study: {key} {before[key]}, asked for {content[key]}")
        content = before
    return content, train, val, graph_input


def _write(content: dict[str, Any], file: Path) -> None:
    aside = file.with_name(f".{file.name}")
    aside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    aside.replace(file)


if __name__ == "__main__":
    main()
