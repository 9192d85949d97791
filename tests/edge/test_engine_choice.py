"""Which engine a device uses: measured, never slower than the default for nothing, and never in the way of a board."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest

from edge import engine_choice
from edge.bundle import read_bundle
from edge.engine_choice import EngineFile, fastest, measure_engines, measured_choice, write_engine_file
from edge.scorers import EngineChoice
from export.demo_stations import BUNDLE

pytestmark = pytest.mark.unit

DEFAULT = EngineChoice(threads=1, maps=False)
MEASURED = EngineFile(bundle_sha256="b" * 64, engine="openvino", precision="int8-cpu", threads=3, trials=())


def test_the_default_stays_unless_another_is_clearly_faster() -> None:
    assert fastest({("onnxruntime", "fp32"): 100.0, ("openvino", "fp32"): 91.0}) == ("onnxruntime", "fp32")
    assert fastest({("onnxruntime", "fp32"): 100.0, ("openvino", "fp32"): 89.0}) == ("openvino", "fp32")
    us = {("onnxruntime", "fp32"): 100.0, ("openvino", "fp32"): 80.0, ("openvino", "int8-cpu"): 40.0}
    assert fastest(us) == ("openvino", "int8-cpu")  # type: ignore[arg-type]


def test_every_engine_and_precision_of_the_bundle_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_choice, "ROUNDS", 2)
    monkeypatch.setattr(engine_choice, "BOARD_CROPS", 16)
    bundle = read_bundle(BUNDLE)
    measured = measure_engines(bundle, threads=1)
    precisions = {p for p in ("fp32", "int8-cpu") if p in bundle.manifest.graphs}
    assert {(t.engine, t.precision) for t in measured.trials} == {
        (e, p) for e in ("onnxruntime", "openvino") for p in precisions
    }
    for trial in measured.trials:
        assert (trial.us_a_crop is None) == bool(trial.refused)
    assert measured.bundle_sha256 == bundle.sha256


def test_what_was_measured_is_used_for_its_own_bundle_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "engine.json"
    write_engine_file(file, MEASURED)
    expected = dataclasses.replace(DEFAULT, engine="openvino", precision="int8-cpu", threads=3)
    assert measured_choice(file, ["b" * 64], DEFAULT) == expected
    with caplog.at_level(logging.WARNING):
        assert measured_choice(file, ["c" * 64], DEFAULT) == DEFAULT
        assert measured_choice(file, ["b" * 64, "c" * 64], DEFAULT) == DEFAULT
    assert "boardgate engine" in caplog.text


@pytest.mark.parametrize("content", [None, "", "{}", '{"engine": "openvino"}', "\x00"])
def test_a_file_that_cannot_be_read_holds_no_board(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "engine.json"
    if content is not None:
        file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert measured_choice(file, ["b" * 64], DEFAULT) == DEFAULT
    assert "onnxruntime fp32 is used" in caplog.text
