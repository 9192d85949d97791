"""`boardgate bench …`: every figure in the README comes from one of these, and each prints the command that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from export.demo import BUNDLE  # noqa: PLC0415

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


@bench.command()
def cost(json_file: Json = RESULTS / "score_cost.json") -> None:
    """Milliseconds a joint: rules, naive export, paper, fast, best, in one run.

    Example: boardgate bench cost
    """
    from benchmarks.score_cost import run  # noqa: PLC0415

    run(json_file=json_file)


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
def tables(page: Annotated[Path, typer.Argument(help="The page with the table markers.")] = Path("README.md")) -> None:
    """Put the measured figures into a page.

    Example: boardgate bench tables README.md
    """
    from benchmarks.tables import write_tables  # noqa: PLC0415

    write_tables(page)
