"""`boardgate parity`: a planted wrong layer is named, flips are found and shown, and sound graphs part nowhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from rich.console import Console

from edge.bundle import read_bundle
from export.demo_stations import BUNDLE
from export.parity import sides as sides_module
from export.parity.layers import compare_layers, counterparts, float_layers, observed
from export.parity.pictures import picture
from export.parity.report import BOUNDS, Comparison, ParityRequest, compare, tables
from export.parity.sides import ParityFault, Run, Side, runner, side_against, side_of
from tests.export.helpers import write_joint_set

pytestmark = pytest.mark.sweep

PLANTED = "net.features.6.weight"  # feeds the third convolution


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joint_set(tmp_path_factory.mktemp("data") / "joints")


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.4, (4, 3, 64, 64)).astype(np.float32)


def planted(model: bytes, factor: float = 1.2, name: str = PLANTED) -> bytes:
    """The graph with one layer's weights scaled."""
    proto = onnx.load_from_string(model)
    tensor = next(t for t in proto.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), name))
    return bytes(proto.SerializeToString())


def bundle_with(folder: Path, *, model: bytes | None = None, threshold: float | None = None) -> Path:
    """The demo's bundle with another graph or threshold, its hashes right again."""
    shutil.copytree(BUNDLE, folder)
    if model is not None:
        (folder / "model.onnx").write_bytes(model)
    if threshold is not None:
        _edit(folder / "thresholds.json", lambda d: d["precisions"]["fp32"].update(value=threshold))
    _seal(folder)
    return folder


def bundle_with_int8(folder: Path, model: bytes) -> Path:
    """The demo's bundle with a second precision."""
    shutil.copytree(BUNDLE, folder)
    (folder / "model.int8-cpu.onnx").write_bytes(model)
    shutil.copy(folder / "golden/score.npy", folder / "golden/score.int8-cpu.npy")

    def add(manifest: dict[str, Any]) -> None:
        manifest["graphs"]["int8-cpu"] = {**manifest["graphs"]["fp32"], "file": "model.int8-cpu.onnx"}
        manifest["files"] |= {"model.int8-cpu.onnx": "", "golden/score.int8-cpu.npy": ""}

    _edit(folder / "manifest.json", add)
    _edit(folder / "thresholds.json", lambda d: d["precisions"].update({"int8-cpu": d["precisions"]["fp32"]}))
    _seal(folder)
    return folder


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _seal(folder: Path) -> None:
    def rehash(manifest: dict[str, Any]) -> None:
        for name in manifest["files"]:
            manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()

    _edit(folder / "manifest.json", rehash)
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    (folder / "bundle.sha256").write_text(digest + "\n")


def asked(data: Path, against: str | None, **changes: Any) -> Comparison:
    return compare(ParityRequest(bundle=BUNDLE, data=data, table="joints.csv", against=against, **changes))


def sides(other: bytes, engine: sides_module.Engine = "onnxruntime") -> tuple[Side, Side]:
    ours = side_of(read_bundle(BUNDLE))
    return ours, dataclasses.replace(ours, model=other, engine=engine)


def test_a_planted_layer_is_named(data: Path, tmp_path: Path) -> None:
    other = bundle_with(tmp_path / "other", model=planted(read_bundle(BUNDLE).model()))
    found = asked(data, str(other))
    first = found.layers.first
    assert first is not None
    assert (first.layer.name, first.layer.operator, first.layer.scope) == ("conv2d_2", "Conv", "net.features.6")
    assert first.inherited < BOUNDS["fp32"] < first.relative_rms
    assert first.relative_rms == pytest.approx(0.2, abs=0.1)
    assert found.parted
    text = _text(found)
    assert "first layer apart: conv2d_2 (Conv of net.features.6)" in text


def test_the_next_layer_is_named_when_that_one_is_right(inputs: np.ndarray) -> None:
    """Shift the fault and the answer shifts with it."""
    model = read_bundle(BUNDLE).model()
    for weight, layer in (("net.features.0.weight", "conv2d"), ("net.features.12.weight", "conv2d_4")):
        report = compare_layers(*sides(planted(model, name=weight)), inputs, BOUNDS["fp32"])
        assert report.first is not None
        assert report.first.layer.name == layer
        assert report.steepest is not None


@pytest.mark.parametrize("against", ["unoptimised", pytest.param("openvino", marks=pytest.mark.needs_openvino)])
def test_engines_that_agree_part_nowhere(data: Path, against: str) -> None:
    found = asked(data, against)
    assert found.layers.first is None
    assert not found.parted
    assert found.verdicts.agreement.verdict_agreement_frac == 1.0
    assert found.verdicts.flips == ()
    assert found.verdicts.shown
    assert "no layer parts" in _text(found)


def test_flips_are_listed_and_pictured(data: Path, tmp_path: Path) -> None:
    """Only the threshold differs, so verdicts flip and no layer parts."""
    bundle = read_bundle(BUNDLE)
    other = bundle_with(tmp_path / "other", threshold=2.5)
    found = asked(data, str(other), most_shown=3)
    assert found.layers.first is None
    assert found.verdicts.flips
    for flip in found.verdicts.flips:
        assert flip.is_flip
        assert bundle.threshold().value < flip.scores[0] <= 2.5
        assert flip.called == (True, False)
    assert len(found.verdicts.shown) == min(3, len(found.verdicts.flips))
    assert len(found.crops) == len(found.verdicts.shown)
    image = cv2.imdecode(np.frombuffer(picture(found), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert min(image.shape[:2]) > 100
    assert image.std() > 10


def test_the_json_says_the_same_twice(data: Path, tmp_path: Path) -> None:
    other = bundle_with(tmp_path / "other", model=planted(read_bundle(BUNDLE).model(), 3.0))
    found = asked(data, str(other))
    written = json.loads(json.dumps(found.to_json()))
    assert written["first_layer_above_bound"]["name"] == "conv2d_2"
    assert len(written["layers"]) == len(found.layers.errors)
    assert len(written["flips"]) == len(found.verdicts.flips)
    agreement = written["agreement"]
    assert agreement["verdict_agreement_frac"] == pytest.approx(1 - len(written["flips"]) / agreement["n"])


def test_int8_is_compared_by_what_its_readers_read(inputs: np.ndarray) -> None:
    """ONNX Runtime's quantiser leaves a Relu out where its clipping is in the range; its tensor is then the sum."""
    quantize = pytest.importorskip("export.quantize.cpu")
    graph = pytest.importorskip("export.quantize.graph")
    ranges = pytest.importorskip("export.quantize.ranges")
    model = read_bundle(BUNDLE).model()
    layers = graph.quantisable_layers(graph.load_typed(model))
    made = quantize.int8_cpu_graph(model, ranges.ranges_by("min-max", ranges.measure(model, inputs)), layers)
    assert counterparts(made)["relu"] == "relu_DequantizeLinear_Output"
    assert counterparts(model)["relu"] == "relu"
    report = compare_layers(*sides(made), inputs, BOUNDS["int8-cpu"])
    assert report.first is None
    assert max(e.relative_rms for e in report.errors) > 1e-3


def test_the_bundles_own_second_precision_is_the_first_thing_compared(data: Path, tmp_path: Path) -> None:
    folder = bundle_with_int8(tmp_path / "two", planted(read_bundle(BUNDLE).model(), 9.0))
    unsaid = compare(ParityRequest(bundle=folder, data=data, table="joints.csv"))
    assert unsaid.sides[1].label == "onnxruntime fp16"
    found = compare(ParityRequest(bundle=folder, data=data, table="joints.csv", against="int8-cpu"))
    assert found.sides[1].label == "onnxruntime int8-cpu"
    assert found.layers.bound == BOUNDS["int8-cpu"]
    assert found.layers.first is not None
    assert found.layers.first.layer.name == "conv2d_2"


def test_a_fault_that_hides_when_it_is_looked_at(inputs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that fuses wrongly, and not where every tensor has to be given: layers are then looked at singly."""
    wrong = planted(read_bundle(BUNDLE).model(), 2.0)

    def fusing(side: Side, model: bytes) -> Run:
        names = [o.name for o in onnx.load_from_string(model).graph.output]
        honest = len(names) > 4
        return runner(dataclasses.replace(side, engine="unoptimised"), model if honest else observed(wrong, names))

    monkeypatch.setitem(sides_module._RUNNERS, "openvino", fusing)
    report = compare_layers(*sides(read_bundle(BUNDLE).model(), "openvino"), inputs, BOUNDS["fp32"])
    assert report.looked_at == "one at a time"
    assert report.first is not None
    assert report.first.layer.name == "conv2d_2"


def test_a_layer_of_nan_is_infinitely_far(inputs: np.ndarray) -> None:
    report = compare_layers(*sides(planted(read_bundle(BUNDLE).model(), float("nan"))), inputs, BOUNDS["int8"])
    assert report.first is not None
    assert (report.first.layer.name, report.first.relative_rms) == ("conv2d_2", float("inf"))


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("int9", "neither a precision .*nor an engine .*nor a bundle's folder"),
        ("openvino:int9", "precision 'int9': expected one of"),
    ],
)
def test_what_cannot_be_compared_is_said(against: str, said: str) -> None:
    with pytest.raises(ParityFault, match=said):
        side_against(read_bundle(BUNDLE), against)


def test_tensorrt_without_a_device_is_one_clear_fault(data: Path) -> None:
    with pytest.raises(ParityFault, match="tensorrt fp32: no CUDA device"):
        asked(data, "tensorrt")


def test_two_graphs_with_nothing_in_common(inputs: np.ndarray) -> None:
    proto = onnx.load_from_string(read_bundle(BUNDLE).model())
    names = {n: f"{n}_other" for node in proto.graph.node for n in node.output}
    for node in proto.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in (*proto.graph.output, *proto.graph.value_info):
        value.name = names.get(value.name, value.name)
    with pytest.raises(ParityFault, match="no layer of one name"):
        compare_layers(*sides(proto.SerializeToString()), inputs, 1e-4)


def test_layers_are_the_float_tensors_in_order() -> None:
    layers = list(float_layers(read_bundle(BUNDLE).model()).values())
    assert [layer.name for layer in layers[:4]] == ["conv2d", "relu", "conv2d_1", "relu_1"]
    assert {layers[-1].name, layers[-2].name} & {"score", "map"}
    with pytest.raises(ParityFault, match=r"no tensors \['nowhere'\]"):
        observed(read_bundle(BUNDLE).model(), ["nowhere"])


def _text(found: Comparison) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(tables(found))
    return captured.get()
