"""A TensorRT at your desk: the part of its interface that this project uses, of either generation, on a simulated GPU.

It parses with onnx, computes with ONNX Runtime, on the bytes that lie in device memory when the stream gets there. It
keeps the promises the real one makes and breaks in the same way: false or None instead of exceptions, errors to the
logger, engines of another version or device refused, an address that is not aligned refused, a shape outside the
profile refused, no capture without a plain run after a new shape, and a graph spoilt by a later shape of its context.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edge.engine.faults import CudaFault
from tests.peers.gpu import SimCuda

MAGIC = b"SIMTRT"
TYPES = {onnx.TensorProto.FLOAT: "FLOAT", onnx.TensorProto.FLOAT16: "HALF", onnx.TensorProto.INT64: "INT64"}
DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64}


class Behaviour(enum.Enum):
    """What a simulated engine does when it is run."""

    WELL = enum.auto()
    RETURNS_FALSE = enum.auto()
    SILENT = enum.auto()  # says it ran, writes nothing
    NAN = enum.auto()
    WRONG = enum.auto()  # scores twice what they should be
    NOT_CAPTURABLE = enum.auto()


class SimTensorRt(ModuleType):
    """Stands for `import tensorrt`. `behaviour` says how its engines run, `refuses` which graphs it does not build."""

    def __init__(self, cuda: SimCuda, version: str = "11.4.1", name: str = "tensorrt") -> None:
        super().__init__(name)
        ten = version.startswith("10.")
        flags = {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1} if ten else {"STRONGLY_TYPED": 0}
        self.__version__ = version
        self.cuda = cuda
        self.behaviour = Behaviour.WELL
        self.refuses: Callable[[bytes], str] = lambda model: ""
        self.builds = 0
        self.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", flags)
        self.BuilderFlag = enum.IntEnum("BuilderFlag", {"TF32": 6})
        self.MemoryPoolType = enum.IntEnum("MemoryPoolType", {"WORKSPACE": 0})
        self.ILogger = _ILogger
        self.Builder = lambda logger: _Builder(self, logger)
        self.OnnxParser = _OnnxParser
        self.Runtime = lambda logger: _Runtime(self, logger)


class _ILogger:
    pass


def _complain(logger: Any, message: str) -> None:
    logger.log(SimpleNamespace(name="ERROR"), message)


class _Builder:
    def __init__(self, trt: SimTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def create_network(self, flags: int) -> Any:
        typed = bool(flags & 1 << int(self._trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        return SimpleNamespace(strongly_typed=typed, model=b"", inputs=[], outputs=[])

    def create_builder_config(self) -> Any:
        return _Config()

    def create_optimization_profile(self) -> Any:
        return _Profile()

    def build_serialized_network(self, network: Any, config: Any) -> memoryview | None:
        self._trt.builds += 1
        if why := self._why_not(network, config):
            _complain(self._logger, why)
            return None
        (profile,) = config.profiles
        header = {"version": self._trt.__version__, "capability": self._trt.cuda.device.compute_capability}
        text = json.dumps({**header, "profile": profile.shapes, "flags": sorted(config.cleared)}).encode()
        config.timing.content = b"timed"
        return memoryview(MAGIC + len(text).to_bytes(4, "little") + text + network.model)

    def _why_not(self, network: Any, config: Any) -> str:
        if not network.strongly_typed:
            return "the network is weakly typed: the precision is whatever the builder likes"
        if any(t.shape[:1] == (-1,) and t.name not in config.profiles[0].shapes for t in network.inputs):
            return "a dynamic input has no optimization profile"
        return self._trt.refuses(network.model)


class _Config:
    def __init__(self) -> None:
        self.profiles: list[_Profile] = []
        self.cleared: set[str] = set()
        self.timing = SimpleNamespace(content=b"")
        self.workspace_bytes = 0

    def set_memory_pool_limit(self, pool: Any, size_bytes: int) -> None:
        self.workspace_bytes = size_bytes

    def clear_flag(self, flag: Any) -> None:
        self.cleared.add(flag.name)

    def add_optimization_profile(self, profile: _Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, content: bytes) -> Any:
        return SimpleNamespace(content=content, serialize=lambda: memoryview(b"timed")) if content != b"torn" else None

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.timing = cache
        return True

    def get_timing_cache(self) -> Any:
        return self.timing


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, name: str, smallest: Any, best: Any, largest: Any) -> None:
        self.shapes[name] = [list(smallest), list(best), list(largest)]


class _OnnxParser:
    def __init__(self, network: Any, logger: Any) -> None:
        self._network, self._errors = network, []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def parse(self, model: bytes) -> bool:
        try:
            proto = onnx.load_from_string(model)
            onnx.checker.check_model(proto, full_check=True)
        except Exception as err:  # noqa: BLE001  # whatever protobuf and the checker raise is a parse error here
            self._errors.append(_error("", "", str(err)))
            return False
        self._errors += [
            _error(n.op_type, n.name, "is not supported") for n in proto.graph.node if n.op_type == "Resize"
        ]
        self._network.model = model
        self._network.inputs = [_tensor(v) for v in proto.graph.input]
        self._network.outputs = [_tensor(v) for v in proto.graph.output]
        self._network.num_inputs, self._network.num_outputs = len(proto.graph.input), len(proto.graph.output)
        self._network.get_input = self._network.inputs.__getitem__
        self._network.get_output = self._network.outputs.__getitem__
        self._network.num_layers = len(proto.graph.node)
        return not self._errors

    def get_error(self, index: int) -> Any:
        return self._errors[index]


def _error(operator: str, name: str, text: str) -> Any:
    return SimpleNamespace(
        node_operator=lambda: operator, node_name=lambda: name, desc=lambda: text, code=lambda: "SIMULATED"
    )


def _tensor(value: onnx.ValueInfoProto) -> Any:
    kind = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    return SimpleNamespace(name=value.name, shape=shape, dtype=SimpleNamespace(name=TYPES[kind.elem_type]))


class _Runtime:
    def __init__(self, trt: SimTensorRt, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def deserialize_cuda_engine(self, content: bytes) -> _Engine | None:
        if content[: len(MAGIC)] != MAGIC:
            _complain(self._logger, "magic tag does not match: the engine is corrupt")
            return None
        end = len(MAGIC) + 4 + int.from_bytes(content[len(MAGIC) : len(MAGIC) + 4], "little")
        header = json.loads(content[len(MAGIC) + 4 : end])
        if header["version"] != self._trt.__version__:
            _complain(self._logger, f"the engine was built by version {header['version']}")
            return None
        if tuple(header["capability"]) != self._trt.cuda.device.compute_capability:
            _complain(self._logger, f"the engine was built for compute capability {header['capability']}")
            return None
        return _Engine(self._trt, header["profile"], content[end:])


class _Engine:
    def __init__(self, trt: SimTensorRt, profile: dict[str, list[list[int]]], model: bytes) -> None:
        self.trt, self.profile = trt, profile
        proto = onnx.load_from_string(model)
        self.inputs = [_tensor(v) for v in proto.graph.input]
        self.tensors = [*self.inputs, *(_tensor(v) for v in proto.graph.output)]
        self.session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.num_io_tensors = len(self.tensors)

    def named(self, name: str) -> Any:
        return next(t for t in self.tensors if t.name == name)

    def get_tensor_name(self, index: int) -> str:
        return str(self.tensors[index].name)

    def get_tensor_mode(self, name: str) -> Any:
        return SimpleNamespace(name="INPUT" if any(t.name == name for t in self.inputs) else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return self.named(name).dtype

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.named(name).shape)

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[list[int]]:
        return self.profile[name]

    def create_execution_context(self) -> _Context:
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shapes = {t.name: t.shape for t in engine.inputs if -1 not in t.shape}
        self._ran_since_shape = False
        self._shape_changes = 0

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return address % 256 == 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        smallest, _, largest = self._engine.profile[name]
        if not all(a <= b <= c for a, b, c in zip(smallest, shape, largest, strict=True)):
            return False
        if self._shapes.get(name) != tuple(shape):
            self._ran_since_shape = False
            self._shape_changes += 1
        self._shapes[name] = tuple(shape)
        return True

    def execute_async_v3(self, stream: int) -> bool:
        trt = self._engine.trt
        complete = all(t.name in self._shapes for t in self._engine.inputs)
        if not complete or any(t.name not in self._addresses for t in self._engine.tensors):
            return False
        if trt.behaviour is Behaviour.RETURNS_FALSE:
            return False
        if trt.cuda.is_capturing(stream):
            if trt.behaviour is Behaviour.NOT_CAPTURABLE or not self._ran_since_shape:
                raise CudaFault("cudaStreamEndCapture: operation failed due to a previous error during capture")
            changes = self._shape_changes
            trt.cuda.put(stream, lambda: self._compute_as_captured(changes))
        else:
            trt.cuda.put(stream, self._compute)
            self._ran_since_shape = True
        return True

    def _compute_as_captured(self, shape_changes: int) -> None:
        if shape_changes != self._shape_changes:
            raise CudaFault("graph: its context has had another shape since the capture")
        self._compute()

    def _compute(self) -> None:
        """With the bytes that lie in device memory now."""
        cuda, behaviour = self._engine.trt.cuda, self._engine.trt.behaviour
        feeds = {}
        for tensor in self._engine.inputs:
            shape, dtype = self._shapes[tensor.name], np.dtype(DTYPES[tensor.dtype.name])
            size_bytes = int(np.prod(shape)) * dtype.itemsize
            feeds[tensor.name] = cuda.at(self._addresses[tensor.name], size_bytes).view(dtype).reshape(shape)
        if behaviour is Behaviour.SILENT:
            return
        names = [o.name for o in self._engine.session.get_outputs()]
        scale = {Behaviour.NAN: np.nan, Behaviour.WRONG: 2.0}.get(behaviour, 1.0)
        for name, computed in zip(names, self._engine.session.run(names, feeds), strict=True):
            value = np.ascontiguousarray((computed * scale).astype(computed.dtype))
            cuda.at(self._addresses[name], value.nbytes)[:] = value.reshape(-1).view(np.uint8)
