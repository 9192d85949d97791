"""What a scored graph is made of: the layers that carry the work, what only feeds them, and the score's arithmetic.

The score's arithmetic (sums of thousands of squares, logarithms, GradCon's gradient) is what no weighted layer comes
after. It stays in FP32 at every precision: in FP16 a mean over 12,288 squares keeps three digits.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from export.graph_inputs import Feedable
from export.quantize.faults import QuantizeFault

NAME_SCOPES = "pkg.torch.onnx.name_scopes"  # torch's exporter writes the module path of each node there
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "LSTM", "GRU"})
QUANTISABLE = frozenset({"Conv", "ConvTranspose", "Gemm"})
EIGHT_BIT = QUANTISABLE | {"Relu", "LeakyRelu", "MaxPool", "Add"}  # what may read or write INT8 in either graph
CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A weighted layer that INT8 may run: `name` for people (the module's path), `node` in the graph."""

    name: str
    node: str


def load_typed(model: bytes) -> onnx.ModelProto:
    """The graph with every tensor's type inferred."""
    return onnx.shape_inference.infer_shapes(onnx.load_from_string(model), strict_mode=True, check_type=True)


def forward_nodes(model: onnx.ModelProto, float_scopes: Sequence[str] = ()) -> frozenset[str]:
    """Names of the nodes that lead to a weighted layer, those layers included; nothing of `float_scopes`.

    A scope is a module's path or a part of it between dots. Raises QuantizeFault when a scope names no node: what must
    stay in FP32 would otherwise be converted without a word. `Shape`-like nodes count too; types decide what is cast.
    """
    nodes = {node.name: node for node in model.graph.node}
    if len(nodes) != len(model.graph.node):
        raise QuantizeFault("the graph's nodes have no unique names")
    apart = {scope: {n for n, node in nodes.items() if _within(node, scope)} for scope in float_scopes}
    if unknown := sorted(scope for scope, members in apart.items() if not members):
        raise QuantizeFault(f"no node lies in the scopes {unknown} that must stay in FP32")
    kept = set().union(*apart.values())
    producer = {name: node for node in nodes.values() for name in node.output}
    reached: set[str] = set()
    waiting = [node for node in nodes.values() if node.op_type in WEIGHTED and node.name not in kept]
    while waiting:
        node = waiting.pop()
        if node.name not in reached and node.name not in kept:
            reached.add(node.name)
            waiting += [producer[name] for name in node.input if name in producer]
    return frozenset(reached)


def quantisable_layers(model: onnx.ModelProto, float_scopes: Sequence[str] = ()) -> tuple[Layer, ...]:
    """Layers with constant weights that INT8 may run, in the graph's order."""
    forward, constants = forward_nodes(model, float_scopes), initializers(model)
    return tuple(
        Layer(name=node.input[1].removesuffix(".weight"), node=node.name)
        for node in model.graph.node
        if node.op_type in QUANTISABLE and node.name in forward and node.input[1] in constants
    )


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """The graph's constants by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    """A constant's value."""
    return numpy_helper.to_array(initializers(model)[name])


def float_tensors(model: onnx.ModelProto) -> frozenset[str]:
    """Names of all FP32 tensors of a typed graph, constants included. Raises QuantizeFault on a tensor of no type."""
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        if unknown := [name for name in node.output if name and name not in types]:
            raise QuantizeFault(f"{node.op_type} {node.name!r}: the type of {unknown} cannot be inferred")
    return frozenset(name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT)


def consumers(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def chunks(inputs: Feedable) -> Iterator[Feedable]:
    """Inputs (N, ...) in batches, so that memory does not grow with N."""
    for start in range(0, len(inputs), CHUNK):
        yield inputs[start : start + CHUNK]


def rebuilt(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> onnx.ModelProto:
    """The graph with these nodes (in order) instead of its own, types inferred anew, constants nobody reads left
    out."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    read = {name for node in made.graph.node for name in node.input}
    constants = [tensor for tensor in made.graph.initializer if tensor.name in read]
    del made.graph.initializer[:]
    made.graph.initializer.extend(constants)
    del made.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(made, strict_mode=True, check_type=True)


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in topological order, types inferred anew. Raises QuantizeFault when there is none."""
    known = {value.name for value in model.graph.input} | initializers(model).keys() | {""}
    waiting, ordered = list(model.graph.node), []
    while waiting:
        later = []
        for node in waiting:
            if known.issuperset(node.input):
                ordered.append(node)
                known.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise QuantizeFault(f"node {later[0].name!r} reads a tensor that nothing makes before it")
        waiting = later
    return rebuilt(model, ordered)


def _within(node: onnx.NodeProto, scope: str) -> bool:
    paths = [node.name]
    for entry in node.metadata_props:
        if entry.key == NAME_SCOPES:
            paths += [str(path) for path in ast.literal_eval(entry.value)]
    return any(f".{scope}." in f".{path}." for path in paths)
