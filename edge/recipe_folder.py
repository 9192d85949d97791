"""Writing a recipe's folder: aside, synced, read back, then one rename. A station finds all of the recipe or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from edge.durable import replace_folder, sync
from edge.settings import SettingsFault


def check_free(out: Path, own: Collection[str]) -> None:
    """An older recipe may be replaced, of files with names or stems in `own`; anything else in the way is not a
    command's to remove. Raises SettingsFault."""
    if out.is_dir():
        strangers = [path.name for path in out.iterdir() if path.name not in own and path.stem not in own]
        if strangers:
            raise SettingsFault([f"{out}: holds {sorted(strangers)[:5]}, which is no recipe: choose another --out"])
    elif out.exists():
        raise SettingsFault([f"{out}: exists and is no folder: choose another --out"])


def write_recipe_folder(out: Path, files: Mapping[str, bytes], reads_back: Callable[[Path], bool]) -> None:
    """Write `files`, by path in the folder; what `reads_back` does not find right is not written at all. Raises
    SettingsFault."""
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside `out`, so that the bundle's relative path already holds while it is read back.
    aside = out.parent / f".{out.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for name, content in files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(content)
        for path in (*aside.rglob("*"), aside):
            sync(path)
        if not reads_back(aside):
            raise SettingsFault([f"{out}: reads back as another recipe; nothing was written"])
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
