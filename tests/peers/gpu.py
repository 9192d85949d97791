"""A CUDA device at your desk, keeping the promises that the memory seam is written against.

Work put on a stream is done when somebody waits, not before, so code that reads too early reads old bytes. Copies name
live device memory and live pinned memory only; freed memory, unaligned or foreign addresses are faults. A stream that
is being captured records instead of doing, and refuses what CUDA refuses then. `fail_at` makes the n-th call of a name
fail, as a cable or a driver would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge.engine.cuda import Address, Bytes, Device, Event, Graph, Stream
from edge.engine.faults import CudaFault

ALIGNMENT_BYTES = 512
GUARD_BYTES = 4096  # between blocks: an address just past one is nobody's
TICK_MS = 0.25  # what each piece of work takes on the simulated device

Work = Callable[[], None]


class SimCuda:
    """`edge.engine.cuda.Cuda`, in memory."""

    def __init__(self, name: str = "Simulated Orin", capability: tuple[int, int] = (8, 7)) -> None:
        self.device = Device(
            name=name, compute_capability=capability, memory_bytes=8 << 30, driver_version=12060, binding="simulated"
        )
        self.fail_at: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.work_done = 0
        self._next = 0x7F00_0000_0000
        self._blocks: dict[Address, Bytes] = {}
        self._pinned: dict[int, Bytes] = {}
        self._streams: dict[Stream, list[Work]] = {}
        self._recording: dict[Stream, list[Work]] = {}
        self._graphs: dict[Graph, list[Work]] = {}
        self._events: dict[Event, float | None] = {}
        self._now_ms = 0.0

    @property
    def live(self) -> dict[str, int]:
        """What has been taken and not given back."""
        return {
            "memory": len(self._blocks),
            "pinned": len(self._pinned),
            "streams": len(self._streams),
            "graphs": len(self._graphs),
            "events": len(self._events),
        }

    def allocate(self, size_bytes: int) -> Address:
        self._called("allocate", idle=True)
        address = self._next
        self._next += -(-(size_bytes + GUARD_BYTES) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        self._blocks[address] = np.full(size_bytes, 0xCD, np.uint8)
        return address

    def free(self, address: Address) -> None:
        self._called("free", idle=True)
        if self._blocks.pop(address, None) is None:
            raise CudaFault(f"free: {address:#x} is no device memory")

    def pinned(self, size_bytes: int) -> Bytes:
        self._called("pinned", idle=True)
        memory = np.full(size_bytes, 0xCD, np.uint8)
        self._pinned[memory.ctypes.data] = memory
        return memory

    def free_pinned(self, memory: Bytes) -> None:
        self._called("free_pinned", idle=True)
        if self._pinned.pop(memory.ctypes.data, None) is None:
            raise CudaFault("free_pinned: not pinned memory")

    def create_stream(self) -> Stream:
        self._called("create_stream")
        stream = len(self.calls) + 1000 * (self.calls["create_stream"])
        self._streams[stream] = []
        return stream

    def destroy_stream(self, stream: Stream) -> None:
        self._called("destroy_stream")
        del self._streams[stream]

    def copy_in(self, address: Address, memory: Bytes, stream: Stream) -> None:
        self._called("copy_in")
        self._check_pinned(memory)
        target = self.at(address, memory.nbytes)
        self.put(stream, lambda: np.copyto(target, memory))

    def copy_out(self, memory: Bytes, address: Address, stream: Stream) -> None:
        self._called("copy_out")
        self._check_pinned(memory)
        source = self.at(address, memory.nbytes)
        self.put(stream, lambda: np.copyto(memory, source))

    def fill(self, address: Address, byte: int, size_bytes: int, stream: Stream) -> None:
        self._called("fill")
        target = self.at(address, size_bytes)
        self.put(stream, lambda: target.fill(byte))

    def wait(self, stream: Stream) -> None:
        self._called("wait", idle=True)
        work, self._streams[stream] = self._streams[stream], []
        for piece in work:
            piece()
            self.work_done += 1
            self._now_ms += TICK_MS

    def create_event(self) -> Event:
        self._called("create_event")
        event = self.calls["create_event"]
        self._events[event] = None
        return event

    def record(self, event: Event, stream: Stream) -> None:
        self._called("record")
        self.put(stream, lambda: self._events.update({event: self._now_ms}))

    def elapsed_ms(self, start: Event, end: Event) -> float:
        self._called("elapsed_ms")
        begun, ended = self._events[start], self._events[end]
        if begun is None or ended is None:
            raise CudaFault("elapsed_ms: an event has not passed yet")
        return ended - begun

    def destroy_event(self, event: Event) -> None:
        self._called("destroy_event")
        del self._events[event]

    def capture(self, stream: Stream, work: Work) -> Graph:
        self.begin_capture(stream)
        try:
            work()
        except Exception:
            del self._recording[stream]
            raise
        return self.end_capture(stream)

    def begin_capture(self, stream: Stream) -> None:
        """From here on the stream records."""
        self._called("capture", idle=True)
        self._recording[stream] = []

    def end_capture(self, stream: Stream) -> Graph:
        """What was recorded, as a graph."""
        graph = 10_000 + self.calls["capture"]
        self._graphs[graph] = self._recording.pop(stream)
        return graph

    def replay(self, graph: Graph, stream: Stream) -> None:
        self._called("replay")
        for piece in self._graphs[graph]:
            self.put(stream, piece)

    def destroy_graph(self, graph: Graph) -> None:
        self._called("destroy_graph")
        del self._graphs[graph]

    def is_capturing(self, stream: Stream) -> bool:
        """Whether work on the stream is being recorded."""
        return stream in self._recording

    def put(self, stream: Stream, work: Work) -> None:
        """Put work on a stream, or on the graph that is being recorded from it."""
        if stream not in self._streams:
            raise CudaFault(f"stream {stream}: invalid resource handle")
        self._recording.get(stream, self._streams[stream]).append(work)

    def at(self, address: Address, size_bytes: int) -> Bytes:
        """Live device memory. Raises CudaFault for any byte that is nobody's."""
        for start, block in self._blocks.items():
            if start <= address and address + size_bytes <= start + len(block):
                return block[address - start : address - start + size_bytes]
        raise CudaFault(f"{address:#x}, {size_bytes} bytes: an illegal memory access was encountered")

    def _check_pinned(self, memory: Bytes) -> None:
        first = memory.ctypes.data
        if not any(s <= first and first + memory.nbytes <= s + m.nbytes for s, m in self._pinned.items()):
            raise CudaFault("copy: the host memory is not pinned")

    def _called(self, name: str, *, idle: bool = False) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.calls[name] == self.fail_at.get(name):
            raise CudaFault(f"{name}: simulated failure")
        if idle and self._recording:
            raise CudaFault(f"{name}: operation not permitted when stream is capturing")


def no_device(*_: Any) -> SimCuda:
    """A machine without one, in place of `find_cuda`."""
    from edge.engine.faults import NoDevice  # noqa: PLC0415

    raise NoDevice("no CUDA device: the driver sees none")
