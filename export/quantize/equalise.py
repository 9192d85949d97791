"""Channels of one size before INT8: each channel between two convolutions is scaled by its own range, and the next
convolution's weights take the scale back.

INT8 has one scale for a whole tensor, so a channel whose values are small is rounded to a few levels; weights have a
scale for each output channel and bear it. In FP32 the graph computes the same, since LeakyReLU, ReLU, poolings and
products along a row commute with a positive factor. (Nagel et al., "Data-Free Quantization Through Weight Equalization
and Bias Correction", 2019; the share that activations get is that of Xiao et al., "SmoothQuant", 2023.) Tensors that
anything else reads, such as GradCon's gradient, are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.graph_inputs import Inputs
from export.quantize.graph import Layer, consumers, initializers, load_typed
from export.quantize.ranges import calibration_share, tensors_of

COMMUTES = frozenset({"Relu", "LeakyRelu", "MaxPool", "AveragePool"})
SMALLEST_FRAC = 1e-3  # of the largest channel: a dead channel must not be blown up to the size of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """A convolution and those that read its channels; `tensors` are what they read."""

    writer: onnx.NodeProto
    readers: tuple[onnx.NodeProto, ...]
    tensors: tuple[str, ...]


def equalised(model: bytes, layers: tuple[Layer, ...], inputs: Inputs, share: float) -> bytes:
    """The same function with channels of like ranges over `inputs` (N, C, h, w).

    `share` of the difference between channels is taken from the activations, the rest stays; 0 changes nothing, 1
    makes all channels of a tensor equally wide.
    """
    typed = load_typed(model)
    links = _links(typed, {layer.node for layer in layers})
    widest = _channel_ranges(model, {name for link in links for name in link.tensors}, calibration_share(inputs))
    values = {name: numpy_helper.to_array(tensor).copy() for name, tensor in initializers(typed).items()}
    for link in links:
        width = np.max([widest[name] for name in link.tensors], axis=0)
        _scale(link, np.maximum(width, SMALLEST_FRAC * width.max()), values, share)
    for tensor in typed.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
    return bytes(typed.SerializeToString())


def _scale(link: _Link, width: NDArray[np.float32], values: dict[str, NDArray[np.float32]], share: float) -> None:
    """In `values`: divide the writer's channels, multiply the readers' inputs by the same. Powers of two would be
    exact; plain factors cost one rounding of FP32."""
    factor = (width / np.exp(np.log(width).mean())) ** share
    for name in link.writer.input[1:]:
        shape = (-1,) + (1,) * (values[name].ndim - 1)
        values[name] = (values[name] / factor.reshape(shape)).astype(np.float32)
    for name in {reader.input[1] for reader in link.readers}:
        shape = (1, -1) + (1,) * (values[name].ndim - 2)
        values[name] = (values[name] * factor.reshape(shape)).astype(np.float32)


def _links(model: onnx.ModelProto, layers: set[str]) -> list[_Link]:
    readers, constants = consumers(model), initializers(model).keys()
    outputs = {value.name for value in model.graph.output}
    shared = {name for name in constants if len(readers.get(name, ())) > 1}
    links = []
    for node in model.graph.node:
        if node.name not in layers or not _plain(node) or shared.intersection(node.input[1:]):
            continue
        found = _readers_of(node.output[0], readers, constants, outputs)
        if found is not None and all(r.name in layers and _plain(r) and r.input[1] not in shared for _, r in found):
            tensors, ends = zip(*found, strict=True)
            links.append(_Link(writer=node, readers=ends, tensors=tuple(dict.fromkeys(tensors))))
    return links


def _readers_of(
    name: str, readers: dict[str, list[onnx.NodeProto]], constants: object, outputs: set[str]
) -> list[tuple[str, onnx.NodeProto]] | None:
    """Each convolution that reads the tensor's channels, with the tensor it reads; None where anything else does."""
    if name in outputs or not readers.get(name):
        return None
    found: list[tuple[str, onnx.NodeProto]] = []
    for node in readers[name]:
        if node.op_type == "Conv" and node.input[0] == name:
            found.append((name, node))
        elif node.op_type in COMMUTES or _along_rows(node, constants):
            further = _readers_of(node.output[0], readers, constants, outputs)
            if further is None:
                return None
            found += further
        else:
            return None
    return found


def _along_rows(node: onnx.NodeProto, constants: object) -> bool:
    """A product with a constant matrix mixes places, not channels."""
    return node.op_type == "MatMul" and any(name in constants for name in node.input)  # type: ignore[operator]


def _plain(node: onnx.NodeProto) -> bool:
    groups = [helper.get_attribute_value(a) for a in node.attribute if a.name == "group"]
    return node.op_type == "Conv" and groups in ([], [1])


def _channel_ranges(model: bytes, names: set[str], inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """The largest absolute value of each channel (C,) of tensors (N, C, ...)."""
    found: dict[str, NDArray[np.float32]] = {}
    for tensors in tensors_of(model, inputs):
        for name in names:
            values = tensors[name]
            width = np.abs(values).max(axis=(0, *range(2, values.ndim)))
            found[name] = np.maximum(found.get(name, width), width)
    return found
