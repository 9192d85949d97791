"""`boardgate calibrate` and `boardgate recalibrate`: thresholds that carry a promise, and what reviews change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.thresholds import Precision
from export.commands.console import console, known_faults
from export.commands.options import BundleFolder, Data, Table, Threads, Where

OutOrSelf = Annotated[Path | None, typer.Option(help="Bundle folder to write; the bundle itself if not said.")]
HoldOut = Annotated[float | None, typer.Option(help="Share of the rows, on the later boards, that only checks.")]


def calibrate(
    bundle: BundleFolder,
    data: Data,
    out: OutOrSelf = None,
    recall: Annotated[
        float | None, typer.Option(help="Of every class of defects; 0.99 where nothing is asked.")
    ] = None,
    false_call_ppm: Annotated[float | None, typer.Option(help="Of good places; alone, or besides a recall.")] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999)] = 0.95,
    table: Table = None,
    split: Annotated[str, typer.Option(help="The rows that choose.")] = "val",
    check_split: Annotated[str | None, typer.Option(help="Other rows, that say how good the choice is.")] = None,
    hold_out: HoldOut = None,
    where: Where = None,
    prevalence_ppm: Annotated[float, typer.Option(help="Defective places per million, for escapes.")] = 1000.0,
    per_part: Annotated[
        bool, typer.Option("--per-part", help="A threshold and a promise for every part number.")
    ] = False,
    accept_weaker: Annotated[bool, typer.Option("--accept-weaker", help="Write what the data can carry.")] = False,
    threads: Threads = 2,
) -> None:
    """Choose thresholds that carry a promise, for any distribution of scores; refuse what the data cannot carry.

    Example: boardgate calibrate joint.bundle --data tht-header-joints --table joints.csv --recall 0.99
    """
    with known_faults():
        from export.calibrate import DEFAULT_RECALL_FRAC  # noqa: PLC0415
        from export.calibrate import calibrate as run_calibration  # noqa: PLC0415
        from export.calibrate_tables import tables  # noqa: PLC0415

        report = run_calibration(
            bundle,
            data,
            out or bundle,
            table=table,
            split=split,
            where=tuple(where or ()),
            check_split=check_split,
            hold_out_frac=hold_out,
            recall=DEFAULT_RECALL_FRAC if recall is None and false_call_ppm is None else recall,
            false_call_ppm=false_call_ppm,
            confidence=confidence,
            prevalence_ppm=prevalence_ppm,
            per_part=per_part,
            accept_weaker=accept_weaker,
            threads=threads,
        )
        console.print(tables(report))
        console.print(f"written: {report.out} {report.identity}")


def recalibrate(
    bundle: BundleFolder,
    journal: Annotated[Path, typer.Option(help="The station's journal.", exists=True, dir_okay=False)],
    reviews: Annotated[
        Path, typer.Option(help="CSV or JSON lines: uid,refdes,pin,verdict,label,reviewer,utc.", exists=True)
    ],
    data: Annotated[Path, typer.Option(help="The data set the threshold was chosen on.", exists=True, file_okay=False)],
    out: OutOrSelf = None,
    table: Table = None,
    split: Annotated[str, typer.Option(help="The rows that chose.")] = "val",
    where: Where = None,
    hold_out: HoldOut = None,
    locked: Annotated[Path | None, typer.Option(help="Regression set: no caught defect of it may be lost.")] = None,
    locked_table: Annotated[str | None, typer.Option(help="Its table of regions.")] = None,
    locked_split: Annotated[str, typer.Option(help="Its rows.")] = "val",
    precision: Annotated[Precision, typer.Option(help="The one the station runs.")] = "fp32",
    apply: Annotated[bool, typer.Option("--apply", help="Write the bundle; else only say what would change.")] = False,
) -> None:
    """What reviewed calls would change in a threshold, under the promise it was chosen with.

    Example: boardgate recalibrate joint.bundle --journal journal.sqlite --reviews june.csv --data tht
    """
    with known_faults():
        from export.recalibrate import LockedSet  # noqa: PLC0415
        from export.recalibrate import recalibrate as run_recalibration  # noqa: PLC0415
        from export.recalibrate_tables import tables  # noqa: PLC0415

        regression = None if locked is None else LockedSet(data=locked, table=locked_table, split=locked_split)
        report = run_recalibration(
            bundle,
            out or bundle,
            journal=journal,
            reviews=reviews,
            data_folder=data,
            table=table,
            split=split,
            where=tuple(where or ()),
            hold_out_frac=hold_out,
            locked=regression,
            precision=precision,
            apply=apply,
        )
        console.print(tables(report))
