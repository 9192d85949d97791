"""Our own index of one X-rayed board: which joint lies where in which slices, for machines whose export does not say.
The format is described in docs/axi-files.md. Pure: bytes in, an AxiIndex or AxiFault out; pictures are not opened here.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from edge.axi.board import MAX_JOINTS, MAX_SLICES, MAX_VIEWS, AxiFault
from edge.settings import Settings, Sha256

MAX_INDEX_BYTES = 16 * 1024 * 1024  # MAX_JOINTS joints take 6 MB
MAX_FAULTS_TOLD = 5
_WHOLE = re.compile(r'"complete"\s*:\s*true\s*\}\s*$')
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def _relative(path: str) -> str:
    """Below the declared root, whatever the station's system."""
    parts = path.split("/")
    if "\\" in path or ":" in path:
        raise ValueError("a path has / between folders, and no drive")
    if path.startswith("/") or not all(parts) or not {".", ".."}.isdisjoint(parts):
        raise ValueError("a path is relative to the root of pictures, without '..', '.' and empty parts")
    return path


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("no control characters, no blanks before or after")
    return text


PicturePath = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_printable), AfterValidator(_relative)]
Text = Annotated[str, Field(max_length=128), AfterValidator(_printable)]
Label = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
Pixels = Annotated[float, Field(ge=-100_000.0, le=100_000.0, allow_inf_nan=False)]


class NamedFile(Settings):
    """A file below the root, and the SHA-256 of its bytes."""

    path: PicturePath
    sha256: Sha256


class JointEntry(Settings):
    """A joint: box x0, y0, x1, y1 in pixels of its view, x1 and y1 beyond the last pixel."""

    refdes: Label
    pin: Text
    box_px: tuple[Pixels, Pixels, Pixels, Pixels]


class ViewEntry(Settings):
    """A view: slices of one size, the lowest first."""

    name: Label
    slices: Annotated[tuple[NamedFile, ...], Field(min_length=1, max_length=MAX_SLICES)]
    joints: Annotated[tuple[JointEntry, ...], Field(min_length=1, max_length=MAX_JOINTS)]


class AxiIndex(Settings):
    """A board. `complete` comes last in the file: it is how a whole file is told from half of one."""

    schema_version: Literal[1]
    serial: Text  # empty when not read
    board_type: Label
    export: NamedFile | None  # the machine's own export
    views: Annotated[tuple[ViewEntry, ...], Field(min_length=1, max_length=MAX_VIEWS)]
    complete: Literal[True]


def index_of(data: bytes, file: str) -> AxiIndex:
    """The index in a file called `file`. Raises AxiFault, which names the fields at fault."""
    text = _text_of(data, file)
    try:
        index = AxiIndex.model_validate_json(text)
    except ValidationError as err:
        raise AxiFault(f"{file} {_told(err)}") from None
    try:
        json.loads(text, object_pairs_hook=_no_key_twice)
    except ValueError as err:
        raise AxiFault(f"{file}: {err}") from None
    _check_files(index, file)
    return index


def whole(head: bytes, tail: bytes) -> bool:
    """Whether a file with these first and last bytes ends with `"complete": true }`, as a whole index does."""
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    if encoding == "utf-16":
        encoding = "utf-16-le" if head.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    end = tail[-256:] if len(tail) >= 256 else tail[len(tail) % 2 :]
    return _WHOLE.search(end.decode(encoding, errors="replace")) is not None


def _text_of(data: bytes, file: str) -> str:
    if not data:
        raise AxiFault(f"{file}: an empty file")
    if len(data) > MAX_INDEX_BYTES:
        raise AxiFault(f"{file}: {len(data)} bytes, at most {MAX_INDEX_BYTES}")
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise AxiFault(f"{file} line {line}: byte 0x{data[err.start]:02X} is not {encoding}") from None


def _told(err: ValidationError) -> str:
    """Where and what, of the first few faults. A list is not told as too short because of the faults inside it."""
    told = err.errors(include_url=False)
    inside = {fault["loc"][:n] for fault in told for n in range(len(fault["loc"]))}
    faults = [fault for fault in told if not (fault["type"] == "too_short" and fault["loc"] in inside)]
    lines = []
    for fault in faults[:MAX_FAULTS_TOLD]:
        where = ".".join(map(str, fault["loc"])) or "file"
        got = "" if fault["type"] in ("missing", "json_invalid") else f" (got {fault['input']!r:.60})"
        what = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"]
        lines.append(f"{where}: {what}{got}")
    more = f"; and {len(faults) - MAX_FAULTS_TOLD} more" if len(faults) > MAX_FAULTS_TOLD else ""
    return "; ".join(lines) + more


def _no_key_twice(pairs: list[tuple[str, object]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} comes twice in one object")


def _check_files(index: AxiIndex, file: str) -> None:
    """No file stands for two slices: a view copied under another name is a fault of the exporter's."""
    seen: dict[str, str] = {}
    for view in index.views:
        for n, named in enumerate(view.slices):
            where = f"view {view.name} slice {n}"
            for key in (named.path, named.sha256):
                if key in seen:
                    raise AxiFault(f"{file}: {where} is the same picture as {seen[key]}: {named.path}")
                seen[key] = where
    if sum(len(view.joints) for view in index.views) > MAX_JOINTS:
        raise AxiFault(f"{file}: {sum(len(view.joints) for view in index.views)} joints, at most {MAX_JOINTS}")
