"""The memory seam over pycuda. Its context is the primary one, which TensorRT uses too (`autoinit`'s would be another).

pycuda has no stream capture, so graphs are made by the driver's own functions in libcuda, on pycuda's streams.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from edge.engine.cuda import Address, Bytes, Device, Event, Graph, Stream
from edge.engine.faults import CudaFault, NoDevice

CAPTURE_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, cuda.h


class PyCuda:
    """`Cuda` by pycuda. Raises ModuleNotFoundError where it is not installed, NoDevice where it finds no device.

    `driver` and `libcuda` are pycuda.driver and the loaded libcuda; None loads them.
    """

    def __init__(self, driver: Any = None, libcuda: Any = None) -> None:
        self._driver: Any = _driver() if driver is None else driver
        self._libcuda: Any = ctypes.CDLL("libcuda.so.1") if libcuda is None else libcuda
        device = self._driver.Context.get_device()
        self.device = Device(
            name=device.name(),
            compute_capability=tuple(device.compute_capability()),
            memory_bytes=int(device.total_memory()),
            driver_version=int(self._driver.get_driver_version()),
            binding="pycuda",
        )
        self._kept: dict[int, Any] = {}  # device and pinned memory and streams, alive while they are in here
        self._events: dict[int, Any] = {}
        self._next_event = 1

    def allocate(self, size_bytes: int) -> Address:
        return self._keep(self._call(self._driver.mem_alloc, size_bytes))

    def free(self, address: Address) -> None:
        self._call(self._kept.pop(address).free)

    def pinned(self, size_bytes: int) -> Bytes:
        memory: Bytes = self._call(self._driver.pagelocked_empty, size_bytes, np.uint8)
        self._kept[memory.ctypes.data] = memory
        return memory

    def free_pinned(self, memory: Bytes) -> None:
        self._call(self._kept.pop(memory.ctypes.data).base.free)

    def create_stream(self) -> Stream:
        stream = self._call(self._driver.Stream, self._driver.stream_flags.NON_BLOCKING)
        self._kept[int(stream.handle)] = stream
        return int(stream.handle)

    def destroy_stream(self, stream: Stream) -> None:
        del self._kept[stream]  # pycuda destroys it with its last reference

    def copy_in(self, address: Address, memory: Bytes, stream: Stream) -> None:
        self._call(self._driver.memcpy_htod_async, address, memory, self._kept[stream])

    def copy_out(self, memory: Bytes, address: Address, stream: Stream) -> None:
        self._call(self._driver.memcpy_dtoh_async, memory, address, self._kept[stream])

    def fill(self, address: Address, byte: int, size_bytes: int, stream: Stream) -> None:
        self._call(self._driver.memset_d8_async, address, byte, size_bytes, self._kept[stream])

    def wait(self, stream: Stream) -> None:
        self._call(self._kept[stream].synchronize)

    def create_event(self) -> Event:
        number, self._next_event = self._next_event, self._next_event + 1
        self._events[number] = self._call(self._driver.Event)
        return number

    def record(self, event: Event, stream: Stream) -> None:
        self._call(self._events[event].record, self._kept[stream])

    def elapsed_ms(self, start: Event, end: Event) -> float:
        return float(self._call(self._events[start].time_till, self._events[end]))

    def destroy_event(self, event: Event) -> None:
        del self._events[event]

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        recorded, graph = ctypes.c_void_p(), ctypes.c_void_p()
        handle = ctypes.c_void_p(stream)
        self._cu("cuStreamBeginCapture_v2", handle, CAPTURE_THREAD_LOCAL)
        try:
            work()
        except Exception:
            self._libcuda.cuStreamEndCapture(handle, ctypes.byref(recorded))  # leaves capture mode
            raise
        self._cu("cuStreamEndCapture", handle, ctypes.byref(recorded))
        try:
            self._cu("cuGraphInstantiateWithFlags", ctypes.byref(graph), recorded, ctypes.c_ulonglong(0))
        finally:
            self._cu("cuGraphDestroy", recorded)
        return int(graph.value or 0)

    def replay(self, graph: Graph, stream: Stream) -> None:
        self._cu("cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(stream))

    def destroy_graph(self, graph: Graph) -> None:
        self._cu("cuGraphExecDestroy", ctypes.c_void_p(graph))

    def _keep(self, thing: Any) -> int:
        self._kept[int(thing)] = thing
        return int(thing)

    def _call(self, function: Callable[..., Any], *values: Any) -> Any:
        try:
            return function(*values)
        except self._driver.Error as err:
            raise CudaFault(f"pycuda {getattr(function, '__name__', function)}: {err}") from err

    def _cu(self, name: str, *values: Any) -> None:
        if error := int(getattr(self._libcuda, name)(*values)):
            raise CudaFault(f"{name}: CUresult {error}")


def _driver() -> Any:
    try:
        driver = importlib.import_module("pycuda.driver")
    except ModuleNotFoundError:
        raise
    except ImportError as err:
        raise NoDevice(f"no CUDA device: pycuda cannot be loaded, so there is no driver: {err}") from None
    try:
        importlib.import_module("pycuda.autoprimaryctx")
    except driver.Error as err:
        raise NoDevice(f"no CUDA device: {err}") from None
    return driver
