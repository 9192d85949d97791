"""Making a recipe of X-rayed joints: index files of good boards in, a folder `open_recipe` accepts out, or all
faults."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from edge.axi.board import AxiBoard, AxiFault
from edge.axi.board_reader import AxiReader
from edge.axi.places import learned_places, places_csv
from edge.axi.recipe import AxiRecipeFile, ViewSettings, axi_recipe_of
from edge.bundle import read_bundle
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.machine_recipe import read_good
from edge.recipe import BundleRef, PictureFile
from edge.recipe_folder import check_free, write_recipe_folder
from edge.recipe_toml import settings_toml
from edge.settings import SettingsFault, read_toml

RECIPE_FILE, JOINTS_FILE = "recipe.toml", "joints.csv"
MAX_GOOD_BOARDS = 50  # boxes are medians: more boards move them by less than a pixel
COMMENT = "Made by `boardgate recipe axi`. Where each joint usually lies stands in joints.csv."


def new_axi_recipe(
    *,
    good: Sequence[Path],
    machine: Path,
    bundle: Path,
    out: Path,
    recipe_id: str,
    part_number: str,
    verdict_budget_ms: int,
    threshold: float | None = None,
) -> Path:
    """Make the recipe folder `out` from good boards' index files and return its `recipe.toml`.

    `machine` is a TOML file of AxiFileSettings, whose `pictures` is told from its own folder. What is written was read
    back first. Raises SettingsFault with all faults, files named; BundleFault.
    """
    check_free(out, {RECIPE_FILE, JOINTS_FILE})
    file = read_toml(machine, AxiFileSettings)
    judge = read_bundle(bundle)
    if judge.manifest.contract.n_slices is None:
        raise SettingsFault([f"{bundle}: family {judge.manifest.family} does not judge joints in slices"])
    reader = AxiReader(settings=file, recipe_dir=machine.parent)
    boards = read_good("boards", good, MAX_GOOD_BOARDS, reader.max_bytes, reader.board, _unlike)
    try:
        table = places_csv(learned_places(boards))
    except AxiFault as fault:
        raise SettingsFault([f"{good[0]} and others: {fault}"]) from None
    pictures = os.path.relpath((machine.parent / file.pictures).resolve(), out.resolve())
    recipe = AxiRecipeFile(
        schema_version=1,
        machine="axi",
        id=recipe_id,
        part_number=part_number,
        board_type=boards[0].board_type,
        verdict_budget_ms=verdict_budget_ms,
        n_good_boards=len(boards),
        file=file.model_copy(update={"pictures": pictures}),
        joints=PictureFile(path=JOINTS_FILE, sha256=hashlib.sha256(table).hexdigest()),
        bundle=BundleRef(path=os.path.relpath(bundle.resolve(), out.resolve()), sha256=judge.sha256),
        threshold=threshold,
        views={view.name: _view(view.slices.shape) for view in boards[0].views},
    )
    files = {JOINTS_FILE: table, RECIPE_FILE: settings_toml(recipe, COMMENT).encode()}
    write_recipe_folder(out, files, lambda folder: _read_back(folder / RECIPE_FILE) == recipe)
    return out / RECIPE_FILE


def _read_back(file: Path) -> AxiRecipeFile:
    return axi_recipe_of(file, read_toml(file, AxiRecipeFile)).settings


def _view(shape: tuple[int, ...]) -> ViewSettings:
    height, width, n_slices = shape
    return ViewSettings(n_slices=n_slices, width_px=width, height_px=height)


def _unlike(board: AxiBoard, first: AxiBoard) -> str:
    return "" if _program(board) == _program(first) else "another program, or other views, than the first file's"


def _program(board: AxiBoard) -> tuple[object, ...]:
    return board.board_type, *((view.name, view.slices.shape) for view in board.views)
