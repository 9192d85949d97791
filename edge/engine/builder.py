"""A graph to a serialised engine: parse, one optimisation profile over the batch, strongly typed build.

The numbers' types are the graph's own: FP32, an FP16-typed graph, or explicit Q/DQ for INT8. The builder is told no
precision and calibrates nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from edge.engine.api import Api
from edge.engine.faults import BuildFault

# Scratch memory a layer may ask for. The smallest Orin has 4 GiB in all; one graph wants 1.005 GiB at batch 64.
WORKSPACE_BYTES = 3 << 29
MAX_TOLD_ERRORS = 5
MAX_BATCH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProfile:
    """The batches an engine takes, 1 to `max`, and the one it is fastest at: a board's regions, or the chunk."""

    opt: int
    max: int

    def __post_init__(self) -> None:
        if not 1 <= self.opt <= self.max <= MAX_BATCH:
            raise ValueError(f"batch profile: 1 <= opt {self.opt} <= max {self.max} <= {MAX_BATCH} does not hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How to build. `compute_capability` None is the device's own; another one only TensorRT-RTX can build for."""

    profile: BatchProfile
    compute_capability: tuple[int, int] | None = None
    workspace_bytes: int = WORKSPACE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A network's input or output; -1 stands for the batch."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What TensorRT made of a graph."""

    n_layers: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A serialised engine, the timing cache that makes the next build quicker, and how long this one took."""

    engine: bytes
    timing_cache: bytes
    parsed: Parsed
    seconds: float


def parse_graph(api: Api, model: bytes) -> Parsed:
    """Parse an ONNX file without building it. Raises BuildFault with the parser's list of errors."""
    builder = api.module.Builder(api.logger)
    return _describe(_parse(api, builder, model)[0])


def build_engine(api: Api, model: bytes, settings: BuildSettings, timing_cache: bytes = b"") -> Built:
    """Build an engine from an ONNX file. Raises BuildFault with what TensorRT said, ApiFault."""
    start_ns = time.monotonic_ns()
    builder = api.module.Builder(api.logger)
    network, _parser = _parse(api, builder, model)  # the parser owns the weights until the build is done
    parsed = _describe(network)
    config = builder.create_builder_config()
    api.configure(config, settings.workspace_bytes, settings.compute_capability)
    _add_profile(builder, config, parsed, settings.profile)
    _give_timing_cache(api, config, timing_cache)
    api.forget_lines()
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        raise BuildFault(f"{api.name} {api.version} built no engine: {api.said()}")
    return Built(
        engine=bytes(memoryview(serialized)),
        timing_cache=_take_timing_cache(api, config),
        parsed=parsed,
        seconds=(time.monotonic_ns() - start_ns) / 1e9,
    )


def _parse(api: Api, builder: Any, model: bytes) -> tuple[Any, Any]:
    network = builder.create_network(api.strongly_typed())
    parser = api.module.OnnxParser(network, api.logger)
    api.forget_lines()
    if not parser.parse(model):
        told = [_error(parser.get_error(i)) for i in range(min(parser.num_errors, MAX_TOLD_ERRORS))]
        raise BuildFault(f"{api.name} {api.version} refuses the graph: {'; '.join(told) or api.said()}")
    return network, parser


def _error(error: Any) -> str:
    where = f"{error.node_operator()} {error.node_name()!r}" if error.node_operator() else "the file"
    return f"{where}: {error.desc()} ({error.code()})"


def _describe(network: Any) -> Parsed:
    inputs = tuple(_tensor(network.get_input(i)) for i in range(network.num_inputs))
    outputs = tuple(_tensor(network.get_output(i)) for i in range(network.num_outputs))
    return Parsed(n_layers=network.num_layers, inputs=inputs, outputs=outputs)


def _tensor(tensor: Any) -> Tensor:
    return Tensor(name=tensor.name, shape=tuple(tensor.shape), dtype=tensor.dtype.name)


def _add_profile(builder: Any, config: Any, parsed: Parsed, batches: BatchProfile) -> None:
    """One profile: the batch is the first axis of an input and the only one that may vary."""
    profile = builder.create_optimization_profile()
    for tensor in parsed.inputs:
        if -1 in tensor.shape[1:]:
            raise BuildFault(f"input {tensor.name}: shape {tensor.shape}; only the first axis, the batch, may vary")
        if tensor.shape[:1] == (-1,):
            rest = tensor.shape[1:]
            profile.set_shape(tensor.name, (1, *rest), (batches.opt, *rest), (batches.max, *rest))
    if config.add_optimization_profile(profile) < 0:
        raise BuildFault(f"no optimisation profile for {parsed.inputs} with {batches}")


def _give_timing_cache(api: Api, config: Any, content: bytes) -> None:
    """A cache of another device or version is not used: TensorRT refuses it, and the build starts from nothing."""
    if not api.has_timing_cache:
        return
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _take_timing_cache(api: Api, config: Any) -> bytes:
    cache = config.get_timing_cache() if api.has_timing_cache else None
    return b"" if cache is None else bytes(memoryview(cache.serialize()))
