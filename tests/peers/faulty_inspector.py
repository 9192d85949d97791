"""The inspector process with a scorer that misbehaves on demand. Everything else is the real thing.

What it does is read from `scorer-fault` beside the station file before each batch: nothing, `raise`, `nan`, `inf`,
`shape`, `count`, `dtype`, `late MS`, or `hang`. Run as `python -m tests.peers.faulty_inspector inspector STATION.toml`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import edge.lanes
from edge.board import Floats, Image
from edge.bundle import Bundle
from edge.inspector import run_inspector
from edge.process import run_process
from edge.references import Scorable
from edge.scorers import EngineChoice, ScoreBatch, Scorer, load_scorer

HANG_S = 3_600.0


class FaultyScorer:
    """Asks the real scorer, then spoils the answer."""

    def __init__(self, real: Scorer, control: Path) -> None:
        self._real = real
        self._control = control
        self._calls = 0

    def embed(self, crops: Image) -> Floats:
        return self._real.embed(crops)

    def score(self, inputs: Scorable) -> ScoreBatch:
        batch = self._real.score(inputs)
        score = batch.score
        self._calls += 1
        if self._calls == 1:
            return batch  # the start-up's own look at the reference
        fault, _, argument = (self._control.read_text() if self._control.exists() else "").strip().partition(" ")
        if fault == "raise":
            raise RuntimeError("the engine returned false")
        if fault == "late":
            time.sleep(float(argument) / 1000)
        if fault == "hang":
            time.sleep(HANG_S)
        spoiled = {
            "nan": lambda: np.where(np.arange(len(score)) == 0, np.float32("nan"), score).astype(np.float32),
            "inf": lambda: np.full_like(score, -np.inf),
            "shape": lambda: score[:, None],
            "count": lambda: score[:-1],
            "dtype": lambda: score.astype(np.float64),
        }
        return replace(batch, score=spoiled[fault]()) if fault in spoiled else batch


def main() -> int:
    station_file = Path(sys.argv[2])
    control = station_file.parent / "scorer-fault"

    def faulty(bundle: Bundle, choice: EngineChoice) -> Scorer:
        return FaultyScorer(load_scorer(bundle, choice), control)

    edge.lanes.load_scorer = faulty
    return run_process("inspector", run_inspector, station_file)


if __name__ == "__main__":
    sys.exit(main())
