"""Scorers: crops in, one score each out. Several engines behind one promise, and the promise is enforced here, once."""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault
from edge.references import Compared, Scorable
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.thresholds import Precision

__all__ = [
    "EngineChoice",
    "ScoreBatch",
    "Scorer",
    "ScorerFault",
    "check_golden",
    "checked_scores",
    "golden_inputs",
    "load_scorer",
]


class Scorer(Protocol):
    """Scores crops: same order as given, finite, higher is worse. Raises ScorerFault; never returns a guess."""

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, C) uint8 crops, with references where the family compares, or windows, to their scores."""
        ...

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E), where the family compares; ScorerFault where it does not."""
        ...


# Engine -> module and class, imported when asked for: a station has only the engine it uses.
SCORERS: dict[str, tuple[str, str]] = {
    "onnxruntime": ("edge.scorers.onnxruntime", "OnnxRuntimeScorer"),
    "openvino": ("edge.scorers.openvino", "OpenVinoScorer"),
    "tensorrt": ("edge.scorers.tensorrt", "TensorRtScorer"),
}

# Family -> its classical inspector.
RULES: dict[str, tuple[str, str]] = {
    "solder_joint": ("edge.scorers.rules", "RulesScorer"),
    "pth_component": ("edge.scorers.component_rules", "ComponentRulesScorer"),
    "paste_print": ("edge.scorers.paste_rules", "PasteRulesScorer"),
    "axi_joint": ("edge.scorers.slice_rules", "SliceRulesScorer"),
    "bga_package": ("edge.scorers.package_rules", "PackageRulesScorer"),
}


def load_scorer(bundle: Bundle, choice: EngineChoice) -> Scorer:
    """The scorer of a verified bundle, which has judged its own golden crops here before it may judge a board.

    Raises BundleFault when the bundle lacks the precision, the engine is not installed, or a golden score is off.
    """
    precision = bundle.has(choice.precision)
    by_rules, family = bundle.manifest.engine == "rules", bundle.manifest.family
    if by_rules and family not in RULES:
        raise BundleFault(f"{bundle.folder}: there are no rules of family {family!r}; there are {sorted(RULES)}")
    engine = "rules" if by_rules else choice.engine
    module, name = RULES[family] if by_rules else SCORERS[engine]
    try:
        scorer: Scorer = getattr(importlib.import_module(module), name)(bundle, choice)
    except ModuleNotFoundError as err:
        raise BundleFault(f"engine {engine}: {err.name} is not installed on this device") from None
    check_golden(bundle, scorer, precision)
    return scorer


def golden_inputs(bundle: Bundle, scorer: Scorer) -> Scorable:
    """A bundle's golden crops; where its family compares, with their approved pictures, embedded by the scorer
    itself. Raises ScorerFault."""
    approved, batch = bundle.golden_approved, bundle.golden_batch
    if approved is None:
        return batch
    return Compared(np.asarray(batch, np.uint8), scorer.embed(approved.pictures)[approved.compared])


def check_golden(bundle: Bundle, scorer: Scorer, precision: Precision = "fp32") -> None:
    """Score the golden crops on this device. Raises BundleFault when any differs by more than the stated tolerance,
    which is relative to the threshold, or to the score itself where that is larger."""
    try:
        got = checked_scores(scorer, golden_inputs(bundle, scorer)).score
    except ScorerFault as fault:
        raise BundleFault(f"{bundle.folder}/golden: {fault}") from fault
    expected = bundle.golden_score(precision)
    tolerance = bundle.manifest.graphs[precision].golden_tolerance
    allowed = tolerance * np.maximum(max(abs(bundle.threshold(precision).value), 1e-6), np.abs(expected))
    worst = int(np.argmax(np.abs(got - expected) / allowed))
    if abs(got[worst] - expected[worst]) > allowed[worst]:
        raise BundleFault(
            f"{bundle.folder}/golden: crop {worst} scores {got[worst]:.6g} here, {expected[worst]:.6g} in the bundle "
            f"({precision}); allowed difference {allowed[worst]:.2g}: do not use it on this device, re-export"
        )


def checked_scores(scorer: Scorer, inputs: Scorable) -> ScoreBatch:
    """Call a scorer and hold it to its promise. Raises ScorerFault: which tensor, what came, what was expected."""
    n = len(inputs)
    try:
        batch = scorer.score(inputs)
    except ScorerFault:
        raise
    except Exception as err:
        raise ScorerFault(f"{type(scorer).__name__} raised {type(err).__name__}: {err}") from err
    score, heat = batch.score, batch.map
    if not isinstance(score, np.ndarray) or score.shape != (n,):
        raise ScorerFault(f"score: shape {getattr(score, 'shape', None)}, expected ({n},)")
    if score.dtype != np.float32:
        raise ScorerFault(f"score: dtype {score.dtype}, expected float32")
    if not np.isfinite(score).all():
        bad = int(np.flatnonzero(~np.isfinite(score))[0])
        raise ScorerFault(f"score[{bad}]: {score[bad]}, expected a finite number")
    if heat is not None and (heat.ndim != 3 or len(heat) != n):
        raise ScorerFault(f"map: shape {heat.shape}, expected ({n}, h, w)")
    for name, values in (("kind", batch.kind), ("roi", batch.roi)):
        if values is not None and (len(values) != n or not np.isfinite(values).all()):
            raise ScorerFault(f"{name}: shape {values.shape}, expected {n} rows of finite numbers")
    return batch
