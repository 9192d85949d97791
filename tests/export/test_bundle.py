"""Writing bundles: all or nothing, read back by the station's reader, never over something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.thresholds import quantile_choice
from edge.bundle import BundleFault, read_bundle
from export.bundle import MAX_GOLDEN, MIN_GOLDEN, BundleParts, BundleWriteFault, golden_choice, write_bundle
from export.datasets import GOOD_LABELS
from tests.edge.desk_bundle import desk_parts

pytest.importorskip("torch", reason="needs_torch")

from export.families.solder_joint.contract import contract

pytestmark = [pytest.mark.sweep, pytest.mark.needs_torch]


def _parts(model: bytes = b"graph") -> BundleParts:
    good = np.linspace(0, 1, 50, dtype=np.float32)
    threshold = quantile_choice(good=good, defect=good[:0], split="val", data_sha256="a" * 64)
    batch = np.zeros((8, 64, 64, 3), np.uint8)
    taken = contract(channels="grey", normalisation="standardised", places=True)
    return desk_parts("solder_joint", taken, model, batch, good[:8], threshold)


def test_what_is_written_is_what_a_station_reads(tmp_path: Path) -> None:
    identity = write_bundle(tmp_path / "joint.bundle", _parts())
    bundle = read_bundle(tmp_path / "joint.bundle", identity)
    assert bundle.model() == b"graph"
    assert bundle.thresholds == _parts().thresholds
    assert sorted(p.name for p in tmp_path.iterdir()) == ["joint.bundle"]  # nothing left aside


def test_an_older_bundle_is_replaced(tmp_path: Path) -> None:
    first = write_bundle(tmp_path / "b", _parts())
    second = write_bundle(tmp_path / "b", _parts(b"another graph"))
    assert first != second
    assert read_bundle(tmp_path / "b").sha256 == second
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b"]


def test_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"dear")
    with pytest.raises(BundleWriteFault, match="exists and is no bundle"):
        write_bundle(tmp_path / "pictures", _parts())
    assert (tmp_path / "pictures" / "a.jpg").read_bytes() == b"dear"


def test_bundle_that_would_not_load_never_takes_its_name(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", _parts())
    before = read_bundle(tmp_path / "b").sha256
    broken = _parts()
    object.__setattr__(broken, "golden_scores", {"fp32": np.full(8, np.nan, np.float32)})
    with pytest.raises(BundleFault, match="finite"):
        write_bundle(tmp_path / "b", broken)
    assert read_bundle(tmp_path / "b").sha256 == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b"]


def test_golden_crops_span_the_scores_of_every_kind() -> None:
    labels = ["normal"] * 40 + ["bridge"] * 30 + ["missing"] * 3
    scores = np.concatenate([np.linspace(0, 1, 40), np.linspace(2, 3, 30), np.linspace(4, 5, 3)]).astype(np.float32)
    chosen = golden_choice(labels, scores, GOOD_LABELS)
    assert MIN_GOLDEN <= len(chosen) <= MAX_GOLDEN
    assert len(set(chosen)) == len(chosen)
    assert {labels[i] for i in chosen} == {"normal", "bridge", "missing"}
    assert {0, 39} <= set(chosen)  # the lowest and the highest good score


def test_golden_crops_of_few_rows_are_all_of_them() -> None:
    assert sorted(golden_choice(["ok", "ok"], np.array([1.0, 2.0], np.float32), GOOD_LABELS)) == [0, 1]
