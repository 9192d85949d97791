"""The files that an index names, below a declared root: found, bounded, and with the very bytes that it means."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edge.axi.board import AxiFault
from edge.capture.readers.axi_index import NamedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBytes:
    """A file's content, with when it was last written."""

    data: bytes
    written_utc: dt.datetime


def read_named(root: Path, named: NamedFile, max_bytes: int, where: str) -> NamedBytes:
    """The file's bytes, their SHA-256 as named. A link may not lead out of the root. Raises AxiFault, which begins with
    `where`."""
    told = f"{where} {named.path}"
    try:
        place = os.path.realpath(root / named.path, strict=True)
        top = os.path.realpath(root, strict=True)
    except OSError as err:
        raise AxiFault(f"{told}: not below {root}: {err.strerror}; the index must be written last") from None
    if os.path.commonpath((place, top)) != top:
        raise AxiFault(f"{told}: a link leads out of {root}")
    data, written_ns = _read(place, max_bytes, told)
    if (got := hashlib.sha256(data).hexdigest()) != named.sha256:
        what = f"{len(data)} bytes with SHA-256 {got}, the index says {named.sha256}"
        raise AxiFault(f"{told}: {what}: half a file, or another board's")
    return NamedBytes(data=data, written_utc=dt.datetime.fromtimestamp(written_ns / 1e9, dt.timezone.utc))


def _read(place: str, max_bytes: int, told: str) -> tuple[bytes, int]:
    """Bytes and time of writing, of a plain file only: a pipe would be waited for without end."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise AxiFault(f"{told}: not a plain file")
            if status.st_size > max_bytes:
                raise AxiFault(f"{told}: {status.st_size} bytes, at most {max_bytes}")
            return file.read(max_bytes), status.st_mtime_ns
    except OSError as err:
        raise AxiFault(f"{told}: cannot be read: {err.strerror}") from None
