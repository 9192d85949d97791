"""`boardgate namer`: give a bundle of paste what names the printer's fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edge.bundle import NAMER_GRAPH, NAMER_SETTINGS, read_bundle
from edge.paste.fault_namer import FaultNamer
from export.commands.console import console, known_faults
from export.faults import WorkshopFault


def namer(
    bundle: Annotated[Path, typer.Argument(help="The bundle, of a family of windows.", exists=True, file_okay=False)],
    folder: Annotated[Path, typer.Argument(help=f"Where {NAMER_GRAPH} and {NAMER_SETTINGS} lie.", exists=True)],
    out: Annotated[Path, typer.Option(help="The bundle to write: the same one, with the namer.")],
) -> None:
    """Write a bundle again with a namer of printer faults and its evidence; its graphs and thresholds stay.

    Example: boardgate namer paste.bundle namer/ --out paste-named.bundle
    """
    with known_faults():
        from export.bundle import parts_of, write_bundle  # noqa: PLC0415

        read = read_bundle(bundle)
        if read.manifest.contract.window is None:
            raise WorkshopFault(f"{bundle}: judges pictures; only panels of paste have a printer")
        try:
            files = (folder / NAMER_GRAPH).read_bytes(), (folder / NAMER_SETTINGS).read_bytes()
        except OSError as err:
            raise WorkshopFault(f"{err.filename}: cannot be read: {err.strerror}") from None
        evidence = FaultNamer(*files).settings.evidence
        identity = write_bundle(out, replace(parts_of(read), namer=files))
        console.print(f"[bold]{out}[/]  {identity}", highlight=False)
        console.print(
            f"  names the printer's fault: macro-F1 {evidence.macro_f1_runs.value:.3f} by run", highlight=False
        )
