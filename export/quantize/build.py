"""From one FP32 graph to the graphs of every precision that gives the same verdicts, with the reason for each that does
not.

Ranges come from training normals; the range method, the layers left in float and the gate look at validation data, no
other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray

from edge.board import Floats
from edge.bundle import Contract, Parity, RangesRecord
from edge.thresholds import Precision
from export.graph_inputs import Inputs
from export.onnx import check_graph
from export.quantize.cpu import int8_cpu_graph
from export.quantize.decisions import Candidate, Judge, ThresholdOf
from export.quantize.equalise import equalised
from export.quantize.faults import QuantizeFault
from export.quantize.fp16 import fp16_graph, fp16_rounded
from export.quantize.graph import Layer, load_typed, quantisable_layers
from export.quantize.qdq import int8_graph
from export.quantize.ranges import METHODS, Measured, Ranges, measure, ranges_by
from export.quantize.sensitivity import Effect, relax

MakeInt8 = Callable[[bytes, Ranges, Sequence[Layer]], bytes]
INT8: dict[Precision, MakeInt8] = {"int8": int8_graph, "int8-cpu": int8_cpu_graph}

EQUALISED_SHARES = (0.0, 0.75)  # 0.75 was best of 0.5, 0.75 and 1.0 on every net tried, see docs/quantisation.md
MAX_METHODS_RELAXED = 3  # with how many of them layers are looked for that stay in float
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltGraph:
    """A graph that passed the gate: its scores (M,) on the validation inputs, the threshold they set, its agreement
    with FP32, and the layers it keeps in float."""

    model: bytes
    score: Floats
    threshold: float
    parity: Parity
    kept_in_float: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What INT8 graphs are made from: an FP32 graph, its channels equalised by a share, and what was measured on
    it."""

    equalised_share: float
    model: bytes
    measured: Measured

    def method(self, name: str) -> str:
        """A range method on this source, as the bundle records it."""
        return name if not self.equalised_share else f"{name}, channels equalised by {self.equalised_share:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One range method with all layers in one kind of INT8."""

    method: str
    precision: Precision
    parity: Parity
    error_frac: float
    refusal: str  # empty when it passed


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSet:
    """What became of each precision but FP32: a graph or the reason why not. `ranges` is None where no INT8 graph
    passed. `effects` are filled where layers had to be found that stay in float."""

    graphs: Mapping[Precision, BuiltGraph]
    refused: Mapping[Precision, str]
    ranges: RangesRecord | None
    trials: tuple[Trial, ...]
    effects: Mapping[Precision, tuple[Effect, ...]]


def graphs_of(
    model_fp32: bytes,
    contract: Contract,
    *,
    calibration_inputs: Inputs,
    val_inputs: Inputs,
    val_is_good: NDArray[np.bool_],
    threshold_of: ThresholdOf,
    float_scopes: Sequence[str] = (),
    threads: int = 2,
    say: Say = lambda line: None,
) -> GraphSet:
    """Make and judge FP16, INT8 and INT8 for the CPU from an FP32 graph.

    `calibration_inputs` (N, C, h, w) are good training places, `val_inputs` (M, C, h, w) validation with
    `val_is_good` (M,); `threshold_of` is how any precision sets its threshold from its own scores (M,). Nodes of
    `float_scopes` stay in FP32. Raises QuantizeFault, ExportFault when a graph breaks its contract.
    """
    judge = Judge(model_fp32, val_inputs, val_is_good, threshold_of, threads)
    made: dict[Precision, BuiltGraph] = {}
    refused: dict[Precision, str] = {}
    say("FP16: agreement on validation")
    _settle("fp16", partial(_fp16, model_fp32, float_scopes, judge), contract, made, refused)
    layers = quantisable_layers(load_typed(model_fp32), float_scopes)
    if not layers:
        reason = "no layer that INT8 could run"
        return GraphSet(
            graphs=made, refused={**refused, "int8": reason, "int8-cpu": reason}, ranges=None, trials=(), effects={}
        )
    ways: dict[str, tuple[Source, Ranges]] = {}
    trials: list[Trial] = []
    for share in EQUALISED_SHARES:
        say(f"INT8: ranges on training normals, channels equalised by {share:g}")
        source = _source(model_fp32, layers, calibration_inputs, share)
        for name in METHODS:
            ways[source.method(name)] = source, ranges_by(name, source.measured)
    for method, (source, ranges) in ways.items():
        trials += _trials(source.model, ranges, method, layers, judge, say)
    best: GraphSet | None = None
    for method in methods_by_cost(trials)[:MAX_METHODS_RELAXED]:
        source, ranges = ways[method]
        int8: dict[Precision, BuiltGraph] = {}
        why: dict[Precision, str] = {}
        effects: dict[Precision, tuple[Effect, ...]] = {}
        for precision, make in INT8.items():
            say(f"{precision}: {method} ranges, layers that must stay in float")
            build = partial(make, source.model, ranges)
            _settle(precision, partial(_int8, precision, layers, build, judge, effects), contract, int8, why)
        if best is None or len(int8) > len(best.graphs) - len(made):
            best = GraphSet(
                graphs={**made, **int8},
                refused={**refused, **why},
                ranges=_record(method, source.measured, int8),
                trials=tuple(trials),
                effects=effects,
            )
        if not why:
            break
    if best is None:
        raise QuantizeFault("no range method gave a graph that could be scored")
    return best


def _source(model: bytes, layers: tuple[Layer, ...], inputs: Inputs, share: float) -> Source:
    made = equalised(model, layers, inputs, share) if share else model
    return Source(equalised_share=share, model=made, measured=measure(made, inputs))


def methods_by_cost(trials: Sequence[Trial]) -> list[str]:
    """The methods, first the one whose two INT8 graphs together lose the fewest defects, then change the fewest
    verdicts, then err least."""

    def cost(method: str) -> tuple[int, int, float, float]:
        own = [trial for trial in trials if trial.method == method]
        lost = sum(trial.parity.lost_defects for trial in own)
        changed = sum(1.0 - trial.parity.verdict_agreement_frac for trial in own)
        return -len(own), lost, changed, sum(trial.error_frac for trial in own)

    return sorted(dict.fromkeys(trial.method for trial in trials), key=cost)


def _trials(model: bytes, ranges: Ranges, method: str, layers: Sequence[Layer], judge: Judge, say: Say) -> list[Trial]:
    say(f"INT8: {method} ranges")
    found = []
    for precision, make in INT8.items():
        try:
            candidate = judge.judge(make(model, ranges, layers))
        except QuantizeFault as fault:
            say(f"{precision}: {method} ranges: {fault}")
            continue
        found.append(
            Trial(
                method=method,
                precision=precision,
                parity=candidate.parity,
                error_frac=candidate.error_frac,
                refusal=candidate.refusal,
            )
        )
    return found


def _settle(
    precision: Precision,
    build: Callable[[], tuple[Candidate, tuple[str, ...], str]],
    contract: Contract,
    made: dict[Precision, BuiltGraph],
    refused: dict[Precision, str],
) -> None:
    """Into `made` or, with its reason, into `refused`."""
    try:
        candidate, kept, hint = build()
    except QuantizeFault as fault:
        refused[precision] = str(fault)
        return
    if candidate.refusal:
        refused[precision] = f"{candidate.refusal}{hint}"
        return
    check_graph(onnx.load_from_string(candidate.model), contract)
    made[precision] = BuiltGraph(
        model=candidate.model,
        score=candidate.score,
        threshold=candidate.threshold,
        parity=candidate.parity,
        kept_in_float=kept,
    )


def _fp16(model: bytes, float_scopes: Sequence[str], judge: Judge) -> tuple[Candidate, tuple[str, ...], str]:
    made, stand_in = fp16_graph(model, float_scopes), fp16_rounded(model, float_scopes)
    return judge.judge(made, stand_in), (), ""


def _int8(
    precision: Precision,
    layers: Sequence[Layer],
    build: Callable[[Sequence[Layer]], bytes],
    judge: Judge,
    effects: dict[Precision, tuple[Effect, ...]],
) -> tuple[Candidate, tuple[str, ...], str]:
    relaxed = relax(layers, build, judge)
    effects[precision] = relaxed.effects
    hint = ""
    if relaxed.effects:
        kept = ", ".join(layer.name for layer in relaxed.kept) or "none"
        hint = f", most sensitive layer {relaxed.effects[0].layer.name}, kept in float: {kept}"
    return relaxed.candidate, tuple(layer.name for layer in relaxed.kept), hint


def _record(method: str, measured: Measured, made: Mapping[Precision, BuiltGraph]) -> RangesRecord | None:
    if not made.keys() & INT8.keys():
        return None
    kept = tuple(f"{p}:{name}" for p in INT8 if p in made for name in made[p].kept_in_float)
    return RangesRecord(method=method, n=measured.n, data_sha256=measured.data_sha256, kept_in_float=kept)
