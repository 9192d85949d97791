"""Layer by layer: the tensors that two graphs have in common by name, and how far apart each is.

The error of a layer is the RMS of the difference over the RMS of the reference. Both graphs start from the same
pictures, so errors add up from layer to layer: the first one above a bound is where the two part, and the one that
grows most over its own inputs is where most of it is made.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from export.graph_inputs import Feedable
from export.parity.sides import ParityFault, Run, Side, runner

LAYER_CHUNK = 2  # crops at a time: all tensors of a 64-pixel network take 100 MB then
NAME_SCOPES = "pkg.torch.onnx.name_scopes"  # where torch's exporter writes a node's module path
FLOATS = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16})
SMALLEST_RMS = 1e-9  # a tensor of zeros has no relative error
HIDDEN_FRAC = 0.5  # looking at the layers took away more than this share of the difference: look at one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A float tensor of the reference, named as in the graph, the operator that makes it, and its module's path.
    `rectified`: nothing but Relu reads it, so that only what is above zero counts; a quantiser may clip the rest."""

    name: str
    operator: str
    scope: str
    inputs: tuple[str, ...]
    rectified: bool = False

    def text(self) -> str:
        """For people."""
        return f"{self.name} ({self.operator}{' of ' + self.scope if self.scope else ''})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """`relative_rms` of a layer; `inherited` is the largest of its inputs', so the rest was made here."""

    layer: Layer
    relative_rms: float
    inherited: float

    @property
    def made_here(self) -> float:
        """How much further apart the layer is than what it was given."""
        return self.relative_rms - self.inherited


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """The layers in the graph's order. `looked_at` is "together", or "one at a time" where an engine fuses layers that
    nobody looks at and only then differs. `n_only_in_reference` layers have no counterpart of their name."""

    errors: tuple[LayerError, ...]
    n_only_in_reference: int
    looked_at: str
    bound: float

    @property
    def first(self) -> LayerError | None:
        """The first layer above the bound."""
        return next((e for e in self.errors if e.relative_rms > self.bound), None)

    @property
    def steepest(self) -> LayerError | None:
        """The layer that adds most."""
        return max(self.errors, key=lambda e: e.made_here, default=None)


def float_layers(model: bytes) -> dict[str, Layer]:
    """The float tensors that nodes of a graph make, in the graph's order."""
    typed = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), check_type=True)
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*typed.graph.value_info, *typed.graph.output)}
    readers, given = _readers(typed), {value.name for value in typed.graph.output}
    return {
        name: Layer(
            name=name,
            operator=node.op_type,
            scope=_scope(node),
            inputs=tuple(node.input),
            rectified=name not in given and {reader.op_type for reader in readers.get(name, [])} == {"Relu"},
        )
        for node in typed.graph.node
        for name in node.output
        if kinds.get(name) in FLOATS
    }


def observed(model: bytes, names: Sequence[str]) -> bytes:
    """A copy of a graph with more outputs. Raises ParityFault for a name it does not make."""
    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), check_type=True)
    known = {value.name: value for value in proto.graph.value_info}
    there = {value.name for value in proto.graph.output}
    if unknown := sorted(set(names) - known.keys() - there):
        raise ParityFault(f"the graph has no tensors {unknown}")
    proto.graph.output.extend(known[name] for name in dict.fromkeys(names) if name not in there)
    return bytes(proto.SerializeToString())


def counterparts(model: bytes) -> dict[str, str]:
    """What stands for each float tensor of the reference in a graph, by the reference's name: the tensor of that name,
    or, where it is only read through a Q/DQ pair, the end of that pair. The tensor itself may be something else there:
    a quantiser leaves out a Relu whose clipping the pair's range does."""
    proto = onnx.load_from_string(model)
    readers = _readers(proto)
    outputs = {value.name for value in proto.graph.output}
    found = {}
    for name in float_layers(model):
        at, own = readers.get(name, []), name
        if at and name not in outputs and all(node.op_type == "QuantizeLinear" for node in at):
            ends = [end.output[0] for node in at for end in readers.get(node.output[0], [])]
            own = ends[0] if ends else name
        found[name] = own
    return found


def compare_layers(reference: Side, other: Side, inputs: Feedable, bound: float) -> LayerReport:
    """Both sides on (N, …) graph inputs. Raises ParityFault when they have no layer in common."""
    layers, theirs = float_layers(reference.model), counterparts(other.model)
    common = {name: theirs[name] for name in layers if name in theirs}
    if not common:
        raise ParityFault(f"{reference.label} and {other.label} have no layer of one name")
    rectified = frozenset(name for name in common if layers[name].rectified)
    errors = _errors(reference, other, inputs, common, rectified)
    looked_at = "together"
    if other.engine != "tensorrt" and _hides(reference, other, inputs, errors, bound):
        looked_at = "one at a time"  # an engine a layer: too slow where each is built for minutes
        errors = {name: _errors(reference, other, inputs, {name: common[name]}, rectified)[name] for name in common}
    return LayerReport(
        errors=tuple(
            LayerError(
                layer=layers[name],
                relative_rms=errors[name],
                inherited=max((errors[i] for i in layers[name].inputs if i in errors), default=0.0),
            )
            for name in common
        ),
        n_only_in_reference=len(layers) - len(common),
        looked_at=looked_at,
        bound=bound,
    )


def _errors(
    reference: Side, other: Side, inputs: Feedable, pairs: Mapping[str, str], rectified: frozenset[str]
) -> dict[str, float]:
    ours = runner(reference, observed(reference.model, list(pairs)))
    theirs = runner(other, observed(other.model, list(pairs.values())))
    return _relative_rms(ours, theirs, inputs, pairs, rectified)


def _hides(reference: Side, other: Side, inputs: Feedable, errors: dict[str, float], bound: float) -> bool:
    """Whether the scores of the two differ as they are, and no longer when every layer is looked at."""
    plain = _relative_rms(runner(reference), runner(other), inputs, {"score": "score"})["score"]
    return plain > bound and errors.get("score", plain) < HIDDEN_FRAC * plain


def _relative_rms(
    a: Run, b: Run, inputs: Feedable, pairs: Mapping[str, str], rectified: frozenset[str] = frozenset()
) -> dict[str, float]:
    """By the names on `a`'s side, in sums over chunks: no more than LAYER_CHUNK crops' tensors are in memory. A NaN is
    infinitely far."""
    squares, differences = dict.fromkeys(pairs, 0.0), dict.fromkeys(pairs, 0.0)
    for start in range(0, len(inputs), LAYER_CHUNK):
        ours, theirs = a(inputs[start : start + LAYER_CHUNK]), b(inputs[start : start + LAYER_CHUNK])
        for name, counterpart in pairs.items():
            x, y = np.asarray(ours[name], np.float64), np.asarray(theirs[counterpart], np.float64)
            if x.shape != y.shape:
                raise ParityFault(f"layer {name}: shape {x.shape} on one side, {y.shape} on the other")
            if name in rectified:
                x, y = np.maximum(x, 0.0), np.maximum(y, 0.0)
            squares[name] += float(np.square(x).sum())
            differences[name] += float(np.square(x - y).sum())
    found = {n: float(np.sqrt(differences[n]) / max(np.sqrt(squares[n]), SMALLEST_RMS)) for n in pairs}
    return {name: value if np.isfinite(value) else float("inf") for name, value in found.items()}


def _readers(proto: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in proto.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def _scope(node: onnx.NodeProto) -> str:
    """The innermost module's path, as torch's exporter noted it, or nothing."""
    for entry in node.metadata_props:
        if entry.key == NAME_SCOPES:
            path: list[str] = ast.literal_eval(entry.value)
            return next((part for part in reversed(path[:-1]) if part), "")
    return ""
