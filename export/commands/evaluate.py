"""`boardgate evaluate` and `boardgate report`: how good is a bundle, in figures and on a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.thresholds import EngineName, Precision
from export.commands.console import console, errors, known_faults
from export.commands.options import BundleFolder, Data, JsonFile, Table, Threads, Where

Split = Annotated[str, typer.Option(help="Which rows to score.")]
ChosenEngine = Annotated[EngineName, typer.Option(help="What computes the scores.")]
ChosenPrecision = Annotated[Precision, typer.Option(help="Which graph of the bundle.")]
Prevalence = Annotated[float, typer.Option(help="Defective places per million, for escapes.")]
OnThresholdData = Annotated[
    bool, typer.Option("--on-threshold-data", help="Figures on the very data that chose the threshold, said so.")
]


def evaluate(
    bundle: BundleFolder,
    data: Data,
    table: Table = None,
    split: Split = "dev-test",
    where: Where = None,
    threads: Threads = 2,
    engine: ChosenEngine = "onnxruntime",
    precision: ChosenPrecision = "fp32",
    prevalence_ppm: Prevalence = 1000.0,
    on_threshold_data: OnThresholdData = False,
    json_file: JsonFile = None,
) -> None:
    """Score a split as a station would, at the bundle's own threshold, beside cues that know nothing about solder.

    Example: boardgate evaluate joint.bundle --data tht-header-joints --table joints.csv --where view=closeup
    """
    with known_faults():
        from export.evaluate import evaluate as run_evaluation  # noqa: PLC0415
        from export.evaluate import tables  # noqa: PLC0415

        report = run_evaluation(
            bundle,
            data,
            table=table,
            split=split,
            where=tuple(where or ()),
            threads=threads,
            engine=engine,
            precision=precision,
            prevalence_ppm=prevalence_ppm,
            on_threshold_data=on_threshold_data,
        )
        console.print(tables(report))
        if json_file is not None:
            json_file.write_text(json.dumps(report.to_json(), indent=2) + "\n", "utf-8")


def report(
    what: Annotated[str, typer.Argument(help="A bundle folder, or a family's name.", metavar="BUNDLE|FAMILY")],
    data: Annotated[
        Path | None, typer.Option(help="Data set folder with index.csv, for bundles.", exists=True, file_okay=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    bundle: Annotated[list[Path] | None, typer.Option(help="A bundle of the family; may be repeated.")] = None,
    compare: Annotated[list[Path] | None, typer.Option(help="Another bundle beside it; may be repeated.")] = None,
    table: Table = None,
    split: Split = "dev-test",
    where: Where = None,
    threads: Threads = 2,
    engine: ChosenEngine = "onnxruntime",
    precision: ChosenPrecision = "fp32",
    prevalence_ppm: Prevalence = 1000.0,
    on_threshold_data: OnThresholdData = False,
) -> None:
    """One page to look at. Of a bundle: promises, what was measured, curves, worst misses and false calls as pictures,
    latent space, latency. Of a family: its paper's tables, ours beside them, then its bundles.

    Example: boardgate report best.bundle --compare rules.bundle --data tht-header-joints --table joints.csv
    Example: boardgate report solder_joint --bundle best.bundle --data tht-header-joints --table joints.csv
    """
    with known_faults():
        from export.report.families import family_or_bundle  # noqa: PLC0415
        from export.report.page import report as make_report  # noqa: PLC0415

        family, own = family_or_bundle(what)
        with errors.status("report") as status:
            page = make_report(
                [*([own] if own else ()), *(bundle or ()), *(compare or ())],
                data,
                out=out,
                family=family,
                table=table,
                split=split,
                where=tuple(where or ()),
                threads=threads,
                engine=engine,
                precision=precision,
                prevalence_ppm=prevalence_ppm,
                on_threshold_data=on_threshold_data,
                command=["boardgate", *sys.argv[1:]],
                on_step=status.update,
            )
        console.print(f"page: {page}")
