"""From an FP32 graph to all precisions, with the gate between: what passes, and what is refused and why."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs_torch")  # the train extra brings it
pytest.importorskip("torch", reason="needs_torch")  # export.onnx, which checks every graph, exports from it

from onnx import numpy_helper  # noqa: E402

from benchmarks.quantisation import outcome  # noqa: E402
from benchmarks.quantisation_tables import decisions  # noqa: E402
from edge.bundle import Contract, TensorSpec  # noqa: E402
from export.quantize import build as build_module  # noqa: E402
from export.quantize.build import graphs_of  # noqa: E402
from tests.export.graphs import SIDE, broken_for, median, small_graph, small_inputs  # noqa: E402

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]

CONTRACT = Contract(
    crop_px=SIDE,
    region_scale=1.0,
    channels="bgr",
    normalisation="unit",
    inputs=(TensorSpec(name="crops", shape=("N", 3, SIDE, SIDE), dtype="float32", meaning="crops"),),
    outputs=(
        TensorSpec(name="score", shape=("N",), dtype="float32", meaning="mean squared error"),
        TensorSpec(name="map", shape=("N", SIDE, SIDE), dtype="float32", meaning="squared error"),
    ),
)


def test_good_quantisation_passes_the_gate() -> None:
    made = built(small_graph())
    assert set(made.graphs) == {"fp16", "int8", "int8-cpu"}
    assert made.refused == {}
    assert made.ranges is not None
    assert made.ranges.n == 32
    for graph in made.graphs.values():
        assert graph.parity.lost_defects == 0
        assert graph.threshold == median(graph.score)


def test_outcome_is_told_in_tables() -> None:
    made = built(small_graph())
    dev_test = {"auroc": {"fp32": {"bridge": 1.0}}, "parity": {}}
    subject = {"name": "small", "n_layers": 3, "dev_test": dev_test, **outcome(made)}
    told = decisions(json.loads(json.dumps({"subjects": [subject]})))
    assert made.ranges is not None
    for precision in ("int8", "int8-cpu"):
        kept = len(made.graphs[precision].kept_in_float)
        assert f"| small | {precision} | {made.ranges.method} | {kept} of 3 |" in told
    assert told.count("| small | entropy") == 2
    assert "bridge 1.0000" in told


def test_broken_quantisation_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for precision, make in build_module.INT8.items():
        ruined = broken_for("first", broken_for("second", broken_for("last", make)))
        monkeypatch.setitem(build_module.INT8, precision, ruined)
    made = built(small_graph())
    assert set(made.graphs) == {"fp16"}
    assert made.ranges is None
    for reason in made.refused.values():
        assert "agreement" in reason
        assert "most sensitive layer" in reason
        assert "kept in float" in reason


def test_fp16_that_overflows_is_refused() -> None:
    model = onnx.load_from_string(small_graph())
    for tensor in model.graph.initializer:
        if (value := {"first.bias": 6e4, "second.weight": 10.0}.get(tensor.name)) is not None:
            tensor.CopyFrom(numpy_helper.from_array(np.full(tensor.dims, value, np.float32), tensor.name))
    made = built(model.SerializeToString())
    assert "not finite" in made.refused["fp16"]


def built(model: bytes) -> build_module.GraphSet:
    n = 12  # one changed verdict is more than the gate allows
    inputs = small_inputs(n, seed=1)
    inputs -= inputs.mean(axis=(2, 3), keepdims=True)  # of one size each: what the network says decides the score
    inputs /= 2 * inputs.std(axis=(2, 3), keepdims=True)
    return graphs_of(
        model,
        CONTRACT,
        calibration_inputs=small_inputs(32),
        val_inputs=inputs,
        val_is_good=np.arange(n) < n // 2,
        threshold_of=median,
        threads=1,
    )
