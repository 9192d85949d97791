"""Floating-point operations of a graph, counted from its shapes: two for every multiply-add of its convolutions and
matrix products. What is added, compared or moved besides is not counted, so a share of the machine's peak is a lower
bound."""

from __future__ import annotations

import math

import onnx

COUNTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def flops_of(model: bytes) -> int:
    """For a batch of one. Raises KeyError where a counted node's shape cannot be inferred."""
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), strict_mode=True, data_prop=True).graph
    shapes = {i.name: list(i.dims) for i in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes.setdefault(value.name, [d.dim_value or 1 for d in value.type.tensor_type.shape.dim])  # the batch: 1
    return sum(_flops(node, shapes) for node in graph.node if node.op_type in COUNTED)


def _flops(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    inputs, out = [shapes[name] for name in node.input[:2]], math.prod(shapes[node.output[0]])
    if node.op_type == "Conv":  # weights (out channels, in channels / groups, h, w)
        return 2 * out * math.prod(inputs[1][1:])
    if node.op_type == "ConvTranspose":  # weights (in channels, out channels / groups, h, w)
        return 2 * math.prod(inputs[0]) * math.prod(inputs[1][1:])
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2 * out * inputs[0][-2 if transposed else -1]
