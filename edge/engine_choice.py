"""Which CPU engine and precision scores a bundle fastest on this very device: measured once, at install, and written
down.

Engines trade places from processor to processor, and eight bits pay only where the processor multiplies them faster.
What is measured has passed the bundle's golden check here; each precision is judged by its own threshold, so a choice
changes how long a board takes and never how it is judged. `engine.json` belongs to one bundle: for any other, the
station's own settings hold.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from edge.bundle import Bundle, BundleFault
from edge.durable import replace_file
from edge.references import Scorable
from edge.scorers import EngineChoice, Scorer, golden_inputs, load_scorer
from edge.settings import Settings, SettingsFault, Sha256, read_json
from edge.thresholds import EngineName, Precision

CPU_ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")
CPU_PRECISIONS: tuple[Precision, ...] = ("fp32", "int8-cpu")
BOARD_CROPS = 128
ROUNDS = 15
MIN_GAIN_FRAC = 0.1  # a station stays with the default unless another engine saves more than measuring scatters

log = logging.getLogger("boardgate.engine")


class Trial(Settings):
    """One engine and precision on this device: microseconds a crop (median), or why it will not do."""

    engine: EngineName
    precision: Precision
    us_a_crop: Annotated[float, Field(gt=0.0)] | None
    refused: str = ""


class EngineFile(Settings):
    """`engine.json`."""

    schema_version: Literal[1] = 1
    bundle_sha256: Sha256
    engine: EngineName
    precision: Precision
    threads: Annotated[int, Field(ge=1, le=64)]
    trials: tuple[Trial, ...]

    def lines(self) -> list[str]:
        """For the terminal: the fastest first, then what will not do and why."""
        ran = sorted((t.us_a_crop, t.engine, t.precision) for t in self.trials if t.us_a_crop is not None)
        told = [f"{us:8.1f} µs a crop  {engine} {precision}" for us, engine, precision in ran]
        told += [f"refused             {t.engine} {t.precision}: {t.refused}" for t in self.trials if t.refused]
        return [*told, f"chosen              {self.engine} {self.precision}, {self.threads} threads"]


def measure_engines(bundle: Bundle, threads: int) -> EngineFile:
    """Try every CPU engine at every precision the bundle has, in alternating rounds. Raises BundleFault when none
    will do."""
    scorers: dict[tuple[EngineName, Precision], Scorer] = {}
    refused: dict[tuple[EngineName, Precision], str] = {}
    for precision in (p for p in CPU_PRECISIONS if p in bundle.manifest.graphs):
        for engine in CPU_ENGINES:
            choice = EngineChoice(engine=engine, precision=precision, threads=threads, maps=False)
            try:
                scorers[engine, precision] = load_scorer(bundle, choice)
            except BundleFault as fault:
                refused[engine, precision] = str(fault)
    if not scorers:
        raise BundleFault(f"{bundle.folder}: no engine on this device scores it: {'; '.join(refused.values())}")
    boards = {key: _board(bundle, scorer) for key, scorer in scorers.items()}
    us = {key: statistics.median(times) for key, times in _rounds(scorers, boards).items()}
    engine, precision = fastest(us)
    trials = [Trial(engine=e, precision=p, us_a_crop=us[e, p]) for e, p in us]
    trials += [Trial(engine=e, precision=p, us_a_crop=None, refused=why) for (e, p), why in refused.items()]
    return EngineFile(
        bundle_sha256=bundle.sha256, engine=engine, precision=precision, threads=threads, trials=tuple(trials)
    )


def fastest(us: dict[tuple[EngineName, Precision], float]) -> tuple[EngineName, Precision]:
    """The first entry, which is the default where it works, unless another takes MIN_GAIN_FRAC less time."""
    default, best = next(iter(us)), min(us, key=lambda key: us[key])
    return best if us[best] < (1.0 - MIN_GAIN_FRAC) * us[default] else default


def write_engine_file(path: Path, measured: EngineFile) -> None:
    """Write `engine.json`, whole or not at all."""
    content = json.dumps(measured.model_dump(mode="json"), indent=2) + "\n"
    replace_file(path.with_name(f".{path.name}.writing-{os.getpid()}"), path, content.encode())


def measured_choice(path: Path, bundles: Iterable[str], default: EngineChoice) -> EngineChoice:
    """What `engine.json` says, where it is about the one bundle in use; else `default`, and the log says why. Speed is
    all that depends on it, so a file that is missing, broken or old holds no board."""
    hashes = list(bundles)
    try:
        measured = read_json(path, EngineFile)
    except SettingsFault as fault:
        log.warning("engine not measured, %s %s is used: %s", default.engine, default.precision, fault)
        return default
    if hashes != [measured.bundle_sha256]:
        log.warning("%s is about bundle %.12s: run `boardgate engine` again", path, measured.bundle_sha256)
        return default
    return dataclasses.replace(default, engine=measured.engine, precision=measured.precision, threads=measured.threads)


def _board(bundle: Bundle, scorer: Scorer) -> Scorable:
    """The golden crops, over again, as many as a board has."""
    golden = golden_inputs(bundle, scorer)
    return golden[np.arange(BOARD_CROPS) % len(golden)]


def _rounds(
    scorers: dict[tuple[EngineName, Precision], Scorer], boards: dict[tuple[EngineName, Precision], Scorable]
) -> dict[tuple[EngineName, Precision], list[float]]:
    """Microseconds a crop of each scorer in each round after the first; rounds alternate, so that what else the device
    does slows all alike."""
    times: dict[tuple[EngineName, Precision], list[float]] = {key: [] for key in scorers}
    for k in range(ROUNDS + 1):
        for key, scorer in scorers.items():
            started_ns = time.perf_counter_ns()
            scorer.score(boards[key])
            if k:
                times[key].append((time.perf_counter_ns() - started_ns) / 1e3 / len(boards[key]))
    return times
