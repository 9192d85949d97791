"""The exported graph of the paper's networks: same map as the network, BatchNorm gone, plain operators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs_torch")

import onnx as onnx_library  # noqa: E402

from edge.bundle import Contract  # noqa: E402
from edge.families.paste_print import graph_input  # noqa: E402
from edge.paste.planes import PLANES  # noqa: E402
from export.families import UnknownName  # noqa: E402
from export.families.paste_print import recipe  # noqa: E402
from export.families.paste_print.net import PrintNet  # noqa: E402
from export.onnx import onnx_from_torch, operators, run_onnx, run_torch  # noqa: E402
from export.quantize.fp16 import fp16_graph  # noqa: E402
from export.quantize.graph import load_typed, quantisable_layers  # noqa: E402
from export.quantize.lint import lint  # noqa: E402
from export.quantize.qdq import int8_graph  # noqa: E402
from export.quantize.ranges import measure, ranges_by  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

BOARDS = 2
PLAIN = {"Abs", "Add", "Conv", "DepthToSpace", "Div", "Gather", "GreaterOrEqual", "Mul", "ReduceMax", "Relu", "Reshape"}
PLAIN |= {"Sigmoid", "Slice", "Split", "Sub", "Tanh", "Where"}


def contract_of(boards: int = BOARDS) -> Contract:
    variant = replace(recipe.PRESETS["fast"].variants["crrn"], boards=boards)
    return recipe.contract(channels="planes", normalisation="per_pad", places=True, variant=variant)


def windows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(n, BOARDS, 3, 48, 48)).astype(np.float32)
    made[:, :, 0] = rng.random((48, 48)) < 0.4
    made[:, :, 1:] *= made[:, :, :1]
    made[0, :-1] = 0  # a line that has only started
    return made


@pytest.fixture(scope="module")
def scored() -> torch.nn.Module:
    """A narrow CRRN whose BatchNorm statistics and residual spreads are not the initial ones."""
    torch.manual_seed(0)
    net = PrintNet(8, memory=True, attention=True).train()
    with torch.no_grad():
        for seed in range(3):
            net.loss(torch.from_numpy(windows(4, seed)))
        net.residual_sigma.copy_(torch.tensor([0.7, 1.6]))
    return recipe.scored(net, "residual").eval()


@pytest.fixture(scope="module")
def model(scored: torch.nn.Module) -> bytes:
    return onnx_from_torch(scored, contract_of())


def test_graph_judges_as_the_network(scored: torch.nn.Module, model: bytes) -> None:
    x = graph_input(windows(5, seed=7), contract_of())
    expected, got = run_torch(scored, x), run_onnx(model, x)
    np.testing.assert_allclose(got.score, expected.score, rtol=recipe.TORCH_ONNX_FRAC)
    np.testing.assert_allclose(got.map, expected.map, atol=1e-5)
    assert got.map.min() < 0 < got.map.max()
    np.testing.assert_allclose(got.score, np.abs(got.map).max(axis=(1, 2)))
    one = run_onnx(model, x[2:3])  # a batch of one board is the station's
    np.testing.assert_allclose(one.map[0], got.map[2], atol=1e-5)


def test_graph_has_plain_operators_and_only_what_the_last_board_needs(model: bytes) -> None:
    found = operators(onnx_library.load_from_string(model))
    assert found.keys() <= PLAIN
    assert found["DepthToSpace"] == 2  # one S-Decoder, for the board under judgement
    assert found["Tanh"] == 2 * 2 * BOARDS + 2 * (BOARDS - 1)  # cells, and attention towards the next board


def test_graph_at_half_precision_and_in_8_bits_is_clean(model: bytes) -> None:
    fp16_graph(model, recipe.float_scopes("residual"))
    layers = quantisable_layers(load_typed(model), recipe.float_scopes("residual"))
    quantised = int8_graph(model, ranges_by("min-max", measure(model, windows(4))), layers)
    assert lint(onnx_library.load_from_string(quantised)) == ()


@pytest.mark.needs_rtx
def test_graph_compiles(model: bytes) -> None:
    from edge.engine.builder import BatchProfile, BuildSettings, build_engine  # noqa: PLC0415
    from tests.edge.rtx import rtx_api  # noqa: PLC0415

    api = rtx_api("1.7")
    settings = BuildSettings(profile=BatchProfile(opt=1, max=4), compute_capability=(8, 6))
    for graph in (model, fp16_graph(model)):
        assert len(build_engine(api, graph, settings).engine) > 10_000


@pytest.mark.parametrize("preset", ["paper", "fast"])
def test_contracts_name_planes_there_are(preset: str) -> None:
    for variant in recipe.PRESETS[preset].variants.values():
        made = recipe.contract(channels="planes", normalisation="per_pad", places=False, variant=variant)
        assert made.window is not None
        assert set(made.window.planes) <= PLANES.keys()
        assert made.window.planes[0] == "mask"
        assert made.inputs[0].shape == ("N", variant.boards, 3, 48, 48)


def test_pictures_are_refused() -> None:
    variant = recipe.PRESETS["fast"].variants["crrn"]
    with pytest.raises(UnknownName, match="channels 'bgr'"):
        recipe.contract(channels="bgr", normalisation="per_pad", places=True, variant=variant)
    with pytest.raises(UnknownName, match="normalisation 'unit'"):
        recipe.contract(channels="planes", normalisation="unit", places=True, variant=variant)
