"""`make gpu-check` on the simulated device: what it finds wrong, what it leaves out by name, and its exit status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.gpu_check import EXIT_NOT_ON_A_GPU, EXIT_WRONG, check, exit_code, find_cudas, tables, wrong_rows
from benchmarks.gpu_measure import engine_row, seam_row
from benchmarks.gpu_subjects import Subject, bundle_subject
from edge.engine.cuda import Cuda
from edge.engine.faults import NoDevice
from edge.thresholds import Precision
from export.demo_stations import BUNDLE
from tests.edge.engine_rig import Desk, desk
from tests.peers.gpu import SimCuda
from tests.peers.tensorrt import Behaviour

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def subject() -> Subject:
    return bundle_subject(BUNDLE)


def checked(subject: Subject, at: Desk | None, api: Callable[[], Any] | None = None) -> dict[str, Any]:
    cudas: list[Cuda] = [] if at is None else [at.cuda]
    why = "needs_gpu: no CUDA device" if at is None else ""
    return check(
        [subject],
        [BUNDLE],
        cudas=lambda: (cudas, why),
        api=api or (lambda: at.api if at is not None else pytest.fail("no device, so no TensorRT")),
        rounds=3,
    )


def test_a_good_device(subject: Subject) -> None:
    report = checked(subject, desk())
    assert exit_code(report) == 0, wrong_rows(report)
    (row,) = [r for r in report["engines"] if r["engine"] == "TensorRT 11.4.1" and r["precision"] == "fp32"]
    assert row["verdict_agreement_frac"] == 1.0
    assert row["spearman"] > 0.999
    assert {"first", "p50", "p99", "max"} <= row["device_ms"]["50"].keys()
    assert row["device_ms"].keys() == {"1", "50"}
    assert set(row["graphs"]) >= {1, 50}
    assert len(tables(report)) == 2
    json.dumps(report)


@pytest.mark.parametrize("behaviour", [Behaviour.WRONG, Behaviour.NAN, Behaviour.SILENT, Behaviour.RETURNS_FALSE])
def test_a_device_that_computes_wrongly_is_found(subject: Subject, behaviour: Behaviour) -> None:
    at = desk()
    at.trt.behaviour = behaviour
    report = checked(subject, at)
    assert exit_code(report) == EXIT_WRONG
    assert {row["engine"] for row in wrong_rows(report)} == {"TensorRT 11.4.1"}
    assert set(at.cuda.live.values()) == {0}


def test_no_gpu_is_said_by_name_and_the_rest_is_checked(subject: Subject) -> None:
    report = checked(subject, None)
    assert exit_code(report) == EXIT_NOT_ON_A_GPU
    assert report["not_on_a_gpu"].startswith("needs_gpu")
    names = {row["check"] for row in report["engine_free"]}
    assert {"onnx", "golden on the processor"} <= names
    assert report["engines"] == []


def test_a_gpu_without_tensorrt(subject: Subject) -> None:
    def missing() -> Any:
        raise NoDevice("tensorrt is not installed")

    report = checked(subject, desk(), missing)
    assert exit_code(report) == EXIT_NOT_ON_A_GPU
    assert report["not_on_a_gpu"] == "needs_tensorrt: tensorrt is not installed"
    assert report["seam"][0]["ok"]
    assert {row["skipped"] for row in report["engines"] if row["precision"] == "fp32"} == {
        "needs_onnxruntime_cuda",
        "a bundle holds no torch network",
    }


def test_a_precision_that_is_not_there_is_skipped_with_its_reason(subject: Subject) -> None:
    at = desk()
    missing: dict[Precision, str] = {"int8": "not in the bundle"}
    alone = dataclasses.replace(subject, models={"fp32": subject.models["fp32"]}, missing=missing)
    row = engine_row(at.api, at.cuda, alone, "int8", rounds=3)
    assert (row["ok"], row["skipped"]) == (True, "not in the bundle")
    assert at.trt.builds == 0


def test_the_seam_is_measured_and_its_faults_are_rows() -> None:
    sim = SimCuda()
    row = seam_row(sim)
    assert (row["ok"], row["came_back"], row["filled"]) == (True, True, True)
    sim.fail_at["replay"] = sim.calls["replay"] + 1
    assert "simulated failure" in seam_row(sim)["fault"]
    assert {k: v for k, v in sim.live.items() if k != "graphs"} == {"memory": 0, "pinned": 0, "streams": 0, "events": 0}


def test_this_machine_says_what_it_lacks() -> None:
    found, why = find_cudas()
    assert bool(found) != bool(why)
    if not found:
        assert "needs_gpu" in why
