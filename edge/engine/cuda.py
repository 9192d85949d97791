"""The GPU's memory and time behind about fifteen calls: pycuda where it is installed, cuda-bindings otherwise.

Addresses and streams are plain integers, as TensorRT takes them. Copies go between device memory and pinned memory
only, and are asynchronous: nothing on the host may be read or changed before `wait`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.engine.faults import NoDevice

Bytes = NDArray[np.uint8]
Address = int
Stream = int
Event = int
Graph = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The CUDA device that is used: the first one."""

    name: str
    compute_capability: tuple[int, int]
    memory_bytes: int
    driver_version: int  # 1000 x major + 10 x minor of the newest CUDA it serves
    binding: str  # who talks to it, with its version


class Cuda(Protocol):
    """Every call raises CudaFault when CUDA says no."""

    device: Device

    def allocate(self, size_bytes: int) -> Address:
        """Device memory, aligned to 256 bytes at least."""
        ...

    def free(self, address: Address) -> None:
        """Give device memory back."""
        ...

    def pinned(self, size_bytes: int) -> Bytes:
        """Page-locked host memory, (size_bytes,) uint8; the only host memory that copies may name."""
        ...

    def free_pinned(self, memory: Bytes) -> None:
        """Give page-locked memory back."""
        ...

    def create_stream(self) -> Stream:
        """A stream that does not wait for the default one."""
        ...

    def destroy_stream(self, stream: Stream) -> None:
        """Give a stream back."""
        ...

    def copy_in(self, address: Address, memory: Bytes, stream: Stream) -> None:
        """Pinned to device memory."""
        ...

    def copy_out(self, memory: Bytes, address: Address, stream: Stream) -> None:
        """Device to pinned memory."""
        ...

    def fill(self, address: Address, byte: int, size_bytes: int, stream: Stream) -> None:
        """Set device memory to a byte."""
        ...

    def wait(self, stream: Stream) -> None:
        """Until everything put on the stream is done; raises the fault of anything on it that failed."""
        ...

    def create_event(self) -> Event:
        """A point in a stream's time."""
        ...

    def record(self, event: Event, stream: Stream) -> None:
        """Put an event on a stream."""
        ...

    def elapsed_ms(self, start: Event, end: Event) -> float:
        """Time on the device between two events that have passed."""
        ...

    def destroy_event(self, event: Event) -> None:
        """Give an event back."""
        ...

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        """What `work` puts on the stream as a graph, without doing it. Raises CudaFault when it cannot be captured."""
        ...

    def replay(self, graph: Graph, stream: Stream) -> None:
        """Put a captured graph on a stream."""
        ...

    def destroy_graph(self, graph: Graph) -> None:
        """Give a graph back."""
        ...


def find_cuda() -> Cuda:
    """The first device, by the first binding that is installed. Raises NoDevice, saying what is missing.

    To be asked before any TensorRT Runtime is made: a lean runtime without a device crashes the process at its next
    use.
    """
    from edge.engine.cuda_pycuda import PyCuda  # noqa: PLC0415  # imported here: it takes its types from this file
    from edge.engine.cuda_runtime import CudaRuntime  # noqa: PLC0415

    missing = []
    for binding in (PyCuda, CudaRuntime):
        try:
            return binding()
        except ModuleNotFoundError as err:
            missing.append(str(err.name))
    raise NoDevice(f"no CUDA device can be reached: neither {' nor '.join(missing)} is installed")
