"""`boardgate …`: the command line. Each command reads its files, calls one thing of the room that does the work, and
says in its exit status how it went. Workshop commands (train, evaluate, bench …) join by entry point, so that a station
without the workshop's libraries starts as fast and as small as it can.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge import __version__
from edge.paste import DEFAULT_CELL_MM, DEFAULT_WIPE_EVERY

app = typer.Typer(
    help="The inspector beside every machine of a circuit-board line: scores each joint, tells the line pass or hold.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
recipe_app = typer.Typer(help="Make recipes.", no_args_is_help=True)
app.add_typer(recipe_app, name="recipe")

EXIT_NOT_PASSED = 3  # `inspect`: a board failed or is held

StationFile = Annotated[Path, typer.Argument(help="The station's settings.", metavar="STATION.toml")]

console = Console(stderr=True)


def _fail(message: object) -> typer.Exit:
    console.print(f"[bold red]error:[/] {message}", highlight=False, soft_wrap=True)
    return typer.Exit(2)


@app.command()
def gate(station: StationFile) -> None:
    """Run the gate process: journal and gate link. For systemd; `run` starts all three.

    Example: boardgate gate /etc/boardgate/station.toml
    """
    from edge.gatekeeper import run_gate  # noqa: PLC0415 - a process loads only what it needs
    from edge.process import run_process  # noqa: PLC0415

    raise typer.Exit(run_process("gate", run_gate, station))


@app.command()
def inspector(station: StationFile) -> None:
    """Run the inspector process: capture, score, judge. For systemd; `run` starts all three.

    Example: boardgate inspector /etc/boardgate/station.toml
    """
    from edge.inspector import run_inspector  # noqa: PLC0415
    from edge.process import run_process  # noqa: PLC0415

    raise typer.Exit(run_process("inspector", run_inspector, station))


@app.command()
def agent(station: StationFile) -> None:
    """Run the agent process: MQTT. For systemd; `run` starts all three.

    Example: boardgate agent /etc/boardgate/station.toml
    """
    from edge.agent import run_agent  # noqa: PLC0415
    from edge.process import run_process  # noqa: PLC0415

    raise typer.Exit(run_process("agent", run_agent, station))


@app.command()
def run(station: StationFile) -> None:
    """Run a whole station: gate, inspector and agent, each started again when it dies.

    Example: boardgate run station.toml
    """
    from edge.run import run_station  # noqa: PLC0415

    raise typer.Exit(run_station(station))


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Station files, recipes (file or folder), bundles.")],
) -> None:
    """Check settings, recipes and bundles, and report all faults of all files at once.

    Example: boardgate check station.toml recipes/header bundles/joints
    """
    from edge.check import check_file  # noqa: PLC0415

    faults = 0
    for file in files:
        result = check_file(file)
        faults += len(result.faults)
        for fault in result.faults:
            console.print(f"[red]✗[/] {fault}", highlight=False, soft_wrap=True)
        if not result.faults:
            console.print(f"[green]✓[/] {file}: {result.what}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if faults else 0)


@app.command()
def engine(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    scorer: Annotated[str | None, typer.Option(help="onnxruntime, openvino, tensorrt; measured if not said.")] = None,
    precision: Annotated[str, typer.Option(help="fp32, fp16, int8, int8-cpu.")] = "fp32",
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    fallback: Annotated[bool, typer.Option(help="int8, fp16, fp32, then ONNX Runtime, whatever works first.")] = True,
    out: Annotated[Path | None, typer.Option(help="Write what was measured, for `engine_file` of a station.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Make a bundle ready on this device: the fastest CPU engine by measurement, or the named engine built and checked.

    Example: boardgate engine bundles/joints --out engine.json; boardgate engine bundles/joints --scorer tensorrt
    """
    from edge.engine_command import measured, prepared  # noqa: PLC0415

    lines = (
        measured(bundle, threads, out, as_json=as_json)
        if scorer is None
        else prepared(bundle, scorer, precision, threads, allow_fallback=fallback, as_json=as_json)
    )
    for line in lines:
        typer.echo(line)


@app.command()
def inspect(
    recipe_or_bundle: Annotated[Path, typer.Argument(help="A recipe (whole boards) or a bundle (single crops).")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures to inspect.")],
    out: Annotated[Path, typer.Option(help="Folder for the annotated pictures.")] = Path("out/inspect"),
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    json_out: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a picture instead of the table.")
    ] = False,
) -> None:
    """Inspect pictures once, print the findings, write annotated pictures. Exit status 3 when any did not pass.

    Example: boardgate inspect recipes/header board1.jpg board2.jpg
    """
    from edge.inspect_once import inspect_pictures  # noqa: PLC0415

    try:
        passed = inspect_pictures(recipe_or_bundle, pictures, out, threads, as_json=json_out)
    except _known_faults() as fault:
        raise _fail(fault) from None
    raise typer.Exit(0 if passed else EXIT_NOT_PASSED)


@app.command()
def replay(
    journal: Annotated[Path, typer.Argument(help="A station's journal.sqlite.")],
    recipe: Annotated[Path, typer.Option(help="The recipe to judge by.")],
    bundle: Annotated[Path | None, typer.Option(help="Judge with this bundle instead of the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the diff here.")] = None,
) -> None:
    """Take recorded boards through the same loop again and print which verdicts differ. Exit status 3 when any does.

    Example: boardgate replay state/gate/journal.sqlite --recipe recipes/header --bundle bundles/new
    """
    from edge.replay import replay_journal  # noqa: PLC0415

    try:
        same = replay_journal(journal, recipe, bundle, threads, json_file)
    except _known_faults() as fault:
        raise _fail(fault) from None
    raise typer.Exit(0 if same else EXIT_NOT_PASSED)


@recipe_app.command("new")
def recipe_new(
    reference: Annotated[Path, typer.Option(help="Picture of a board, straight, sharp, with every place in view.")],
    places: Annotated[
        Path, typer.Option(help="CSV of places: refdes,pin,x,y,pitch, or site,…, or component,x0,y0,x1,y1.")
    ],
    bundle: Annotated[Path, typer.Option(help="The bundle that scores them.")],
    out: Annotated[Path, typer.Option(help="The recipe folder to make.")],
    recipe_id: Annotated[str, typer.Option("--id")],
    part: Annotated[str, typer.Option(help="Part number of the board.")],
    budget_ms: Annotated[int, typer.Option(min=20, max=60_000, help="Trigger to verdict.")] = 1_000,
    picture: Annotated[str, typer.Option(help="Take only the table's rows of this picture.")] = "",
    good: Annotated[
        list[Path] | None,
        typer.Option(help="An approved board to cut pictures of parts from, for a bundle that compares; up to 5."),
    ] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The machine cuts and turns its pictures itself, one package each.")
    ] = False,
) -> None:
    """Make a recipe from a reference picture and a table of places.

    Example: boardgate recipe new --reference ref.png --places places.csv --bundle bundles/joints --id header --part H1
    --out recipes/header
    """
    from edge.recipe_new import ALIGNED, new_recipe  # noqa: PLC0415

    try:
        file = new_recipe(
            reference=reference,
            places=places,
            bundle=bundle,
            out=out,
            recipe_id=recipe_id,
            part_number=part,
            verdict_budget_ms=budget_ms,
            picture=picture,
            registration=ALIGNED if aligned else None,
            good=good or (),
        )
    except _known_faults() as fault:
        raise _fail(fault) from None
    console.print(f"[green]✓[/] {file}", highlight=False)


@recipe_app.command("paste")
def recipe_paste(
    good: Annotated[list[Path], typer.Option(help="Files of good panels, the more the better; one will do to begin.")],
    machine: Annotated[Path, typer.Option(help="machine.toml: format, date_order, encoding … of the machine's files.")],
    bundle: Annotated[Path, typer.Option(help="The bundle that judges them.")],
    out: Annotated[Path, typer.Option(help="The recipe folder to make.")],
    recipe_id: Annotated[str, typer.Option("--id")],
    part: Annotated[str, typer.Option(help="Part number of the board.")],
    budget_ms: Annotated[int, typer.Option(min=20, max=60_000, help="Trigger to verdict.")] = 2_000,
    cell_mm: Annotated[
        float, typer.Option(min=0.1, max=20.0, help="The grid's cell; pads that share one move.")
    ] = DEFAULT_CELL_MM,
    wipe_every: Annotated[
        int, typer.Option(min=1, max=100, help="Panels from one stencil wipe to the next.")
    ] = DEFAULT_WIPE_EVERY,
    threshold: Annotated[float | None, typer.Option(help="Stricter than the bundle's own.")] = None,
) -> None:
    """Make a recipe of paste from files of good panels: where each pad lies, and what good prints of it show.

    Example: boardgate recipe paste --good a.csv --good b.csv --machine machine.toml --bundle bundles/paste --id top
    --part PP-1 --out recipes/top
    """
    from edge.capture.readers.paste_settings import PasteFileSettings  # noqa: PLC0415
    from edge.paste.recipe import FEW_DAYS, read_paste_recipe  # noqa: PLC0415
    from edge.paste.recipe_new import new_paste_recipe  # noqa: PLC0415
    from edge.settings import read_toml  # noqa: PLC0415

    try:
        file = new_paste_recipe(
            good=good,
            bundle=bundle,
            out=out,
            recipe_id=recipe_id,
            part_number=part,
            verdict_budget_ms=budget_ms,
            file=read_toml(machine, PasteFileSettings),
            cell_mm=cell_mm,
            wipe_every_boards=wipe_every,
            threshold=threshold,
        )
        made = read_paste_recipe(file).settings
    except _known_faults() as fault:
        raise _fail(fault) from None
    if made.n_good_days < FEW_DAYS:
        console.print(
            f"[yellow]![/] {made.n_good_panels} good panels of {made.n_good_days} days: what the line does from day to "
            f"day is not known yet and may be called; add panels of {FEW_DAYS} days or more",
            highlight=False,
        )
    console.print(f"[green]✓[/] {file}", highlight=False)


@recipe_app.command("axi")
def recipe_axi(
    good: Annotated[list[Path], typer.Option(help="Index files of good boards; their boxes' medians are the usual.")],
    machine: Annotated[Path, typer.Option(help="machine.toml: pictures, export … of the machine's files.")],
    bundle: Annotated[Path, typer.Option(help="The bundle that judges joints in slices.")],
    out: Annotated[Path, typer.Option(help="The recipe folder to make.")],
    recipe_id: Annotated[str, typer.Option("--id")],
    part: Annotated[str, typer.Option(help="Part number of the board.")],
    budget_ms: Annotated[int, typer.Option(min=20, max=60_000, help="Trigger to verdict.")] = 5_000,
    threshold: Annotated[float | None, typer.Option(help="Stricter than the bundle's own.")] = None,
) -> None:
    """Make a recipe of X-rayed joints from index files of good boards: which views, and where each joint usually lies.

    Example: boardgate recipe axi --good B1.axi.json --good B2.axi.json --machine machine.toml --bundle bundles/axi
    --id x1 --part PTH-7 --out recipes/x1
    """
    from edge.axi.recipe_new import new_axi_recipe  # noqa: PLC0415

    try:
        file = new_axi_recipe(
            good=good,
            machine=machine,
            bundle=bundle,
            out=out,
            recipe_id=recipe_id,
            part_number=part,
            verdict_budget_ms=budget_ms,
            threshold=threshold,
        )
    except _known_faults() as fault:
        raise _fail(fault) from None
    console.print(f"[green]✓[/] {file}", highlight=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the boards, the journal and the picture go.")] = Path("out/demo"),
    boards: Annotated[int, typer.Option(min=4, max=500)] = 16,
    takt_ms: Annotated[int, typer.Option(min=100, max=60_000)] = 1_000,
) -> None:
    """A whole line on this machine: rendered boards, five stations, simulated gates, a broker. Three minutes.

    Example: boardgate demo --boards 16
    """
    entry = {e.name: e for e in importlib.metadata.entry_points(group="boardgate.demo")}
    if "demo" not in entry:
        raise _fail("the demo is not installed with this station: it needs the workshop's simulator")
    raise typer.Exit(entry["demo"].load()(out, boards, takt_ms))


def _version(value: bool) -> None:
    if value:
        print(f"boardgate {__version__}")
        raise typer.Exit


@app.callback()
def _top(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Docstring of the app comes from `help` above."""


def _known_faults() -> tuple[type[Exception], ...]:
    from edge.bundle import BundleFault  # noqa: PLC0415
    from edge.journal import JournalFault  # noqa: PLC0415
    from edge.settings import SettingsFault  # noqa: PLC0415

    return (BundleFault, JournalFault, SettingsFault, FileNotFoundError)


def _join_workshop() -> None:
    """Add the commands other rooms registered. One that cannot be loaded says so when it is called, not before."""
    for entry in importlib.metadata.entry_points(group="boardgate.commands"):
        try:
            room: typer.Typer = entry.load()
        except ModuleNotFoundError as err:
            own = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
            if sys.argv[1:2] and not sys.argv[1].startswith("-") and sys.argv[1] not in own | {"recipe"}:
                raise _fail(f"{sys.argv[1]} needs {err.name}: pip install 'boardgate[train]'") from None
            continue
        app.registered_commands.extend(room.registered_commands)
        app.registered_groups.extend(room.registered_groups)


def main() -> None:
    """Entry point."""
    if len(sys.argv) < 2 or sys.argv[1] not in ("gate", "inspector", "agent", "run"):
        _join_workshop()
    app()


if __name__ == "__main__":
    main()
