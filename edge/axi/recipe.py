"""A recipe of X-rayed joints: which board, its views and where their joints are, and the bundle that judges.

A folder like every recipe: `recipe.toml` and `joints.csv`, named by hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge.axi.board import MAX_SLICES, MAX_VIEWS, AxiFault
from edge.axi.places import AxiPlace, RoiLimits, places_from_csv
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.machine_recipe import read_table
from edge.recipe import BundleRef, PictureFile
from edge.settings import Name, Settings, SettingsFault

MAX_TABLE_BYTES = 4 * 1024 * 1024
Side = Annotated[int, Field(ge=16, le=20_000)]


class ViewSettings(Settings):
    """What the machine's program takes of one view."""

    n_slices: Annotated[int, Field(ge=1, le=MAX_SLICES)]
    width_px: Side
    height_px: Side


class AxiRecipeFile(Settings):
    """`recipe.toml` of a recipe of X-rayed joints."""

    schema_version: Literal[1]
    machine: Literal["axi"]
    id: Name
    part_number: Annotated[str, Field(min_length=1, max_length=64)]
    board_type: Annotated[str, Field(min_length=1, max_length=128)]  # the machine's program; another is held
    verdict_budget_ms: Annotated[int, Field(ge=20, le=60_000)]
    n_good_boards: Annotated[int, Field(ge=1)]  # what joints.csv was learned from
    max_shift_frac: Annotated[float, Field(gt=0.0, le=1.0)] = 0.15  # see `edge.axi.places.RoiLimits`
    max_scale_frac: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    file: AxiFileSettings  # how its machine's files are read
    joints: PictureFile
    bundle: BundleRef
    threshold: float | None = None  # stricter than the bundle's own; a looser one has no evidence and is refused
    views: Annotated[dict[str, ViewSettings], Field(min_length=1, max_length=MAX_VIEWS)]

    @property
    def roi_limits(self) -> RoiLimits:
        """How far regions may be from where they usually are."""
        return RoiLimits(shift_frac=self.max_shift_frac, scale_frac=self.max_scale_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiRecipe:
    """A checked recipe and its joints. `sha256` covers `recipe.toml`, which names all else by hash."""

    settings: AxiRecipeFile
    folder: Path
    sha256: str
    places: tuple[AxiPlace, ...]

    @property
    def bundle_folder(self) -> Path:
        """Where the bundle lies."""
        return (self.folder / self.settings.bundle.path).resolve()


def axi_recipe_of(file: Path, settings: AxiRecipeFile) -> AxiRecipe:
    """A recipe from its checked `recipe.toml` and the table that names. Raises SettingsFault."""
    path = file.parent / settings.joints.path
    try:
        places = places_from_csv(read_table(file, "joints", settings.joints, MAX_TABLE_BYTES))
    except AxiFault as fault:
        raise SettingsFault([f"{path}: {fault}"]) from None
    if strangers := sorted({place.view for place in places} - settings.views.keys()):
        raise SettingsFault([f"{path}: views {strangers[:3]} are none of the recipe's {sorted(settings.views)[:8]}"])
    return AxiRecipe(
        settings=settings, folder=file.parent, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), places=places
    )
