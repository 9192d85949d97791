"""Scales into a graph: ONNX Runtime's Q/DQ quantiser on ranges that were measured before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from export.quantize.graph import in_order, initializers
from export.quantize.ranges import Ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which nodes of which operators get Q/DQ, the activations' type, and ONNX Runtime's further options."""

    nodes: Sequence[str]
    operators: Sequence[str]
    activations: QuantType
    options: Mapping[str, object]


def placed(typed: onnx.ModelProto, ranges: Ranges, placement: Placement) -> onnx.ModelProto:
    """A copy of the graph with Q/DQ: weights s8, symmetric, per output channel, all 8 bits used."""
    if not placement.nodes:
        return typed  # ONNX Runtime takes an empty list for "all"
    copy = onnx.ModelProto()
    copy.CopyFrom(typed)
    data = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=placement.activations,
        tensors_range=TensorsData(CalibrationMethod.MinMax, data),
        nodes_to_quantize=list(placement.nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=list(placement.operators),
        extra_options={"WeightSymmetric": True, **placement.options},
    )
    made: onnx.ModelProto = quantizer.quantize_model()
    _restore_float_nodes(made, typed, frozenset(placement.nodes))
    return in_order(made)


def _restore_float_nodes(made: onnx.ModelProto, typed: onnx.ModelProto, eight_bit: frozenset[str]) -> None:
    """Let whatever runs in float read what it read before: tensors without their Q/DQ, weights unrounded.

    ONNX Runtime puts one pair before all readers of a tensor, and the score would then compare the reconstruction with
    a picture of 256 greys: that alone made the error of a trained autoencoder's score five times larger.
    """
    before = {node.name: node for node in typed.graph.node if node.name not in eight_bit}
    produced = {name for node in made.graph.node for name in node.output} | {v.name for v in made.graph.input}
    constants = initializers(typed)
    for node in made.graph.node:
        for i, name in enumerate(before[node.name].input if node.name in before else ()):
            if name in produced or name in constants:
                node.input[i] = name
    read = {name for node in made.graph.node for name in node.input}
    lacking = (read & constants.keys()) - initializers(made).keys() - produced
    made.graph.initializer.extend(constants[name] for name in sorted(lacking))
