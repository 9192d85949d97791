"""Bundles: one flipped bit anywhere is seen, no evidence no load, another device's numbers are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import BundleFault, read_bundle
from edge.scorers import EngineChoice, checked_scores, load_scorer
from export.demo_stations import BUNDLE

pytestmark = pytest.mark.unit


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


def sealed(bundle: Path) -> None:
    """Make the hashes right again, as somebody who edits a bundle on purpose would."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    digest = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    (bundle / "bundle.sha256").write_text(digest + "\n")


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def take_out_int8(bundle: Path) -> None:
    """The graph and its golden scores; the threshold stays."""
    names = ("model.int8.onnx", "golden/score.int8.npy")

    def forget(manifest: dict[str, Any]) -> None:
        manifest["graphs"].pop("int8")
        for name in names:
            manifest["files"].pop(name)

    edit(bundle / "manifest.json", forget)
    for name in names:
        (bundle / name).unlink()


def test_the_shipped_bundle_loads_and_agrees_with_its_golden_crops() -> None:
    shipped = read_bundle(BUNDLE)
    scorer = load_scorer(shipped, EngineChoice(threads=1))
    again = checked_scores(scorer, shipped.golden_batch).score
    np.testing.assert_allclose(again, shipped.golden_score(), rtol=1e-3)


def test_every_flipped_bit_is_seen(bundle: Path) -> None:
    """A bit of every file, at the start, the middle and the end."""
    files = [p for p in bundle.rglob("*") if p.is_file()]
    assert len(files) >= 6
    for file in files:
        whole = file.read_bytes()
        for at in {0, len(whole) // 2, max(0, len(whole) - 2)}:
            for bit in (0, 7):
                file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
                with pytest.raises(BundleFault):
                    read_bundle(bundle)
        file.write_bytes(whole)
    read_bundle(bundle)


@pytest.mark.parametrize(
    "file", ["model.onnx", "thresholds.json", "golden/score.npy", "manifest.json", "bundle.sha256"]
)
def test_a_missing_file_is_named(bundle: Path, file: str) -> None:
    (bundle / file).unlink()
    with pytest.raises(BundleFault, match=Path(file).name):
        read_bundle(bundle)


def test_a_stranger_in_the_folder_is_refused(bundle: Path) -> None:
    (bundle / "extra.py").write_text("print('hello')")
    with pytest.raises(BundleFault, match=r"extra\.py"):
        read_bundle(bundle)


def test_another_bundle_than_the_approved_one(bundle: Path) -> None:
    with pytest.raises(BundleFault, match="approved with"):
        read_bundle(bundle, expected_sha256="0" * 64)


@pytest.mark.parametrize("field", ["value", "choice"])
def test_no_evidence_no_load(bundle: Path, field: str) -> None:
    edit(bundle / "thresholds.json", lambda d: d["precisions"]["fp32"].pop(field))
    sealed(bundle)
    with pytest.raises(BundleFault, match=field):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_good", 0), ("confidence", 0.2), ("false_call_ppm", -1), ("data_sha256", "x"), ("split", None)],
)
def test_evidence_out_of_its_limits_is_refused(bundle: Path, field: str, value: object) -> None:
    edit(bundle / "thresholds.json", lambda d: d["precisions"]["fp32"]["choice"].update({field: value}))
    sealed(bundle)
    with pytest.raises(BundleFault, match=field):
        read_bundle(bundle)


def test_figures_from_the_data_of_the_choice_are_refused(bundle: Path) -> None:
    def measured_on_itself(file: dict[str, Any]) -> None:
        threshold = file["precisions"]["fp32"]
        keys = ("split", "data_sha256", "n_good", "n_defect", "false_call_ppm", "false_call_ppm_upper", "confidence")
        figures = {key: threshold["choice"][key] for key in keys}
        threshold["measured"] = figures | {"recall": 1.0, "recall_lower": 0.9}

    edit(bundle / "thresholds.json", measured_on_itself)
    sealed(bundle)
    with pytest.raises(BundleFault, match="the very data the threshold was chosen on"):
        read_bundle(bundle)


def test_a_promise_that_is_not_kept_says_what_it_would_take(bundle: Path) -> None:
    edit(bundle / "thresholds.json", lambda d: d["precisions"]["fp32"]["choice"].update(kept=False))
    sealed(bundle)
    with pytest.raises(BundleFault, match="shortfall"):
        read_bundle(bundle)


def test_a_precision_without_a_graph_is_refused_with_the_workshops_reason(bundle: Path) -> None:
    take_out_int8(bundle)
    edit(bundle / "thresholds.json", lambda d: d["precisions"].pop("int8"))
    edit(bundle / "manifest.json", lambda d: d.update(refused={"int8": "loses 3 defects"}))
    sealed(bundle)
    with pytest.raises(BundleFault, match="has no int8 graph: loses 3 defects"):
        load_scorer(read_bundle(bundle), EngineChoice(precision="int8"))


def test_a_threshold_without_its_graph_is_refused(bundle: Path) -> None:
    take_out_int8(bundle)
    sealed(bundle)
    with pytest.raises(BundleFault, match="the manifest has graphs"):
        read_bundle(bundle)


def test_parity_must_be_measured(bundle: Path) -> None:
    edit(bundle / "manifest.json", lambda d: d["graphs"]["fp32"].pop("parity"))
    sealed(bundle)
    with pytest.raises(BundleFault, match="parity"):
        read_bundle(bundle)


def test_golden_mismatch_is_refused(bundle: Path) -> None:
    score = np.load(bundle / "golden/score.npy")
    score[1] *= 1.5
    np.save(bundle / "golden/score.npy", score)
    sealed(bundle)
    with pytest.raises(BundleFault, match="crop 1 scores"):
        load_scorer(read_bundle(bundle), EngineChoice(threads=1))


def test_pickles_are_never_read(bundle: Path) -> None:
    np.save(bundle / "golden/score.npy", np.array([{"a": 1}] * 8, dtype=object), allow_pickle=True)
    sealed(bundle)
    with pytest.raises(BundleFault, match="pickle"):
        read_bundle(bundle)


def test_a_contract_that_is_not_the_graphs_is_refused(bundle: Path) -> None:
    edit(bundle / "manifest.json", lambda d: d["contract"]["inputs"][0].update(shape=["N", 3, 32, 32]))
    sealed(bundle)
    with pytest.raises(BundleFault, match="the contract says"):
        load_scorer(read_bundle(bundle), EngineChoice(threads=1))


def test_a_name_that_points_outside_is_refused(bundle: Path) -> None:
    secret = bundle.parent / "secret"
    secret.write_text("x")
    edit(bundle / "manifest.json", lambda d: d["files"].update({"../secret": "0" * 64}))
    sealed(bundle)
    with pytest.raises(BundleFault, match="outside the bundle"):
        read_bundle(bundle)
