"""An FP16-typed graph: what leads to a weighted layer in FP16, the score's arithmetic, inputs and outputs in FP32.

TensorRT's networks are strongly typed: the graph's own types say what runs in FP16. The converters of ONNX Runtime and
of onnxconverter-common were tried first: one rounds every FP32 node's result through FP16, so that the score's sum is
FP16 after all, and leaves nodes out of order; the other gives FP16 outputs that fail ONNX's type check. See
docs/quantisation.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.quantize.faults import QuantizeFault
from export.quantize.graph import float_tensors, forward_nodes, initializers, load_typed, rebuilt

MAX_FP16 = float(np.finfo(np.float16).max)


def fp16_graph(model: bytes, float_scopes: Sequence[str] = ()) -> bytes:
    """The FP16-typed graph of an FP32 one; nodes of `float_scopes` stay in FP32.

    Raises QuantizeFault on a weight that FP16 cannot hold.
    """
    typed = load_typed(model)
    conversion = _Conversion(typed, forward_nodes(typed, float_scopes))
    for node in typed.graph.node:
        conversion.add(node)
    conversion.finish()
    return bytes(conversion.model().SerializeToString())


def fp16_rounded(model: bytes, float_scopes: Sequence[str] = ()) -> bytes:
    """The FP32 graph with every weight and tensor of its FP16 part rounded to FP16, for judging on a CPU.

    ONNX Runtime's CPU has no FP16 convolutions: it computes an FP16 graph in FP32 and leaves out the roundings between,
    so that a sum beyond FP16's range passes there and is infinite on a GPU. Here each is made.
    """
    typed = load_typed(model)
    half, floats = forward_nodes(typed, float_scopes), float_tensors(typed)
    given = initializers(typed).keys() | {value.name for value in typed.graph.input}  # FP32 to whoever reads in FP32
    nodes: list[onnx.NodeProto] = []
    rounded: dict[str, str] = {}
    for node in typed.graph.node:
        made = onnx.NodeProto.FromString(node.SerializeToString())
        for i, name in enumerate(made.input):
            if node.name in half and name in floats and name not in rounded:
                nodes += _rounding(name)
                rounded[name] = f"{name}_rounded"
            if node.name in half or name not in given:
                made.input[i] = rounded.get(name, name)
        nodes.append(made)
        for name in node.output if node.name in half else ():
            if name in floats:
                nodes += _rounding(name)
                rounded[name] = f"{name}_rounded"
    return bytes(rebuilt(typed, nodes).SerializeToString())


def _rounding(name: str) -> list[onnx.NodeProto]:
    half = f"{name}_half"
    return [
        helper.make_node("Cast", [name], [half], half, to=TensorProto.FLOAT16),
        helper.make_node("Cast", [half], [f"{name}_rounded"], f"{name}_rounded", to=TensorProto.FLOAT),
    ]


class _Conversion:
    """Nodes in order, each after the casts it needs; one cast a tensor and direction."""

    def __init__(self, typed: onnx.ModelProto, half: frozenset[str]) -> None:
        self._typed, self._half = typed, half
        self._floats, self._constants = float_tensors(typed), initializers(typed)
        self._nodes: list[onnx.NodeProto] = []
        self._kind: dict[str, int] = {value.name: TensorProto.FLOAT for value in typed.graph.input}
        self._casts: dict[tuple[str, int], str] = {}
        self._outputs = {value.name for value in typed.graph.output}

    def add(self, node: onnx.NodeProto) -> None:
        wanted = TensorProto.FLOAT16 if node.name in self._half else TensorProto.FLOAT
        made = onnx.NodeProto()
        made.CopyFrom(node)
        for i, name in enumerate(made.input):
            if name in self._floats:
                made.input[i] = self._as(name, wanted)
        for i, name in enumerate(made.output):
            if name in self._floats:
                made.output[i] = self._stored(name, wanted)
        if made.op_type == "Cast" and made.output[0] in self._kind and wanted == TensorProto.FLOAT16:
            del made.attribute[:]
            made.attribute.append(helper.make_attribute("to", TensorProto.FLOAT16))
        self._nodes.append(made)

    def finish(self) -> None:
        """Cast outputs of the graph that a node makes in FP16."""
        for name in sorted(self._outputs):
            if f"{name}_fp16" in self._kind:
                self._nodes.append(helper.make_node("Cast", [f"{name}_fp16"], [name], f"{name}_cast", to=1))

    def model(self) -> onnx.ModelProto:
        return rebuilt(self._typed, self._nodes)

    def _as(self, name: str, kind: int) -> str:
        if name in self._constants:
            return name if kind == TensorProto.FLOAT else self._half_constant(name)
        stored = f"{name}_fp16" if f"{name}_fp16" in self._kind else name
        if self._kind[stored] == kind:
            return stored
        if (stored, kind) not in self._casts:
            made = f"{name}_as_{TensorProto.DataType.Name(kind).lower()}"
            self._nodes.append(helper.make_node("Cast", [stored], [made], f"{made}_cast", to=kind))
            self._casts[stored, kind] = made
        return self._casts[stored, kind]

    def _stored(self, name: str, kind: int) -> str:
        stored = f"{name}_fp16" if name in self._outputs and kind == TensorProto.FLOAT16 else name
        self._kind[stored] = kind
        return stored

    def _half_constant(self, name: str) -> str:
        halved = f"{name}_fp16"
        if (name, TensorProto.FLOAT16) not in self._casts:
            value = numpy_helper.to_array(self._constants[name])
            if np.abs(value).max(initial=0.0) > MAX_FP16:
                raise QuantizeFault(f"{name}: holds {np.abs(value).max():.3g}, FP16 ends at {MAX_FP16:.0f}")
            self._typed.graph.initializer.append(numpy_helper.from_array(value.astype(np.float16), halved))
            self._casts[name, TensorProto.FLOAT16] = halved
        return halved
