"""The TensorRT scorer on a simulated device: the bundle's own scores, or a fault, and what comes after a fault."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle, BundleFault
from edge.engine import fallback
from edge.engine import prepare as prepare_module
from edge.engine.fallback import fallback_order, load_with_fallback
from edge.engine.faults import NoDevice
from edge.engine.prepare import prepare
from edge.scorers import Scorer, ScorerFault, check_golden, checked_scores
from edge.scorers import tensorrt as scorer_module
from edge.scorers.choice import EngineChoice
from edge.scorers.onnxruntime import OnnxRuntimeScorer
from edge.scorers.tensorrt import TensorRtScorer
from edge.thresholds import Precision
from export.demo_stations import BUNDLE
from tests.edge.engine_rig import Desk, desk, renamed, shipped_bundle
from tests.peers.gpu import no_device
from tests.peers.tensorrt import Behaviour

pytestmark = pytest.mark.unit

FP32 = EngineChoice(engine="tensorrt", precision="fp32", threads=1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The shipped one with its FP32 graph alone."""
    shipped = shipped_bundle()
    return dataclasses.replace(
        shipped,
        manifest=shipped.manifest.model_copy(update={"graphs": {"fp32": shipped.manifest.graphs["fp32"]}}),
        thresholds=shipped.thresholds.model_copy(update={"precisions": {"fp32": shipped.threshold()}}),
        models={"fp32": shipped.model()},
        golden_scores={"fp32": shipped.golden_score()},
    )


def with_graphs(bundle: Bundle, **models: bytes) -> Bundle:
    """The bundle with more precisions, which score as FP32 does and have thresholds of their own."""
    names: dict[str, Precision] = {"fp16": "fp16", "int8": "int8"}
    graphs, thresholds = dict(bundle.manifest.graphs), dict(bundle.thresholds.precisions)
    for name in models:
        record = bundle.manifest.graphs["fp32"].model_copy(update={"file": f"model.{name}.onnx"})
        graphs[names[name]] = record
        thresholds[names[name]] = thresholds["fp32"]
    return dataclasses.replace(
        bundle,
        manifest=bundle.manifest.model_copy(update={"graphs": graphs}),
        thresholds=bundle.thresholds.model_copy(update={"precisions": thresholds}),
        models={**bundle.models, **{names[n]: m for n, m in models.items()}},
        golden_scores=dict.fromkeys(("fp32", *(names[n] for n in models)), bundle.golden_score()),
    )


def loader(at: Desk, cache: Path) -> fallback.Callable[[Bundle, EngineChoice], Scorer]:
    """`load_scorer` with the simulated device under TensorRT."""

    def load(bundle: Bundle, choice: EngineChoice) -> Scorer:
        precision = bundle.has(choice.precision)
        scorer: Scorer
        if choice.engine == "tensorrt":
            scorer = TensorRtScorer(bundle, choice, at.rig(cache))
        else:
            scorer = OnnxRuntimeScorer(bundle, choice)
        check_golden(bundle, scorer, precision)
        return scorer

    return load


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_scores_and_maps_are_those_of_the_graph(bundle: Bundle, tmp_path: Path, version: str) -> None:
    at = desk(version)
    scorer = TensorRtScorer(bundle, FP32, at.rig(tmp_path))
    check_golden(bundle, scorer)
    expected = OnnxRuntimeScorer(bundle, EngineChoice(threads=1))
    crops = np.concatenate([bundle.golden_batch] * 3)[:19]  # two chunks of 8 and a rest of 3
    got, wanted = checked_scores(scorer, crops), checked_scores(expected, crops)
    np.testing.assert_allclose(got.score, wanted.score, rtol=1e-4)
    assert got.map is not None
    assert wanted.map is not None
    np.testing.assert_allclose(got.map, wanted.map, atol=1e-5)
    assert scorer.runner.graphs == (8, 3)
    scorer.close()
    assert set(at.cuda.live.values()) == {0}


def test_maps_that_nobody_asked_for_stay_on_the_device(bundle: Bundle, tmp_path: Path) -> None:
    at = desk()
    scorer = TensorRtScorer(bundle, dataclasses.replace(FP32, maps=False), at.rig(tmp_path))
    batch = scorer.score(bundle.golden_batch[:8])
    score, heat = batch.score, batch.map
    assert heat is None
    np.testing.assert_allclose(score, bundle.golden_score()[:8], rtol=1e-3)
    assert at.cuda.calls["copy_out"] == 3  # the score alone: plain, before the capture, in the capture


def test_a_result_does_not_change_with_the_next_board(bundle: Bundle, tmp_path: Path) -> None:
    scorer = TensorRtScorer(bundle, FP32, desk().rig(tmp_path))
    batch = scorer.score(bundle.golden_batch[:4])
    score, heat = batch.score, batch.map
    assert heat is not None
    kept = score.copy(), heat.copy()
    scorer.score(bundle.golden_batch[4:8])
    np.testing.assert_array_equal(score, kept[0])
    np.testing.assert_array_equal(heat, kept[1])


def test_the_engine_is_built_once_for_a_device(bundle: Bundle, tmp_path: Path) -> None:
    at = desk()
    reasons = [TensorRtScorer(bundle, FP32, at.rig(tmp_path)).cached.rebuilt for _ in range(2)]
    assert (at.trt.builds, reasons[1]) == (1, "")
    for other in (desk("10.3.0"), desk(capability=(8, 9))):
        assert TensorRtScorer(bundle, FP32, other.rig(tmp_path)).cached.rebuilt
        assert other.trt.builds == 1


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Behaviour.RETURNS_FALSE, "execute_async_v3 returned false"),
        (Behaviour.SILENT, "score nan for crop 0 of 8, expected a finite number"),
        (Behaviour.NAN, "score nan for crop 0 of 8"),
    ],
)
def test_an_engine_that_fails_on_the_line_is_a_scorer_fault(
    bundle: Bundle, tmp_path: Path, behaviour: Behaviour, said: str
) -> None:
    at = desk()
    scorer = TensorRtScorer(bundle, FP32, at.rig(tmp_path))
    crops = bundle.golden_batch[:8]
    if behaviour is not Behaviour.RETURNS_FALSE:  # a replayed graph asks TensorRT nothing
        scorer.score(crops)
    at.trt.behaviour = behaviour
    with pytest.raises(ScorerFault, match=said):
        checked_scores(scorer, crops)


def test_a_copy_that_fails_is_a_scorer_fault(bundle: Bundle, tmp_path: Path) -> None:
    at = desk()
    scorer = TensorRtScorer(bundle, FP32, at.rig(tmp_path))
    at.cuda.fail_at["copy_out"] = 1
    with pytest.raises(ScorerFault, match="copy_out: simulated failure"):
        checked_scores(scorer, bundle.golden_batch)


def test_nothing_to_score_is_a_fault(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ScorerFault, match="no crops"):
        TensorRtScorer(bundle, FP32, desk().rig(tmp_path)).score(bundle.golden_batch[:0])


def test_an_engine_that_is_not_the_contracts(bundle: Bundle, tmp_path: Path) -> None:
    spec = bundle.manifest.contract.inputs[0].model_copy(update={"name": "pixels"})
    contract = bundle.manifest.contract.model_copy(update={"inputs": (spec,)})
    other = dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update={"contract": contract}))
    with pytest.raises(BundleFault, match=r"the engine has .*crops.*the contract says .*pixels"):
        TensorRtScorer(other, FP32, desk().rig(tmp_path))


def test_the_graph_for_processors_is_not_for_tensorrt(bundle: Bundle, tmp_path: Path) -> None:
    choice = EngineChoice(engine="tensorrt", precision="int8-cpu", threads=1)
    with pytest.raises(BundleFault, match="int8-cpu graph is for processors"):
        TensorRtScorer(bundle, choice, desk().rig(tmp_path))


def test_no_device_is_one_clear_fault(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_module, "find_cuda", no_device)
    with pytest.raises(BundleFault, match="no CUDA device") as raised:
        TensorRtScorer(bundle, FP32)
    assert isinstance(raised.value.__cause__, NoDevice)


def test_the_order_of_falling_back() -> None:
    int8 = EngineChoice(engine="tensorrt", precision="int8", threads=3)
    steps = [(c.engine, c.precision, c.threads) for c in fallback_order(int8)]
    assert steps == [
        ("tensorrt", "int8", 3),
        ("tensorrt", "fp16", 3),
        ("tensorrt", "fp32", 3),
        ("onnxruntime", "fp32", 3),
    ]
    assert list(fallback_order(EngineChoice())) == [EngineChoice()]


def test_int8_that_fails_on_this_chip_falls_back(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As #4832: the INT8 graph is refused here; the FP16 one has a node that TensorRT does not know."""
    plain = bundle.model()
    more = with_graphs(bundle, int8=plain, fp16=renamed(plain, "Relu", "Resize"))
    at = desk()
    at.trt.refuses = lambda model: "Assertion failed: dequantize on sm_87" if at.trt.builds == 1 else ""
    loaded = load_with_fallback(
        more, EngineChoice(engine="tensorrt", precision="int8", threads=1), load=loader(at, tmp_path)
    )
    assert (loaded.choice.engine, loaded.choice.precision) == ("tensorrt", "fp32")
    int8, fp16 = loaded.refused
    assert "dequantize on sm_87" in int8.reason
    assert "refuses the graph" in fp16.reason
    assert caplog.text.count("refused") >= 2
    assert checked_scores(loaded.scorer, more.golden_batch).score.shape == (len(more.golden_batch),)


def test_wrong_scores_on_this_chip_fall_back_to_the_processor(bundle: Bundle, tmp_path: Path) -> None:
    at = desk()
    at.trt.behaviour = Behaviour.WRONG
    loaded = load_with_fallback(bundle, FP32, load=loader(at, tmp_path))
    assert loaded.choice == EngineChoice(engine="onnxruntime", precision="fp32", threads=1)
    (refused,) = loaded.refused
    assert "allowed difference" in refused.reason


def test_no_device_is_told_once_and_nothing_else_is_tried_there(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer_module, "find_cuda", no_device)
    more = with_graphs(bundle, int8=bundle.model(), fp16=bundle.model())

    def load(bundle: Bundle, choice: EngineChoice) -> Scorer:
        kind = TensorRtScorer if choice.engine == "tensorrt" else OnnxRuntimeScorer
        return kind(bundle, choice)

    loaded = load_with_fallback(more, EngineChoice(engine="tensorrt", precision="int8", threads=1), load=load)
    assert loaded.choice.engine == "onnxruntime"
    assert [r.choice.precision for r in loaded.refused] == ["int8"]


def test_a_precision_the_bundle_lacks_is_said_with_the_workshops_reason(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest.model_copy(update={"refused": {"int8": "3 of 120 defects lost"}})
    loaded = load_with_fallback(
        dataclasses.replace(bundle, manifest=manifest),
        EngineChoice(engine="tensorrt", precision="int8", threads=1),
        load=loader(desk(), tmp_path),
    )
    assert [r.choice.precision for r in loaded.refused] == ["int8", "fp16"]
    assert "3 of 120 defects lost" in loaded.refused[0].reason


def test_where_falling_back_is_not_allowed_the_fault_stays(bundle: Bundle, tmp_path: Path) -> None:
    at = desk()
    at.trt.behaviour = Behaviour.NAN
    with pytest.raises(BundleFault, match=r"tensorrt fp32: .*score nan"):
        load_with_fallback(bundle, FP32, allowed=False, load=loader(at, tmp_path))


def test_made_ready_before_a_station_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "TIMING_ROUNDS", 3)
    load = loader(desk(), tmp_path)
    first, second = (prepare(BUNDLE, FP32, load=load) for _ in range(2))
    assert first.used == FP32
    assert first.engine_file == second.engine_file
    assert (first.built_because, second.built_because) == ("there is none yet", "")
    assert [line.split()[0] for line in first.lines()] == ["runs", "engine", "speed"]
    assert first.p50_ms > 0
    assert json.loads(json.dumps(second.to_json()))["engine_file"] == str(first.engine_file)


def test_made_ready_on_a_machine_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_module, "find_cuda", no_device)
    monkeypatch.setattr(prepare_module, "TIMING_ROUNDS", 3)

    def load(bundle: Bundle, choice: EngineChoice) -> Scorer:
        kind = TensorRtScorer if choice.engine == "tensorrt" else OnnxRuntimeScorer
        return kind(bundle, choice)

    ready = prepare(BUNDLE, FP32, load=load)
    assert (ready.used.engine, ready.engine_file) == ("onnxruntime", None)
    assert "no CUDA device" in ready.lines()[0]
    with pytest.raises(BundleFault, match="no CUDA device"):
        prepare(BUNDLE, FP32, allow_fallback=False, load=load)
