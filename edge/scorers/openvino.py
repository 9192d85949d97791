"""OpenVINO on the CPU: the same graphs, for devices where measuring shows it to be the faster engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openvino as ov

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault, Contract, TensorSpec
from edge.references import Scorable
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.chunks import ChunkRunner, Run


class OpenVinoScorer:
    """Scores crops with a bundle's graph. Raises BundleFault when the graph is not what its contract says."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        where = f"{bundle.folder} {choice.precision}"
        family, contract = bundle.manifest.family, bundle.manifest.contract
        self._runner = openvino_runner(where, bundle.model(choice.precision), family, contract, choice)

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, C) uint8 crops to what the contract's graph gives, the map only where it was asked for."""
        return self._runner.score(inputs)

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E), where the family compares."""
        return self._runner.embed(crops)


def openvino_runner(where: str, model: bytes, family: str, contract: Contract, choice: EngineChoice) -> ChunkRunner:
    """What runs a graph here. Raises BundleFault, beginning with `where`, when it is not what the contract says."""
    core = ov.Core()
    try:
        graph = core.read_model(model)
        several = _compiled(core, graph, threads=choice.threads, streams=choice.threads)
        alone = _compiled(core, graph, threads=choice.threads, streams=1)
    except RuntimeError as err:
        raise BundleFault(f"{where}: OpenVINO refuses it: {err}") from err
    _compare(where, "inputs", several.inputs, contract.inputs)
    _compare(where, "outputs", several.outputs, contract.outputs)
    outputs = [spec.name for spec in contract.scored if choice.maps or spec.name != "map"]
    return ChunkRunner(
        family,
        contract,
        outputs=outputs,
        runs=[_run(several) for _ in range(choice.threads)],
        alone=_run(alone),
    )


def _compiled(core: ov.Core, model: ov.Model, *, threads: int, streams: int) -> ov.CompiledModel:
    """`streams` runs at a time, which share `threads`. In single precision: OpenVINO takes bfloat16 by itself where
    the processor has it, and scores would no longer be the bundle's."""
    return core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )


def _run(compiled: ov.CompiledModel) -> Run:
    request: Any = compiled.create_infer_request()

    def run(feeds: Mapping[str, Floats], outputs: Sequence[str]) -> Sequence[Floats]:
        values = request.infer(dict(feeds), share_inputs=True, share_outputs=True)
        return [values[output] for output in outputs]  # good until this request runs again; the caller copies

    return run


def _compare(where: str, what: str, ports: list[Any], specs: tuple[TensorSpec, ...]) -> None:
    got = {p.get_any_name(): (_dtype(p), _shape(p)) for p in ports}
    expected = {s.name: (s.dtype, list(s.shape)) for s in specs}
    if got != expected:
        raise BundleFault(f"{where} {what}: the graph has {got}, the contract says {expected}")


def _dtype(port: Any) -> str:
    return str(port.get_element_type().to_dtype())


def _shape(port: Any) -> list[int | str]:
    return ["N" if d.is_dynamic else d.get_length() for d in port.get_partial_shape()]
