"""The cache of engines: the right one or a new one, never another's."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.engine import cache
from edge.engine.builder import Built, Parsed
from edge.engine.cache import EngineKey, cached_engine, default_cache_folder
from edge.engine.faults import BuildFault, EngineFault

pytestmark = pytest.mark.unit

KEY = EngineKey(
    model_sha256="a" * 64,
    precision="fp16",
    tensorrt="TensorRT 10.3.0",
    compute_capability=(8, 7),
    device="Orin",
    opt_batch=50,
    max_batch=64,
)


class Factory:
    """Builds a different engine every time, and remembers which timing caches it was given."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def __call__(self, timing_cache: bytes) -> Built:
        self.given.append(timing_cache)
        engine = b"engine %d" % len(self.given)
        return Built(
            engine=engine, timing_cache=b"timed", parsed=Parsed(n_layers=3, inputs=(), outputs=()), seconds=1.5
        )


def test_built_once_then_read(tmp_path: Path) -> None:
    build = Factory()
    first, second = (cached_engine(tmp_path, KEY, build) for _ in range(2))
    assert (first.engine, first.rebuilt) == (b"engine 1", "there is none yet")
    assert (second.engine, second.rebuilt) == (b"engine 1", "")
    record = json.loads(first.path.with_suffix(".json").read_text())
    assert record["key"]["compute_capability"] == [8, 7]
    assert record["build_seconds"] == 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "b" * 64},
        {"precision": "int8"},
        {"tensorrt": "TensorRT 10.3.1"},
        {"compute_capability": (8, 9)},
        {"device": "Thor"},
        {"opt_batch": 1},
        {"max_batch": 65},
    ],
)
def test_another_key_is_another_engine(tmp_path: Path, change: dict[str, Any]) -> None:
    build = Factory()
    cached_engine(tmp_path, KEY, build)
    other = KEY.model_copy(update=change)
    assert cached_engine(tmp_path, other, build).engine == b"engine 2"
    assert cached_engine(tmp_path, KEY, build).engine == b"engine 1"


@pytest.mark.parametrize("field", ["tensorrt", "device"])
def test_a_record_of_another_key_under_this_name_is_built_anew(tmp_path: Path, field: str) -> None:
    build = Factory()
    record = cached_engine(tmp_path, KEY, build).path.with_suffix(".json")
    content = json.loads(record.read_text())
    content["key"][field] = "another"
    record.write_text(json.dumps(content))
    again = cached_engine(tmp_path, KEY, build)
    assert (again.engine, f"{field} another" in again.rebuilt) == (b"engine 2", True)


def _flip(path: Path) -> None:
    path.write_bytes(b"f" + path.read_bytes()[1:])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("suffix", [".engine", ".json"])
@pytest.mark.parametrize("harm", [_flip, _empty, Path.unlink])
def test_whatever_is_not_sound_is_built_anew(tmp_path: Path, suffix: str, harm: Callable[[Path], None]) -> None:
    build = Factory()
    harm(cached_engine(tmp_path, KEY, build).path.with_suffix(suffix))
    again = cached_engine(tmp_path, KEY, build)
    assert again.engine == b"engine 2"
    assert again.rebuilt
    assert cached_engine(tmp_path, KEY, build).rebuilt == ""


def test_a_build_that_fails_keeps_nothing(tmp_path: Path) -> None:
    def fails(timing_cache: bytes) -> Built:
        raise BuildFault("no")

    with pytest.raises(BuildFault):
        cached_engine(tmp_path, KEY, fails)
    assert not [p for p in tmp_path.iterdir() if p.suffix != ".lock"]


def test_the_timing_cache_is_handed_on(tmp_path: Path) -> None:
    build = Factory()
    for batch in (1, 2):
        cached_engine(tmp_path, KEY.model_copy(update={"opt_batch": batch}), build)
    assert build.given == [b"", b"timed"]


def test_builders_at_once_build_once(tmp_path: Path) -> None:
    build, got = Factory(), []
    inside = threading.Event()

    def slow(timing_cache: bytes) -> Built:
        inside.wait(1.0)
        return build(timing_cache)

    threads = [threading.Thread(target=lambda: got.append(cached_engine(tmp_path, KEY, slow).engine)) for _ in range(4)]
    for thread in threads:
        thread.start()
    inside.set()
    for thread in threads:
        thread.join()
    assert got == [b"engine 1"] * 4


def test_waiting_for_another_builder_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_WAIT_S", 0)
    with cache._locked(tmp_path / f"{KEY.stem()}.lock"), pytest.raises(EngineFault, match="another process"):
        cached_engine(tmp_path, KEY, Factory())


def test_the_folder_is_bounded_and_the_last_used_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENGINES", 3)
    build = Factory()
    keys = [KEY.model_copy(update={"opt_batch": n}) for n in range(1, 6)]
    for age, key in enumerate(keys):
        made = cached_engine(tmp_path, key, build)
        os.utime(made.path, ns=(age * 10**9, age * 10**9))
        if age >= 2:
            cached_engine(tmp_path, keys[0], build)  # in use all the while
    assert len(list(tmp_path.glob("*.engine"))) == 3
    assert len(list(tmp_path.glob("*.json"))) == 3
    assert cached_engine(tmp_path, keys[0], build).rebuilt == ""
    assert cached_engine(tmp_path, keys[4], build).rebuilt == ""
    assert cached_engine(tmp_path, keys[1], build).rebuilt


def test_the_folder_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", 20)  # two engines of eight bytes
    for n in range(1, 6):
        cached_engine(tmp_path, KEY.model_copy(update={"opt_batch": n}), Factory())
    assert len(list(tmp_path.glob("*.engine"))) == 2


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(EngineFault, match="chmod 700"):
        cached_engine(folder, KEY, Factory())


def test_a_fresh_folder_is_private(tmp_path: Path) -> None:
    cached_engine(tmp_path / "deep" / "engines", KEY, Factory())
    assert (tmp_path / "deep" / "engines").stat().st_mode & 0o077 == 0


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "boardgate" / "engines"
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/boardgate:/var/cache/other")
    assert default_cache_folder() == Path("/var/cache/boardgate/engines")
