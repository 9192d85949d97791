"""`boardgate engine`: measures the CPU engines and writes the choice, or prepares the one that was named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bundle import BundleFault
from edge.engine_choice import measured_choice
from edge.engine_command import measured, prepared
from edge.scorers import EngineChoice
from export.demo_stations import BUNDLE
from tests.edge.rules_bundle import write_rules_bundle

pytestmark = pytest.mark.sweep


def test_what_was_measured_is_what_the_station_reads(tmp_path: Path) -> None:
    (line,) = measured(BUNDLE, 1, tmp_path / "engine.json", as_json=True)
    found = json.loads(line)
    assert json.loads((tmp_path / "engine.json").read_text()) == found
    choice = measured_choice(tmp_path / "engine.json", [found["bundle_sha256"]], EngineChoice())
    assert (choice.engine, choice.precision, choice.threads) == (found["engine"], found["precision"], 1)
    assert any(trial["us_a_crop"] for trial in found["trials"])


def test_a_named_engine_is_checked_on_its_golden_crops() -> None:
    lines = prepared(BUNDLE, "onnxruntime", "fp32", 1, allow_fallback=False, as_json=False)
    assert any("golden crops agree" in line for line in lines)


def test_tensorrt_without_a_gpu_falls_back_and_says_why() -> None:
    (line,) = prepared(BUNDLE, "tensorrt", "fp32", 1, allow_fallback=True, as_json=True)
    told = json.loads(line)
    assert told["used"]["engine"] in ("onnxruntime", "tensorrt")
    assert told["used"]["engine"] == "tensorrt" or told["refused"][0]["reason"]


@pytest.mark.parametrize(("scorer", "precision"), [("tensorflow", "fp32"), ("onnxruntime", "fp8")])
def test_an_unknown_name_is_told_with_the_known_ones(scorer: str, precision: str) -> None:
    with pytest.raises(BundleFault, match="is not one of"):
        prepared(BUNDLE, scorer, precision, 1, allow_fallback=True, as_json=False)


def test_a_precision_the_bundle_lacks_is_refused(tmp_path: Path) -> None:
    bundle = write_rules_bundle(tmp_path / "rules")
    with pytest.raises(BundleFault, match="has no int8-cpu graph"):
        prepared(bundle, "onnxruntime", "int8-cpu", 1, allow_fallback=True, as_json=False)
