"""The classical inspector of joints in slices: measures mean what they say, limits are kept, rules.json is checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.board import Floats, Image
from edge.bundle import KIND, ROI_LIMIT, Bundle, BundleFault, read_bundle
from edge.scorers import EngineChoice, ScorerFault, check_golden, checked_scores
from edge.scorers.slice_features import FEATURES, measured
from edge.scorers.slice_rules import KINDS, MAX_SCORE, SliceJudge, SliceLimit, SliceRulesFile, SliceRulesScorer
from tests.edge.drawn_slices import drawn_slices
from tests.edge.rules_bundle import manifest_of_rules, write_files

pytestmark = pytest.mark.unit
ALL = [1, 2, 3, 4, 5, 6]
DRAWN = {kind: drawn_slices(kind, 6, seed=3) for kind in ("good", *KINDS)}
MEASURED = {kind: measured(crops)[0] for kind, crops in DRAWN.items()}
FOUR = np.full(6, 4)


def _limit(feature: str, side: str, typical: float, bound: float, kind: str | None = None) -> dict[str, object]:
    limit = {"feature": feature, "side": side, "unit": "", "typical": typical, "bound": bound}
    return {**limit, "kind": kind, "slices": ALL}


LIMITS = [
    _limit("crown_3", "low", 1.0, 0.8, "insufficient"),
    _limit("contrast", "low", 0.55, 0.3, "missing"),
    _limit("worst_gap", "high", 0.0, 0.3, "short"),
]
RULES: dict[str, object] = {
    "limits": LIMITS,
    "roi_limits": [
        _limit("offset", "high", 0.05, 0.2),
        _limit("barrel_radius", "low", 0.53, 0.34),
        _limit("crowding", "high", 0.0, 0.3),
    ],
    "least_contrast": 0.2,
}
WEIGHTED = RULES | {
    "weightings": [
        {
            "kind": limit["kind"],
            "intercept": -4.0,
            "weights": [{"feature": limit["feature"], "side": limit["side"], "weight": 14.0 if k == 1 else 9.0}],
        }
        for k, limit in enumerate(LIMITS)  # a missing joint breaks the limit of insufficient ones as well
    ]
}


def _rules(rules: dict[str, object] = RULES) -> SliceRulesFile:
    return SliceRulesFile.model_validate_json(json.dumps(rules))


def _feature(crops: Image, name: str) -> Floats:
    return measured(crops)[0][:, list(FEATURES).index(name)]


def _drawn_feature(kind: str, name: str) -> Floats:
    return MEASURED[kind][:, list(FEATURES).index(name)]


@pytest.mark.parametrize(
    ("kind", "name", "sign"),
    [
        ("short", "worst_gap", 1),
        ("short", "gap_mean_0", 1),
        ("short", "one_sided_0", 1),
        ("short", "strip_0", 1),
        ("short", "worst_strip", 1),
        ("insufficient", "crown_3", -1),
        ("insufficient", "least_wall", -1),
        ("insufficient", "radius_3", -1),
        ("missing", "contrast", -1),
    ],
)
def test_a_defect_moves_the_measures_that_speak_for_it(kind: str, name: str, sign: int) -> None:
    good, defect = sign * _drawn_feature("good", name), sign * _drawn_feature(kind, name)
    assert defect.min() > good.max()


@pytest.mark.parametrize("name", ["gap_3", "strip_3", "crown_3"])
def test_a_short_low_in_the_joint_is_not_seen_in_the_last_slice(name: str) -> None:
    assert np.abs(_drawn_feature("short", name) - _drawn_feature("good", name)).max() < 0.1


def test_place_and_size_in_their_units() -> None:
    half_region_px = 128 / 1.5 / 2
    shifted = drawn_slices("good", 4, seed=5, shift_px=(12.0, -9.0))
    assert _feature(shifted, "offset") == pytest.approx(15.0 / half_region_px, abs=0.1)
    for scale in (0.7, 1.3):
        radii = _feature(drawn_slices("good", 2, seed=5, scale=scale), "barrel_radius")
        assert radii == pytest.approx(scale * 22.0 / half_region_px, rel=0.1)


def test_where_a_joint_lies_and_the_grey_scale_of_the_day_do_not_change_what_it_is() -> None:
    moved = measured(drawn_slices("short", 4, seed=5, shift_px=(8.0, 5.0)))[0]
    here = measured(drawn_slices("short", 4, seed=5))[0]
    darker = measured((drawn_slices("short", 4, seed=5) * 0.8).astype(np.uint8))[0]
    for name in ("crown_0", "wall_3", "gap_0", "radius_1"):
        column = list(FEATURES).index(name)
        assert moved[:, column] == pytest.approx(here[:, column], abs=0.06), name
        assert darker[:, column] == pytest.approx(here[:, column], abs=0.06), name


@pytest.mark.parametrize("slices", [1, 2, 3, 5, 6])
def test_any_number_of_slices_is_read_at_the_same_stations(slices: int) -> None:
    crops = drawn_slices("good", 3, seed=5, slices=slices)
    features, counts = measured(crops)
    assert counts.tolist() == [slices] * 3
    for name in ("wall_0", "crown_3", "radius_2", "contrast"):
        column = list(FEATURES).index(name)
        assert features[:, column].mean() == pytest.approx(MEASURED["good"][:, column].mean(), abs=0.08), name


def test_a_slice_lost_between_others_is_bridged_over() -> None:
    crops = DRAWN["good"].copy()
    crops[..., 1] = 0
    features, counts = measured(crops)
    assert counts.tolist() == [3] * len(crops)
    for name in ("crown_1", "wall_1", "crown_3"):
        column = list(FEATURES).index(name)
        assert features[:, column] == pytest.approx(MEASURED["good"][:, column], abs=0.05)


def test_beyond_the_pictures_border_there_is_no_solder() -> None:
    crops = DRAWN["good"].copy()
    crops[:, :, :25] = 0
    for name in ("worst_gap", "crowding", "worst_strip"):
        assert _feature(crops, name) == pytest.approx(_drawn_feature("good", name), abs=0.05), name


@pytest.mark.parametrize("crop", [np.zeros, np.ones])
def test_a_blank_crop_is_measured_finite(crop: type) -> None:
    blank = np.asarray(crop((2, 128, 128, 6)), np.uint8) * 130
    corner = blank.copy()
    corner[:, :1, :1] = 9
    assert np.isfinite(measured(blank)[0]).all()
    assert np.isfinite(measured(corner)[0]).all()


@pytest.mark.parametrize("rules", [RULES, WEIGHTED], ids=["limits", "weighted"])
def test_the_kind_that_broke_its_limit_is_named_and_good_joints_pass(rules: dict[str, object]) -> None:
    judge = SliceJudge(_rules(rules))
    limit = 0.5 if rules is WEIGHTED else 1.0
    for name, features in MEASURED.items():
        batch = judge.judged(features, FOUR)
        assert batch.kind is not None
        if name == "good":
            assert batch.score.max() < limit
            assert batch.kind.max() < limit
        else:
            assert batch.score.min() > limit, name
            assert (batch.kind.argmax(axis=1) == KINDS.index(name)).all()


def test_the_score_is_the_worst_exceedance() -> None:
    features = np.zeros((4, len(FEATURES)), np.float32)
    contrast, gap = list(FEATURES).index("contrast"), list(FEATURES).index("worst_gap")
    features[:, contrast] = [0.55, 0.30, 0.55, 0.05]
    features[:, gap] = [0.0, 0.0, 0.45, 0.3]
    judge = SliceJudge(_rules({"limits": LIMITS[1:]}))
    assert judge.judged(features, np.full(4, 4)).score.tolist() == pytest.approx([0.0, 1.0, 1.5, 2.0])
    features[:, gap] = 1e6
    assert judge.judged(features, np.full(4, 4)).score.max() == pytest.approx(MAX_SCORE)


def test_each_number_of_slices_has_its_own_limits() -> None:
    loose = {**_limit("contrast", "low", 0.5, 0.1), "slices": [1, 2, 3, 5, 6]}
    tight = {**_limit("contrast", "low", 0.5, 0.4), "slices": [4]}
    judge = SliceJudge(_rules({"limits": [loose, tight]}))
    features = np.full((2, len(FEATURES)), 0.3, np.float32)
    assert judge.judged(features, np.array([3, 4])).score.tolist() == pytest.approx([0.5, 2.0])


def test_wrong_regions_are_doubted_and_missing_joints_are_not() -> None:
    judge = SliceJudge(_rules())
    wrong = (
        drawn_slices("good", 4, seed=6, shift_px=(20.0, 0.0)),
        drawn_slices("good", 4, seed=6, scale=0.55),
        np.tile(drawn_slices("good", 4, seed=6, scale=0.4)[:, 32:96, 32:96], (1, 2, 2, 1)),
    )
    for crops in wrong:
        assert judge.doubts(*measured(crops)).min() > ROI_LIMIT
    for kind, features in MEASURED.items():
        assert judge.doubts(features, FOUR).max() <= ROI_LIMIT, kind


@pytest.mark.parametrize("rules", [RULES, WEIGHTED], ids=["limits", "weighted"])
def test_a_joint_with_no_slice_at_all_is_never_good(rules: dict[str, object]) -> None:
    batch = SliceJudge(_rules(rules)).judged(*measured(np.zeros((1, 128, 128, 6), np.uint8)))
    assert batch.roi is not None
    assert batch.roi[0] > ROI_LIMIT
    assert batch.score[0] == (MAX_SCORE if rules is RULES else 1.0)


def _bundle(folder: Path, model: bytes | None = None, golden_shift: float = 0.0) -> Bundle:
    manifest = manifest_of_rules()
    crops = np.concatenate(list(DRAWN.values()))[::6]
    score = SliceJudge(_rules()).judged(*measured(crops)).score
    outputs = [
        {"name": "score", "shape": ["N"], "dtype": "float32", "meaning": "exceedance"},
        {"name": KIND, "shape": ["N", 3], "dtype": "float32", "meaning": "of each kind"},
        {"name": "roi", "shape": ["N"], "dtype": "float32", "meaning": "doubt"},
    ]
    slices = [{"name": "slices", "shape": ["N", 128, 128, 6], "dtype": "uint8", "meaning": "slices"}]
    contract = {"crop_px": 128, "region_scale": 1.5, "channels": "slices", "normalisation": "frac", "n_slices": 6}
    manifest["contract"] = {**contract, "kinds": KINDS, "inputs": slices, "outputs": outputs}
    golden = {"batch": crops, "score": (score + np.float32(golden_shift)).astype(np.float32)}
    return read_bundle(write_files(folder, manifest, json.dumps(RULES).encode() if model is None else model, golden))


def test_the_scorer_of_a_bundle_scores_alone_as_in_a_batch(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "b")
    scorer = SliceRulesScorer(bundle, EngineChoice(threads=1))
    check_golden(bundle, scorer)
    crops = np.concatenate(list(DRAWN.values()))[::3]
    batch = checked_scores(scorer, crops)
    one_by_one = [float(checked_scores(scorer, crops[i : i + 1]).score[0]) for i in range(len(crops))]
    assert batch.score.tolist() == one_by_one


def test_wrong_golden_scores_are_found_before_a_board_is(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "b", golden_shift=0.2)
    with pytest.raises(BundleFault, match="allowed difference"):
        check_golden(bundle, SliceRulesScorer(bundle, EngineChoice(threads=1)))


def test_crops_it_was_not_made_for_are_a_fault(tmp_path: Path) -> None:
    scorer = SliceRulesScorer(_bundle(tmp_path / "b"), EngineChoice(threads=1))
    with pytest.raises(ScorerFault, match=r"\(1, 128, 128, 3\), expected uint8 \(N, 128, 128, 6\)"):
        scorer.score(np.zeros((1, 128, 128, 3), np.uint8))
    with pytest.raises(ScorerFault, match="no crops"):
        scorer.score(np.zeros((0, 128, 128, 6), np.uint8))
    with pytest.raises(ScorerFault, match="compare nothing"):
        scorer.embed(np.zeros((1, 128, 128, 6), np.uint8))


def _broken(**changes: object) -> bytes:
    return json.dumps({**WEIGHTED, **changes}).encode()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"\x00\xff", "JSON"),
        (_broken(limits=[]), "limits"),
        (_broken(limits=[{**LIMITS[0], "feature": "smell"}]), "'smell' is not one of"),
        (_broken(limits=[{**LIMITS[0], "bound": 2.0}]), "crown_3: typical 1.0, low bound 2.0"),
        (_broken(limits=[{**LIMITS[0], "kind": "void"}]), "kind"),
        (_broken(limits=[{**LIMITS[0], "slices": [7]}]), "slices"),
        (_broken(limits=[{**LIMITS[0], "slices": [4]}]), r"no limit for joints with \[1, 2, 3, 5, 6\] slices"),
        (_broken(limits=[LIMITS[0], LIMITS[0]]), "limited twice"),
        (_broken(least_contrast=2), "least_contrast"),
        (_broken(weightings=WEIGHTED["weightings"][:2]), "expected each of"),  # type: ignore[index]
        (
            _broken(
                weightings=[
                    {"kind": k, "intercept": 0, "weights": [{"feature": "smell", "side": "low", "weight": 1}]}
                    for k in KINDS
                ]
            ),
            "'smell'",
        ),
        (_broken(sneaky=1), "sneaky"),
    ],
)
def test_a_wrong_rules_file_is_refused_with_what_is_wrong(tmp_path: Path, model: bytes, message: str) -> None:
    bundle = _bundle(tmp_path / "b", model=model)
    with pytest.raises(BundleFault, match=message):
        SliceRulesScorer(bundle, EngineChoice(threads=1))


def test_a_limit_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        SliceLimit(feature="contrast", side="low", unit="", typical=float("nan"), bound=0.0, slices=(1,))
