"""The ways of scoring joints that `boardgate bench scoring` holds against each other, pixels in, scores out.

Weights are random, since cost does not depend on them; eight-bit graphs take their ranges from noise.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.flops import flops_of
from benchmarks.scoring_boards import crops, scorable
from edge.board import Image
from edge.bundle import Contract
from edge.families import FAMILIES as STATION_FAMILIES
from edge.references import MAX_APPROVED, Compared
from edge.scorers import component_rules
from edge.scorers.choice import EngineChoice
from edge.scorers.onnxruntime import onnxruntime_runner
from edge.scorers.rules import Gauge, exceedance
from export.families import load_family
from export.families.solder_joint.net import BicubicDouble
from export.graph_inputs import Fed, named, random_feeds, session_names
from export.onnx import naive_onnx_from_torch, onnx_from_torch
from export.quantize.cpu import int8_cpu_graph
from export.quantize.graph import load_typed, quantisable_layers
from export.quantize.ranges import measure, ranges_by
from export.rules import fit_rules

Score = Callable[[Image], object]  # (N, h, w, 3) uint8 BGR crops to scores

RULES = "rules"
NAIVE = "naive export"
REGION_SCALE = 1.5
RANGE_INPUTS = 16
SAME_COST_FRAC = 0.05  # a score whose graph takes as many operations as another of the same network is not timed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way: a network (or rules), a precision, an engine. `flops` of a joint; 0 where they are not counted."""

    family: str
    network: str
    precision: str
    engine: str
    flops: int
    score: Score

    @property
    def name(self) -> str:
        """Unique among the ways."""
        return " ".join(part for part in (self.network, self.precision, self.engine) if part)


def ways(family: str, threads: int) -> Iterator[Way]:
    """All of a family: rules, then the naive export and its networks on every engine there is."""
    yield Way(family=family, network=RULES, precision="", engine="", flops=0, score=RULES_OF[family]())
    yield from _family_ways(family, threads)


def _family_ways(family: str, threads: int) -> Iterator[Way]:
    torch.manual_seed(0)
    recipe = load_family(family)
    seen: set[int] = set()
    for preset_name, preset in recipe.PRESETS.items():
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
            if preset_name == "paper" and score == variant.scores[0]:
                yield _naive(family, module, contract, threads)
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
    """As the station runs it, on each engine that is installed. The map is left out, as at the station."""
    for engine in engines():
        choice = EngineChoice(engine=engine, threads=threads, maps=False)
        make = onnxruntime_runner
        if engine == "openvino":
            from edge.scorers.openvino import openvino_runner as make  # noqa: PLC0415 - an optional extra
        runner, given = make(network, model, family, contract, choice), scorable(contract)
        yield Way(
            family=family,
            network=network,
            precision=precision,
            engine=engine,
            flops=flops,
            score=lambda crops, runner=runner, given=given: runner.score(given(crops)),
        )


def engines() -> tuple[str, ...]:
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
    prepare, given, names = STATION_FAMILIES[family].graph_input, scorable(contract), session_names(session)

    def score(crops: Image) -> object:
        tensor, inputs = prepare(crops, contract), given(crops)
        feeds = Fed(tensor, inputs.references) if isinstance(inputs, Compared) else tensor
        return session.run(["score"], named(names, feeds))

    return Way(family=family, network=NAIVE, precision="fp32", engine="onnxruntime", flops=0, score=score)


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


def _joint_rules() -> Score:
    """The classical inspector, features and all; one thread, as at the station."""
    joints = crops("solder_joint", 64)
    rules = fit_rules(joints, region_scale=REGION_SCALE)
    gauge = Gauge(rules.pitch_frac, joints.shape[1], rules.template_pixels())
    return lambda some: exceedance(gauge.measure(some), rules.limits)


def _component_rules() -> Score:
    """Correlation, colour and edges against ten approved pictures."""
    references = component_rules.reduced(crops("pth_component", MAX_APPROVED))
    return lambda some: component_rules.measured(
        component_rules.reduced(some), np.broadcast_to(references, (len(some), *references.shape))
    )


RULES_OF: dict[str, Callable[[], Score]] = {"solder_joint": _joint_rules, "pth_component": _component_rules}


def versions() -> dict[str, str]:
    """Of what ran."""
    found = {"onnxruntime": ort.__version__, "torch": str(torch.__version__)}
    if "openvino" in engines():
        import openvino  # noqa: PLC0415

        found["openvino"] = openvino.__version__
    return found
