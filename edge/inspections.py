"""A recipe of any kind, and what inspects boards by it: pictures (`edge.inspection`), paste (`edge.paste.inspection`)
or X-rayed joints (`edge.axi.inspection`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from edge.axi.inspection import AxiInspection
from edge.axi.recipe import AxiRecipe, AxiRecipeFile, axi_recipe_of
from edge.board import Board, Image
from edge.bundle import bundle_identity
from edge.capture.board_file import BoardReader
from edge.clock import Clock
from edge.gate import Judged
from edge.inspection import Inspected, Inspection
from edge.paste.inspection import PasteInspection
from edge.paste.recipe import PasteRecipe, PasteRecipeFile, paste_recipe_of
from edge.recipe import BundleRef, Recipe, RecipeFile, recipe_of
from edge.scorers import EngineChoice
from edge.settings import SettingsFault, read_toml_as

AnyRecipe = Recipe | PasteRecipe | AxiRecipe
AnyRecipeFile = RecipeFile | PasteRecipeFile | AxiRecipeFile
# By what a recipe says its machine is; one of pictures does not say.
RECIPE_FILES: Mapping[str, type[AnyRecipeFile]] = {"spi": PasteRecipeFile, "axi": AxiRecipeFile}


class BoardInspection(Protocol):
    """What the station, `inspect` and `replay` need of an inspection."""

    @property
    def judged(self) -> Judged:
        """Which recipe and bundles stand behind its verdicts."""
        ...

    @property
    def reader(self) -> BoardReader:
        """What reads the recipe's machine's files."""
        ...

    def inspect(self, board: Board, on_stage: Callable[[], object] | None = None) -> Inspected:
        """Exactly one verdict for every board."""
        ...

    def drawn(self, board: Board, inspected: Inspected) -> Image | None:
        """The board with its verdict, (h, w, 3) uint8 BGR; None where there is nothing to draw on."""
        ...


def open_recipe(path: Path) -> AnyRecipe:
    """Read a recipe of any kind, from its folder or its `recipe.toml`. Raises SettingsFault with all faults."""
    file = path / "recipe.toml" if path.is_dir() else path
    settings: AnyRecipeFile = read_toml_as(file, lambda data: RECIPE_FILES.get(str(data.get("machine")), RecipeFile))
    if isinstance(settings, PasteRecipeFile):
        return paste_recipe_of(file, settings)
    if isinstance(settings, AxiRecipeFile):
        return axi_recipe_of(file, settings)
    return recipe_of(file, settings)


def inspection_of(recipe: AnyRecipe, engine: EngineChoice, clock: Clock) -> BoardInspection:
    """Engines loaded, golden inputs checked. Raises BundleFault."""
    if isinstance(recipe, PasteRecipe):
        return PasteInspection(recipe, engine, clock)
    if isinstance(recipe, AxiRecipe):
        return AxiInspection(recipe, engine, clock)
    return Inspection(recipe, engine, clock)


def bundles_of(recipe: AnyRecipe) -> Mapping[str, BundleRef]:
    """The bundles a recipe names; the only one of paste or of X-rayed joints by what it judges."""
    if isinstance(recipe, Recipe):
        return recipe.settings.bundles
    return {"paste" if isinstance(recipe, PasteRecipe) else "axi": recipe.settings.bundle}


def with_bundle(recipe: AnyRecipe, bundle: Path) -> AnyRecipe:
    """The recipe judged by another bundle. Raises SettingsFault where it has several."""
    ref = BundleRef(path=str(bundle.resolve()), sha256=bundle_identity(bundle))
    if isinstance(recipe, AxiRecipe):  # a branch each: mypy lets `replace` take no union
        return replace(recipe, settings=recipe.settings.model_copy(update={"bundle": ref}))
    if isinstance(recipe, PasteRecipe):
        return replace(recipe, settings=recipe.settings.model_copy(update={"bundle": ref}))
    if len(recipe.settings.bundles) != 1:
        raise SettingsFault([f"{recipe.folder}: has {len(recipe.settings.bundles)} bundles, --bundle replaces one"])
    name = next(iter(recipe.settings.bundles))
    return replace(recipe, settings=recipe.settings.model_copy(update={"bundles": {name: ref}}))
