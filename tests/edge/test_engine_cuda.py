"""The two bindings behind the memory seam: each against a stand-in of its library that is a simulated device, and
cuda-bindings' real wheel where there is no device."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.engine import cuda as seam
from edge.engine import cuda_pycuda, cuda_runtime
from edge.engine.api import api_of
from edge.engine.builder import BuildSettings, build_engine
from edge.engine.cuda import Cuda
from edge.engine.cuda_pycuda import PyCuda
from edge.engine.cuda_runtime import CudaRuntime
from edge.engine.faults import CudaFault, NoDevice
from edge.engine.runner import EngineRunner
from tests.edge.engine_rig import PROFILE, rows, small_graph
from tests.peers.gpu import SimCuda
from tests.peers.tensorrt import SimTensorRt

ROOT = Path(__file__).resolve().parents[2]
needs_bindings = pytest.mark.skipif(importlib.util.find_spec("cuda") is None, reason="needs_cuda_bindings")


class SimRuntime:
    """`cuda.bindings.runtime` over a simulated device: (error, value) tuples, handles that are no integers."""

    cudaStreamNonBlocking = 1  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, sim: SimCuda, devices: int = 1, driver: int = 13000) -> None:
        self.sim, self.devices, self.driver = sim, devices, driver
        self.host: dict[int, np.ndarray] = {}
        properties = SimpleNamespace(name=b"Simulated", major=8, minor=7, totalGlobalMem=8 << 30)
        self._plain = {
            "cudaGetDeviceCount": lambda: self.devices,
            "cudaDriverGetVersion": lambda: self.driver,
            "cudaRuntimeGetVersion": lambda: 13050,
            "cudaGetDeviceProperties": lambda device: properties,
            "cudaSetDevice": lambda device: None,
            "cudaMalloc": sim.allocate,
            "cudaFree": sim.free,
            "cudaMallocHost": self._malloc_host,
            "cudaFreeHost": lambda address: sim.free_pinned(self.host.pop(address)),
            "cudaStreamCreateWithFlags": lambda flags: Handle(sim.create_stream()),
            "cudaStreamDestroy": lambda s: sim.destroy_stream(int(s)),
            "cudaMemcpyAsync": self._copy,
            "cudaMemsetAsync": lambda a, byte, n, s: sim.fill(a, byte, n, int(s)),
            "cudaStreamSynchronize": lambda s: sim.wait(int(s)),
            "cudaEventCreate": lambda: Handle(sim.create_event()),
            "cudaEventRecord": lambda e, s: sim.record(int(e), int(s)),
            "cudaEventElapsedTime": lambda a, b: sim.elapsed_ms(int(a), int(b)),
            "cudaEventDestroy": lambda e: sim.destroy_event(int(e)),
            "cudaStreamBeginCapture": lambda s, mode: sim.begin_capture(int(s)),
            "cudaStreamEndCapture": lambda s: Handle(sim.end_capture(int(s))),
            "cudaGraphInstantiate": lambda g, flags: Handle(int(g)),
            "cudaGraphDestroy": lambda g: None,
            "cudaGraphLaunch": lambda g, s: sim.replay(int(g), int(s)),
            "cudaGraphExecDestroy": lambda g: sim.destroy_graph(int(g)),
        }

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any) -> tuple[Any, ...]:
            try:
                result = self._plain[name](*values)
            except CudaFault as fault:
                self.said = str(fault)
                return (719, None)
            return (0,) if result is None else (0, result)

        return call

    def cudaGetErrorString(self, error: int) -> tuple[int, bytes]:  # noqa: N802
        return 0, self.said.encode()

    def _malloc_host(self, size_bytes: int) -> int:
        memory = self.sim.pinned(size_bytes)
        self.host[memory.ctypes.data] = memory
        return int(memory.ctypes.data)

    def _copy(self, target: int, source: int, size_bytes: int, kind: int, stream: Any) -> None:
        host = source if kind == 1 else target
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(host))
        if kind == 1:
            self.sim.copy_in(target, memory, int(stream))
        else:
            self.sim.copy_out(memory, source, int(stream))


class Handle:
    """A stream, an event or a graph as the bindings give it."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __int__(self) -> int:
        return self._number


class SimPyCuda:
    """`pycuda.driver` and the few functions of libcuda over a simulated device."""

    class Error(Exception):
        pass

    def __init__(self, sim: SimCuda) -> None:
        self.sim = sim
        self.stream_flags = SimpleNamespace(NON_BLOCKING=1)
        device = SimpleNamespace(
            name=lambda: "Simulated", compute_capability=lambda: (8, 7), total_memory=lambda: 8 << 30
        )
        self.Context = SimpleNamespace(get_device=lambda: device)
        self.libcuda = SimpleNamespace(
            cuStreamBeginCapture_v2=lambda s, mode: self._code(sim.begin_capture, s.value),
            cuStreamEndCapture=self._end_capture,
            cuGraphInstantiateWithFlags=self._instantiate,
            cuGraphDestroy=lambda g: 0,
            cuGraphLaunch=lambda g, s: self._code(sim.replay, g.value, s.value),
            cuGraphExecDestroy=lambda g: self._code(sim.destroy_graph, g.value),
        )

    def get_driver_version(self) -> int:
        return 12060

    def mem_alloc(self, size_bytes: int) -> Any:
        allocation = Handle(self._asked(self.sim.allocate, size_bytes))
        allocation.free = lambda: self._asked(self.sim.free, int(allocation))  # type: ignore[attr-defined]
        return allocation

    def pagelocked_empty(self, size_bytes: int, dtype: Any) -> np.ndarray:
        memory = self._asked(self.sim.pinned, size_bytes)

        class Pinned(np.ndarray):
            base = SimpleNamespace(free=lambda: self.sim.free_pinned(memory))

        return memory.view(Pinned)

    def Stream(self, flags: int) -> Any:  # noqa: N802
        number = self._asked(self.sim.create_stream)
        return SimpleNamespace(handle=number, synchronize=lambda: self._asked(self.sim.wait, number))

    def Event(self) -> Any:  # noqa: N802
        number = self._asked(self.sim.create_event)
        return SimpleNamespace(
            number=number,
            record=lambda stream: self.sim.record(number, stream.handle),
            time_till=lambda end: self.sim.elapsed_ms(number, end.number),
        )

    def memcpy_htod_async(self, target: int, memory: np.ndarray, stream: Any) -> None:
        self._asked(self.sim.copy_in, target, np.asarray(memory), stream.handle)

    def memcpy_dtoh_async(self, memory: np.ndarray, source: int, stream: Any) -> None:
        self._asked(self.sim.copy_out, np.asarray(memory), source, stream.handle)

    def memset_d8_async(self, target: int, byte: int, count: int, stream: Any) -> None:
        self._asked(self.sim.fill, target, byte, count, stream.handle)

    def _asked(self, function: Any, *values: Any) -> Any:
        try:
            return function(*values)
        except CudaFault as fault:
            raise self.Error(str(fault)) from fault

    def _code(self, function: Any, *values: Any) -> int:
        try:
            function(*values)
        except CudaFault:
            return 719
        return 0

    def _end_capture(self, stream: Any, graph: Any) -> int:
        graph._obj.value = self.sim.end_capture(stream.value)
        return 0

    def _instantiate(self, target: Any, recorded: Any, flags: Any) -> int:
        target._obj.value = recorded.value
        return 0


def by_runtime(sim: SimCuda) -> Cuda:
    return CudaRuntime(SimRuntime(sim))


def by_pycuda(sim: SimCuda) -> Cuda:
    driver = SimPyCuda(sim)
    return PyCuda(driver, driver.libcuda)


both = pytest.mark.parametrize("binding", [by_runtime, by_pycuda])


@pytest.mark.unit
@both
def test_an_engine_runs_over_either_binding(binding: Any) -> None:
    sim = SimCuda()
    cuda, api = binding(sim), api_of(SimTensorRt(sim))
    engine = build_engine(api, small_graph(), BuildSettings(profile=PROFILE)).engine
    runner = EngineRunner(api, cuda, engine)
    for seed, n in enumerate([4, 8, 4, 4, 1]):
        x = rows(n, seed)
        np.testing.assert_allclose(runner.run({"x": x})["score"], x.sum(axis=1), rtol=1e-5, atol=1e-6)
    assert runner.graphs == (4, 8, 1)
    assert runner.time_ms(4, rounds=2)[0] > 0
    assert cuda.device.compute_capability == (8, 7)
    runner.close()
    assert {k: n for k, n in sim.live.items() if k in {"memory", "pinned", "graphs"}} == {
        "memory": 0,
        "pinned": 0,
        "graphs": 0,
    }


@pytest.mark.unit
@both
@pytest.mark.parametrize("call", ["allocate", "pinned", "create_stream", "copy_in", "copy_out", "fill", "wait"])
def test_what_cuda_says_is_in_the_fault(binding: Any, call: str) -> None:
    sim = SimCuda()
    cuda: Cuda = binding(sim)
    sim.fail_at[call] = 1
    with pytest.raises(CudaFault, match="simulated failure"):  # noqa: PT012
        stream = cuda.create_stream()
        memory, address = cuda.pinned(64), cuda.allocate(64)
        cuda.copy_in(address, memory, stream)
        cuda.fill(address, 0xFF, 64, stream)
        cuda.copy_out(memory, address, stream)
        cuda.wait(stream)


@pytest.mark.unit
@both
def test_a_capture_that_fails_ends_the_capture(binding: Any) -> None:
    sim = SimCuda()
    cuda: Cuda = binding(sim)
    stream = cuda.create_stream()

    def work() -> None:
        raise CudaFault("in the middle")

    with pytest.raises(CudaFault, match="in the middle"):
        cuda.capture(stream, work)
    assert not sim.is_capturing(stream)
    cuda.wait(stream)


@pytest.mark.unit
def test_no_device_and_a_driver_that_is_too_old() -> None:
    with pytest.raises(NoDevice, match="no CUDA device: the driver sees none"):
        CudaRuntime(SimRuntime(SimCuda(), devices=0))
    with pytest.raises(NoDevice, match=r"is for CUDA 13\.5, the driver serves up to 12\.6: install cuda-bindings==12"):
        CudaRuntime(SimRuntime(SimCuda(), driver=12060))


@pytest.mark.unit
def test_pycuda_first_then_cuda_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = SimCuda()
    driver = SimPyCuda(sim)
    monkeypatch.setattr(cuda_runtime, "_runtime", lambda: SimRuntime(sim))
    monkeypatch.setattr(cuda_pycuda, "_driver", lambda: driver)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver.libcuda)
    assert seam.find_cuda().device.binding == "pycuda"
    monkeypatch.setattr(cuda_pycuda, "_driver", _missing("pycuda"))
    assert seam.find_cuda().device.binding == "cuda-bindings for CUDA 13.5"
    monkeypatch.setattr(cuda_runtime, "_runtime", _missing("cuda"))
    with pytest.raises(NoDevice, match="neither pycuda nor cuda is installed"):
        seam.find_cuda()


def _missing(name: str) -> Any:
    def load() -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    return load


@pytest.mark.unit
@needs_bindings
def test_the_real_wheel_without_a_driver_is_one_clear_fault() -> None:
    runtime = cuda_runtime._runtime()
    if int(runtime.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("needs_no_gpu")
    with pytest.raises(NoDevice, match=r"no CUDA device: cudaGetDeviceCount: .*driver"):
        CudaRuntime()


@pytest.mark.unit
@needs_bindings
def test_the_real_wheel_has_every_function_with_these_arguments() -> None:
    """Without a driver each call must come back as CUDA's error, not as a TypeError of the binding."""
    runtime = cuda_runtime._runtime()
    if int(runtime.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("needs_no_gpu")
    cuda = object.__new__(CudaRuntime)
    cuda._cuda, cuda._pinned = runtime, {}
    cuda._handles = {1: runtime.cudaStream_t(0), 2: runtime.cudaEvent_t(0), 3: runtime.cudaGraphExec_t(0)}
    memory = np.zeros(16, np.uint8)
    cuda._pinned[memory.ctypes.data] = memory.ctypes.data
    calls = [
        lambda: cuda.allocate(16),
        lambda: cuda.free(256),
        lambda: cuda.pinned(16),
        lambda: cuda.free_pinned(memory),
        cuda.create_stream,
        lambda: cuda.copy_in(256, memory, 1),
        lambda: cuda.copy_out(memory, 256, 1),
        lambda: cuda.fill(256, 0xFF, 16, 1),
        lambda: cuda.wait(1),
        cuda.create_event,
        lambda: cuda.record(2, 1),
        lambda: cuda.elapsed_ms(2, 2),
        lambda: cuda.capture(1, lambda: None),
        lambda: cuda.replay(3, 1),
        lambda: cuda.destroy_event(2),
        lambda: cuda.destroy_graph(3),
        lambda: cuda.destroy_stream(1),
    ]
    for call in calls:
        with pytest.raises(CudaFault, match=r"cuda\w+: CUDA driver version is insufficient"):
            call()
    runtime.cudaGraphInstantiate(runtime.cudaGraph_t(0), 0)
    runtime.cudaGraphDestroy(runtime.cudaGraph_t(0))


@pytest.mark.sweep
def test_the_older_wheel_says_the_same() -> None:
    """cuda-bindings 12, as on JetPack 6, in a process of its own: it and 13 share their module names."""
    folder = Path(os.environ.get("BOARDGATE_RTX") or ROOT / ".venv") / "cuda-bindings-12"
    if not folder.is_dir():
        pytest.skip("needs_cuda_bindings_12")
    code = (
        "from edge.engine.cuda_runtime import CudaRuntime; from edge.engine.faults import NoDevice\n"
        "import cuda.bindings; assert cuda.bindings.__version__.startswith('12.')\n"
        "try: CudaRuntime()\nexcept NoDevice as fault: print(fault)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert done.stdout.startswith("no CUDA device: cudaGetDeviceCount")
