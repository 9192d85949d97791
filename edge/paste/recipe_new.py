"""Making a recipe of paste: files of good panels in, a folder `open_recipe` accepts out, or all faults.

Nothing is trained: what good prints of each pad show is learned from the files, and what judges comes with the bundle.
One good panel is enough to begin with; a pad's own mean is trusted the more, the more there are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from edge.bundle import read_bundle
from edge.capture.readers.paste import read_panel
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.machine_recipe import read_good
from edge.paste.board_reader import MAX_FILE_BYTES
from edge.paste.learn import grid_for, learn_table
from edge.paste.panel import PasteFault, PastePanel
from edge.paste.recipe import PasteRecipeFile, read_paste_recipe
from edge.paste.table_file import groups_csv, pads_csv
from edge.recipe import BundleRef, PictureFile
from edge.recipe_folder import check_free, write_recipe_folder
from edge.recipe_toml import settings_toml
from edge.settings import SettingsFault

RECIPE_FILE, PADS_FILE, GROUPS_FILE = "recipe.toml", "pads.csv", "groups.csv"
MAX_GOOD_PANELS = 1_000
COMMENT = "Made by `boardgate recipe paste`. What good prints of each pad show stands in pads.csv."


def new_paste_recipe(
    *,
    good: Sequence[Path],
    bundle: Path,
    out: Path,
    recipe_id: str,
    part_number: str,
    verdict_budget_ms: int,
    file: PasteFileSettings,
    cell_mm: float,
    wipe_every_boards: int,
    threshold: float | None = None,
) -> Path:
    """Make the recipe folder `out` from good panels' files and return its `recipe.toml`.

    `threshold` may be stricter than the bundle's. Panels are taken in the order of the machine's counter. What is
    written was read back first. Raises SettingsFault with all faults, files named; BundleFault.
    """
    check_free(out, {RECIPE_FILE, PADS_FILE, GROUPS_FILE})
    judge = read_bundle(bundle)
    contract = judge.manifest.contract
    if contract.window is None:
        raise SettingsFault([f"{bundle}: judges pictures, not paste: `boardgate recipe new` makes recipes for it"])
    read = partial(read_panel, settings=file)
    panels = read_good("panels", good, MAX_GOOD_PANELS, MAX_FILE_BYTES, read, _unlike)
    panels.sort(key=lambda panel: panel.counter or 0)
    try:
        table = learn_table(panels, grid_for(panels[0], cell_mm, contract.crop_px), wipe_every_boards)
    except PasteFault as fault:
        raise SettingsFault([f"{good[0]} and others: {fault}"]) from None
    tables = {PADS_FILE: pads_csv(table), GROUPS_FILE: groups_csv(table)}
    named = {name: PictureFile(path=name, sha256=hashlib.sha256(data).hexdigest()) for name, data in tables.items()}
    recipe = PasteRecipeFile(
        schema_version=1,
        machine="spi",
        id=recipe_id,
        part_number=part_number,
        job=panels[0].job,
        verdict_budget_ms=verdict_budget_ms,
        file=file,
        n_good_panels=len(panels),
        n_good_days=len({panel.printed[:10] for panel in panels}),
        wipe_every_boards=wipe_every_boards,
        side_cells=contract.crop_px,
        pads=named[PADS_FILE],
        groups=named[GROUPS_FILE],
        threshold=threshold,
        bundle=BundleRef(path=os.path.relpath(bundle.resolve(), out.resolve()), sha256=judge.sha256),
    )
    files = {**tables, RECIPE_FILE: settings_toml(recipe, COMMENT).encode()}
    write_recipe_folder(out, files, lambda folder: read_paste_recipe(folder / RECIPE_FILE).settings == recipe)
    return out / RECIPE_FILE


def _unlike(panel: PastePanel, first: PastePanel) -> str:
    return "" if panel.job == first.job else f"program {panel.job!r}, the first file has {first.job!r}"
