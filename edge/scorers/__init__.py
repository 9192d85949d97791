"""Scorers: crops in, one score each out. Two engines behind one promise, and the promise is enforced here, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault
from edge.scorers.fault import ScorerFault
from edge.scorers.onnxruntime import OnnxRuntimeScorer
from edge.scorers.rules import RulesScorer

__all__ = ["ScoreBatch", "Scorer", "ScorerFault", "check_golden", "checked_scores", "load_scorer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBatch:
    """Scores (N,) float32, higher is worse, and the family's map (N, h, w) float32 where it has one."""

    score: Floats
    map: NDArray[np.float32] | None = None


class Scorer(Protocol):
    """Scores crops: same order as given, finite, higher is worse. Raises ScorerFault; never returns a guess."""

    def score(self, crops: Image) -> tuple[Floats, Floats | None]:
        """(N, h, w, 3) uint8 BGR to score (N,) and map (N, h, w) or None."""
        ...


SCORERS: dict[str, Callable[[Bundle, int], Scorer]] = {
    "onnx": OnnxRuntimeScorer,
    "rules": RulesScorer,
}


def load_scorer(bundle: Bundle, threads: int) -> Scorer:
    """The scorer of a verified bundle. It has judged its own golden crops here before it may judge a board."""
    scorer = SCORERS[bundle.manifest.engine](bundle, threads)
    check_golden(bundle, scorer)
    return scorer


def check_golden(bundle: Bundle, scorer: Scorer) -> None:
    """Score the golden crops on this device. Raises BundleFault when any differs by more than the stated tolerance."""
    try:
        got = checked_scores(scorer, bundle.golden_batch).score
    except ScorerFault as fault:
        raise BundleFault(f"{bundle.folder}/golden: {fault}") from fault
    allowed = bundle.manifest.golden_tolerance * max(abs(bundle.thresholds.threshold), 1e-6)
    worst = int(np.argmax(np.abs(got - bundle.golden_score)))
    difference = float(abs(got[worst] - bundle.golden_score[worst]))
    if difference > allowed:
        raise BundleFault(
            f"{bundle.folder}/golden: crop {worst} scores {got[worst]:.6g} here, {bundle.golden_score[worst]:.6g} in "
            f"the bundle; allowed difference {allowed:.2g}: do not use it on this device, re-export"
        )


def checked_scores(scorer: Scorer, crops: Image) -> ScoreBatch:
    """Call a scorer and hold it to its promise. Raises ScorerFault: which tensor, what came, what was expected."""
    n = len(crops)
    try:
        score, heat = scorer.score(crops)
    except ScorerFault:
        raise
    except Exception as err:
        raise ScorerFault(f"{type(scorer).__name__} raised {type(err).__name__}: {err}") from err
    if not isinstance(score, np.ndarray) or score.shape != (n,):
        raise ScorerFault(f"score: shape {getattr(score, 'shape', None)}, expected ({n},)")
    if score.dtype != np.float32:
        raise ScorerFault(f"score: dtype {score.dtype}, expected float32")
    if not np.isfinite(score).all():
        bad = int(np.flatnonzero(~np.isfinite(score))[0])
        raise ScorerFault(f"score[{bad}]: {score[bad]}, expected a finite number")
    if heat is not None and (heat.ndim != 3 or len(heat) != n):
        raise ScorerFault(f"map: shape {heat.shape}, expected ({n}, h, w)")
    return ScoreBatch(score=score, map=heat)
