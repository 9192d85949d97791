"""Which layers INT8 hurts, by trying: each alone in INT8, then the worst of them left in float until the verdicts
hold. A layer that an unrolled graph runs many times is one layer: its nodes share a name and go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.quantize.decisions import Candidate, Judge
from export.quantize.graph import Layer

MAX_KEPT_FRAC = 0.5  # of the layers: with more in float, INT8 has nothing left to make faster

Build = Callable[[Sequence[Layer]], bytes]  # the layers in INT8 to the graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one layer alone in INT8 does to the validation scores; `layer` is the first of its nodes."""

    layer: Layer
    error_frac: float
    spearman: float
    changed_verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """The best graph found, the layers it keeps in float, and the effects that said which (none were needed where all
    layers in INT8 will do)."""

    candidate: Candidate
    kept: tuple[Layer, ...]
    effects: tuple[Effect, ...]


def effects_of(layers: Sequence[Layer], build: Build, judge: Judge) -> tuple[Effect, ...]:
    """Every layer alone in INT8, the worst first."""
    found = []
    for nodes in _by_name(layers):
        candidate = judge.judge(build(nodes))
        changed = round((1.0 - candidate.parity.verdict_agreement_frac) * candidate.parity.n)
        found.append(
            Effect(
                layer=nodes[0],
                error_frac=candidate.error_frac,
                spearman=candidate.parity.spearman,
                changed_verdicts=changed,
            )
        )
    return tuple(sorted(found, key=lambda effect: -effect.error_frac))


def relax(layers: Sequence[Layer], build: Build, judge: Judge) -> Relaxed:
    """All layers in INT8 or, where that changes verdicts, all but the fewest of the worst.

    The candidate passes the gate, or is the best there was within MAX_KEPT_FRAC.
    """
    whole = judge.judge(build(layers))
    if not whole.refusal:
        return Relaxed(candidate=whole, kept=(), effects=())
    effects = effects_of(layers, build, judge)
    tried = [Relaxed(candidate=whole, kept=(), effects=effects)]
    kept: list[Layer] = []
    for effect in effects[: int(MAX_KEPT_FRAC * len(_by_name(layers)))]:
        kept.append(effect.layer)
        names = {layer.name for layer in kept}
        candidate = judge.judge(build([layer for layer in layers if layer.name not in names]))
        tried.append(Relaxed(candidate=candidate, kept=tuple(kept), effects=effects))
        if not candidate.refusal:
            return tried[-1]
    return min(tried, key=lambda relaxed: rank(relaxed.candidate))


def _by_name(layers: Sequence[Layer]) -> list[list[Layer]]:
    return [[layer for layer in layers if layer.name == name] for name in dict.fromkeys(layer.name for layer in layers)]


def rank(candidate: Candidate) -> tuple[int, float, float]:
    """Smaller is better: lost defects, then changed verdicts, then the scores' error."""
    parity = candidate.parity
    return parity.lost_defects, 1.0 - parity.verdict_agreement_frac, candidate.error_frac
