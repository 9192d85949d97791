"""A recipe of paste: which panel, its pads and what good prints of them show, and the bundle that judges.

A folder like a recipe of pictures: `recipe.toml`, `pads.csv` and `groups.csv`. Everything is named by path and hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.machine_recipe import read_table
from edge.paste.panel import PasteFault
from edge.paste.table import PadTable
from edge.paste.table_file import MAX_WIPE_EVERY, table_from_csv
from edge.recipe import BundleRef, PictureFile
from edge.settings import Name, Settings, SettingsFault, read_toml

FEW_DAYS = 3  # of good panels; from fewer, what a line does from day to day looks like a defect
MAX_TABLE_BYTES = 128 * 1024 * 1024  # 200,000 pads at some 400 bytes, with room


class PasteRecipeFile(Settings):
    """`recipe.toml` of a recipe of paste."""

    schema_version: Literal[1]
    machine: Literal["spi"]
    id: Name
    part_number: Annotated[str, Field(min_length=1, max_length=64)]
    job: Annotated[str, Field(max_length=128)]  # the machine's program for this panel and side; another is held
    verdict_budget_ms: Annotated[int, Field(ge=20, le=60_000)]
    file: PasteFileSettings  # how its machine's files are read
    n_good_panels: Annotated[int, Field(ge=1)]  # what pads.csv was learned from
    n_good_days: Annotated[int, Field(ge=1)]
    wipe_every_boards: Annotated[int, Field(ge=1, le=MAX_WIPE_EVERY)]
    side_cells: Annotated[int, Field(ge=8, le=1024)]  # of the tiles that pads.csv lays the pads on, as the bundle's
    pads: PictureFile
    groups: PictureFile
    bundle: BundleRef
    threshold: float | None = None  # stricter than the bundle's own; a looser one has no evidence and is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PasteRecipe:
    """A checked recipe and its pad table. `sha256` covers `recipe.toml`, which names all else by hash."""

    settings: PasteRecipeFile
    folder: Path
    sha256: str
    table: PadTable

    @property
    def bundle_folder(self) -> Path:
        """Where the bundle lies."""
        return (self.folder / self.settings.bundle.path).resolve()


def read_paste_recipe(file: Path) -> PasteRecipe:
    """Read `recipe.toml` of a recipe of paste and its tables. Raises SettingsFault with all faults."""
    return paste_recipe_of(file, read_toml(file, PasteRecipeFile))


def paste_recipe_of(file: Path, settings: PasteRecipeFile) -> PasteRecipe:
    """A recipe from its checked `recipe.toml` and the tables that names. Raises SettingsFault."""
    pads = read_table(file, "pads", settings.pads, MAX_TABLE_BYTES)
    groups = read_table(file, "groups", settings.groups, MAX_TABLE_BYTES)
    try:
        table = table_from_csv(pads, groups, side_cells=settings.side_cells, wipe_every=settings.wipe_every_boards)
    except PasteFault as fault:
        raise SettingsFault([f"{file}: {fault}"]) from None
    return PasteRecipe(
        settings=settings,
        folder=file.parent,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        table=table,
    )
