"""TensorRT on a CUDA device: the engine is built on the device from the bundle's graph, kept, and run.

It scores at exactly the precision it was asked for; what to do when that one fails here is `edge.engine.fallback`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from edge.board import Floats, Image
from edge.bundle import EMBEDDING, Bundle, BundleFault, TensorSpec
from edge.engine.api import Api, installed_api
from edge.engine.builder import BatchProfile, BuildSettings, build_engine
from edge.engine.cache import CachedEngine, EngineKey, cached_engine, default_cache_folder
from edge.engine.cuda import Cuda, find_cuda
from edge.engine.faults import EngineFault
from edge.engine.plan import TensorPlan
from edge.engine.runner import EngineRunner
from edge.families import FAMILIES
from edge.references import Compared, Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.thresholds import Precision

MAX_CHUNK = 64  # crops per run, as in ONNX Runtime: the gradient part of a score takes memory per crop
BOARD_BATCH = 50  # what the tactics are timed at; larger boards run in whole chunks and one rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What a TensorRT scorer stands on. `device_rig` finds the real one."""

    api: Api
    cuda: Cuda
    cache_folder: Path
    profile: BatchProfile


def device_rig(cache_folder: Path | None = None) -> Rig:
    """This device's. Raises NoDevice or ApiFault; the device is looked for before any TensorRT object exists."""
    cuda = find_cuda()
    return Rig(
        api=installed_api(),
        cuda=cuda,
        cache_folder=cache_folder or default_cache_folder(),
        profile=BatchProfile(opt=BOARD_BATCH, max=MAX_CHUNK),
    )


class TensorRtScorer:
    """Scores crops with an engine. Raises BundleFault when there is no device, no engine can be built, or the engine
    is not what the contract says."""

    def __init__(self, bundle: Bundle, choice: EngineChoice, rig: Rig | None = None) -> None:
        self._contract = bundle.manifest.contract
        self._family = FAMILIES[bundle.manifest.family]
        where = f"{bundle.folder} {choice.precision}: TensorRT"
        outputs = [spec.name for spec in self._contract.outputs if choice.maps or spec.name != "map"]
        try:
            rig = rig or device_rig()
            self.cached = bundle_engine(bundle, choice.precision, rig)
            self._runner = EngineRunner(rig.api, rig.cuda, self.cached.engine, outputs=outputs)
        except EngineFault as fault:
            raise BundleFault(f"{where}: {fault}") from fault
        except OSError as err:
            raise BundleFault(f"{where}: the engine cannot be kept: {err}") from err
        plan = self._runner.plan
        _compare(where, "inputs", plan.inputs, self._contract.inputs)
        _compare(where, "outputs", plan.outputs, self._contract.outputs)
        self._names = [spec.name for spec in self._contract.inputs]
        self._scored = [spec.name for spec in self._contract.scored if spec.name in outputs]

    @property
    def runner(self) -> EngineRunner:
        """The engine, for benchmarks."""
        return self._runner

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, C) uint8 crops to what the contract's graph gives, the map only where it was asked for."""
        if isinstance(inputs, Compared) != (len(self._names) > 1):
            raise ScorerFault(f"the engine takes {self._names}, this is not given")
        references = inputs.references if isinstance(inputs, Compared) else None
        return ScoreBatch(**self._run_all(crops_of(inputs), references, self._scored))

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E), where the family compares."""
        if len(self._names) < 2:
            raise ScorerFault("this graph compares nothing and gives no embedding")
        nothing = np.zeros((len(crops), *map(int, self._contract.inputs[1].shape[1:])), np.float32)
        return self._run_all(crops, nothing, [EMBEDDING])[EMBEDDING]

    def close(self) -> None:
        """Give the device's memory back."""
        self._runner.close()

    def _run_all(self, crops: Image | Floats, references: Floats | None, outputs: Sequence[str]) -> dict[str, Floats]:
        n, most = len(crops), self._runner.plan.max_batch
        if not n:
            raise ScorerFault("no crops to score")
        results: dict[str, Floats] = {}
        for start in range(0, n, most):
            chunk = slice(start, min(start + most, n))
            values = self._run(crops[chunk], None if references is None else references[chunk])
            for name in outputs:
                result = results.setdefault(name, np.empty((n, *values[name].shape[1:]), np.float32))
                result[chunk] = values[name]
        return results

    def _run(self, crops: Image | Floats, references: Floats | None) -> dict[str, Floats]:
        """One chunk; the arrays are good until the next one."""
        n = len(crops)
        try:
            pinned = self._runner.input_views(n)
            self._family.graph_input(crops, self._contract, cast(Floats, pinned[self._names[0]]))
            if references is not None:
                np.copyto(pinned[self._names[1]], references)
            values = self._runner.run_filled(n)
        except EngineFault as fault:
            raise ScorerFault(f"TensorRT: {fault}") from fault
        score = values["score"]
        if not np.isfinite(score).all():
            bad = int(np.flatnonzero(~np.isfinite(score))[0])
            raise ScorerFault(f"TensorRT: score {score[bad]} for crop {bad} of {n}, expected a finite number")
        return {name: np.asarray(value, np.float32) for name, value in values.items()}


def bundle_engine(bundle: Bundle, precision: Precision, rig: Rig) -> CachedEngine:
    """The engine of a bundle's graph on this device, built where the cache lacks it. Raises BundleFault, EngineFault,
    OSError."""
    if precision == "int8-cpu":
        raise BundleFault(f"{bundle.folder}: the int8-cpu graph is for processors; TensorRT takes int8")
    model = bundle.model(precision)
    device = rig.cuda.device
    key = EngineKey(
        model_sha256=hashlib.sha256(model).hexdigest(),
        precision=precision,
        tensorrt=f"{rig.api.name} {rig.api.version}",
        compute_capability=device.compute_capability,
        device=device.name,
        opt_batch=rig.profile.opt,
        max_batch=rig.profile.max,
    )
    settings = BuildSettings(profile=rig.profile)
    return cached_engine(rig.cache_folder, key, lambda timing: build_engine(rig.api, model, settings, timing))


def _compare(where: str, what: str, planned: tuple[TensorPlan, ...], specs: tuple[TensorSpec, ...]) -> None:
    got = {t.name: (str(t.dtype), ["N" if d == -1 else d for d in t.shape]) for t in planned}
    expected = {s.name: (s.dtype, list(s.shape)) for s in specs}
    if got != expected:
        raise BundleFault(f"{where}: engine {what}: the engine has {got}, the contract says {expected}")
