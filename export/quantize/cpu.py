"""The INT8 graph for ONNX Runtime on a CPU, from the same ranges as TensorRT's.

Activations u8 with a zero point, weights s8 per channel, outputs quantised too, so that whole runs of layers stay in
8 bits (QLinearConv); on a processor with VNNI that is faster than FP32, where TensorRT's placement is slower. Weights
use all 8 bits: on a processor without VNNI such sums can saturate, which the bundle's golden scores would show.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx
from onnxruntime.quantization import QuantType

from export.quantize.graph import QUANTISABLE, Layer, load_typed
from export.quantize.placed import Placement, placed
from export.quantize.ranges import Ranges

FOLLOWING = frozenset({"Relu", "LeakyRelu", "MaxPool"})  # run in 8 bits when what they read is


def int8_cpu_graph(model: bytes, ranges: Ranges, layers: Sequence[Layer]) -> bytes:
    """The graph of an FP32 one with `layers`, and what follows them, in 8 bits."""
    typed = load_typed(model)
    placement = Placement(
        nodes=_with_following(typed, {layer.node for layer in layers}),
        operators=sorted(QUANTISABLE | FOLLOWING),
        activations=QuantType.QUInt8,
        # ONNX Runtime would drop a ReLU that the rounding does too, also for those who read the tensor unrounded.
        options={"QDQKeepRemovableActivations": True},
    )
    return bytes(placed(typed, ranges, placement).SerializeToString())


def _with_following(model: onnx.ModelProto, nodes: Collection[str]) -> list[str]:
    """These nodes and the activations and poolings that read nothing but them, in the graph's order."""
    eight_bit: set[str] = set()
    chosen = []
    for node in model.graph.node:
        if node.name in nodes or (node.op_type in FOLLOWING and node.input[0] in eight_bit):
            chosen.append(node.name)
            eight_bit.add(node.output[0])
    return chosen
