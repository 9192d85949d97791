"""Graphs of every kind of network: contract, dynamic batch, plain operators, the same answers as torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

import torch

from export.families.axi_joint import recipe
from export.families.axi_joint.best_net import JointNet
from export.families.axi_joint.net import Cnn3d, SliceLstm
from export.onnx import onnx_from_torch, operators

pytestmark = [pytest.mark.needs_torch]

PLAIN = {
    *("Conv", "Gemm", "MatMul", "Relu", "Sigmoid", "Tanh", "MaxPool", "AveragePool", "Max", "Add", "Sub", "Mul", "Div"),
    *("Concat", "Slice", "Split", "Gather", "Reshape", "Flatten", "Unsqueeze", "Squeeze", "Transpose", "Clip", "Sqrt"),
    *("ReduceMax", "ReduceMean", "ReduceSum", "Reciprocal"),
}
NETWORKS = {
    "cnn3d": (partial(Cnn3d, widths=(2, 4, 4, 4), hidden=8, shrink=4), "fast"),
    "lstm": (partial(SliceLstm, widths=(2, 2, 4, 4), cells=6, hidden=4, shrink=2), "fast"),
    "joint": (partial(JointNet, width=8, stem=2, blocks=1), "best"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_graph_and_network_agree_on_any_batch_and_any_slices(name: str) -> None:
    build, preset_name = NETWORKS[name]
    preset = recipe.PRESETS[preset_name]
    variant = preset.variants["tiny"]
    contract = recipe.contract(
        channels=preset.channels, normalisation=preset.normalisation, places=True, variant=variant
    )
    torch.manual_seed(0)
    scored = recipe.scored(build().eval(), variant.scores[0])
    _shake_norms(scored)
    model = onnx_from_torch(scored, contract)
    assert set(operators(onnx.load_from_string(model))) <= PLAIN
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        x = rng.random((batch, 6, 128, 128), np.float32)
        x[0, 4:] = 0.0
        x[-1, 1:] = 0.0
        with torch.no_grad():
            expected = scored(torch.from_numpy(x))
        for got, wanted in zip(session.run(None, {"slices": x}), expected, strict=True):
            assert got.shape == tuple(wanted.shape)
            assert np.abs(got - wanted.numpy()).max() < 1e-5


def test_only_the_networks_that_tell_have_kind_and_roi() -> None:
    contracts = {
        name: recipe.contract(channels="slices", normalisation="frac", places=True, variant=variant)
        for name, preset in recipe.PRESETS.items()
        for variant in preset.variants.values()
    }
    assert [spec.name for spec in contracts["best"].outputs] == ["score", "kind", "roi"]
    assert [spec.name for spec in contracts["paper"].outputs] == ["score"]
    assert contracts["best"].kinds == ("insufficient", "missing", "short")
    assert (contracts["paper"].region_scale, contracts["paper"].crop_px, contracts["paper"].n_slices) == (1.5, 128, 6)


def _shake_norms(module: torch.nn.Module) -> None:
    """Statistics as after a training, so that folding them is put to the test."""
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
