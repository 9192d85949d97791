"""`boardgate train` and `boardgate evaluate`. The station's command line merges these in when the `train` extra is
there.

torch, onnx and scikit-learn are imported inside the commands, so that `--help` is quick and their absence is one clear
line.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration.faults import CalibrationFault
from edge.bundle import BundleFault, bundle_identity, read_bundle
from edge.scorers.fault import ScorerFault
from export.faults import WorkshopFault

if TYPE_CHECKING:
    from export.train import EpochReport
    from export.workshop import Trained, TrainRequest

EXIT_REFUSED = 1  # the work was done and the answer is no: collapsed, broken bundle, unusable data
EXIT_USAGE = 2  # the command line, as typer and click have it
EXIT_NOT_INSTALLED = 3
TRAIN_EXTRA = frozenset({"torch", "onnx", "onnxscript", "sklearn", "scipy", "statsmodels"})

app = typer.Typer(no_args_is_help=True, add_completion=False)
_console = Console()
_errors = Console(stderr=True)


@app.command()
def train(
    family: Annotated[str, typer.Argument(help="The family to train, e.g. solder_joint.")],
    data: Annotated[Path, typer.Option(help="Data set folder with index.csv.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Bundle folder to write; an older bundle there is replaced.")],
    table: Annotated[str | None, typer.Option(help="Table of regions beside index.csv, e.g. joints.csv.")] = None,
    preset: Annotated[str, typer.Option(help="paper, fast, …: networks and training; rules: classical.")] = "paper",
    variant: Annotated[str | None, typer.Option(help="cae, vae, beta_vae, ...; the preset's own if not said.")] = None,
    score: Annotated[str | None, typer.Option(help="recon, elbo, ...; the variant's first if not said.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    channels: Annotated[
        str | None, typer.Option(help="grey or bgr. Where cameras differ, grey is the honest one.")
    ] = None,
    normalisation: Annotated[str | None, typer.Option(help="unit, or standardised (each crop by itself).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's number.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="Keep rows with column=value; may be repeated.")] = None,
    val_where: Annotated[list[str] | None, typer.Option(help="The same for validation rows alone.")] = None,
    bfloat16: Annotated[bool, typer.Option(help="Train in bfloat16: twice as fast where the CPU has AMX.")] = False,
) -> None:
    """Train on good places only and write a bundle; refuse when the training collapsed.

    Example: boardgate train solder_joint --data tht-header-joints --table joints.csv --preset fast --out joint.bundle
    """
    with _faults():
        from export.bundle import check_target  # noqa: PLC0415
        from export.workshop import TrainRequest, write  # noqa: PLC0415

        check_target(out)
        if preset == "rules":
            _train_rules(data, out, table, tuple(where or ()), tuple(val_where or ()), variant)
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
        identity = write(trained, out)
        _print_bundle(trained, out, identity)


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    data: Annotated[Path, typer.Option(help="Data set folder with index.csv.", exists=True, file_okay=False)],
    table: Annotated[str | None, typer.Option(help="Table of regions beside index.csv, e.g. joints.csv.")] = None,
    split: Annotated[str, typer.Option(help="Which rows to score.")] = "dev-test",
    where: Annotated[list[str] | None, typer.Option(help="Keep rows with column=value; may be repeated.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there as one object.")] = None,
) -> None:
    """Score a split as a station would, at the bundle's own threshold, beside cues that know nothing about solder.

    Example: boardgate evaluate joint.bundle --data tht-header-joints --table joints.csv --where view=closeup
    """
    with _faults():
        from export.evaluate import evaluate as run_evaluation  # noqa: PLC0415
        from export.evaluate import tables  # noqa: PLC0415

        report = run_evaluation(bundle, data, table=table, split=split, where=tuple(where or ()), threads=threads)
        _console.print(tables(report))
        if json_file is not None:
            json_file.write_text(json.dumps(report.to_json(), indent=2) + "\n", "utf-8")


def _train_rules(
    data: Path, out: Path, table: str | None, where: tuple[str, ...], val_where: tuple[str, ...], variant: str | None
) -> None:
    from export.rules_bundle import VARIANTS, write_rules_bundle  # noqa: PLC0415

    report = write_rules_bundle(
        data, out, table=table, where=where, val_where=val_where, variant=variant or VARIANTS[0]
    )
    _console.print(f"[bold]{out}[/bold]  rules: {report.n_limits} limits, {report.n_templates} templates")
    _console.print(f"  bundle     {report.identity}")
    _console.print(f"  threshold  {report.threshold:.6g}")


def _train_with_progress(request: TrainRequest) -> Trained:
    from export.families import load_family, one_of  # noqa: PLC0415
    from export.workshop import train as run_training  # noqa: PLC0415

    preset = one_of(load_family(request.family).PRESETS, request.preset, "preset")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=_errors) as progress:
        task = progress.add_task("epochs", total=request.epochs or preset.training.epochs, state="reading crops")

        def on_epoch(report: EpochReport) -> None:
            state = f"train {report.train_loss:.1f}  val {report.val_loss:.1f}  rate {report.learning_rate:.0e}"
            progress.update(task, completed=report.epoch, state=state)

        return run_training(request, on_epoch)


def _print_bundle(trained: Trained, out: Path, identity: str) -> None:
    bundle = read_bundle(out, identity)
    threshold, parity, report = bundle.threshold(), bundle.manifest.graphs["fp32"].parity, trained.report
    _console.print(f"[bold]{out}[/bold]  {bundle.manifest.family} {bundle.manifest.preset} {bundle.manifest.variant}")
    _console.print(f"  bundle     {bundle_identity(out)}")
    _console.print(f"  trained    {report.epochs} epochs in {report.seconds:.0f} s, best {report.best_epoch}")
    _console.print(f"  collapse   no: {trained.check.summary}")
    for warning in trained.check.warnings:
        _console.print(f"  [yellow]warning[/yellow]    {warning}")
    _console.print(
        f"  threshold  {threshold.value:.6g}: chosen on {threshold.choice.split}, false calls at most "
        f"{threshold.choice.false_call_ppm_upper:,.0f} ppm at {100 * threshold.choice.confidence:g} % confidence; "
        "`boardgate calibrate` takes a target"
    )
    _console.print(
        f"  parity     ONNX Runtime against torch on {parity.n} crops: {parity.max_abs_score_difference:.1e} at most, "
        f"{100 * parity.verdict_agreement_frac:.2f} % of verdicts the same"
    )


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    """Known faults become one line on stderr and an exit code; anything else keeps its traceback."""
    try:
        yield
    except ModuleNotFoundError as err:
        if (err.name or "").partition(".")[0] not in TRAIN_EXTRA:
            raise
        _errors.print(
            f"[red]not installed:[/red] {err.name}: this command needs the extra 'train' of boardgate",
            highlight=False,
        )
        raise typer.Exit(EXIT_NOT_INSTALLED) from None
    except (WorkshopFault, CalibrationFault, BundleFault, ScorerFault) as fault:
        _errors.print(f"[red]refused:[/red] {fault}", highlight=False)
        raise typer.Exit(EXIT_REFUSED) from None
