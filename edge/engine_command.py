"""`boardgate engine`: what it prints. `edge.engine_choice` measures, `edge.engine` builds and checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from edge.bundle import BundleFault, read_bundle
from edge.engine.prepare import prepare
from edge.engine_choice import measure_engines, write_engine_file
from edge.scorers import EngineChoice
from edge.thresholds import PRECISIONS, EngineName, Precision


def measured(folder: Path, threads: int, out: Path | None, *, as_json: bool) -> list[str]:
    """Try the CPU engines on this device and write the choice to `out`. Raises BundleFault when none will do."""
    found = measure_engines(read_bundle(folder), threads)
    if out is not None:
        write_engine_file(out, found)
    if as_json:
        return [json.dumps(found.model_dump(mode="json"))]
    lines = found.lines()
    return [*lines, f"written: {out}"] if out is not None else lines


def prepared(
    folder: Path, scorer: str, precision: str, threads: int, *, allow_fallback: bool, as_json: bool
) -> list[str]:
    """Load a bundle as a station would, building its engine. Raises BundleFault when nothing works."""
    choice = EngineChoice(engine=_engine(scorer), precision=_precision(precision), threads=threads)
    ready = prepare(folder, choice, allow_fallback=allow_fallback)
    return [json.dumps(ready.to_json())] if as_json else ready.lines()


def _engine(text: str) -> EngineName:
    for name in get_args(EngineName):
        if name == text:
            found: EngineName = name
            return found
    raise BundleFault(f"--scorer {text!r}: is not one of {list(get_args(EngineName))}")


def _precision(text: str) -> Precision:
    for precision in PRECISIONS:
        if precision == text:
            return precision
    raise BundleFault(f"--precision {text!r}: is not one of {list(PRECISIONS)}")
