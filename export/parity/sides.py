"""A side of a comparison: a graph and the engine that runs it. Loaded without the golden check, because a bundle that
fails it is just what one wants to look into."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnxruntime as ort

from edge.board import Floats
from edge.bundle import Bundle, read_bundle
from edge.thresholds import PRECISIONS, Precision
from export.faults import WorkshopFault
from export.graph_inputs import Feedable, named, session_names

Engine = Literal["onnxruntime", "unoptimised", "openvino", "tensorrt"]
Run = Callable[[Feedable], dict[str, Floats]]
CHUNK = 64


class ParityFault(WorkshopFault):
    """Two sides cannot be compared: what was asked for, what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What runs (`model` on `engine`) and where its verdicts turn."""

    engine: Engine
    precision: Precision
    model: bytes
    threshold: float
    bundle_sha256: str
    is_other_bundle: bool = False

    @property
    def label(self) -> str:
        """For tables and pictures."""
        whose = f" of {self.bundle_sha256[:8]}" if self.is_other_bundle else ""
        return f"{self.engine} {self.precision}{whose}"


def side_of(bundle: Bundle, engine: Engine = "onnxruntime", precision: Precision = "fp32") -> Side:
    """A bundle's graph on an engine. Raises BundleFault when the bundle lacks the precision."""
    if bundle.manifest.engine != "onnx":
        raise ParityFault(f"{bundle.folder}: a bundle of rules has one engine and no layers to compare")
    return Side(
        engine=engine,
        precision=precision,
        model=bundle.model(precision),
        threshold=bundle.threshold(precision).value,
        bundle_sha256=bundle.sha256,
    )


def side_against(bundle: Bundle, against: str | None) -> Side:
    """The other side: a precision (`int8`), an engine (`openvino`), both (`openvino:int8-cpu`), or another bundle's
    folder. None is the bundle's first other precision, or else its graph without optimisations.

    Raises ParityFault naming what there is, BundleFault.
    """
    if against is None:
        others = [p for p in bundle.precisions if p != "fp32"]
        return side_of(bundle, precision=others[0]) if others else side_of(bundle, "unoptimised")
    first, _, second = against.partition(":")
    if against in PRECISIONS:
        return side_of(bundle, precision=_precision(against))
    if first in get_args(Engine):
        return side_of(bundle, _engine(first), _precision(second or "fp32"))
    if (Path(against) / "manifest.json").is_file():
        other = read_bundle(Path(against))
        if other.manifest.contract.inputs != bundle.manifest.contract.inputs:
            raise ParityFault(f"{against}: takes other inputs than {bundle.folder}")
        return dataclasses.replace(side_of(other), is_other_bundle=True)
    raise ParityFault(
        f"--against {against!r}: neither a precision {list(PRECISIONS)}, nor an engine {list(get_args(Engine))}, nor "
        "ENGINE:PRECISION, nor a bundle's folder"
    )


def runner(side: Side, model: bytes | None = None) -> Run:
    """A function from graph inputs (N, …) to every output by name; of `model`, a changed copy of the side's graph,
    where one is given. Raises ParityFault when the engine refuses it."""
    return _RUNNERS[side.engine](side, side.model if model is None else model)


def run_in_chunks(run: Run, inputs: Feedable, chunk: int = CHUNK) -> dict[str, Floats]:
    """All rows, `chunk` at a time."""
    parts = [run(inputs[i : i + chunk]) for i in range(0, len(inputs), chunk)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _onnxruntime(side: Side, model: bytes) -> Run:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    if side.engine == "unoptimised":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as err:
        raise ParityFault(f"{side.label}: ONNX Runtime refuses the graph: {err}") from err
    names, outputs = session_names(session), [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(outputs, session.run(outputs, named(names, inputs)), strict=True))


def _openvino(side: Side, model: bytes) -> Run:
    try:
        import openvino as ov  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ParityFault(f"{side.label}: OpenVINO is not installed here") from None
    try:
        compiled = ov.Core().compile_model(ov.Core().read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as err:
        raise ParityFault(f"{side.label}: OpenVINO refuses the graph: {err}") from err
    taken = [port.get_any_name() for port in compiled.inputs]
    names = [sorted(port.get_names()) for port in compiled.outputs]  # equal tensors share a port

    def run(inputs: Feedable) -> dict[str, Floats]:
        results = compiled(named(taken, inputs))
        return {name: results[i].copy() for i, group in enumerate(names) for name in group}

    return run


def _tensorrt(side: Side, model: bytes) -> Run:
    """Built for this comparison alone and not kept: the graph may be a copy with more outputs."""
    from edge.engine.builder import BatchProfile, BuildSettings, build_engine  # noqa: PLC0415
    from edge.engine.faults import EngineFault  # noqa: PLC0415
    from edge.engine.runner import EngineRunner  # noqa: PLC0415
    from edge.scorers.tensorrt import device_rig  # noqa: PLC0415

    try:
        rig = device_rig()
        built = build_engine(rig.api, model, BuildSettings(profile=BatchProfile(opt=CHUNK, max=CHUNK)))
        engine = EngineRunner(rig.api, rig.cuda, built.engine, use_graphs=False)
    except EngineFault as fault:
        raise ParityFault(f"{side.label}: {fault}") from fault
    names = [tensor.name for tensor in engine.plan.inputs]
    return lambda inputs: {key: np.array(value) for key, value in engine.run(named(names, inputs)).items()}


_RUNNERS: dict[Engine, Callable[[Side, bytes], Run]] = {
    "onnxruntime": _onnxruntime,
    "unoptimised": _onnxruntime,
    "openvino": _openvino,
    "tensorrt": _tensorrt,
}


def _precision(text: str) -> Precision:
    for known in PRECISIONS:
        if text == known:
            return known
    raise ParityFault(f"precision {text!r}: expected one of {list(PRECISIONS)}")


def _engine(text: str) -> Engine:
    known: Sequence[Engine] = get_args(Engine)
    return next(engine for engine in known if engine == text)
