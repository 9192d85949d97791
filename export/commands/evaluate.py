"""`boardgate evaluate`: how good is a bundle?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from export.commands.console import console, known_faults
from export.commands.options import BundleFolder, Data, JsonFile, Table, Threads, Where


def evaluate(
    bundle: BundleFolder,
    data: Data,
    table: Table = None,
    split: Annotated[str, typer.Option(help="Which rows to score.")] = "dev-test",
    where: Where = None,
    threads: Threads = 2,
    json_file: JsonFile = None,
) -> None:
    """Score a split as a station would, at the bundle's own threshold, beside cues that know nothing about solder.

    Example: boardgate evaluate joint.bundle --data tht-header-joints --table joints.csv --where view=closeup
    """
    with known_faults():
        from export.evaluate import evaluate as run_evaluation  # noqa: PLC0415
        from export.evaluate import tables  # noqa: PLC0415

        report = run_evaluation(bundle, data, table=table, split=split, where=tuple(where or ()), threads=threads)
        console.print(tables(report))
        if json_file is not None:
            json_file.write_text(json.dumps(report.to_json(), indent=2) + "\n", "utf-8")
