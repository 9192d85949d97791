"""The INT8 graph for TensorRT: explicit Q/DQ where TensorRT fuses it, and nowhere else.

Inputs of the layers are quantised and their outputs are not, both sides symmetric int8, weights per channel, no zero
point, bias in FP32, and of a residual Add only the side that skips. ONNX Runtime's default placement is refused by
TensorRT (bias) or loses a fusion and rounds twice (outputs). `lint.py` checks all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType

from export.quantize.faults import QuantizeFault
from export.quantize.graph import QUANTISABLE, Layer, consumers, load_typed, rebuilt
from export.quantize.lint import check_qdq
from export.quantize.placed import Placement, placed
from export.quantize.ranges import Ranges

LARGEST_LEVEL = 127


def int8_graph(model: bytes, ranges: Ranges, layers: Sequence[Layer]) -> bytes:
    """The Q/DQ graph of an FP32 one with `layers` in INT8. Raises QuantizeFault, QdqFault."""
    typed = load_typed(model)
    nodes = {layer.node for layer in layers}
    placement = Placement(
        nodes=[layer.node for layer in layers],
        operators=sorted(QUANTISABLE),
        activations=QuantType.QInt8,
        options={
            "ActivationSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": sorted(QUANTISABLE),
        },
    )
    made = _with_skips_quantised(placed(typed, ranges, placement), ranges, nodes)
    check_qdq(made)
    return bytes(made.SerializeToString())


def _with_skips_quantised(model: onnx.ModelProto, ranges: Ranges, nodes: Collection[str]) -> onnx.ModelProto:
    """Q/DQ on the skip side of each Add whose other side is a layer in INT8: TensorRT then fuses layer and Add."""
    producer = {name: node for node in model.graph.node for name in node.output}
    ordered: list[onnx.NodeProto] = []
    pairs: dict[str, str] = _pairs(model)
    for node in model.graph.node:
        skip = _skip_of(node, producer, nodes) if node.op_type == "Add" else None
        if skip is not None:
            name = node.input[skip]
            if name not in pairs:
                pairs[name] = _add_pair(model, ordered, name, ranges)
            node.input[skip] = pairs[name]
        ordered.append(node)
    return rebuilt(model, ordered)


def _skip_of(node: onnx.NodeProto, producer: dict[str, onnx.NodeProto], nodes: Collection[str]) -> int | None:
    """Which input of an Add is the skip: not the layer's, not a constant; the second where both are layers."""
    layer_sides = [i for i, name in enumerate(node.input) if name in producer and producer[name].name in nodes]
    if not layer_sides:
        return None
    return next((i for i, name in enumerate(node.input) if name in producer and i != layer_sides[0]), None)


def _pairs(model: onnx.ModelProto) -> dict[str, str]:
    """Tensor -> what its DequantizeLinear gives, of the pairs there already are."""
    readers = consumers(model)
    return {
        node.input[0]: reader.output[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
        for reader in readers.get(node.output[0], ())
        if reader.op_type == "DequantizeLinear"
    }


def _add_pair(model: onnx.ModelProto, ordered: list[onnx.NodeProto], name: str, ranges: Ranges) -> str:
    if name not in ranges:
        raise QuantizeFault(f"no range was measured for {name!r}, the skip of a residual Add")
    scale = np.array(max(abs(v) for v in ranges[name]) / LARGEST_LEVEL, np.float32)
    parameters = [f"{name}_skip_scale", f"{name}_skip_zero_point"]
    model.graph.initializer.append(numpy_helper.from_array(scale, parameters[0]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), parameters[1]))
    quantised, given = f"{name}_skip_q", f"{name}_skip_dq"
    ordered.append(helper.make_node("QuantizeLinear", [name, *parameters], [quantised], quantised))
    ordered.append(helper.make_node("DequantizeLinear", [quantised, *parameters], [given], given))
    return given
