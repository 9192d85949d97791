"""A trained network with its score to ONNX, checked, and measured against the network it came from.

The graph is meant for ONNX Runtime and TensorRT alike: opset 18 and IR 10 (read by every TensorRT from 10.3 and ONNX
Runtime from 1.18 on), the batch the only dynamic axis, weights inside, constants folded, BatchNorm folded, stride-1
transposed convolutions written as convolutions, no Resize, few distinct operators. It holds no paths or sources of the
machine it was made on.
"""

from __future__ import annotations

import collections
import copy
import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge.board import Floats
from edge.bundle import EMBEDDING, Contract
from export.faults import WorkshopFault
from export.graph_inputs import GraphInputs, Inputs, named, onnx_session, session_feeds, session_names

OPSET = 18
IR_VERSION = 10
REFUSED_NODES = frozenset(
    {"Resize", "BatchNormalization", "ConvTranspose", "Col2Im", "Constant", "Identity", "Dropout"}
)
KEPT_METADATA = "pkg.torch.onnx.name_scopes"  # each node's module path: layers are named by it, scopes found by it
FED_BY_CONSTANTS = frozenset({"DequantizeLinear"})  # weights of an INT8 graph stay in 8 bits
PARITY_CHUNK = 64
FLOAT = onnx.TensorProto.FLOAT

_EXPORTER_LOG = logging.getLogger("torch.onnx._internal.exporter._registration")


class ExportFault(WorkshopFault):
    """A graph that must not leave the workshop: what it has, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOutputs:
    """What a graph gave for crops: `score` (N,) and, where it has one, `map` (N, h, w), float32."""

    score: Floats
    map: Floats | None


def onnx_from_torch(scored: nn.Module, contract: Contract) -> bytes:
    """The ONNX file of a scored network in evaluation mode. Raises ExportFault when the graph is not what it should
    be."""
    model = tidy(_traced(deployable(scored), contract, optimize=True))
    check_graph(model, contract)
    return bytes(model.SerializeToString())


def tidy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without what the exporter noted about itself (stack traces with this machine's paths), equal
    constants stored once, and squares written as products, which every engine has in every precision."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for node in made.graph.node:
        scopes = [entry for entry in node.metadata_props if entry.key == KEPT_METADATA]
        del node.metadata_props[:]
        node.metadata_props.extend(scopes)
        node.doc_string = ""
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        del value.metadata_props[:]
    del made.metadata_props[:], made.graph.metadata_props[:]
    _write_squares_as_products(made.graph)
    _store_equal_constants_once(made.graph)
    return made


def operators(model: onnx.ModelProto) -> dict[str, int]:
    """How many nodes of each operator a graph has, by name."""
    return dict(sorted(collections.Counter(node.op_type for node in model.graph.node).items()))


def naive_onnx_from_torch(scored: nn.Module, contract: Contract) -> bytes:
    """The plain export: nothing folded or replaced. A yardstick for benchmarks, not for stations."""
    return bytes(_traced(copy.deepcopy(scored).eval(), contract, optimize=False).SerializeToString())


def deployable(scored: nn.Module) -> nn.Module:
    """A copy in evaluation mode with BatchNorm folded and stride-1 transposed convolutions as convolutions."""
    module = copy.deepcopy(scored).eval()
    for child in list(module.modules()):
        if isinstance(child, nn.Sequential):
            _fold(child)
    return module


def check_graph(model: onnx.ModelProto, contract: Contract) -> None:
    """ONNX's own checks with shape inference, opset and IR, no node of `REFUSED_NODES`, constants folded, names and
    shapes as the contract says."""
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True)
    if found := REFUSED_NODES & {node.op_type for node in inferred.graph.node}:
        raise ExportFault(f"the graph holds {sorted(found)}: fold or replace them before the export")
    if (opset := {o.domain: o.version for o in model.opset_import}) != {"": OPSET}:
        raise ExportFault(f"the graph needs opsets {opset}, only the plain opset {OPSET} is allowed")
    if model.ir_version != IR_VERSION:
        raise ExportFault(f"the graph is of IR version {model.ir_version}, allowed is {IR_VERSION}")
    constants = {tensor.name for tensor in model.graph.initializer}
    if left := [
        n.name for n in model.graph.node if n.op_type not in FED_BY_CONSTANTS and constants.issuperset(n.input)
    ]:
        raise ExportFault(f"nodes {left} compute constants: fold them before the export")
    for what, values, specs in (
        ("inputs", inferred.graph.input, contract.inputs),
        ("outputs", inferred.graph.output, contract.outputs),
    ):
        got = {v.name: tuple(d.dim_value or "N" for d in v.type.tensor_type.shape.dim) for v in values}
        if got != (expected := {s.name: s.shape for s in specs}):
            raise ExportFault(f"{what}: the graph has {got}, the contract says {expected}")


def run_onnx(model: bytes, inputs: Inputs, threads: int = 1) -> GraphOutputs:
    """Run a graph on (N, C, h, w) float32, with what they are compared with where it compares, with ONNX Runtime, in
    chunks."""
    session = onnx_session(model, threads)
    names, feeds = session_names(session), session_feeds(session, inputs)
    outputs = [value.name for value in session.get_outputs() if value.name != EMBEDDING]
    chunks = [session.run(outputs, named(names, feeds[rows])) for rows in _chunks(len(feeds))]
    return _outputs({name: np.concatenate([c[k] for c in chunks]) for k, name in enumerate(outputs)})


@torch.no_grad()
def run_torch(scored: nn.Module, inputs: Inputs, outputs: Sequence[str] = ("score", "map")) -> GraphOutputs:
    """Run the network as it was trained on the same inputs, in the same chunks. `outputs` are what it gives, in order,
    those at the end left out."""
    scored.eval()
    if isinstance(inputs, GraphInputs):
        feeds = inputs.fed(lambda pictures: scored.embed(torch.from_numpy(pictures)).numpy())
        chunks = [
            scored(torch.from_numpy(feeds.crops[rows]), torch.from_numpy(feeds.references[rows]))[:-1]
            for rows in _chunks(len(feeds))
        ]
    else:
        chunks = [scored(torch.from_numpy(inputs[rows])) for rows in _chunks(len(inputs))]
    values = [torch.cat(parts).numpy() for parts in zip(*chunks, strict=True)]
    return _outputs(dict(zip(outputs, values, strict=False)))


def _outputs(values: dict[str, Floats]) -> GraphOutputs:
    return GraphOutputs(score=values["score"], map=values.get("map"))


def _traced(module: nn.Module, contract: Contract, *, optimize: bool) -> onnx.ModelProto:
    # A batch of 2: a batch of 1 would be taken for a constant.
    examples = tuple(torch.zeros(2, *spec.shape[1:]) for spec in contract.inputs)
    batch = torch.export.Dim("N", min=1)
    _EXPORTER_LOG.setLevel(logging.ERROR)  # it warns that torchvision, which nothing here needs, is not installed
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # torch's exporter warns about its own insides
        warnings.filterwarnings("ignore", "# The axis name: N will not be used")  # two inputs have it, and it is
        program = torch.onnx.export(
            module,
            examples,
            dynamo=True,
            opset_version=OPSET,
            input_names=[spec.name for spec in contract.inputs],
            output_names=[o.name for o in contract.outputs],
            dynamic_shapes=tuple({0: batch} for _ in examples),
            external_data=False,
            optimize=optimize,
            verbose=False,
        )
    if program is None:
        raise ExportFault("the exporter returned no graph")
    file = io.BytesIO()
    program.save(file)
    return onnx.load_from_string(file.getvalue())


def _write_squares_as_products(graph: onnx.GraphProto) -> None:
    twos = {t.name for t in graph.initializer if t.data_type == FLOAT and (onnx.numpy_helper.to_array(t) == 2.0).all()}
    for node in graph.node:
        if node.op_type == "Pow" and node.input[1] in twos:
            node.op_type = "Mul"
            node.input[1] = node.input[0]


def _store_equal_constants_once(graph: onnx.GraphProto) -> None:
    """Constants that nobody reads go, too."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    same: dict[str, str] = {}
    for tensor in graph.initializer:
        value = onnx.numpy_helper.to_array(tensor)
        same[tensor.name] = first.setdefault((tensor.data_type, value.shape, value.tobytes()), tensor.name)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = same.get(name, name)
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _fold(sequence: nn.Sequential) -> None:
    """In place: a convolution followed by BatchNorm becomes one convolution."""
    for k in range(len(sequence) - 1):
        layer, norm = sequence[k], sequence[k + 1]
        convolves = isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        if convolves and isinstance(norm, nn.BatchNorm2d) and _only_normalises(norm):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            folded = fuse_conv_bn_eval(layer, norm, transpose=transposed)
            sequence[k] = _as_convolution(folded) if isinstance(folded, nn.ConvTranspose2d) else folded
            sequence[k + 1] = nn.Identity()


def _only_normalises(norm: nn.BatchNorm2d) -> bool:
    """Whether nothing is lost when it is folded: a subclass may do more, as timm's, which has an activation inside."""
    if type(norm) is nn.BatchNorm2d:
        return True
    x = 10.0 * torch.linspace(-1.0, 1.0, 8 * norm.num_features).view(2, norm.num_features, 2, 2)
    with torch.no_grad():
        plain = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return torch.equal(norm(x), plain)


def _as_convolution(layer: nn.ConvTranspose2d) -> nn.Conv2d:
    """The same map for stride 1: weights turned by 180 degrees, input and output channels exchanged."""
    plain = layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1
    if not plain or layer.output_padding != (0, 0) or layer.bias is None:
        raise ExportFault(
            f"{layer}: only plain stride-1 transposed convolutions with a bias can be written as convolutions"
        )
    padding = tuple(k - 1 - p for k, p in zip(layer.kernel_size, layer.padding, strict=True))
    convolution = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=padding)
    with torch.no_grad():
        convolution.weight.copy_(layer.weight.flip(2, 3).transpose(0, 1))
        convolution.bias.copy_(layer.bias)
    return convolution


def _chunks(n: int) -> Sequence[slice]:
    return [slice(i, i + PARITY_CHUNK) for i in range(0, n, PARITY_CHUNK)]


def tool_versions() -> dict[str, str]:
    """The versions that made a graph, for the manifest."""
    return {
        "torch": str(torch.__version__),
        "onnx": onnx.__version__,
        "onnxruntime": ort.__version__,
        "numpy": np.__version__,
    }
