"""`boardgate train` and `boardgate export`: data to a network, a network to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from edge.bundle import Bundle, bundle_identity, read_bundle
from export.commands.console import console, errors, known_faults
from export.commands.options import Data, OutBundle, Table, ValWhere, Where

if TYPE_CHECKING:
    from export.training_record import EpochReport
    from export.workshop import Trained, TrainRequest

Score = Annotated[str | None, typer.Option(help="recon, elbo, ...; the variant's first if not said.")]
Fp32Only = Annotated[bool, typer.Option("--fp32-only", help="Leave FP16 and INT8 out: quicker, while trying things.")]


def train(
    family: Annotated[str, typer.Argument(help="The family to train, e.g. solder_joint.")],
    data: Data,
    out: OutBundle,
    table: Table = None,
    preset: Annotated[str, typer.Option(help="paper, fast, …: networks and training; rules: classical.")] = "paper",
    variant: Annotated[str | None, typer.Option(help="cae, vae, beta_vae, ...; the preset's own if not said.")] = None,
    score: Score = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    channels: Annotated[
        str | None, typer.Option(help="grey or bgr. Where cameras differ, grey is the honest one.")
    ] = None,
    normalisation: Annotated[str | None, typer.Option(help="unit, or standardised (each crop by itself).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's number.")] = None,
    where: Where = None,
    val_where: ValWhere = None,
    bfloat16: Annotated[bool, typer.Option(help="Train in bfloat16: twice as fast where the CPU has AMX.")] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the network there for `boardgate export`.")] = None,
    fp32_only: Fp32Only = False,
) -> None:
    """Train on good places only and write a bundle; refuse when the training collapsed.

    Example: boardgate train solder_joint --data tht-header-joints --table joints.csv --preset fast --out joint.bundle
    """
    with known_faults():
        from export.bundle import check_target  # noqa: PLC0415
        from export.workshop import TrainRequest, keep  # noqa: PLC0415

        check_target(out)
        if preset == "rules":
            _train_rules(family, data, out, table, tuple(where or ()), tuple(val_where or ()), variant)
            return
        request = TrainRequest(
            family=family,
            data=data,
            table=table,
            where=tuple(where or ()),
            val_where=tuple(val_where or ()),
            preset=preset,
            variant=variant,
            score=score,
            seed=seed,
            channels=channels,
            normalisation=normalisation,
            epochs=epochs,
            bfloat16=bfloat16,
        )
        trained = _train_with_progress(request)
        if checkpoint is not None:
            keep(trained, checkpoint)
        _write(trained, out, score, fp32_only=fp32_only)


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What `train --checkpoint` kept.", exists=True, file_okay=False)],
    data: Data,
    out: OutBundle,
    score: Score = None,
    fp32_only: Fp32Only = False,
) -> None:
    """A checkpoint to a bundle: FP32, FP16 and INT8 graphs with parity and decision tables inside.

    Example: boardgate export joint.checkpoint --data tht-header-joints --score elbo --out joint.bundle
    """
    with known_faults():
        from export.bundle import check_target  # noqa: PLC0415
        from export.workshop import trained_before  # noqa: PLC0415

        check_target(out)
        _write(trained_before(checkpoint, data), out, score, fp32_only=fp32_only)


def _write(trained: Trained, out: Path, score: str | None, *, fp32_only: bool) -> None:
    from export.to_bundle import write  # noqa: PLC0415

    with errors.status("export") as status:
        identity = write(trained, out, score, all_precisions=not fp32_only, say=status.update)
    _print_bundle(trained, out, identity)


def _train_rules(
    family: str,
    data: Path,
    out: Path,
    table: str | None,
    where: tuple[str, ...],
    val_where: tuple[str, ...],
    variant: str | None,
) -> None:
    from export.rules_bundle import write_rules_bundle  # noqa: PLC0415

    report = write_rules_bundle(
        data, out, family=family, table=table, where=where, val_where=val_where, variant=variant
    )
    console.print(f"[bold]{out}[/bold]  rules: {report.n_limits} limits, {report.n_templates} templates")
    console.print(f"  bundle     {report.identity}")
    console.print(f"  threshold  {report.threshold:.6g}")


def _train_with_progress(request: TrainRequest) -> Trained:
    from export.families import load_family, one_of  # noqa: PLC0415
    from export.workshop import train as run_training  # noqa: PLC0415

    preset = one_of(load_family(request.family).PRESETS, request.preset, "preset")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=errors) as progress:
        task = progress.add_task("epochs", total=request.epochs or preset.training.epochs, state="reading crops")

        def on_epoch(report: EpochReport) -> None:
            state = f"train {report.train_loss:.1f}  val {report.val_loss:.1f}  rate {report.learning_rate:.0e}"
            progress.update(task, completed=report.epoch, state=state)

        return run_training(request, on_epoch)


def _print_bundle(trained: Trained, out: Path, identity: str) -> None:
    bundle = read_bundle(out, identity)
    threshold, report, check = bundle.threshold(), trained.report, trained.check
    console.print(f"[bold]{out}[/bold]  {bundle.manifest.family} {bundle.manifest.preset} {bundle.manifest.variant}")
    console.print(f"  bundle     {bundle_identity(out)}")
    if report is not None:
        console.print(f"  trained    {report.epochs} epochs in {report.seconds:.0f} s, best {report.best_epoch}")
    if check is not None:
        console.print(f"  collapse   no: {check.summary}")
        for warning in check.warnings:
            console.print(f"  [yellow]warning[/yellow]    {warning}")
    console.print(
        f"  threshold  {threshold.value:.6g}: chosen on {threshold.choice.split}, false calls at most "
        f"{threshold.choice.false_call_ppm_upper:,.0f} ppm at {100 * threshold.choice.confidence:g} % confidence; "
        "`boardgate calibrate` takes a target"
    )
    console.print(_precision_table(bundle))


def _precision_table(bundle: Bundle) -> RichTable:
    table = RichTable(title="Precisions: does each say what the one it stands for says?", title_justify="left")
    columns = ("precision", "against", "crops", "worst score difference", "rank correlation", "same verdict", "lost")
    for column in columns:
        table.add_column(column, justify="left" if column in ("precision", "against") else "right")
    for precision in bundle.precisions:
        parity = bundle.manifest.graphs[precision].parity
        table.add_row(
            precision,
            parity.compared_with.partition(",")[0],
            str(parity.n),
            f"{parity.max_abs_score_difference:.1e}",
            f"{parity.spearman:.5f}",
            f"{100 * parity.verdict_agreement_frac:.2f} %",
            str(parity.lost_defects),
        )
    for precision, why in bundle.manifest.refused.items():
        table.add_row(f"no {precision}", why, "", "", "", "", "", style="yellow")
    return table
