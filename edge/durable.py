"""Writing so that a power cut leaves the old or the new, never half: sync what was written, then rename."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(aside: Path, out: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` aside and rename it over `out`; `mode` are its permission bits where the usual will not do.

    Whoever writes one file from several threads or processes must name asides that differ. Raises OSError.
    """
    try:
        with aside.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, out)
    finally:
        aside.unlink(missing_ok=True)
    sync(out.parent)


def replace_folder(aside: Path, out: Path) -> None:
    """Rename the folder `aside` to `out`. A folder cannot be renamed over a full one, so an older `out` is moved away
    first; it comes back when the rename fails. Raises OSError."""
    old = out.parent / f".{out.name}.old-{os.getpid()}"
    if out.exists():
        out.rename(old)
    try:
        aside.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    sync(out.parent)
    shutil.rmtree(old, ignore_errors=True)
