"""The memory seam over NVIDIA's cuda-bindings, 12.x and 13.x: its runtime functions return (error, value)."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from edge.engine.cuda import Address, Bytes, Device, Event, Graph, Stream
from edge.engine.faults import CudaFault, NoDevice


class CudaRuntime:
    """`Cuda` by cuda-bindings. Raises NoDevice where there is no driver or no device, or the driver is too old."""

    def __init__(self, runtime: Any = None) -> None:
        self._cuda: Any = _runtime() if runtime is None else runtime
        self.device = self._first_device()
        self._call("cudaSetDevice", 0)
        self._pinned: dict[int, Any] = {}  # start address -> what CUDA gave, for giving it back
        self._handles: dict[int, Any] = {}  # streams, events and graphs by their number

    def allocate(self, size_bytes: int) -> Address:
        return int(self._call("cudaMalloc", size_bytes))

    def free(self, address: Address) -> None:
        self._call("cudaFree", address)

    def pinned(self, size_bytes: int) -> Bytes:
        address = int(self._call("cudaMallocHost", size_bytes))
        self._pinned[address] = address
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(address))

    def free_pinned(self, memory: Bytes) -> None:
        self._call("cudaFreeHost", self._pinned.pop(memory.ctypes.data))

    def create_stream(self) -> Stream:
        return self._kept(self._call("cudaStreamCreateWithFlags", self._cuda.cudaStreamNonBlocking))

    def destroy_stream(self, stream: Stream) -> None:
        self._call("cudaStreamDestroy", self._handles.pop(stream))

    def copy_in(self, address: Address, memory: Bytes, stream: Stream) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, memory.ctypes.data, memory.nbytes, kind, self._handles[stream])

    def copy_out(self, memory: Bytes, address: Address, stream: Stream) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", memory.ctypes.data, address, memory.nbytes, kind, self._handles[stream])

    def fill(self, address: Address, byte: int, size_bytes: int, stream: Stream) -> None:
        self._call("cudaMemsetAsync", address, byte, size_bytes, self._handles[stream])

    def wait(self, stream: Stream) -> None:
        self._call("cudaStreamSynchronize", self._handles[stream])

    def create_event(self) -> Event:
        return self._kept(self._call("cudaEventCreate"))

    def record(self, event: Event, stream: Stream) -> None:
        self._call("cudaEventRecord", self._handles[event], self._handles[stream])

    def elapsed_ms(self, start: Event, end: Event) -> float:
        return float(self._call("cudaEventElapsedTime", self._handles[start], self._handles[end]))

    def destroy_event(self, event: Event) -> None:
        self._call("cudaEventDestroy", self._handles.pop(event))

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._handles[stream], mode)
        try:
            work()
        except Exception:
            self._cuda.cudaStreamEndCapture(self._handles[stream])  # leaves capture mode; its own error says no more
            raise
        recorded = self._call("cudaStreamEndCapture", self._handles[stream])
        try:
            return self._kept(self._call("cudaGraphInstantiate", recorded, 0))
        finally:
            self._call("cudaGraphDestroy", recorded)

    def replay(self, graph: Graph, stream: Stream) -> None:
        self._call("cudaGraphLaunch", self._handles[graph], self._handles[stream])

    def destroy_graph(self, graph: Graph) -> None:
        self._call("cudaGraphExecDestroy", self._handles.pop(graph))

    def _kept(self, handle: Any) -> int:
        self._handles[int(handle)] = handle
        return int(handle)

    def _call(self, name: str, *values: Any) -> Any:
        error, *results = getattr(self._cuda, name)(*values)
        if int(error) != 0:
            raise CudaFault(f"{name}: {self._text(error)}")
        return results[0] if results else None

    def _text(self, error: Any) -> str:
        said = self._cuda.cudaGetErrorString(error)[1]
        return f"{said.decode('ascii', 'replace') if isinstance(said, bytes) else said} ({int(error)})"

    def _first_device(self) -> Device:
        try:
            count = int(self._call("cudaGetDeviceCount"))
        except CudaFault as fault:
            raise NoDevice(f"no CUDA device: {fault}") from None
        if count < 1:
            raise NoDevice("no CUDA device: the driver sees none")
        driver, runtime = int(self._call("cudaDriverGetVersion")), int(self._call("cudaRuntimeGetVersion"))
        if runtime // 1000 > driver // 1000:
            raise NoDevice(
                f"no CUDA device: cuda-bindings is for CUDA {_version(runtime)}, the driver serves up to "
                f"{_version(driver)}: install cuda-bindings=={driver // 1000}.*"
            )
        properties = self._call("cudaGetDeviceProperties", 0)
        name = properties.name
        return Device(
            name=name.decode() if isinstance(name, bytes) else str(name),
            compute_capability=(int(properties.major), int(properties.minor)),
            memory_bytes=int(properties.totalGlobalMem),
            driver_version=driver,
            binding=f"cuda-bindings for CUDA {_version(runtime)}",
        )


def _runtime() -> Any:
    return importlib.import_module("cuda.bindings.runtime")


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
