"""`boardgate engine`: make a bundle ready on this device, before a station needs it: engine built and kept, golden
crops checked, a first look at its speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle import Bundle, read_bundle
from edge.engine.fallback import Refused, load_with_fallback
from edge.scorers import Scorer, checked_scores, golden_inputs, load_scorer
from edge.scorers.choice import EngineChoice
from edge.scorers.tensorrt import BOARD_BATCH, TensorRtScorer

TIMING_ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a bundle runs on here. `asked` and `used` differ where something was refused. `engine_file`, `built_because`
    and `build_seconds` are TensorRT's; `built_because` is empty when the engine was there."""

    bundle_sha256: str
    asked: EngineChoice
    used: EngineChoice
    refused: tuple[Refused, ...]
    golden_crops: int
    board_crops: int
    p50_ms: float
    engine_file: Path | None = None
    built_because: str = ""
    build_seconds: float = 0.0

    def lines(self) -> list[str]:
        """For the terminal and the station's log."""
        told = [f"refused    {refused.line()}" for refused in self.refused]
        told.append(f"runs on    {self.used.engine} {self.used.precision}, {self.golden_crops} golden crops agree")
        if self.engine_file is not None:
            how = f"built in {self.build_seconds:.1f} s: {self.built_because}" if self.built_because else "was there"
            told.append(f"engine     {self.engine_file} ({how})")
        return [*told, f"speed      {self.p50_ms:.2f} ms for {self.board_crops} crops, pixels to scores, median"]

    def to_json(self) -> dict[str, object]:
        """A plain object for `json.dumps`."""
        return {
            "bundle_sha256": self.bundle_sha256,
            "asked": {"engine": self.asked.engine, "precision": self.asked.precision},
            "used": {"engine": self.used.engine, "precision": self.used.precision, "threads": self.used.threads},
            "refused": [
                {"engine": r.choice.engine, "precision": r.choice.precision, "reason": r.reason} for r in self.refused
            ],
            "golden_crops": self.golden_crops,
            "board_crops": self.board_crops,
            "p50_ms": self.p50_ms,
            "engine_file": None if self.engine_file is None else str(self.engine_file),
            "built_because": self.built_because,
            "build_seconds": self.build_seconds,
        }


def prepare(
    folder: Path,
    choice: EngineChoice,
    *,
    allow_fallback: bool = True,
    load: Callable[[Bundle, EngineChoice], Scorer] = load_scorer,
) -> Ready:
    """Load a bundle as a station would. Raises BundleFault with every reason when nothing works, or when the choice
    itself does not and `allow_fallback` is false."""
    bundle = read_bundle(folder)
    loaded = load_with_fallback(bundle, choice, allowed=allow_fallback, load=load)
    cached = loaded.scorer.cached if isinstance(loaded.scorer, TensorRtScorer) else None
    return Ready(
        bundle_sha256=bundle.sha256,
        asked=choice,
        used=loaded.choice,
        refused=loaded.refused,
        golden_crops=len(bundle.golden_batch),
        board_crops=BOARD_BATCH,
        p50_ms=_p50_ms(bundle, loaded.scorer),
        engine_file=None if cached is None else cached.path,
        built_because="" if cached is None else cached.rebuilt,
        build_seconds=0.0 if cached is None else cached.record.build_seconds,
    )


def _p50_ms(bundle: Bundle, scorer: Scorer) -> float:
    """A board's worth of golden crops, over and over."""
    golden = golden_inputs(bundle, scorer)
    board = golden[np.arange(BOARD_BATCH) % len(golden)]
    checked_scores(scorer, board)
    times_ms = []
    for _ in range(TIMING_ROUNDS):
        start_ns = time.monotonic_ns()
        checked_scores(scorer, board)
        times_ms.append((time.monotonic_ns() - start_ns) / 1e6)
    return float(np.median(times_ms))
