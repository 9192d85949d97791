"""Rules of joints in slices, fitted: limits from good joints, what defects add, and a bundle's worth of both."""

from __future__ import annotations

import numpy as np
import pytest

from edge.board import Floats, Image
from edge.bundle import ROI_LIMIT
from edge.scorers.slice_features import FEATURES, measured
from edge.scorers.slice_rules import KINDS, SliceRulesFile
from export.datasets import Row
from export.metrics import auroc
from export.rules import RulesFault
from export.slice_rules import VARIANTS, embed, fit_slice_rules, fitted, judged, rules_contract, score
from export.slice_rules_limits import MIN_GOOD_OF_COUNT, GoodJoints
from export.slice_rules_tuning import GOOD, LabelledJoints
from tests.edge.drawn_slices import drawn_slices

pytestmark = pytest.mark.unit
CONTRACT = rules_contract(places=True, variant="tuned")
N_GOOD, N_KIND = 60, 10


def _joints(seed: int) -> tuple[list[Row], Image]:
    labels = ["good"] * N_GOOD + [kind for kind in KINDS for _ in range(N_KIND)]
    crops = [drawn_slices("good", N_GOOD, seed), *(drawn_slices(kind, N_KIND, seed + 1) for kind in KINDS)]
    rows = [
        Row(path="x", label=label, split="train", place=None, unit=str(k), line="") for k, label in enumerate(labels)
    ]
    return rows, np.concatenate(crops)


TRAIN, VAL = _joints(10), _joints(20)
FITTED = {variant: fitted(*TRAIN, *VAL, CONTRACT, variant) for variant in VARIANTS}
TEST = {kind: drawn_slices(kind, 8, seed=30) for kind in ("good", *KINDS)}


def _doubts(rules: SliceRulesFile, crops: Image) -> Floats:
    roi = judged(rules, crops).roi
    assert roi is not None
    return roi


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_finds_every_kind_and_names_it(variant: str) -> None:
    rules = FITTED[variant]
    good = score(rules, TEST["good"])
    for kind in KINDS:
        batch = judged(rules, TEST[kind])
        assert auroc(good, batch.score) == 1.0, kind
        assert batch.kind is not None
        if variant == "weighted":
            assert (batch.kind.argmax(axis=1) == KINDS.index(kind)).mean() > 0.8, kind


def test_most_good_joints_keep_the_limits() -> None:
    assert (score(FITTED["good_only"], TEST["good"]) > 1.0).mean() < 0.5
    assert min(score(FITTED["good_only"], TEST[kind]).min() for kind in KINDS) > 2.0


def test_regions_are_doubted_where_the_joint_is_off_and_not_where_it_is_defective() -> None:
    rules = FITTED["tuned"]
    for crops in TEST.values():
        assert (_doubts(rules, crops) <= ROI_LIMIT).all()
    for wrong in (drawn_slices("good", 6, 40, shift_px=(19.0, 8.0)), drawn_slices("good", 6, 40, scale=0.5)):
        assert (_doubts(rules, wrong) > ROI_LIMIT).all()


def test_tuning_keeps_fewer_limits() -> None:
    assert len(FITTED["tuned"].limits) < len(FITTED["good_only"].limits)
    assert not FITTED["tuned"].weightings
    assert [w.kind for w in FITTED["weighted"].weightings] == list(KINDS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rules_survive_their_file_and_are_the_same_twice(variant: str) -> None:
    rules = FITTED[variant]
    read = SliceRulesFile.model_validate_json(rules.model_dump_json())
    assert read == rules
    assert np.array_equal(score(read, TEST["short"]), score(rules, TEST["short"]))
    if variant != "tuned":
        assert fitted(*TRAIN, *VAL, CONTRACT, variant) == rules


def test_a_common_number_of_slices_has_limits_of_its_own() -> None:
    rng = np.random.default_rng(0)
    counts = np.repeat([4, 5, 3], [2 * MIN_GOOD_OF_COUNT, MIN_GOOD_OF_COUNT, 5])
    features = rng.normal(counts[:, None].astype(float), 0.1, (len(counts), len(FEATURES))).astype(np.float32)
    limits = GoodJoints(features, counts).limits([("contrast", "low")])
    assert {limit.slices: round(limit.typical) for limit in limits} == {(4,): 4, (5,): 5, (1, 2, 3, 6): 4}
    assert all(limit.kind == "missing" and limit.bound < limit.typical for limit in limits)


def test_some_joints_in_wrong_regions_do_not_move_what_is_typical_of_regions() -> None:
    right = np.concatenate([TRAIN[1][:N_GOOD], VAL[1][:N_GOOD]])
    wrong = drawn_slices("good", 10, 50, shift_px=(20.0, 10.0))
    features, counts = measured(np.concatenate([right, wrong]))
    rules = fit_slice_rules("good_only", [LabelledJoints(features, counts, np.full(len(counts), GOOD))])
    assert (_doubts(rules, wrong) > ROI_LIMIT).all()
    assert (_doubts(rules, right) <= ROI_LIMIT).mean() > 0.97


def test_what_rules_cannot_be_made_from() -> None:
    rows, crops = TRAIN
    with pytest.raises(RulesFault, match="20 good joints, at least 50"):
        fitted(rows[:20], crops[:20], rows[:20], crops[:20], CONTRACT, "good_only")
    with pytest.raises(RulesFault, match="no defect"):
        fitted(rows[:N_GOOD], crops[:N_GOOD], rows[:N_GOOD], crops[:N_GOOD], CONTRACT, "tuned")
    with pytest.raises(RulesFault, match=r"nothing labelled \['short'\]"):
        fitted(rows[:-N_KIND], crops[:-N_KIND], rows[:-N_KIND], crops[:-N_KIND], CONTRACT, "weighted")
    with pytest.raises(RulesFault, match="compare nothing"):
        embed(crops)


def test_a_label_of_two_kinds_counts_as_the_first() -> None:
    rows, crops = TRAIN
    renamed = [
        Row(
            path="x",
            label="void+short" if row.label == "short" else row.label,
            split="train",
            place=None,
            unit="",
            line="",
        )
        for row in rows
    ]
    assert fitted(renamed, crops, *VAL, CONTRACT, "weighted") == FITTED["weighted"]


def test_the_contract_says_what_comes_out() -> None:
    assert CONTRACT.n_slices == CONTRACT.crop_channels == 6
    assert CONTRACT.kinds == KINDS
    assert [spec.name for spec in CONTRACT.outputs] == ["score", "kind", "roi"]
    assert rules_contract(places=False, variant="weighted").region_scale == 1.0
