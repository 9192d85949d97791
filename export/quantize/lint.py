"""What TensorRT wants of a Q/DQ graph, checked in plain ONNX on any machine.

TensorRT refuses some of these at parse; the others parse, and then cost a fusion or an extra rounding in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from export.quantize.faults import QdqFault
from export.quantize.graph import QUANTISABLE, constant, consumers, initializers

REFUSED = {
    "QLinearConv": "quantised operators are refused; use Q/DQ round the plain one",
    "QLinearMatMul": "quantised operators are refused; use Q/DQ round the plain one",
    "ConvInteger": "integer operators are refused; use Q/DQ round the plain one",
    "MatMulInteger": "integer operators are refused; use Q/DQ round the plain one",
    "DynamicQuantizeLinear": "scales must be constants",
    "Col2Im": "has no importer",
}
MAX_TOLD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken rule: at which node, which rule, what was there."""

    node: str
    rule: str
    got: str

    def __str__(self) -> str:
        return f"{self.node}: {self.rule}; got {self.got}"


def check_qdq(model: onnx.ModelProto) -> None:
    """Raise QdqFault with what `lint` found."""
    if found := lint(model):
        more = "" if len(found) <= MAX_TOLD else f"; and {len(found) - MAX_TOLD} more"
        raise QdqFault("; ".join(str(f) for f in found[:MAX_TOLD]) + more)


def lint(model: onnx.ModelProto) -> tuple[Finding, ...]:
    """Every rule a graph breaks, in the order of its nodes; a graph without Q/DQ breaks none of those about them."""
    rules = _Rules(model)
    return tuple(finding for node in model.graph.node for finding in rules.broken_by(node))


class _Rules:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._constants = initializers(model)
        self._producer = {name: node for node in model.graph.node for name in node.output}
        self._readers = consumers(model)

    def broken_by(self, node: onnx.NodeProto) -> Iterator[Finding]:
        if node.op_type in REFUSED or node.domain not in ("", "ai.onnx"):
            rule = REFUSED.get(node.op_type, "operators of other domains are refused")
            yield _finding(node, rule, f"{node.domain or 'ai.onnx'}.{node.op_type}")
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            yield from self._parameters(node)
        elif node.op_type in QUANTISABLE:
            yield from self._layer(node)
        elif node.op_type == "Add":
            yield from self._add(node)
        if node.op_type == "QuantizeLinear":
            yield from self._pair(node)

    def _parameters(self, node: onnx.NodeProto) -> Iterator[Finding]:
        if node.op_type == "DequantizeLinear" and self._type(node.input[0]) == TensorProto.INT32:
            yield _finding(node, "a bias stays in FP32", f"int32 {node.input[0]!r}")
            return
        if node.input[1] not in self._constants:
            yield _finding(node, "the scale must be a constant", f"tensor {node.input[1]!r}")
            return
        scale = constant(self._model, node.input[1])
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            yield _finding(node, "scales are finite and above 0", f"{scale.min():g} to {scale.max():g}")
        if scale.size > 1 and (node.op_type == "QuantizeLinear" or self._axis(node) != self._channel_axis(node)):
            yield _finding(node, "only weights have a scale for each output channel", f"{scale.size} scales")
        if len(node.input) > 2:
            zero = constant(self._model, node.input[2]) if node.input[2] in self._constants else None
            if zero is None or zero.dtype != np.int8:
                yield _finding(node, "quantised values are int8", "a tensor" if zero is None else str(zero.dtype))
            elif zero.any():
                yield _finding(node, "zero points are 0 (symmetric)", f"{zero.min()} to {zero.max()}")
        elif node.op_type == "QuantizeLinear":
            yield _finding(node, "quantised values are int8", "no zero point, which means uint8")

    def _pair(self, node: onnx.NodeProto) -> Iterator[Finding]:
        for reader in self._readers.get(node.output[0], ()):
            if reader.op_type != "DequantizeLinear":
                yield _finding(node, "a QuantizeLinear feeds a DequantizeLinear", reader.op_type)
            elif list(reader.input[1:]) != list(node.input[1:]):
                yield _finding(reader, "a pair has one scale", f"{node.input[1]!r} and {reader.input[1]!r}")
            else:
                yield from self._use(reader)

    def _use(self, node: onnx.NodeProto) -> Iterator[Finding]:
        """Where Q/DQ stands before something else, a layer's output was quantised."""
        for reader in self._readers.get(node.output[0], ()):
            if reader.op_type not in QUANTISABLE | {"Add"}:
                yield _finding(node, "only inputs of layers and skips of an Add are quantised", reader.op_type)

    def _layer(self, node: onnx.NodeProto) -> Iterator[Finding]:
        given, weight = (self._dequantised(name) for name in node.input[:2])
        if given != weight:
            got = f"input {'int8' if given else 'float'}, weights {'int8' if weight else 'float'}"
            yield _finding(node, "input and weights are quantised together", got)
        if len(node.input) > 2 and self._dequantised(node.input[2]):
            yield _finding(node, "a bias stays in FP32", f"{node.input[2]!r} comes from a DequantizeLinear")

    def _add(self, node: onnx.NodeProto) -> Iterator[Finding]:
        sides = [self._dequantised(name) for name in node.input]
        layers = [self._in_int8(name) for name in node.input]
        if all(sides):
            yield _finding(node, "of an Add only the skip is quantised", "both sides")
        for i in (0, 1):
            other = node.input[1 - i]
            if layers[i] and not sides[1 - i] and other not in self._constants and not all(layers):
                yield _finding(node, "the skip of an Add after an INT8 layer is quantised", f"{other!r} in float")
        if all(layers) and not any(sides):
            yield _finding(node, "the skip of an Add after an INT8 layer is quantised", "both sides in float")

    def _in_int8(self, name: str) -> bool:
        node = self._producer.get(name)
        return node is not None and node.op_type in QUANTISABLE and self._dequantised(node.input[0])

    def _dequantised(self, name: str) -> bool:
        return name in self._producer and self._producer[name].op_type == "DequantizeLinear"

    def _channel_axis(self, node: onnx.NodeProto) -> int | None:
        """The axis a weight's scales belong to, None for what is no weight."""
        for reader in self._readers.get(node.output[0], ()):
            if reader.op_type in QUANTISABLE and reader.input[1] == node.output[0]:
                transposed = reader.op_type == "Gemm" and not _attribute(reader, "transB", 0)
                return 1 if transposed or reader.op_type == "ConvTranspose" else 0
        return None

    def _axis(self, node: onnx.NodeProto) -> int:
        return _attribute(node, "axis", 1)

    def _type(self, name: str) -> int | None:
        return self._constants[name].data_type if name in self._constants else None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(helper.get_attribute_value(a)) for a in node.attribute if a.name == name), default)


def _finding(node: onnx.NodeProto, rule: str, got: str) -> Finding:
    return Finding(node=node.name or node.op_type, rule=rule, got=got)
