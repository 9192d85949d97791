"""`boardgate msa attribute | gauge | station`: the commands of measurement-system analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from export.commands.console import console, errors, known_faults

app = typer.Typer(help="Measurement-system analysis: is the judge itself fit to judge?", no_args_is_help=True)
POOL_ABOVE_P = 0.25  # calibration.msa.gauge's own, without loading SciPy for --help; a test compares them

Table = Annotated[Path, typer.Argument(help="CSV, one judgement or measurement a row.", metavar="TABLE.csv")]
Part = Annotated[str, typer.Option(help="Column that names the part.")]
Appraiser = Annotated[str, typer.Option(help="Column that names the appraiser.")]
Trial = Annotated[str | None, typer.Option(help="Column of the trial; without it repeats count in line order.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures there as one object.")]
Drawing = Annotated[Path | None, typer.Option("--figure", help="Draw to this PNG.")]


@app.command()
def attribute(
    table: Table,
    part: Part = "part",
    appraiser: Appraiser = "appraiser",
    decision: Annotated[str, typer.Option(help="Column of the judgement.")] = "decision",
    trial: Trial = None,
    reference: Annotated[str | None, typer.Option(help="Column of the right answer, where it is known.")] = None,
    good: Annotated[
        list[str] | None, typer.Option(help="Word for good; may be repeated. Usual ones are known.")
    ] = None,
    pass_or_reject: Annotated[bool, typer.Option(help="Every word that is not good is the same rejection.")] = False,
    json_file: Json = None,
    figure: Drawing = None,
) -> None:
    """Attribute agreement: right, the same way twice, the same as others; against the 90 / 2 / 5 % rule.

    Example: boardgate msa attribute study.csv --reference truth --figure study.png
    """
    with known_faults():
        from export.msa import Columns, attribute_from_table, to_json  # noqa: PLC0415
        from export.msa_figures import draw_attribute  # noqa: PLC0415
        from export.msa_tables import attribute_tables  # noqa: PLC0415

        columns = Columns(part=part, appraiser=appraiser, value=decision, trial=trial, reference=reference)
        _, result = attribute_from_table(table, columns, good=good or (), pass_or_reject=pass_or_reject)
        console.print(attribute_tables(result))
        _write(json_file, to_json(result))
        if figure is not None:
            draw_attribute(result, figure)


@app.command()
def gauge(
    table: Table,
    part: Part = "part",
    appraiser: Appraiser = "appraiser",
    value: Annotated[str, typer.Option(help="Column of the measured value.")] = "value",
    trial: Trial = None,
    tolerance: Annotated[float | None, typer.Option(help="Whole width between the limits, in the unit.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of the values, for the tables.")] = "",
    pool_above_p: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Pool the interaction from this p.")
    ] = POOL_ABOVE_P,
    json_file: Json = None,
    figure: Drawing = None,
) -> None:
    """Variable gauge R&R by analysis of variance: repeatability, reproducibility, %GRR, ndc, with intervals.

    Example: boardgate msa gauge paste.csv --part pad --appraiser line --value volume_nl --unit nl --tolerance 2.4
    """
    with known_faults():
        from export.msa import Columns, gauge_from_table, to_json  # noqa: PLC0415
        from export.msa_figures import draw_gauge  # noqa: PLC0415
        from export.msa_tables import gauge_tables  # noqa: PLC0415

        columns = Columns(part=part, appraiser=appraiser, value=value, trial=trial)
        study, result = gauge_from_table(table, columns, tolerance=tolerance, unit=unit, pool_above_p=pool_above_p)
        console.print(gauge_tables(result))
        _write(json_file, to_json(result))
        if figure is not None:
            draw_gauge(study, result, figure)


@app.command()
def station(
    target: Annotated[Path, typer.Argument(help="A recipe (whole boards) or a bundle (single crops).")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures; several of each board, equally many.")],
    repeats: Annotated[int, typer.Option(min=1, max=1_000, help="Each picture is judged so many times.")] = 3,
    grey_levels: Annotated[
        int, typer.Option(min=0, max=50, help="Change repeats after the first by up to so much.")
    ] = 0,
    board: Annotated[str | None, typer.Option(help="How a file name (without ending) names its board.")] = None,
    reference: Annotated[Path | None, typer.Option(help="CSV board,place,reference (no place for a bundle).")] = None,
    table: Annotated[Path | None, typer.Option(help="Write all judgements there, to join with people's.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    json_file: Json = None,
    figure: Drawing = None,
) -> None:
    """The station as an appraiser, on repeated pictures of the same boards.

    Example: boardgate msa station recipes/header study/A1043_*.png study/A1044_*.png --repeats 3
    """
    with known_faults():
        from export.msa import to_json  # noqa: PLC0415
        from export.msa_figures import draw_attribute, draw_gauge  # noqa: PLC0415
        from export.msa_station import (  # noqa: PLC0415
            BOARD_PATTERN,
            StationRequest,
            analyse_station,
            run_station,
            score_study,
            write_table,
        )
        from export.msa_tables import station_tables  # noqa: PLC0415

        request = StationRequest(
            target=target,
            pictures=tuple(pictures),
            repeats=repeats,
            grey_levels=grey_levels,
            board_pattern=board or BOARD_PATTERN,
            reference=reference,
            threads=threads,
        )
        with Progress(console=errors, transient=True) as progress:
            task = progress.add_task("pictures", total=len(pictures))
            study = run_station(request, lambda done: progress.update(task, completed=done))
        result = analyse_station(study)
        console.print(station_tables(result))
        _write(json_file, to_json(result))
        if table is not None:
            write_table(study, table)
        if figure is not None:
            draw_attribute(result.agreement, figure)
            scores = score_study(study)
            if result.scores is not None and scores is not None:
                draw_gauge(scores, result.scores, figure.with_stem(f"{figure.stem}-scores"))


def _write(file: Path | None, text: str) -> None:
    if file is not None:
        file.write_text(text, "utf-8")
