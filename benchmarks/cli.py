"""`boardgate bench …`: every figure in the README comes from one of these, and each prints the command that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.scorers.choice import EngineChoice

bench = typer.Typer(help="The benchmarks: figures with the command that makes them.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(bench, name="bench")

RESULTS = Path(__file__).parent / "results"
Out = Annotated[Path, typer.Option(help="Where pictures and working files go.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]


@bench.command()
def latency(
    boards: Annotated[int, typer.Option(min=5, max=10_000)] = 100,
    takt_ms: Annotated[int, typer.Option(min=0, max=60_000)] = 500,
    bundle: Annotated[Path | None, typer.Option(help="Instead of the demo's bundle.")] = None,
    rules: Annotated[Path | None, typer.Option(help="A rules bundle, instead of one fitted now.")] = None,
    out: Out = Path("out/latency"),
    json_file: Json = RESULTS / "latency.json",
) -> None:
    """Rendered boards through two whole stations, learned and rules, alternating: time by stage, misses, a plot.

    Example: boardgate bench latency --boards 100 --takt-ms 500
    """
    from benchmarks.latency import run  # noqa: PLC0415 - a benchmark loads only what it needs
    from benchmarks.twin_rules import twin_rules_bundle  # noqa: PLC0415
    from export.demo_stations import BUNDLE  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    bundles = {"learned": bundle or BUNDLE, "rules": rules or twin_rules_bundle(out / "rules-bundle")}
    run(out, bundles, boards, takt_ms, json_file)


@bench.command()
def boards(
    bundle: Annotated[Path, typer.Option(help="A bundle trained on these boards' train split.")],
    data: Annotated[Path, typer.Option(help="The folder tht-header-joints.")],
    reference: Annotated[str, typer.Option(help="The picture the recipe is made from.")] = "images/A_0192.jpg",
    split: str = "dev-test",
    out: Out = Path("out/boards"),
    json_file: Json = RESULTS / "boards.json",
) -> None:
    """Real photographs through the real station: joints called right and wrong, boards held, every mistake drawn.

    Example: boardgate bench boards --bundle out/tht.bundle --data ../shared/data/tht-header-joints
    """
    from benchmarks.real_boards import run  # noqa: PLC0415

    run(data, bundle, reference, split, out, json_file)


@bench.command()
def registration(
    data: Annotated[Path, typer.Option(help="The folder of the data sets.")],
    json_file: Json = RESULTS / "registration.json",
) -> None:
    """Real pictures onto a reference: how many register, how exactly, what is refused, how long it takes.

    Example: boardgate bench registration --data ../shared/data
    """
    from benchmarks.registration import run  # noqa: PLC0415

    run(data, json_file)


Threads = Annotated[int, typer.Option(min=1, max=64)]
Engine = Annotated[str, typer.Option(help="onnxruntime or openvino.")]
PrecisionName = Annotated[str, typer.Option(help="fp32 or int8-cpu, where the bundle has it.")]


@bench.command()
def scoring(
    threads: Threads = 2,
    rounds: Annotated[int, typer.Option(min=2, max=1_000)] = 30,
    family: Annotated[str, typer.Option(help="Whose places.")] = "solder_joint",
    preset: Annotated[
        list[str] | None, typer.Option(help="Only this one's networks, written only where said; may be repeated.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="results/scoring*.json where not said.")] = None,
    picture: Annotated[Path | None, typer.Option(help="docs/scoring*.png where not said.")] = None,
) -> None:
    """What a place costs: every network on every CPU engine, rules, naive export, against the machine's peak.

    Example: boardgate bench scoring --family pth_component
    """
    from benchmarks.scoring import run  # noqa: PLC0415

    name = "scoring" if family == "solder_joint" else f"scoring_{family}"
    run(
        family=family,
        presets=preset or (),
        threads=threads,
        rounds=rounds,
        json_file=json_file or (None if preset else RESULTS / f"{name}.json"),
        picture=picture or (None if preset else Path(f"docs/{name}.png")),
    )


@bench.command()
def board_scale(
    boards: Annotated[int, typer.Option(min=3, max=10_000)] = 30,
    bundle: Annotated[Path | None, typer.Option(help="Instead of the demo's bundle.")] = None,
    threads: Threads = 2,
    engine: Engine = "onnxruntime",
    precision: PrecisionName = "fp32",
    out: Out = Path("out/board-scale"),
    json_file: Json = RESULTS / "board_scale.json",
) -> None:
    """A board of 3,000 joints from decoded picture to verdict, time by stage, on the line twin.

    Example: boardgate bench board-scale --boards 30
    """
    from benchmarks.board_scale import run  # noqa: PLC0415
    from export.demo_stations import BUNDLE  # noqa: PLC0415

    run(
        bundle or BUNDLE,
        out,
        n_boards=boards,
        engine=_cpu_engine(engine, precision, threads),
        json_file=json_file,
    )


@bench.command()
def jitter(
    boards: Annotated[int, typer.Option(min=20, max=1_000_000)] = 5_000,
    takt_ms: Annotated[int, typer.Option(min=0, max=60_000, help="3,600 boards at 1,000 ms are an hour.")] = 0,
    bundle: Annotated[Path | None, typer.Option(help="Instead of the demo's bundle.")] = None,
    threads: Threads = 2,
    engine: Engine = "onnxruntime",
    precision: PrecisionName = "fp32",
    install: Annotated[bool, typer.Option(help="Install the base package into a fresh environment, too.")] = True,
    out: Out = Path("out/jitter"),
    json_file: Json = RESULTS / "jitter.json",
) -> None:
    """Spread of times, first board, memory over many boards, start to first verdict, size of an installation.

    Example: boardgate bench jitter --boards 3600 --takt-ms 1000
    """
    from benchmarks.jitter import run  # noqa: PLC0415
    from export.demo_stations import BUNDLE  # noqa: PLC0415

    run(
        bundle or BUNDLE,
        out,
        boards=boards,
        takt_ms=takt_ms,
        engine=_cpu_engine(engine, precision, threads),
        install=install,
        json_file=json_file,
    )


def _cpu_engine(engine: str, precision: str, threads: int) -> EngineChoice:
    from edge.engine_choice import CPU_ENGINES, CPU_PRECISIONS  # noqa: PLC0415
    from edge.scorers.choice import EngineChoice  # noqa: PLC0415

    engines, precisions = {e: e for e in CPU_ENGINES}, {p: p for p in CPU_PRECISIONS}
    if engine not in engines or precision not in precisions:
        raise typer.BadParameter(f"{engine} {precision}: choose of {list(engines)} and {list(precisions)}")
    return EngineChoice(engine=engines[engine], precision=precisions[precision], threads=threads, maps=False)


@bench.command()
def joints(
    reports: Annotated[list[Path], typer.Argument(help="What `boardgate evaluate --json` wrote.")],
    json_file: Annotated[Path, typer.Option("--json", help="Write the figures here.")] = RESULTS / "solder_joint.json",
) -> None:
    """The joints table from evaluation reports: seeds of one kind become one row.

    Example: boardgate bench joints out/reports/*.json
    """
    from benchmarks.solder_joint_table import run  # noqa: PLC0415

    print(run(reports, json_file))


@bench.command()
def quantisation(
    bundles: Annotated[list[Path], typer.Argument(help="Bundle folders.")],
    data: Annotated[Path, typer.Option(help="The folder tht-header-joints.")],
    json_file: Json = RESULTS / "quantisation.json",
) -> None:
    """FP16 and INT8 against FP32 by range method: ranks, verdicts, lost defects, layers kept in float.

    Example: boardgate bench quantisation best.bundle fast.bundle --data ../shared/data/tht-header-joints
    """
    from benchmarks.quantisation import run  # noqa: PLC0415

    run(bundles, data, json_file=json_file)


@bench.command("quantisation-speed")
def quantisation_speed(json_file: Json = RESULTS / "quantisation_speed.json") -> None:
    """INT8 against FP32 on this CPU, as ratios in one run.

    Example: boardgate bench quantisation-speed
    """
    from benchmarks.quantisation_speed import run  # noqa: PLC0415

    run(json_file=json_file)


@bench.command()
def precisions(
    bundles: Annotated[list[Path], typer.Argument(help="Bundle folders.", exists=True, file_okay=False)],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A data set, or a table in one, that a bundle of FP32 alone is judged on; may be repeated."),
    ] = None,
    threads: Threads = 2,
    json_file: Json = RESULTS / "precisions.json",
) -> None:
    """What every precision of bundles is worth, by their manifests; where they have FP32 alone, judged on their data.

    Example: boardgate bench precisions export/demo_*bundle --data twin-prints --data twin-parts/components.csv
    """
    from benchmarks.precisions import run  # noqa: PLC0415

    run(bundles, data or (), threads=threads, json_file=json_file)


@bench.command()
def drift(
    boards: Annotated[int, typer.Option(min=20, max=10_000, help="Twin boards an imaging.")] = 150,
    data: Annotated[Path | None, typer.Option(help="tht-header-joints, for the real joints.")] = None,
    bundle: Annotated[
        list[str] | None, typer.Option(help="NAME=FOLDER of a bundle for those; may be repeated.")
    ] = None,
    out: Out = Path("out/drift"),
    picture: Annotated[Path, typer.Option(help="The control charts.")] = Path("docs/drift.png"),
    json_file: Json = RESULTS / "drift.json",
) -> None:
    """Drift: alarms without a cause, boards until a cause is found, false calls under it; a picture of the charts.

    Example: boardgate bench drift --data ../shared/data/tht-header-joints --bundle best=out/tht
    """
    from benchmarks.drift import run  # noqa: PLC0415

    named = {}
    for text in bundle or []:
        name, _, folder = text.partition("=")
        if not folder:
            raise typer.BadParameter(f"{text!r}: expected NAME=FOLDER")
        named[name] = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    run(out, boards, data, named, json_file, picture)


@bench.command()
def promise(json_file: Json = RESULTS / "promise.json") -> None:
    """Is the promise kept? 10,000 simulated lots of six kinds of scores, and reviews of which 5 % are wrong.

    Example: boardgate bench promise
    """
    from benchmarks.promise import run  # noqa: PLC0415

    run(json_file=json_file)


@bench.command("promise-example")
def promise_example(
    bundle: Annotated[Path, typer.Option(help="A bundle trained on the joints' train split.")],
    data: Annotated[Path, typer.Option(help="The folder tht-header-joints.")],
    out: Out = Path("out/promise"),
    json_file: Json = RESULTS / "promise_example.json",
) -> None:
    """What the real solder joints can promise, what not, and how many more defects it would take.

    Example: boardgate bench promise-example --bundle out/tht.bundle --data ../shared/data/tht-header-joints
    """
    from benchmarks.promise_example import run  # noqa: PLC0415

    run(bundle, data, out, json_file)


@bench.command()
def flips(
    bundles: Annotated[list[Path], typer.Argument(help="Bundle folders.")],
    data: Annotated[Path, typer.Option(help="Data set folder with index.csv.")],
    table: Annotated[str | None, typer.Option(help="Table of regions beside index.csv.")] = None,
    split: str = "dev-test",
    where: Annotated[list[str] | None, typer.Option(help="Keep rows with column=value.")] = None,
    json_file: Json = RESULTS / "flips.json",
) -> None:
    """Verdicts that turn under identical input, in other batches, and under one grey level.

    Example: boardgate bench flips best.bundle --data tht-header-joints --table joints.csv --where view=closeup
    """
    from benchmarks.flips import run  # noqa: PLC0415

    run(bundles, data, table=table, split=split, where=where or (), json_file=json_file)


@bench.command()
def tables(
    chosen: Annotated[
        list[Path] | None, typer.Argument(help="Pages with table markers; all of them if not said.")
    ] = None,
) -> None:
    """Put the measured figures into the pages.

    Example: boardgate bench tables
    """
    from benchmarks.tables import pages, write_tables  # noqa: PLC0415

    for page in chosen or pages():
        write_tables(page)


@bench.command()
def paste(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles of paste_print; the rules first.", exists=True)],
    boards: Annotated[int, typer.Option(min=3, max=1_000)] = 20,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    json_file: Json = RESULTS / "paste_panels.json",
) -> None:
    """Panels of 1,000 and of 100,000 pads from the machine's file to the verdict: time by stage.

    Example: boardgate bench paste rules.bundle best.bundle --boards 20
    """
    from benchmarks.paste_panels import run  # noqa: PLC0415

    run(bundles, boards, threads, json_file)
