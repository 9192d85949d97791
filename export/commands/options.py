"""Arguments and options that several commands take, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundleFolder = Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)]
Data = Annotated[Path, typer.Option(help="Data set folder with index.csv.", exists=True, file_okay=False)]
OutBundle = Annotated[Path, typer.Option(help="Bundle folder to write; an older bundle there is replaced.")]
Table = Annotated[str | None, typer.Option(help="Table of regions beside index.csv, e.g. joints.csv.")]
Where = Annotated[list[str] | None, typer.Option(help="Keep rows with column=value; may be repeated.")]
ValWhere = Annotated[list[str] | None, typer.Option(help="The same for validation rows alone.")]
Threads = Annotated[int, typer.Option(min=1, max=64)]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures there as one object.")]
