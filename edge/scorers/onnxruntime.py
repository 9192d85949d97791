"""The default engine: ONNX Runtime on the CPU, with a fixed thread count."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from edge.board import Floats, Image
from edge.bundle import Bundle, BundleFault, TensorSpec
from edge.families import FAMILIES
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault

MAX_CHUNK = 64  # crops per call: bounds memory, and measured no slower than one big batch


class OnnxRuntimeScorer:
    """Scores crops with a bundle's graph. Raises BundleFault when the graph is not what its contract says."""

    def __init__(self, bundle: Bundle, choice: EngineChoice) -> None:
        self._contract = bundle.manifest.contract
        self._family = FAMILIES[bundle.manifest.family]
        options = ort.SessionOptions()
        options.intra_op_num_threads = choice.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = bundle.model(choice.precision)
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as err:
            raise BundleFault(f"{bundle.folder} {choice.precision}: ONNX Runtime refuses it: {err}") from err
        _compare(bundle, "inputs", self._session.get_inputs(), self._contract.inputs)
        _compare(bundle, "outputs", self._session.get_outputs(), self._contract.outputs)
        self._outputs = [spec.name for spec in self._contract.outputs]

    def score(self, crops: Image) -> tuple[Floats, Floats | None]:
        """(N, h, w, 3) uint8 BGR to score (N,) and, where the contract has one, map (N, h, w)."""
        parts = [self._run(crops[i : i + MAX_CHUNK]) for i in range(0, len(crops), MAX_CHUNK)]
        if not parts:
            raise ScorerFault("no crops to score")
        score = np.concatenate([p["score"] for p in parts])
        heat = np.concatenate([p["map"] for p in parts]) if "map" in parts[0] else None
        return score, heat

    def _run(self, crops: Image) -> dict[str, Floats]:
        tensor = self._family.graph_input(crops, self._contract)
        values = self._session.run(self._outputs, {self._contract.inputs[0].name: tensor})
        return dict(zip(self._outputs, values, strict=True))


def _compare(bundle: Bundle, what: str, reported: list[ort.NodeArg], specs: tuple[TensorSpec, ...]) -> None:
    got = {r.name: (r.type, [d if isinstance(d, int) else "N" for d in r.shape]) for r in reported}
    expected = {s.name: (f"tensor({_ORT_TYPE[s.dtype]})", list(s.shape)) for s in specs}
    if got != expected:
        raise BundleFault(f"{bundle.folder}/model.onnx {what}: the graph has {got}, the contract says {expected}")


_ORT_TYPE = {"float32": "float", "uint8": "uint8"}
