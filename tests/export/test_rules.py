"""Fitting the classical inspector: limits from good joints, choices from defects, a bundle a station loads."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import read_bundle
from edge.scorers import EngineChoice, checked_scores, load_scorer
from export.datasets import DataFault, load_crops, read_data_set
from export.metrics import auroc
from export.rules import LabelledCrops, RulesFault, fit_rules, rules_json_bytes, score
from export.rules_bundle import write_rules_bundle
from tests.edge.drawn import drawn_joints

GOOD = drawn_joints("good", 60, seed=1)
OTHER = {kind: drawn_joints(kind, 20, seed=2) for kind in ("good", "bridge", "missing")}

unit = pytest.mark.unit


def _lane() -> LabelledCrops:
    labels = np.repeat(list(OTHER), [len(c) for c in OTHER.values()])
    return LabelledCrops(crops=np.concatenate(list(OTHER.values())), labels=labels)


@unit
def test_limits_from_good_joints_alone_find_defects_never_seen() -> None:
    rules = fit_rules(GOOD, region_scale=1.5)
    good = score(rules, OTHER["good"])
    for kind in ("bridge", "missing"):
        assert score(rules, OTHER[kind]).min() > good.max(), kind
    assert (score(rules, GOOD) > 1.0).mean() < 0.2, "limits that most good joints keep"


@unit
def test_tuning_keeps_fewer_limits_and_still_tells_them_apart() -> None:
    rules = fit_rules(GOOD, 1.5, (_lane(),))
    assert len(rules.limits) < len(fit_rules(GOOD, 1.5).limits)
    for kind in ("bridge", "missing"):
        assert auroc(score(rules, OTHER["good"]), score(rules, OTHER[kind])) > 0.99


@unit
def test_the_same_crops_give_the_same_file() -> None:
    assert rules_json_bytes(GOOD, 1.5) == rules_json_bytes(GOOD, 1.5)


@unit
def test_too_few_good_crops_or_no_defect_to_tune_on_are_refused() -> None:
    with pytest.raises(RulesFault, match="10 good crops, at least 50"):
        fit_rules(GOOD[:10], 1.5)
    with pytest.raises(RulesFault, match="no defect"):
        fit_rules(GOOD, 1.5, (LabelledCrops(crops=OTHER["good"], labels=np.full(20, "good")),))


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Single crops as pictures: 60 good to train on, 20 of each kind to validate on."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [("train", "good", c) for c in GOOD] + [("val", kind, c) for kind, crops in OTHER.items() for c in crops]
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for i, (split, label, crop) in enumerate(rows):
            cv2.imwrite(str(folder / f"{i}.png"), crop)
            writer.writerow([f"{i}.png", label, split])
    return folder


@unit
@pytest.mark.parametrize("variant", ["good_only", "tuned"])
def test_a_bundle_that_a_station_loads_and_scores_with(data_set: Path, tmp_path: Path, variant: str) -> None:
    report = write_rules_bundle(data_set, tmp_path / "rules.bundle", variant=variant)
    bundle = read_bundle(tmp_path / "rules.bundle", report.identity)
    scorer = load_scorer(bundle, EngineChoice(threads=1))
    assert bundle.manifest.engine == "rules"
    assert bundle.manifest.graphs["fp32"].parity.verdict_agreement_frac == 1.0
    assert bundle.threshold().choice.n_good == 20
    assert bundle.threshold().choice.n_defect == 40
    called = {k: checked_scores(scorer, c).score > bundle.threshold().value for k, c in OTHER.items()}
    assert called["good"].sum() <= 1
    assert called["bridge"].all()
    assert called["missing"].all()


@unit
def test_an_unknown_variant_or_split_is_named(data_set: Path, tmp_path: Path) -> None:
    with pytest.raises(RulesFault, match="'vae': one of"):
        write_rules_bundle(data_set, tmp_path / "b", variant="vae")
    with pytest.raises(DataFault):
        write_rules_bundle(data_set, tmp_path / "b", where=("split=train",))


@pytest.mark.needs_data
def test_on_real_joints_it_clears_the_floors(data_dir: Path) -> None:
    """`val` close-ups (another board than `train`); the floors there are PCA-8's 0.63 and 0.54."""
    folder = data_dir / "tht-header-joints"
    data = read_data_set(folder, "joints.csv", ("view=closeup",))
    rules = fit_rules(load_crops(folder, data.normals("train"), 64, 1.5), 1.5)
    rows = data.split("val")
    scores, labels = score(rules, load_crops(folder, rows, 64, 1.5)), np.array([r.label for r in rows])
    assert auroc(scores[labels == "normal"], scores[labels == "bridge"]) > 0.98
    assert auroc(scores[labels == "normal"], scores[labels == "missing"]) > 0.80
