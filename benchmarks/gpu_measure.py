"""One row of the GPU check: an engine built and run, its scores against ONNX Runtime's on the processor, its times on
the device's own clock; and the yardsticks beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
from scipy.stats import spearmanr

from benchmarks.gpu_subjects import Subject
from edge.board import Floats
from edge.bundle import EMBEDDING
from edge.engine.api import Api
from edge.engine.builder import BatchProfile, BuildSettings, build_engine
from edge.engine.cuda import Cuda
from edge.engine.faults import EngineFault
from edge.engine.runner import EngineRunner
from edge.scorers.tensorrt import BOARD_BATCH, MAX_CHUNK
from edge.thresholds import Precision
from export.graph_inputs import Feedable, named, session_names, tensors_of

BATCHES = (1, BOARD_BATCH)
ROUNDS = 1000
WARM_UP = 50
PROFILE = BatchProfile(opt=BOARD_BATCH, max=MAX_CHUNK)
COPY_BYTES = 1 << 20
# What an engine may differ from the processor by, relative to the scores' own spread: FP32 sums in another order, FP16
# keeps three digits. INT8 is judged by rank, and on bundles by verdicts.
ALLOWED_FRAC: dict[Precision, float] = {"fp32": 1e-3, "fp16": 0.05, "int8": float("inf")}
LEAST_SPEARMAN: dict[Precision, float] = {"fp32": 0.999, "fp16": 0.99, "int8": 0.95}
LEAST_AGREEMENT_FRAC = 0.995  # of verdicts, bundles only

Row = dict[str, Any]


def engine_row(api: Api, cuda: Cuda, subject: Subject, precision: Precision, rounds: int = ROUNDS) -> Row:
    """Build, compare and time one engine. A failure is a row that says so."""
    row: Row = {"subject": subject.name, "precision": precision, "engine": f"{api.name} {api.version}"}
    if precision not in subject.models:
        return {**row, "ok": True, "skipped": subject.missing.get(precision, "no graph")}
    try:
        built = build_engine(api, subject.models[precision], BuildSettings(profile=PROFILE))
        runner = EngineRunner(api, cuda, built.engine)
    except EngineFault as fault:
        return {**row, "ok": False, "fault": str(fault)}
    try:
        row |= {"build_s": built.seconds, "engine_bytes": len(built.engine), "n_layers": built.parsed.n_layers}
        row |= _agreement(subject, precision, _scores(runner, subject.inputs))
        row["device_ms"] = {str(n): _device_ms(runner, subject.inputs, n, rounds) for n in BATCHES}
        row["graphs"] = list(runner.graphs)
    except EngineFault as fault:
        row |= {"ok": False, "fault": str(fault)}
    finally:
        runner.close()
    return row


def cuda_provider_row(subject: Subject, precision: Precision, rounds: int = ROUNDS) -> Row:
    """ONNX Runtime's CUDA provider on the same graph, wall time, tensors copied in and out as a station would."""
    row: Row = {"subject": subject.name, "precision": precision, "engine": f"onnxruntime {ort.__version__} CUDA"}
    if precision not in subject.models:
        return {**row, "ok": True, "skipped": subject.missing.get(precision, "no graph")}
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return {**row, "ok": True, "skipped": "needs_onnxruntime_cuda"}
    session = ort.InferenceSession(subject.models[precision], providers=["CUDAExecutionProvider"])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        return {**row, "ok": True, "skipped": "its CUDA provider did not load"}
    names = session_names(session)
    outputs = [value.name for value in session.get_outputs() if value.name != EMBEDDING]
    row |= _agreement(subject, precision, session.run(["score"], named(names, subject.inputs))[0])
    row["wall_ms"] = {
        str(n): wall_ms(lambda feeds=subject.inputs[:n]: session.run(outputs, named(names, feeds)), rounds)
        for n in BATCHES
    }
    return row


def torch_row(subject: Subject, rounds: int = ROUNDS) -> Row:
    """The network in torch on the device, FP32 without TF32, eager; wall time with copies, synchronised."""
    row: Row = {"subject": subject.name, "precision": "fp32", "engine": "torch CUDA"}
    if subject.network is None:
        return {**row, "ok": True, "skipped": "a bundle holds no torch network"}
    import torch  # noqa: PLC0415 - where it is installed

    row["engine"] = f"torch {torch.__version__} CUDA"
    if not torch.cuda.is_available():
        return {**row, "ok": True, "skipped": "needs_torch_cuda"}
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    network = subject.network.eval().cuda()

    @torch.no_grad()
    def run(inputs: Feedable) -> Floats:
        score, *others = network(*(torch.from_numpy(rows).cuda() for rows in tensors_of(inputs)))
        for other in others[:1]:
            other.cpu()
        return np.asarray(score.cpu().numpy(), np.float32)

    row |= _agreement(subject, "fp32", run(subject.inputs))
    row["wall_ms"] = {str(n): wall_ms(lambda x=subject.inputs[:n]: run(x), rounds) for n in BATCHES}
    subject.network.cpu()
    return row


def seam_row(cuda: Cuda) -> Row:
    """The memory seam: bytes in and out, a fill, a captured copy replayed, and a time above zero."""
    row: Row = {"binding": cuda.device.binding}
    stream, address, host = cuda.create_stream(), cuda.allocate(COPY_BYTES), cuda.pinned(COPY_BYTES)
    start, end = cuda.create_event(), cuda.create_event()
    try:
        pattern = np.random.default_rng(0).integers(0, 256, COPY_BYTES, dtype=np.uint8)
        host[:] = pattern
        cuda.record(start, stream)
        cuda.copy_in(address, host, stream)
        cuda.record(end, stream)
        cuda.wait(stream)
        host[:] = 0
        graph = cuda.capture(stream, lambda: cuda.copy_out(host, address, stream))
        captured_only = not host.any()
        cuda.replay(graph, stream)
        cuda.wait(stream)
        came_back = bool((host == pattern).all())
        cuda.destroy_graph(graph)
        cuda.fill(address, 0xFF, COPY_BYTES, stream)
        cuda.copy_out(host, address, stream)
        cuda.wait(stream)
        row |= {
            "captured_without_running": captured_only,
            "came_back": came_back,
            "filled": bool((host == 0xFF).all()),
            "copy_ms": cuda.elapsed_ms(start, end),
        }
        row["ok"] = bool(captured_only and came_back and row["filled"] and row["copy_ms"] > 0)
    except EngineFault as fault:
        row |= {"ok": False, "fault": str(fault)}
    finally:
        cuda.destroy_event(start)
        cuda.destroy_event(end)
        cuda.free(address)
        cuda.free_pinned(host)
        cuda.destroy_stream(stream)
    return row


def reference_scores(subject: Subject, precision: Precision = "fp32") -> Floats:
    """ONNX Runtime's on the processor, (N,)."""
    session = ort.InferenceSession(subject.models[precision], providers=["CPUExecutionProvider"])
    names, feeds = session_names(session), subject.inputs
    parts = [session.run(["score"], named(names, feeds[i : i + 16]))[0] for i in range(0, len(feeds), 16)]
    return np.concatenate(parts)


def wall_ms(run: Callable[[], Any], rounds: int) -> dict[str, float]:
    """First call apart, then p50, p99 and the largest of `rounds`."""
    first = _timed(run)
    for _ in range(min(WARM_UP, rounds)):
        run()
    return {"first": first, **summary(np.array([_timed(run) for _ in range(rounds)]))}


def summary(times_ms: np.ndarray) -> dict[str, float]:
    """p50, p99 and the largest."""
    p50, p99 = np.percentile(times_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(times_ms.max())}


def _device_ms(runner: EngineRunner, inputs: Feedable, n: int, rounds: int) -> dict[str, float]:
    """First run apart, by the device's events, copies included."""
    runner.run(named([tensor.name for tensor in runner.plan.inputs], inputs[:n]))
    first = float(runner.time_ms(n, 1)[0])
    runner.time_ms(n, min(WARM_UP, rounds))
    return {"first": first, **summary(runner.time_ms(n, rounds))}


def _scores(runner: EngineRunner, inputs: Feedable) -> Floats:
    names, most = [tensor.name for tensor in runner.plan.inputs], runner.plan.max_batch
    parts = [runner.run(named(names, inputs[i : i + most]))["score"].copy() for i in range(0, len(inputs), most)]
    return np.concatenate(parts).astype(np.float32)


def _agreement(subject: Subject, precision: Precision, got: Floats) -> Row:
    """Against FP32 on the processor. The spread is what the difference is measured by: scores have no natural zero."""
    expected = reference_scores(subject)
    spread = max(float(np.ptp(expected)), 1e-12)
    finite = bool(np.isfinite(got).all())
    difference_frac = float(np.abs(got - expected).max()) / spread if finite else float("inf")
    rank = float(spearmanr(expected, got).statistic) if finite else 0.0
    row: Row = {"difference_frac": difference_frac, "spearman": rank}
    ok = finite and difference_frac <= ALLOWED_FRAC[precision] and rank >= LEAST_SPEARMAN[precision]
    if subject.thresholds is not None and finite:
        called, called_here = expected > subject.thresholds["fp32"], got > subject.thresholds[precision]
        row["verdict_agreement_frac"] = float((called == called_here).mean())
        ok = row["verdict_agreement_frac"] >= LEAST_AGREEMENT_FRAC and difference_frac <= ALLOWED_FRAC[precision]
    return {**row, "ok": ok}


def _timed(run: Callable[[], Any]) -> float:
    start_ns = time.monotonic_ns()
    run()
    return (time.monotonic_ns() - start_ns) / 1e6
