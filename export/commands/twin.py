"""`boardgate twin`: a data set of the line twin, drawn from a seed, so that any figure on it can be made again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from export.commands.console import console, errors, known_faults


def twin(
    kind: Annotated[
        Literal["joints", "components", "prints", "xray-joints", "packages", "xray-packages"],
        typer.Argument(help="What the boards carry."),
    ],
    out: Annotated[Path, typer.Argument(help="The data set folder to make.")],
    boards: Annotated[int, typer.Option(min=3, help="How many boards (or packages), all splits together.")] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    difficulty: Annotated[str, typer.Option(help="easy, line … as each kind has them; packages have none.")] = "line",
    defect_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the places of val and dev-test; of runs of boards, for prints.")
    ] = 0.1,
) -> None:
    """Draw a data set of simulated boards; the same arguments give the same bytes.

    Example: boardgate twin components twin-parts --boards 240 --seed 3 --defect-rate 0.2
    """
    with known_faults():
        from export.simulator.components.sets import write_component_set  # noqa: PLC0415
        from export.simulator.datasets import write_header_set  # noqa: PLC0415
        from export.simulator.paste.sets import write_paste_set  # noqa: PLC0415
        from export.simulator.xray.board_types import PTH_TYPES  # noqa: PLC0415
        from export.simulator.xray.packages.sets import write_package_set  # noqa: PLC0415
        from export.simulator.xray.sets import write_joint_set  # noqa: PLC0415

        with errors.status("drawing boards"):
            try:
                if kind == "joints":
                    counts = write_header_set(out, boards, seed, difficulty, defect_rate).joints
                elif kind == "components":
                    counts = write_component_set(out, boards, seed, difficulty, defect_rate).components
                elif kind == "prints":
                    counts = write_paste_set(out, boards, seed, difficulty, defect_rate).boards
                elif kind == "xray-joints":  # as many of each type
                    of_each = math.ceil(boards / len(PTH_TYPES))
                    counts = write_joint_set(out, of_each, seed, difficulty, defect_rate).joints
                else:
                    look = "optical" if kind == "packages" else "xray"
                    counts = write_package_set(out, boards, seed, look, defect_rate).pictures
            except (ValueError, FileExistsError) as err:
                raise typer.BadParameter(str(err)) from None
        table = Table("split", "label", "rows", title=f"{out}: on the line twin", title_justify="left")
        for (split, label), n in sorted(counts.items()):
            table.add_row(split, label, str(n))
        console.print(table)
