"""The engine's run, against a simulated device that does its work late and refuses what CUDA refuses."""

from __future__ import annotations

import numpy as np
import pytest

from edge.engine.builder import BatchProfile, BuildSettings, build_engine
from edge.engine.faults import CudaFault, EngineFault
from edge.engine.plan import ALIGNMENT_BYTES, plan_buffers
from edge.engine.runner import MAX_GRAPHS, EngineRunner
from tests.edge.engine_rig import PROFILE, desk, rows, small_graph
from tests.peers.tensorrt import Behaviour

pytestmark = pytest.mark.unit


def test_the_plan_is_the_engines_own_table() -> None:
    at = desk()
    engine = at.trt.Runtime(at.api.logger).deserialize_cuda_engine(
        build_engine(at.api, small_graph(), BuildSettings(profile=PROFILE)).engine
    )
    plan = plan_buffers(engine)
    assert plan.max_batch == PROFILE.max
    assert [(t.name, t.is_input, t.shape, t.row_bytes) for t in plan.tensors] == [
        ("x", True, (-1, 4), 16),
        ("score", False, (-1,), 4),
        ("map", False, (-1, 2, 2), 16),
    ]
    ends = 0
    for tensor in plan.tensors:
        assert tensor.offset_bytes % ALIGNMENT_BYTES == 0
        assert tensor.offset_bytes >= ends
        ends = tensor.offset_bytes + tensor.bytes_at(plan.max_batch)
    assert ends <= plan.size_bytes < ends + ALIGNMENT_BYTES


@pytest.mark.parametrize("version", ["10.3.0", "10.16.2", "11.4.1"])
@pytest.mark.parametrize("use_graphs", [True, False])
def test_every_batch_gives_its_own_numbers(version: str, use_graphs: bool) -> None:
    runner = desk(version).runner(small_graph(), use_graphs=use_graphs)
    for seed, n in enumerate([1, 8, 3, 8, 1, 3, 5, 6, 7, 2, 8]):
        x = rows(n, seed)
        got = runner.run({"x": x})
        np.testing.assert_allclose(got["score"], x.sum(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got["map"], 3 * x.reshape(n, 2, 2), rtol=1e-6)
    assert len(runner.graphs) == (MAX_GRAPHS if use_graphs else 0)


def test_a_known_batch_is_one_replay_and_takes_no_memory() -> None:
    at = desk()
    runner = at.runner(small_graph())
    runner.run({"x": rows(4)})
    before, live = dict(at.cuda.calls), at.cuda.live
    for seed in range(20):
        runner.run({"x": rows(4, seed)})
    made = {name: at.cuda.calls[name] - before.get(name, 0) for name in at.cuda.calls}
    assert {name: n for name, n in made.items() if n} == {"replay": 20, "wait": 20}
    assert at.cuda.live == live


def test_what_is_taken_is_given_back() -> None:
    at = desk()
    runner = at.runner(small_graph())
    for n in (1, 2, 3):
        runner.run({"x": rows(n)})
    assert at.cuda.live["graphs"] == 3
    runner.time_ms(2, rounds=3)
    runner.close()
    assert set(at.cuda.live.values()) == {0}


@pytest.mark.parametrize("call", ["allocate", "pinned", "create_stream"])
def test_memory_that_is_not_there_leaves_nothing_behind(call: str) -> None:
    at = desk()
    at.cuda.fail_at[call] = 1
    with pytest.raises(CudaFault, match="simulated failure"):
        at.runner(small_graph())
    assert set(at.cuda.live.values()) == {0}


@pytest.mark.parametrize("call", ["copy_in", "fill", "copy_out", "wait", "replay"])
def test_a_call_that_fails_is_a_fault_and_the_next_run_is_right(call: str) -> None:
    at = desk()
    runner = at.runner(small_graph())
    runner.run({"x": rows(4)})
    at.cuda.fail_at[call] = at.cuda.calls.get(call, 0) + 1
    n = 4 if call in {"wait", "replay"} else 5
    with pytest.raises(CudaFault, match="simulated failure"):
        runner.run({"x": rows(n, 1)})
    for n in (5, 4):
        x = rows(n, 2)
        np.testing.assert_allclose(runner.run({"x": x})["score"], x.sum(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("call", ["copy_in", "fill", "copy_out"])
def test_after_a_fault_the_context_has_no_shape_that_is_believed(call: str) -> None:
    """A smaller batch fails half way; the larger one that comes next must not run at the smaller one's shape."""
    at = desk()
    runner = at.runner(small_graph(), use_graphs=False)
    runner.run({"x": rows(4)})
    at.cuda.fail_at[call] = at.cuda.calls[call] + 1
    with pytest.raises(CudaFault):
        runner.run({"x": rows(2)})
    x = rows(4, 1)
    np.testing.assert_allclose(runner.run({"x": x})["score"], x.sum(axis=1), rtol=1e-5, atol=1e-6)


def test_an_engine_that_says_no() -> None:
    at = desk()
    runner = at.runner(small_graph())
    at.trt.behaviour = Behaviour.RETURNS_FALSE
    with pytest.raises(EngineFault, match="execute_async_v3 returned false at batch 4"):
        runner.run({"x": rows(4)})


@pytest.mark.parametrize("use_graphs", [True, False])
def test_an_engine_that_writes_nothing_never_gives_the_last_boards_scores(use_graphs: bool) -> None:
    at = desk()
    runner = at.runner(small_graph(), use_graphs=use_graphs)
    for _ in range(2):
        assert np.isfinite(runner.run({"x": rows(4)})["score"]).all()
    at.trt.behaviour = Behaviour.SILENT
    got = runner.run({"x": rows(4)})
    assert np.isnan(got["score"]).all()
    assert np.isnan(got["map"]).all()


def test_a_graph_that_cannot_be_captured_runs_without(caplog: pytest.LogCaptureFixture) -> None:
    at = desk()
    at.trt.behaviour = Behaviour.NOT_CAPTURABLE
    runner = at.runner(small_graph())
    for seed in range(3):
        x = rows(4, seed)
        np.testing.assert_allclose(runner.run({"x": x})["score"], x.sum(axis=1), rtol=1e-5, atol=1e-6)
    assert runner.graphs == ()
    assert caplog.text.count("without CUDA graphs") == 1


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"x": rows(9)}, "batch of 9, the engine takes 1 to 8"),
        ({"x": rows(4)[:0]}, "the engine takes 1 to 8"),
        ({"x": rows(4).astype(np.float64)}, r"x: float64 \(4, 4\), the engine takes float32 \(4, 4\)"),
        ({"x": rows(4)[:, :3]}, r"x: float32 \(4, 3\), the engine takes float32 \(4, 4\)"),
        ({"y": rows(4)}, r"inputs \['y'\], the engine takes \['x'\]"),
    ],
)
def test_inputs_that_are_not_the_engines(inputs: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(EngineFault, match=said):
        desk().runner(small_graph()).run(inputs)


def test_time_is_the_devices() -> None:
    runner = desk().runner(small_graph())
    runner.run({"x": rows(4)})
    times = runner.time_ms(4, rounds=5)
    assert times.shape == (5,)
    assert len(set(times)) == 1  # each replay is the same work on the simulated device
    assert times[0] > 0


def test_a_corrupt_engine_and_one_of_another_version_are_refused() -> None:
    at = desk()
    engine = build_engine(at.api, small_graph(), BuildSettings(profile=PROFILE)).engine
    with pytest.raises(EngineFault, match="does not load the engine: magic tag"):
        EngineRunner(at.api, at.cuda, b"x" + engine[1:])
    other = desk("10.3.0")
    with pytest.raises(EngineFault, match=r"built by version 11\.4\.1"):
        EngineRunner(other.api, other.cuda, engine)
    assert set(other.cuda.live.values()) == {0}


@pytest.mark.parametrize(("opt", "largest"), [(0, 4), (5, 4), (1, 5000)])
def test_batch_profiles_that_make_no_sense(opt: int, largest: int) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        BatchProfile(opt=opt, max=largest)
