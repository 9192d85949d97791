"""The simulated device that engine tests stand on, and the shipped bundle on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import Bundle, read_bundle
from edge.engine.api import Api, api_of
from edge.engine.builder import BatchProfile, BuildSettings, build_engine
from edge.engine.runner import EngineRunner
from edge.scorers.tensorrt import Rig
from export.demo_stations import BUNDLE
from tests.peers.gpu import SimCuda
from tests.peers.tensorrt import SimTensorRt

PROFILE = BatchProfile(opt=4, max=8)


@dataclass(frozen=True, slots=True)
class Desk:
    """A simulated device with its TensorRT."""

    cuda: SimCuda
    trt: SimTensorRt
    api: Api

    def runner(self, model: bytes, *, use_graphs: bool = True) -> EngineRunner:
        built = build_engine(self.api, model, BuildSettings(profile=PROFILE))
        return EngineRunner(self.api, self.cuda, built.engine, use_graphs=use_graphs)

    def rig(self, cache_folder: Path) -> Rig:
        return Rig(api=self.api, cuda=self.cuda, cache_folder=cache_folder, profile=PROFILE)


def desk(version: str = "11.4.1", capability: tuple[int, int] = (8, 7)) -> Desk:
    """A fresh device; the module is a new one each time, so that nothing is shared between tests."""
    cuda = SimCuda(capability=capability)
    trt = SimTensorRt(cuda, version)
    return Desk(cuda, trt, api_of(trt))


def shipped_bundle() -> Bundle:
    """The bundle of the demo."""
    return read_bundle(BUNDLE)


def small_graph(scale: float = 3.0) -> bytes:
    """(N, 4) float32 `x` to `score` (N,), the sum, and `map` (N, 2, 2), the numbers times `scale`."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis"], ["score"], "sum", keepdims=0),
        helper.make_node("Mul", ["x", "scale"], ["scaled"], "scale"),
        helper.make_node("Reshape", ["scaled", "shape"], ["map"], "fold"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 2, 2]),
        ],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(np.array([scale], np.float32), "scale"),
            numpy_helper.from_array(np.array([-1, 2, 2], np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def rows(n: int, seed: int = 0) -> NDArray[np.float32]:
    """(n, 4) float32."""
    return np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)


def renamed(model: bytes, op: str, new: str) -> bytes:
    """The graph with an operator exchanged by name, for graphs that a parser must refuse."""
    proto = onnx.load_from_string(model)
    for node in proto.graph.node:
        if node.op_type == op:
            node.op_type = new
    return bytes(proto.SerializeToString())
