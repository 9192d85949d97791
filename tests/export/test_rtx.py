"""Every family's graphs, in every precision, parsed and compiled ahead of time by TensorRT-RTX: what it refuses,
TensorRT's ONNX importer refuses too. Weights are random: what is accepted does not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx as onnx_library
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

from edge.bundle import Contract  # noqa: E402
from edge.engine.builder import BatchProfile, BuildSettings, build_engine, parse_graph  # noqa: E402
from edge.engine.faults import BuildFault  # noqa: E402
from export.families import FAMILIES, load_family  # noqa: E402
from export.graph_inputs import random_feeds  # noqa: E402
from export.onnx import check_graph, deployable, onnx_from_torch  # noqa: E402
from export.quantize.cpu import int8_cpu_graph  # noqa: E402
from export.quantize.equalise import equalised  # noqa: E402
from export.quantize.fp16 import fp16_graph  # noqa: E402
from export.quantize.graph import load_typed, quantisable_layers  # noqa: E402
from export.quantize.lint import lint  # noqa: E402
from export.quantize.qdq import int8_graph  # noqa: E402
from export.quantize.ranges import Ranges, measure, ranges_by  # noqa: E402
from tests.edge.rtx import rtx_api  # noqa: E402
from tests.export.graphs import small_graph, small_inputs  # noqa: E402

if TYPE_CHECKING:
    from edge.engine.api import Api

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch, pytest.mark.needs_rtx]

ORIN_LIKE, ADA = (8, 6), (8, 9)
PROFILE = BatchProfile(opt=16, max=64)
# The graphs of `fast`, with many times their channels.
WIDER_ONLY = {("paste_print", "paper"), ("axi_joint", "paper")}
ONE_A_PRESET, SMALL = ("pth_component", "paste_print", "bga_package"), ("tiny",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One row of the sweep: an FP32 graph with random weights, and what must stay in FP32."""

    model: bytes
    contract: Contract
    float_scopes: tuple[str, ...]

    def ranges(self) -> Ranges:
        return ranges_by("min-max", measure(self.model, random_feeds(self.contract, 4)))

    def int8(self, make: Callable[..., bytes] = int8_graph) -> bytes:
        layers = quantisable_layers(load_typed(self.model), self.float_scopes)
        if not layers:
            pytest.skip("no layer that INT8 could run")
        return make(self.model, self.ranges(), layers)


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Family, preset, variant and score; networks that differ in nothing but their training count once. Of families
    with large networks from elsewhere, each preset's own choice with its first score stands for its others, and a
    small network has every score."""
    seen: set[object] = set()
    for family in FAMILIES:
        for preset, row in load_family(family).PRESETS.items():
            if (family, preset) in WIDER_ONLY:
                continue
            for variant, network in row.variants.items():
                chosen = variant == row.default_variant or variant in SMALL
                if family in ONE_A_PRESET and not chosen:
                    continue
                shape = tuple((name, tuple(p.shape)) for name, p in network.build().named_parameters())
                for score in network.scores[:1] if family in ONE_A_PRESET and variant not in SMALL else network.scores:
                    if (family, score, shape) not in seen:
                        seen.add((family, score, shape))
                        yield family, preset, variant, score


@pytest.fixture(scope="module")
def api() -> Api:
    return rtx_api("1.7")


@pytest.fixture(scope="module", params=rows(), ids="-".join)
def exported(request: pytest.FixtureRequest) -> Exported:
    family, preset, variant, score = request.param
    recipe = load_family(family)
    row = recipe.PRESETS[preset]
    torch.manual_seed(0)
    scored = recipe.scored(row.variants[variant].build(), score).eval()
    contract = recipe.contract(
        channels=row.channels, normalisation=row.normalisation, places=True, variant=row.variants[variant]
    )
    return Exported(
        model=onnx_from_torch(deployable(scored), contract),
        contract=contract,
        float_scopes=recipe.float_scopes(score),
    )


def compiles(api: Api, model: bytes, capability: tuple[int, int] = ORIN_LIKE) -> None:
    built = build_engine(api, model, BuildSettings(profile=PROFILE, compute_capability=capability))
    assert len(built.engine) > 10_000
    assert built.parsed.inputs[0].shape[0] == -1
    assert {tensor.dtype for tensor in (*built.parsed.inputs, *built.parsed.outputs)} == {"FLOAT"}


def test_fp32_graph_compiles(api: Api, exported: Exported) -> None:
    compiles(api, exported.model)
    compiles(api, exported.model, ADA)


def test_fp16_graph_compiles(api: Api, exported: Exported) -> None:
    model = fp16_graph(exported.model, exported.float_scopes)
    check_graph(onnx_library.load_from_string(model), exported.contract)
    compiles(api, model)


def test_int8_graph_is_clean_and_compiles(api: Api, exported: Exported) -> None:
    model = exported.int8()
    check_graph(onnx_library.load_from_string(model), exported.contract)
    assert lint(onnx_library.load_from_string(model)) == ()
    compiles(api, model)


def test_equalised_graph_compiles(api: Api, exported: Exported) -> None:
    layers = quantisable_layers(load_typed(exported.model), exported.float_scopes)
    compiles(api, equalised(exported.model, layers, random_feeds(exported.contract, 4), 0.75))


def test_graph_for_the_cpu_is_refused(api: Api, exported: Exported) -> None:
    with pytest.raises(BuildFault, match=r"zero point|QuantizeLinear"):
        parse_graph(api, exported.int8(int8_cpu_graph))


def test_residual_int8_graph_compiles(api: Api) -> None:
    model = small_graph(residual=True)
    ranges = ranges_by("min-max", measure(model, small_inputs(8)))
    compiles(api, int8_graph(model, ranges, quantisable_layers(load_typed(model))))
