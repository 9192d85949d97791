"""What recipes made from a machine's own files share, those of paste and of X-rayed joints: tables named by hash, and
the good boards they are learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from edge.capture.board_file import BoardFileFault
from edge.paste.panel import PasteFault
from edge.recipe import PictureFile
from edge.settings import SettingsFault

B = TypeVar("B")


def read_table(recipe_file: Path, name: str, named: PictureFile, max_bytes: int) -> bytes:
    """The table that a recipe names in `name`, its hash checked. Raises SettingsFault."""
    path = recipe_file.parent / named.path
    try:
        if path.stat().st_size > max_bytes:
            raise SettingsFault([f"{recipe_file} {name}: {path} is larger than {max_bytes} bytes"])
        data = path.read_bytes()
    except OSError as err:
        raise SettingsFault([f"{recipe_file} {name}: {path}: {err.strerror}"]) from None
    if (found := hashlib.sha256(data).hexdigest()) != named.sha256:
        raise SettingsFault([f"{recipe_file} {name}.sha256: {path} has {found}, the recipe says {named.sha256}"])
    return data


def read_good(
    what: str,
    files: Sequence[Path],
    most: int,
    max_bytes: int,
    read: Callable[[bytes, str], B],
    unlike: Callable[[B, B], str],
) -> list[B]:
    """Good boards, each by `read` from its file's bytes and name; `unlike` says why one is not as the first, or
    nothing. Raises SettingsFault with every file that cannot be used."""
    if not 1 <= len(files) <= most:
        raise SettingsFault([f"{len(files)} good {what}, allowed 1 to {most}"])
    boards: list[B] = []
    faults = []
    for path in files:
        try:
            if path.stat().st_size > max_bytes:
                raise BoardFileFault(f"larger than {max_bytes} bytes")
            board = read(path.read_bytes(), path.name)
        except (OSError, BoardFileFault, PasteFault) as err:
            faults.append(f"{path}: {err}")
            continue
        boards.append(board)
        if why := unlike(board, boards[0]):
            faults.append(f"{path}: {why}")
    if faults:
        raise SettingsFault(faults)
    return boards
