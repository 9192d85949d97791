"""The default engine: ONNX Runtime on the CPU, with a fixed thread count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnxruntime as ort

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault, Contract, TensorSpec
from edge.references import Scorable
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.chunks import ChunkRunner, Run


class OnnxRuntimeScorer:
    """Scores crops with a bundle's graph. Raises BundleFault when the graph is not what its contract says."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        where = f"{bundle.folder} {choice.precision}"
        family, contract = bundle.manifest.family, bundle.manifest.contract
        self._runner = onnxruntime_runner(where, bundle.model(choice.precision), family, contract, choice)

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, C) uint8 crops to what the contract's graph gives, the map only where it was asked for."""
        return self._runner.score(inputs)

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E), where the family compares."""
        return self._runner.embed(crops)


def onnxruntime_runner(where: str, model: bytes, family: str, contract: Contract, choice: EngineChoice) -> ChunkRunner:
    """What runs a graph here. Raises BundleFault, beginning with `where`, when it is not what the contract says."""
    single = _session(where, model, threads=1)
    _compare(where, "inputs", single.get_inputs(), contract.inputs)
    _compare(where, "outputs", single.get_outputs(), contract.outputs)
    outputs = [spec.name for spec in contract.scored if choice.maps or spec.name != "map"]
    alone = single if choice.threads == 1 else _session(where, model, choice.threads)
    run = _run(single)
    return ChunkRunner(
        family,
        contract,
        outputs=outputs,
        runs=[run] * choice.threads,  # a session may be run by several threads at a time
        alone=_run(alone),
    )


def _session(where: str, model: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads spin, which is what makes one joint fast; but not on when a run is over, or they would take the
    # processors from the threads that score the next board's chunks.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as err:
        raise BundleFault(f"{where}: ONNX Runtime refuses it: {err}") from err


def _run(session: ort.InferenceSession) -> Run:
    def run(feeds: Mapping[str, Floats], outputs: Sequence[str]) -> Sequence[Floats]:
        values: Sequence[Floats] = session.run(outputs, feeds)
        return values

    return run


def _compare(where: str, what: str, reported: list[ort.NodeArg], specs: tuple[TensorSpec, ...]) -> None:
    got = {r.name: (r.type, [d if isinstance(d, int) else "N" for d in r.shape]) for r in reported}
    expected = {s.name: (f"tensor({_ORT_TYPE[s.dtype]})", list(s.shape)) for s in specs}
    if got != expected:
        raise BundleFault(f"{where} {what}: the graph has {got}, the contract says {expected}")


_ORT_TYPE = {"float32": "float", "uint8": "uint8"}
