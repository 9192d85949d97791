"""The ways of scoring places that `boardgate bench scoring` holds against each other, pixels in, scores out.

Weights are random, since cost does not depend on them; eight-bit graphs take their ranges from noise.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnxruntime as ort
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.flops import flops_of
from benchmarks.scoring_rules import Score, fitted_rules
from edge.bundle import Contract
from edge.families import FAMILIES as STATION_FAMILIES
from edge.references import Compared, Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.onnxruntime import onnxruntime_runner
from edge.thresholds import EngineName
from export.families import load_family, one_of
from export.families.solder_joint.net import BicubicDouble
from export.graph_inputs import Fed, named, random_feeds, session_names
from export.onnx import naive_onnx_from_torch, onnx_from_torch
from export.quantize.cpu import int8_cpu_graph
from export.quantize.graph import load_typed, quantisable_layers
from export.quantize.ranges import measure, ranges_by

RULES = "rules"
NAIVE = "naive export"
RANGE_INPUTS = 16
SAME_COST_FRAC = 0.05  # a score whose graph takes as many operations as another of the same network is not timed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way: a network (or rules), a precision, an engine, and what it takes. `flops` of a place; 0 where they are
    not counted."""

    family: str
    network: str
    precision: str
    engine: str
    flops: int
    contract: Contract
    score: Score

    @property
    def name(self) -> str:
        """Unique among the ways."""
        return " ".join(part for part in (self.network, self.precision, self.engine) if part)


def ways(family: str, threads: int, presets: Sequence[str] = ()) -> Iterator[Way]:
    """All of a family, or of its `presets` named: rules, then the naive export of the first network, and every network
    on every engine there is. Raises UnknownName."""
    contract, score = fitted_rules(family)
    yield Way(family=family, network=RULES, precision="", engine="", flops=0, contract=contract, score=score)
    yield from _family_ways(family, threads, presets)


def _family_ways(family: str, threads: int, presets: Sequence[str]) -> Iterator[Way]:
    torch.manual_seed(0)
    recipe, seen, naive = load_family(family), set[int](), True
    for preset_name in presets or recipe.PRESETS:
        preset = one_of(recipe.PRESETS, preset_name, "preset")
        variant = preset.variants[preset.default_variant]
        if id(variant) in seen:
            continue  # trained otherwise, but the same network
        seen.add(id(variant))
        contract = recipe.contract(
            channels=preset.channels, normalisation=preset.normalisation, places=True, variant=variant
        )
        network, costs = variant.build(), list[int]()
        for score in variant.scores:
            module = recipe.scored(network, score).eval()
            if naive:
                yield _naive(family, module, contract, threads)
            naive = False
            model = onnx_from_torch(module, contract)
            flops, name = flops_of(model), f"{preset_name}/{score}"
            if any(math.isclose(flops, other, rel_tol=SAME_COST_FRAC) for other in costs):
                continue
            costs.append(flops)
            yield from _engine_ways(family, name, "fp32", flops, model, contract, threads)
            eight_bit = _int8(model, contract)
            yield from _engine_ways(family, name, "int8-cpu", flops, eight_bit, contract, threads)


def _engine_ways(
    family: str, network: str, precision: str, flops: int, model: bytes, contract: Contract, threads: int
) -> Iterator[Way]:
    """As the station runs it, on each engine that is installed. The map is left out where the station needs none: it
    judges paste by the map, and points with it where a graph tells kinds."""
    maps = contract.window is not None or bool(contract.kinds)
    for engine in engines():
        choice = EngineChoice(engine=engine, threads=threads, maps=maps)
        make = onnxruntime_runner
        if engine == "openvino":
            from edge.scorers.openvino import openvino_runner as make  # noqa: PLC0415 - an optional extra
        runner = make(network, model, family, contract, choice)
        yield Way(
            family=family,
            network=network,
            precision=precision,
            engine=engine,
            flops=flops,
            contract=contract,
            score=runner.score,
        )


def engines() -> tuple[EngineName, ...]:
    """The CPU engines installed here."""
    return ("onnxruntime", "openvino") if importlib.util.find_spec("openvino") else ("onnxruntime",)


class _Resize(nn.Module):
    """The upsampling as one would write it: torch's own, which becomes a cubic Resize node."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


def _naive(family: str, module: nn.Module, contract: Contract, threads: int) -> Way:
    """The plain export run plainly: one session, all threads in every layer, the whole batch at once."""
    plain = naive_onnx_from_torch(_with_resize(module), contract)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or it would slow whatever is timed next
    session = ort.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    prepare, names = STATION_FAMILIES[family].graph_input, session_names(session)

    def score(inputs: Scorable) -> ScoreBatch:
        tensor = prepare(crops_of(inputs), contract)
        feeds = Fed(tensor, inputs.references) if isinstance(inputs, Compared) else tensor
        return ScoreBatch(score=session.run(["score"], named(names, feeds))[0])

    return Way(
        family=family, network=NAIVE, precision="fp32", engine="onnxruntime", flops=0, contract=contract, score=score
    )


def _with_resize(module: nn.Module) -> nn.Module:
    plain = copy.deepcopy(module)
    for child in plain.modules():
        for name, layer in child.named_children():
            if isinstance(layer, BicubicDouble):
                setattr(child, name, _Resize())
    return plain


def _int8(model: bytes, contract: Contract) -> bytes:
    inputs = random_feeds(contract, RANGE_INPUTS)
    return int8_cpu_graph(model, ranges_by("min-max", measure(model, inputs)), quantisable_layers(load_typed(model)))


def versions() -> dict[str, str]:
    """Of what ran."""
    found = {"onnxruntime": ort.__version__, "torch": str(torch.__version__)}
    if "openvino" in engines():
        import openvino  # noqa: PLC0415

        found["openvino"] = openvino.__version__
    return found
