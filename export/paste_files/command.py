"""`boardgate paste-summary`: a large SPI table on one screen, and its pads and panels as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import PasteFault
from export.commands.console import console, known_faults
from export.faults import WorkshopFault


def paste_summary(
    table: Annotated[Path, typer.Argument(help="The machine's table, a line a pad.", exists=True, dir_okay=False)],
    date_order: Annotated[str, typer.Option(help="How the machine writes dates: mdy, dmy or ymd.")],
    pads: Annotated[int | None, typer.Option(min=1, help="Pads of a whole panel; else as most panels have.")] = None,
    encoding: Annotated[str, typer.Option(help="Code page, e.g. cp1252; else BOM or plain ASCII.")] = "",
    decimal: Annotated[str, typer.Option(help="Decimal mark, . or , (then cells are parted by semicolons).")] = ".",
    out: Annotated[Path | None, typer.Option(help="Folder for pads.csv, panels.csv and refused.csv.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there as one object.")] = None,
) -> None:
    """Statistics of every pad and every panel of a large SPI table, and the panels in it that are not whole.

    Example: boardgate paste-summary spi.csv --date-order mdy --out out/spi
    """
    from export.paste_files.summary import summarise  # noqa: PLC0415
    from export.paste_files.tables import summary_tables, to_json, write_tables  # noqa: PLC0415

    with known_faults():
        try:
            given = {"format": "spi_table", "date_order": date_order, "encoding": encoding, "decimal": decimal}
            settings = PasteFileSettings.model_validate(given)
            summary = summarise(table, settings)
        except ValidationError as err:
            faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in err.errors())
            raise WorkshopFault("; ".join(faults)) from err
        except PasteFault as fault:
            raise WorkshopFault(str(fault)) from fault
        console.print(summary_tables(summary, pads))
        if out is not None:
            write_tables(summary, out, pads)
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(to_json(summary, pads), indent=2) + "\n", "utf-8")
