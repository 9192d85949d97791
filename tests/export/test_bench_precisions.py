"""`boardgate bench precisions`: what a manifest says, what nobody asked for, and what is judged now on a bundle's own
data."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import precisions
from benchmarks.precisions import MANIFEST, NOT_ASKED, NOW, run
from benchmarks.quantisation_tables import PRECISIONS
from benchmarks.quantisation_tables import precisions as precisions_table
from export.datasets import DataFault
from export.demo_axi import AXI_BUNDLE
from export.demo_paste import PASTE_BUNDLE
from export.quantize.build import GraphSet
from export.simulator.paste.sets import write_paste_set

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def test_what_the_manifests_say_comes_into_the_table(tmp_path: Path) -> None:
    json_file = tmp_path / "precisions.json"
    axi, paste = run([AXI_BUNDLE, PASTE_BUNDLE], json_file=json_file)
    manifest = json.loads((AXI_BUNDLE / "manifest.json").read_text("utf-8"))
    for precision, row in axi["precisions"].items():
        assert row["source"] == MANIFEST
        assert row["parity"] == manifest["graphs"][precision]["parity"]
    assert axi["precisions"]["int8"]["method"] == manifest["int8_ranges"]["method"]
    assert [row["source"] for row in paste["precisions"].values()] == [NOT_ASKED] * 3
    figures = json.loads(json_file.read_text("utf-8"))
    assert figures["command"] == "boardgate bench precisions demo_paste_bundle demo_axi_bundle"
    run([PASTE_BUNDLE], json_file=json_file)
    assert json.loads(json_file.read_text("utf-8"))["bundles"] == figures["bundles"], "the same bundle, twice"
    table = precisions_table(figures)
    assert len(table.splitlines()) == 2 + 2 * 3
    assert table.count("FP32 alone was asked for") == 3


def test_a_bundle_of_fp32_alone_is_judged_on_its_own_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}
    data = tmp_path / "twin-prints"
    refused = dict.fromkeys(PRECISIONS, "loses 1")

    def judged(model: bytes, _contract: object, **given: Any) -> GraphSet:
        asked.update(given, model=model)
        return GraphSet(graphs={}, refused=refused, ranges=None, trials=(), effects={})

    monkeypatch.setattr(precisions, "graphs_of", judged)
    samples = SimpleNamespace(train_inputs="train", val_inputs="val", val_good="good")
    monkeypatch.setattr(precisions, "_samples", lambda _bundle, place: samples if place == data else None)
    (paste,) = run([PASTE_BUNDLE], [tmp_path / "other", data], json_file=None)
    assert paste["precisions"]["int8"] == {"source": NOW, "refused": "loses 1"}
    assert (asked["calibration_inputs"], asked["val_inputs"]) == ("train", "val")
    assert asked["model"] == (PASTE_BUNDLE / "model.onnx").read_bytes()


def test_other_rows_under_the_same_name_are_refused(tmp_path: Path) -> None:
    write_paste_set(tmp_path / "twin-prints", 100, seed=1)
    with pytest.raises(DataFault, match="its train and val rows are not those"):
        run([PASTE_BUNDLE], [tmp_path / "twin-prints"], json_file=None)
