"""Where an engine's tensors lie: one block of device memory and one of pinned memory, laid out once from the engine's
own table of inputs and outputs, for the largest batch it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.engine.faults import EngineFault

ALIGNMENT_BYTES = 256  # what TensorRT asks of every tensor's address
DTYPES: dict[str, type[np.generic]] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlan:
    """One tensor: `shape` has -1 for the batch; it starts at `offset_bytes` of either block."""

    name: str
    is_input: bool
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset_bytes: int

    @property
    def has_batch(self) -> bool:
        """Whether the first axis is the batch."""
        return self.shape[:1] == (-1,)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, or of the whole tensor where it has no batch."""
        return math.prod(self.shape[1:] if self.has_batch else self.shape) * self.dtype.itemsize

    def shape_at(self, n: int) -> tuple[int, ...]:
        """The shape for a batch of `n`."""
        return (n, *self.shape[1:]) if self.has_batch else self.shape

    def bytes_at(self, n: int) -> int:
        """The bytes in use for a batch of `n`."""
        return (n if self.has_batch else 1) * self.row_bytes

    def part(self, block: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
        """This tensor's bytes in a block, for a batch of `n`."""
        return block[self.offset_bytes : self.offset_bytes + self.bytes_at(n)]

    def view(self, block: NDArray[np.uint8], n: int) -> NDArray[np.generic]:
        """This tensor in a block, for a batch of `n`, without a copy."""
        return self.part(block, n).view(self.dtype).reshape(self.shape_at(n))


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferPlan:
    """All tensors of an engine, for batches from 1 to `max_batch`, and the size of the blocks that hold them."""

    tensors: tuple[TensorPlan, ...]
    max_batch: int
    size_bytes: int

    @property
    def inputs(self) -> tuple[TensorPlan, ...]:
        """In the engine's order."""
        return tuple(t for t in self.tensors if t.is_input)

    @property
    def outputs(self) -> tuple[TensorPlan, ...]:
        """In the engine's order."""
        return tuple(t for t in self.tensors if not t.is_input)


def plan_buffers(engine: Any) -> BufferPlan:
    """The plan of an `ICudaEngine` by its first profile. Raises EngineFault for a tensor that cannot be served."""
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    max_batch = _max_batch(engine, names)
    tensors: list[TensorPlan] = []
    end = 0
    for name in names:
        tensor = _tensor(engine, name, _aligned(end))
        tensors.append(tensor)
        end = tensor.offset_bytes + tensor.bytes_at(max_batch)
    return BufferPlan(tensors=tuple(tensors), max_batch=max_batch, size_bytes=_aligned(end))


def _max_batch(engine: Any, names: list[str]) -> int:
    """The largest batch that every input's profile allows; 1 where no input has a batch."""
    limits: dict[str, tuple[int, int]] = {}
    for name in names:
        if _is_input(engine, name) and tuple(engine.get_tensor_shape(name))[:1] == (-1,):
            smallest, _best, largest = engine.get_tensor_profile_shape(name, 0)
            limits[name] = (int(smallest[0]), int(largest[0]))
    if len(set(limits.values())) > 1 or any(smallest != 1 for smallest, _ in limits.values()):
        raise EngineFault(f"the engine's inputs take batches {limits}, expected the same range from 1 for all")
    return max((largest for _, largest in limits.values()), default=1)


def _tensor(engine: Any, name: str, offset_bytes: int) -> TensorPlan:
    shape, dtype = tuple(int(d) for d in engine.get_tensor_shape(name)), engine.get_tensor_dtype(name).name
    if -1 in shape[1:]:
        raise EngineFault(f"engine tensor {name}: shape {shape}; only the first axis, the batch, may vary")
    if dtype not in DTYPES:
        raise EngineFault(f"engine tensor {name}: dtype {dtype}, expected one of {sorted(DTYPES)}")
    return TensorPlan(
        name=name,
        is_input=_is_input(engine, name),
        shape=shape,
        dtype=np.dtype(DTYPES[dtype]),
        offset_bytes=offset_bytes,
    )


def _is_input(engine: Any, name: str) -> bool:
    return bool(engine.get_tensor_mode(name).name == "INPUT")


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
