"""The classical inspector: each feature measures what its name says, limits are kept, rules.json is checked."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from edge.bundle import BundleFault, read_bundle
from edge.scorers import EngineChoice, ScorerFault, checked_scores, load_scorer
from edge.scorers.rules import (
    FEATURES,
    MAX_SCORE,
    TEMPLATE_SIDE_PX,
    Gauge,
    Limit,
    RulesFile,
    RulesScorer,
    exceedance,
    template_source,
    template_window,
)
from tests.edge.drawn import drawn_joints
from tests.edge.rules_bundle import NO_TEMPLATES, RULES, write_rules_bundle

pytestmark = pytest.mark.unit
GAUGE = Gauge(1 / 1.5, 64, NO_TEMPLATES)
KINDS = {kind: drawn_joints(kind, 24, seed=11) for kind in ("good", "bridge", "missing")}


def _feature(crops: np.ndarray, name: str, gauge: Gauge = GAUGE) -> np.ndarray:
    return gauge.measure(crops)[:, list(FEATURES).index(name)]


@pytest.mark.parametrize(
    "name", ["gap_fill", "gap_metal", "gap_imbalance", "reach", "own_area", "offset", "elongation", "solder_outside"]
)
def test_a_bridge_raises(name: str) -> None:
    assert _feature(KINDS["bridge"], name).min() > _feature(KINDS["good"], name).max()


@pytest.mark.parametrize("name", ["dome", "centre_metal", "centre_darkest", "highlight"])
def test_an_open_hole_lowers(name: str) -> None:
    assert _feature(KINDS["missing"], name).max() < _feature(KINDS["good"], name).min()


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_turned_joint_measures_the_same(quarter_turns: int) -> None:
    turned = np.ascontiguousarray(np.rot90(KINDS["bridge"], quarter_turns, axes=(1, 2)))
    assert np.allclose(GAUGE.measure(turned), GAUGE.measure(KINDS["bridge"]), rtol=2e-3, atol=2e-3)


def test_shape_features_in_their_units() -> None:
    """A bright disc of radius 0.25 pitches, 0.1 pitches right of the centre."""
    pitch_px = 64 / 1.5
    crop = np.full((64, 64, 3), 40, np.uint8)
    ys, xs = np.mgrid[:64, :64]
    crop[np.hypot(xs - 31.5 - 0.1 * pitch_px, ys - 31.5) <= 0.25 * pitch_px] = 200
    crops = crop[None]
    assert _feature(crops, "offset")[0] == pytest.approx(0.1, abs=0.01)
    assert _feature(crops, "reach")[0] == pytest.approx(0.35, abs=0.02)
    assert _feature(crops, "own_area")[0] == pytest.approx(np.pi * (0.25 * pitch_px) ** 2 / 64**2, rel=0.03)
    assert _feature(crops, "elongation")[0] == pytest.approx(1.0, abs=0.03)
    assert _feature(crops, "solidity")[0] == pytest.approx(1.0, abs=0.06)
    assert _feature(crops, "colour")[0] == pytest.approx(0.0, abs=1e-3)
    assert _feature(crops, "metal_range")[0] == pytest.approx(160.0)


def test_a_neighbours_solder_at_the_border_is_not_the_joints_own() -> None:
    crops = KINDS["good"].copy()
    crops[:, 24:40, 62:] = 200
    assert np.allclose(_feature(crops, "reach"), _feature(KINDS["good"], "reach"), atol=0.05)
    assert (_feature(crops, "gap_fill") < 0.1).all()


def test_exposure_moves_brightness_and_not_shape() -> None:
    darker = (KINDS["good"] * 0.6).astype(np.uint8)
    assert (_feature(darker, "brightness") < 0.7 * _feature(KINDS["good"], "brightness")).all()
    assert np.abs(_feature(darker, "reach") - _feature(KINDS["good"], "reach")).max() < 0.06


def test_templates_know_good_joints_shifted_or_not() -> None:
    grey = np.stack([cv2.cvtColor(c, cv2.COLOR_BGR2GRAY) for c in KINDS["good"]])
    gauge = Gauge(1 / 1.5, 64, template_window(template_source(grey))[:4])
    shifted = np.roll(KINDS["good"], 4, axis=2)
    assert _feature(KINDS["good"][:4], "template", gauge).max() < 0.02
    assert _feature(shifted, "template", gauge).max() < 0.1
    assert _feature(KINDS["bridge"], "template", gauge).min() > 0.15
    assert (_feature(KINDS["good"], "template") == 0).all(), "without templates it says nothing"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_crop_is_measured_finite_and_has_no_solder(value: int) -> None:
    measured = GAUGE.measure(np.full((2, 64, 64, 3), value, np.uint8))
    assert np.isfinite(measured).all()
    assert (measured[:, list(FEATURES).index("solder_area")] == 0).all()


def test_crops_of_other_sizes_measure_alike() -> None:
    larger = np.stack([cv2.resize(c, (100, 100), interpolation=cv2.INTER_CUBIC) for c in KINDS["bridge"]])
    measured = Gauge(1 / 1.5, 100, NO_TEMPLATES)
    for name in ("gap_fill", "own_area", "offset"):
        assert np.allclose(_feature(larger, name, measured), _feature(KINDS["bridge"], name), atol=0.12)


def test_the_score_is_the_worst_exceedance() -> None:
    measured = np.zeros((4, len(FEATURES)), np.float32)
    dome, gap = list(FEATURES).index("dome"), list(FEATURES).index("gap_fill")
    measured[:, dome] = [0.4, 0.0, -0.4, 0.4]
    measured[:, gap] = [0.0, 0.0, 0.15, 0.6]
    assert exceedance(measured, RULES.limits).tolist() == pytest.approx([0.0, 1.0, 2.0, 2.0])
    tight = Limit(feature="dome", unit="", typical=0.4, high=0.4 + 1e-9)
    measured[:, dome] = 5.0
    assert exceedance(measured, (tight,)).max() == MAX_SCORE


def test_the_scorer_of_a_bundle_scores_alone_as_in_a_batch(tmp_path: Path) -> None:
    scorer = load_scorer(read_bundle(write_rules_bundle(tmp_path / "b")), EngineChoice(threads=1))
    crops = np.concatenate(list(KINDS.values()))
    batch = checked_scores(scorer, crops)
    assert batch.map is None
    assert batch.score.dtype == np.float32
    one_by_one = [float(checked_scores(scorer, crops[i : i + 1]).score[0]) for i in range(len(crops))]
    assert batch.score.tolist() == pytest.approx(one_by_one, rel=1e-4, abs=1e-5)
    good, bad = batch.score[:24], batch.score[24:]
    assert good.max() < 1.0 < bad.min()


def test_crops_it_was_not_made_for_are_a_fault(tmp_path: Path) -> None:
    scorer = RulesScorer(read_bundle(write_rules_bundle(tmp_path / "b")), EngineChoice(threads=1))
    with pytest.raises(ScorerFault, match=r"\(1, 32, 32, 3\), expected uint8 \(N, 64, 64, 3\)"):
        scorer.score(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(ScorerFault, match="no crops"):
        scorer.score(np.zeros((0, 64, 64, 3), np.uint8))


def test_wrong_golden_scores_are_found_before_a_board_is(tmp_path: Path) -> None:
    bundle = read_bundle(write_rules_bundle(tmp_path / "b", golden_shift=0.05))
    with pytest.raises(BundleFault, match="allowed difference"):
        load_scorer(bundle, EngineChoice(threads=1))


def _broken(**changes: object) -> bytes:
    return json.dumps({**json.loads(RULES.model_dump_json()), **changes}).encode()


LIMIT = {"feature": "dome", "unit": "", "typical": 0.4, "low": 0.0}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"\x00\xff", "JSON"),
        (_broken(limits=[]), "limits"),
        (_broken(limits=[{**LIMIT, "feature": "smell"}]), "'smell' is not one of"),
        (_broken(limits=[{**LIMIT, "low": None}]), "neither a low nor a high bound"),
        (_broken(limits=[{**LIMIT, "low": 0.5}]), "is not between"),
        (_broken(limits=[LIMIT, LIMIT]), "limited twice"),
        (_broken(limits=[{**LIMIT, "feature": "template", "low": None, "high": 0.5}]), "has no templates"),
        (_broken(templates=["!!"]), "template 0 is not base64"),
        (_broken(templates=[base64.b64encode(b"12").decode()]), "template 0 has 2 pixels"),
        (_broken(templates=[""] * 65), "at most 64"),
        (_broken(sneaky=1), "sneaky"),
        (_broken(pitch_frac=0.0), "pitch_frac"),
    ],
)
def test_a_wrong_rules_file_is_refused_with_what_is_wrong(tmp_path: Path, model: bytes, message: str) -> None:
    bundle = read_bundle(write_rules_bundle(tmp_path / "b", rules_json=model))
    with pytest.raises(BundleFault, match=message):
        RulesScorer(bundle, EngineChoice(threads=1))


def test_a_limit_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValidationError):
        Limit(feature="dome", unit="", typical=float("nan"), low=0.0)
    with pytest.raises(ValidationError):
        Limit(feature="dome", unit="", typical=0.0, high=float("inf"))


def test_templates_survive_the_file() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX), np.uint8)
    texts = tuple(base64.b64encode(p.tobytes()).decode() for p in pixels)
    rules = RulesFile(pitch_frac=0.5, limits=RULES.limits, templates=texts)
    assert np.array_equal(RulesFile.model_validate_json(rules.model_dump_json()).template_pixels(), pixels)
    assert RULES.template_pixels().shape == (0, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX)
