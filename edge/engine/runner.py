"""A serialised engine, run: memory allocated once, one stream, and a CUDA graph for each batch that recurs.

`run` allocates nothing on the device or in pinned memory, except that the first run of a new batch size captures its
graph. Outputs are set to NaN on the device before every run, so that an engine that fails silently gives numbers that
no scorer may return, never those of the board before.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.engine.api import Api
from edge.engine.cuda import Cuda
from edge.engine.faults import CudaFault, EngineFault
from edge.engine.plan import BufferPlan, TensorPlan, plan_buffers

MAX_GRAPHS = 4  # batch sizes with a graph: a board's chunk, its rest, one crop, the golden batch; each has a context
NAN_BYTE = 0xFF  # four of it are NaN as float32, two as float16

_LOG = logging.getLogger("edge.engine")
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class _Replay:
    """A captured graph and the context whose shapes and memory it uses."""

    graph: int
    context: Any


class EngineRunner:
    """Runs one engine on one device, from one thread. Raises EngineFault when it cannot be loaded here."""

    def __init__(
        self, api: Api, cuda: Cuda, engine: bytes, *, outputs: Collection[str] | None = None, use_graphs: bool = True
    ) -> None:
        """`outputs` are the ones to bring back from the device; all where None."""
        self._cuda = cuda  # exists, so there is a device: a Runtime without one crashes the process
        self._closing = contextlib.ExitStack()
        self._api = api
        self._runtime = api.module.Runtime(api.logger)
        api.forget_lines()
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise EngineFault(f"{api.name} {api.version} does not load the engine: {api.said()}")
        self.plan: BufferPlan = plan_buffers(self._engine)
        self._wanted = tuple(t for t in self.plan.outputs if outputs is None or t.name in outputs)
        with contextlib.ExitStack() as undo:
            self._stream = _held(undo, cuda.create_stream, cuda.destroy_stream)
            self._device = _held(undo, lambda: cuda.allocate(self.plan.size_bytes), cuda.free)
            self._host = _held(undo, lambda: cuda.pinned(self.plan.size_bytes), cuda.free_pinned)
            self._context = self._new_context()
            self._closing = undo.pop_all()
        self._shape_of_context = 0
        self._replays: dict[int, _Replay] = {}
        self._use_graphs = use_graphs

    @property
    def graphs(self) -> tuple[int, ...]:
        """The batch sizes that are replayed from a graph."""
        return tuple(self._replays)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Outputs for one batch of 1 to `plan.max_batch` rows; views of pinned memory, valid until the next run.

        Raises EngineFault when an input is not what the engine takes, CudaFault when a call fails.
        """
        n = self._batch_of(inputs)
        for name, view in self.input_views(n).items():
            np.copyto(view, inputs[name], casting="no")
        return self.run_filled(n)

    def input_views(self, n: int) -> dict[str, NDArray[np.generic]]:
        """The inputs for a batch of `n`, in pinned memory, to be filled before `run_filled`."""
        self._check_batch(n)
        return {t.name: t.view(self._host, n) for t in self.plan.inputs}

    def run_filled(self, n: int) -> dict[str, NDArray[np.generic]]:
        """`run` on what `input_views(n)` was filled with."""
        self._check_batch(n)
        try:
            self._submit(n)
        except EngineFault:
            self._settle()
            raise
        self._cuda.wait(self._stream)
        return {t.name: t.view(self._host, n) for t in self._wanted}

    def time_ms(self, n: int, rounds: int) -> NDArray[np.float64]:
        """Device time of `rounds` runs at batch `n`, copies in and out included, (rounds,), by CUDA events."""
        start, end = self._cuda.create_event(), self._cuda.create_event()
        times = np.empty(rounds)
        try:
            for k in range(rounds):
                self._cuda.record(start, self._stream)
                self._submit(n)
                self._cuda.record(end, self._stream)
                self._cuda.wait(self._stream)
                times[k] = self._cuda.elapsed_ms(start, end)
        finally:
            self._cuda.destroy_event(start)
            self._cuda.destroy_event(end)
        return times

    def close(self) -> None:
        """Give everything on the device back. The runner is of no use afterwards."""
        for replay in self._replays.values():
            self._cuda.destroy_graph(replay.graph)
        self._replays.clear()
        self._closing.close()

    def _settle(self) -> None:
        """After a fault: nothing may still be moving in the buffers when the next run fills them."""
        self._shape_of_context = 0
        with contextlib.suppress(CudaFault):  # the fault being raised is the one that counts
            self._cuda.wait(self._stream)

    def _submit(self, n: int) -> None:
        """Put one batch on the stream: by its graph, or else call by call, and then capture the graph."""
        replay = self._replays.get(n)
        if replay is not None:
            self._cuda.replay(replay.graph, self._stream)
            return
        self._enqueue(self._context, n, shaped=self._shape_of_context == n)
        self._shape_of_context = n
        if self._use_graphs and len(self._replays) < MAX_GRAPHS:
            self._capture(n)

    def _enqueue(self, context: Any, n: int, *, shaped: bool) -> None:
        for tensor in self.plan.inputs:
            if not shaped and tensor.has_batch and not context.set_input_shape(tensor.name, tensor.shape_at(n)):
                raise EngineFault(f"the engine refuses {tensor.name} {tensor.shape_at(n)}: {self._api.said()}")
            self._cuda.copy_in(self._address(tensor), tensor.part(self._host, n), self._stream)
        for tensor in self._wanted:
            self._cuda.fill(self._address(tensor), NAN_BYTE, tensor.bytes_at(n), self._stream)
        if not context.execute_async_v3(self._stream):
            raise EngineFault(f"execute_async_v3 returned false at batch {n}: {self._api.said()}")
        for tensor in self._wanted:
            self._cuda.copy_out(tensor.part(self._host, n), self._address(tensor), self._stream)

    def _capture(self, n: int) -> None:
        """A graph of this batch, with a context of its own: a context that changes its shape spoils the graphs that
        were captured with it. TensorRT wants one plain run after a new shape before it can be captured."""
        context = self._new_context()
        self._enqueue(context, n, shaped=False)
        self._cuda.wait(self._stream)
        try:
            graph = self._cuda.capture(self._stream, lambda: self._enqueue(context, n, shaped=True))
        except (CudaFault, EngineFault) as fault:
            _LOG.warning("engine runs without CUDA graphs: %s", fault)
            self._use_graphs = False
            return
        self._replays[n] = _Replay(graph, context)

    def _new_context(self) -> Any:
        self._api.forget_lines()
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineFault(f"no execution context, most likely for want of memory: {self._api.said()}")
        for tensor in self.plan.tensors:
            if not context.set_tensor_address(tensor.name, self._address(tensor)):
                raise EngineFault(f"the engine refuses the address of {tensor.name}: {self._api.said()}")
        return context

    def _address(self, tensor: TensorPlan) -> int:
        return int(self._device) + tensor.offset_bytes

    def _batch_of(self, inputs: Arrays) -> int:
        expected = {t.name for t in self.plan.inputs}
        if inputs.keys() != expected:
            raise EngineFault(f"inputs {sorted(inputs)}, the engine takes {sorted(expected)}")
        counts = {len(inputs[t.name]) for t in self.plan.inputs if t.has_batch}
        if len(counts) > 1:
            raise EngineFault(f"inputs with batches of {sorted(counts)}, the engine takes one size at a time")
        n = counts.pop() if counts else 1
        self._check_batch(n)
        for tensor in self.plan.inputs:
            got = inputs[tensor.name]
            if got.shape != tensor.shape_at(n) or got.dtype != tensor.dtype:
                expected_text = f"{tensor.dtype} {tensor.shape_at(n)}"
                raise EngineFault(f"input {tensor.name}: {got.dtype} {got.shape}, the engine takes {expected_text}")
        return n

    def _check_batch(self, n: int) -> None:
        if not 1 <= n <= self.plan.max_batch:
            raise EngineFault(f"batch of {n}, the engine takes 1 to {self.plan.max_batch}")


def _held(stack: contextlib.ExitStack, make: Callable[[], Any], give_back: Callable[[Any], None]) -> Any:
    thing = make()
    stack.callback(give_back, thing)
    return thing
