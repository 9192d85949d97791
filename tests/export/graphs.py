"""Small hand-made ONNX graphs for tests of precisions: what is in them is plain to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.board import Floats

if TYPE_CHECKING:
    from export.quantize.graph import Layer
    from export.quantize.ranges import Ranges

    MakeInt8 = Callable[[bytes, Ranges, Sequence[Layer]], bytes]

CHANNELS, SIDE = 4, 16


def small_graph(seed: int = 0, *, residual: bool = False, scope: bool = False) -> bytes:
    """Two or three convolutions with LeakyRelu between, and the score of a reconstruction: mean of squared error.

    With `residual` the second convolution's output is added to what it read; with `scope` a convolution of the error
    with the first one's weights, in the scope "net.gradient", joins the score.
    """
    rng = np.random.default_rng(seed)
    nodes = [
        _conv(rng, "first", "crops", 3, CHANNELS),
        helper.make_node("LeakyRelu", ["first_out"], ["first_act"], "first_act", alpha=0.1),
        _conv(rng, "second", "first_act", CHANNELS, CHANNELS),
    ]
    before = "second_out"
    if residual:
        nodes.append(helper.make_node("Add", ["second_out", "first_act"], ["joined"], "join"))
        before = "joined"
    nodes += [
        helper.make_node("LeakyRelu", [before], ["second_act"], "second_act", alpha=0.1),
        _conv(rng, "last", "second_act", CHANNELS, 3),
        helper.make_node("Sub", ["last_out", "crops"], ["error"], "error"),
        helper.make_node("Mul", ["error", "error"], ["squares"], "square"),
        helper.make_node("ReduceMean", ["squares", "channel_axis"], ["map"], "map", keepdims=0),
    ]
    summed = "map"
    if scope:
        gradient = helper.make_node("Conv", ["error", "first.weight"], ["gradient_out"], "gradient", pads=[1] * 4)
        gradient.metadata_props.append(_scope("['', 'net', 'net.gradient', 'conv2d']"))
        nodes.append(gradient)
        nodes.append(helper.make_node("ReduceMean", ["gradient_out", "channel_axis"], ["extra"], "extra", keepdims=0))
        nodes.append(helper.make_node("Add", ["map", "extra"], ["summed"], "sum"))
        summed = "summed"
    nodes.append(helper.make_node("ReduceMean", [summed, "place_axes"], ["score"], "score", keepdims=0))
    constants = [t for n in nodes if n.doc_string for t in _weights(rng, n)]
    constants += [_ints("channel_axis", [1]), _ints("place_axes", [1, 2])]
    return _model(nodes, constants)


def small_inputs(n: int, seed: int = 0) -> Floats:
    """(n, 3, SIDE, SIDE) float32 in [-1, 1], no two alike."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(-0.8, 0.8, (n, 3, 1, 1)) + rng.normal(0, 0.2, (n, 3, SIDE, SIDE))
    return np.clip(base, -1, 1).astype(np.float32)


def median(scores: Floats) -> float:
    """A threshold that falls between two scores, so that both verdicts occur."""
    return float(np.median(scores))


def broken_for(layer: str, make: MakeInt8) -> MakeInt8:
    """A quantiser that ruins the graph whenever it may touch `layer`."""

    def build(model: bytes, ranges: Ranges, layers: Sequence[Layer]) -> bytes:
        reads = {"first": "crops", "second": "first_act", "last": "second_act"}[layer]
        if layer in {item.name for item in layers}:
            ranges = {**ranges, reads: (-1e-4, 1e-4)}
        return make(model, ranges, layers)

    return build


def _conv(rng: np.random.Generator, name: str, given: str, c_in: int, c_out: int) -> onnx.NodeProto:
    node = helper.make_node("Conv", [given, f"{name}.weight", f"{name}.bias"], [f"{name}_out"], name, pads=[1] * 4)
    node.doc_string = f"{c_in} {c_out}"
    return node


def _weights(rng: np.random.Generator, node: onnx.NodeProto) -> list[onnx.TensorProto]:
    c_in, c_out = (int(v) for v in node.doc_string.split())
    weight: NDArray[np.float32] = rng.normal(0, 1 / np.sqrt(9 * c_in), (c_out, c_in, 3, 3)).astype(np.float32)
    bias = rng.normal(0, 0.1, c_out).astype(np.float32)
    return [numpy_helper.from_array(weight, node.input[1]), numpy_helper.from_array(bias, node.input[2])]


def _scope(path: str) -> onnx.StringStringEntryProto:
    return onnx.StringStringEntryProto(key="pkg.torch.onnx.name_scopes", value=path)


def _ints(name: str, values: list[int]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _model(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", SIDE, SIDE]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
