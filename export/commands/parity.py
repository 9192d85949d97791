"""`boardgate parity`: debugging a bad day. Where do two engines or precisions part, and which verdicts flip?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from export.commands.console import EXIT_REFUSED, console, known_faults
from export.commands.options import BundleFolder, Data, JsonFile, Table, Where


def parity(
    bundle: BundleFolder,
    data: Data,
    against: Annotated[
        str | None,
        typer.Option(help="A precision, an engine or another bundle; the next precision if not said."),
    ] = None,
    table: Table = None,
    split: Annotated[str, typer.Option(help="Which rows to compare on.")] = "val",
    where: Where = None,
    bound: Annotated[float | None, typer.Option(help="Relative RMS above which a layer counts as apart.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write the flipped regions there as a PNG.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Name the first layer where two engines or precisions part, and show the regions whose verdict flips.

    Exit status 1 when anything was found.

    Example: boardgate parity joint.bundle --data tht-header-joints --against int8
    """
    with known_faults():
        from export.parity.pictures import picture as drawn  # noqa: PLC0415
        from export.parity.report import ParityRequest, compare, tables  # noqa: PLC0415

        found = compare(
            ParityRequest(
                bundle=bundle,
                data=data,
                against=against,
                table=table,
                split=split,
                where=tuple(where or ()),
                bound=bound,
            )
        )
        console.print(tables(found))
        if picture is not None:
            picture.write_bytes(drawn(found))
            console.print(f"picture: {picture}")
        if json_file is not None:
            json_file.write_text(json.dumps(found.to_json(), indent=2) + "\n", "utf-8")
        if found.parted:
            raise typer.Exit(EXIT_REFUSED)
