"""Engines on the device's disk, each beside a JSON file that says what it was built from and for.

An engine is loaded only when that key equals the wanted one in every field and its bytes are those that were written;
anything else is built anew. Writing is aside, synced, then one rename, so several processes may build the same engine
at once and a power cut leaves the old one or the new one. The folder keeps a bounded number of engines and bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.durable import replace_file
from edge.engine.builder import BatchProfile, Built
from edge.engine.faults import EngineFault
from edge.settings import Settings, SettingsFault, Sha256, read_json
from edge.thresholds import Precision

MAX_ENGINES = 32  # a station has a handful of bundles, each at up to three precisions
MAX_CACHE_BYTES = 4 * 1024**3
MAX_ENGINE_BYTES = 2 * 1024**3
TIMING_CACHE = "timing.cache"
MAX_TIMING_CACHE_BYTES = 64 * 1024**2
MAX_WAIT_S = 1800  # for another process that builds the same engine; a big INT8 build takes minutes on an Orin
LOCK_POLL_S = 0.2

_LOG = logging.getLogger("edge.engine")


class EngineKey(Settings):
    """Everything an engine depends on. Two keys that differ anywhere are two engines."""

    model_sha256: Sha256
    precision: Precision
    tensorrt: str  # name and full version: an engine of 10.3.0.26 is not one of 10.3.0.30
    compute_capability: tuple[int, int]
    device: str  # the chip the tactics were timed on, by name
    opt_batch: Annotated[int, Field(ge=1)]
    max_batch: Annotated[int, Field(ge=1)]

    def digest(self) -> str:
        """SHA-256 over the fields, hex."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def stem(self) -> str:
        """A file name that says what it is to a person: model, precision, and the digest of all of it."""
        return f"{self.model_sha256[:12]}-{self.precision}-{self.digest()[:16]}"

    @property
    def profile(self) -> BatchProfile:
        """The batches it is built for."""
        return BatchProfile(opt=self.opt_batch, max=self.max_batch)


class EngineRecord(Settings):
    """The JSON file beside an engine."""

    key: EngineKey
    engine_sha256: Sha256
    build_seconds: Annotated[float, Field(ge=0.0)]
    n_layers: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEngine:
    """An engine's bytes, where they lie, and why they were built now; `rebuilt` is empty when they were there."""

    engine: bytes
    path: Path
    record: EngineRecord
    rebuilt: str


def default_cache_folder() -> Path:
    """`$CACHE_DIRECTORY`, which systemd sets for a unit with CacheDirectory=, else the user's own cache."""
    given = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) / "engines" if given else home / "boardgate" / "engines"


def cached_engine(folder: Path, key: EngineKey, build: Callable[[bytes], Built]) -> CachedEngine:
    """The engine of a key: from the folder when it is there and sound, else built and kept.

    `build` is given the timing cache of earlier builds. Raises what `build` raises, EngineFault when others may write
    to the folder, OSError when it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(folder)
    path = folder / f"{key.stem()}.engine"
    with _locked(path.with_suffix(".lock")):
        try:
            engine, record = _read(path, key)
            os.utime(path)  # the one used last is the last to be removed
            return CachedEngine(engine=engine, path=path, record=record, rebuilt="")
        except _NotUsable as why:
            _LOG.info("engine %s: building: %s", path.name, why)
            return _build(path, key, build, str(why))


def _build(path: Path, key: EngineKey, build: Callable[[bytes], Built], reason: str) -> CachedEngine:
    folder = path.parent
    built = build(_timing_cache(folder))
    record = EngineRecord(
        key=key,
        engine_sha256=hashlib.sha256(built.engine).hexdigest(),
        build_seconds=built.seconds,
        n_layers=built.parsed.n_layers,
    )
    # The engine first: a record without its engine, or beside another one, is seen by the hash and built anew.
    _write(path, built.engine)
    _write(_record_path(path), (json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True) + "\n").encode())
    if built.timing_cache:
        _write(folder / TIMING_CACHE, built.timing_cache)
    _bound(folder, keep=path)
    return CachedEngine(engine=built.engine, path=path, record=record, rebuilt=reason)


def _check_private(folder: Path) -> None:
    """An engine is machine code: whoever can write one here can run code in the inspector."""
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineFault(f"{folder}: others may write there (mode {stat.S_IMODE(mode):o}): chmod 700 it")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder of a key at a time; who waited finds the engine there. The lock goes with its process."""
    with path.open("a") as file:
        deadline_ns = time.monotonic_ns() + MAX_WAIT_S * 10**9
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic_ns() > deadline_ns:
                    raise EngineFault(f"{path}: another process has been building it for {MAX_WAIT_S} s") from None
                time.sleep(LOCK_POLL_S)
        yield


class _NotUsable(Exception):
    """Why an engine in the folder is not the one wanted."""


def _read(path: Path, key: EngineKey) -> tuple[bytes, EngineRecord]:
    try:
        record = read_json(_record_path(path), EngineRecord)
        if path.stat().st_size > MAX_ENGINE_BYTES:
            raise _NotUsable(f"larger than {MAX_ENGINE_BYTES} bytes")
        engine = path.read_bytes()
    except FileNotFoundError:
        raise _NotUsable("there is none yet") from None
    except (OSError, SettingsFault) as err:
        missing = not path.exists() and not _record_path(path).exists()
        raise _NotUsable("there is none yet" if missing else f"its record cannot be read: {err}") from None
    if record.key != key:
        raise _NotUsable(f"built for another key: {_differences(record.key, key)}")
    if (got := hashlib.sha256(engine).hexdigest()) != record.engine_sha256:
        raise _NotUsable(f"hash {got[:12]}…, its record says {record.engine_sha256[:12]}…")
    return engine, record


def _differences(got: EngineKey, wanted: EngineKey) -> str:
    fields = got.model_dump().keys()
    return ", ".join(
        f"{f} {getattr(got, f)}, wanted {getattr(wanted, f)}" for f in fields if getattr(got, f) != getattr(wanted, f)
    )


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _timing_cache(folder: Path) -> bytes:
    path = folder / TIMING_CACHE
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_TIMING_CACHE_BYTES else b""
    except OSError:
        return b""  # none yet: the build times every layer


def _write(path: Path, content: bytes) -> None:
    replace_file(path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}"), path, content)


def _bound(folder: Path, keep: Path) -> None:
    """Remove the engines used longest ago until the rest fit. Another process may be doing the same."""
    engines = sorted((p for p in folder.glob("*.engine") if p != keep), key=_last_use_ns, reverse=True)
    total_bytes, kept = _size_bytes(keep), 1
    for path in engines:
        total_bytes += _size_bytes(path)
        kept += 1
        if kept > MAX_ENGINES or total_bytes > MAX_CACHE_BYTES:
            total_bytes -= _size_bytes(path)
            kept -= 1
            _LOG.info("engine %s: removed, the cache is full", path.name)
            path.unlink(missing_ok=True)
            _record_path(path).unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def _last_use_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
