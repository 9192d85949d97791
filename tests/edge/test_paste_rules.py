"""Control charts of paste: what is smoothed, what decides, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.board import Floats
from edge.bundle import Bundle, BundleFault, Contract, Manifest, TensorSpec, WindowSpec
from edge.paste.planes import PLANES
from edge.scorers.choice import EngineChoice
from edge.scorers.fault import ScorerFault
from edge.scorers.paste_rules import PLANES_OF, Chart, PasteRulesFile, PasteRulesScorer, comparator_map, smoothed
from edge.thresholds import Thresholds
from export.paste_rules import ChartKind, fit_paste_rules
from export.rules import RulesFault
from tests.edge.rules_bundle import manifest_of_rules

pytestmark = pytest.mark.unit
SIDE, BOARDS = 8, 10


def windows_of(n: int, planes: tuple[str, ...], seed: int = 1) -> Floats:
    """Unit noise on pads of a chessboard."""
    noise = np.random.default_rng(seed).normal(size=(n, BOARDS, len(planes), SIDE, SIDE)).astype(np.float32)
    pads = np.indices((SIDE, SIDE)).sum(axis=0) % 2
    noise[:, :, planes.index("mask")] = 1
    return np.asarray(noise * pads, np.float32)


def test_every_comparator_takes_planes_that_there_are() -> None:
    for name, planes in PLANES_OF.items():
        assert set(planes) <= {*PLANES, "steady_volume", "steady_area"}
        rules = fit_paste_rules(name, windows_of(40, planes), planes)
        again = PasteRulesFile.model_validate_json(rules.model_dump_json())
        maps = comparator_map(again, windows_of(2, planes, seed=2), planes)
        assert maps.shape == (2, SIDE, SIDE)
        assert maps.dtype == np.float32
        assert not maps[:, 0, 0].any()  # no pad there
        assert np.abs(maps).max() > 1


def test_the_value_farther_from_typical_decides_and_keeps_its_sign() -> None:
    planes = PLANES_OF["pad_level"]
    window = np.zeros((1, BOARDS, len(planes), SIDE, SIDE), np.float32)
    window[:, :, planes.index("mask")] = 1
    window[0, -1, planes.index("volume"), 2, 3] = 4.0
    window[0, -1, planes.index("area"), 2, 3] = -5.0
    window[0, -1, planes.index("area_level")] = 1.0
    rules = PasteRulesFile(comparator="pad_level", charts=(Chart(weight=1.0, sigmas=(1.0, 2.0)),))
    found = comparator_map(rules, window, planes)[0]
    assert found[2, 3] == 4.0  # volume 4 sigma; area (-5 - 1) / 2 = -3
    assert found[0, 0] == -0.5
    assert comparator_map(rules, window, planes).dtype == np.float32


def test_a_small_shift_is_seen_by_smoothing_and_not_by_one_board() -> None:
    planes = PLANES_OF["ewma"]
    window = np.zeros((1, BOARDS, len(planes), SIDE, SIDE), np.float32)
    window[:, :, 0] = 1
    window[:, :, 1, 1, 1] = 1.5
    one, many = (
        comparator_map(PasteRulesFile(comparator="ewma", charts=(Chart(weight=w, sigmas=(1.0, 1.0)),)), window, planes)
        for w in (1.0, 0.2)
    )
    assert one[0, 1, 1] == 1.5
    assert many[0, 1, 1] > 3.0


def test_boards_that_are_missing_have_no_weight() -> None:
    values = np.full((1, BOARDS, 1, 1), 2.0, np.float32)
    measured = np.zeros((1, BOARDS, 1, 1), bool)
    measured[:, -1] = True
    assert smoothed(values, measured, 0.2)[0, 0, 0] == pytest.approx(2.0)  # one board is that board
    measured[:, -2] = True
    weights = np.array([1.0, 0.8])
    expected = 2.0 * weights.sum() / np.sqrt((weights**2).sum())
    assert smoothed(values, measured, 0.2)[0, 0, 0] == pytest.approx(expected)
    assert smoothed(values, np.zeros_like(measured), 0.2)[0, 0, 0] == 0


def test_every_second_board_is_one_squeegee() -> None:
    values = np.zeros((1, BOARDS, 1, 1), np.float32)
    values[0, -2::-2] = 9.0  # the other blade
    measured = np.ones((1, BOARDS, 1, 1), bool)
    assert smoothed(values, measured, 0.4, every=2)[0, 0, 0] == 0
    assert smoothed(values, measured, 0.4)[0, 0, 0] > 5


def test_good_pads_keep_three_sigma_of_any_chart() -> None:
    planes = PLANES_OF["ewma"]
    kinds = (ChartKind(1.0), ChartKind(0.2), ChartKind(0.4, every=2))
    rules = fit_paste_rules("ewma", windows_of(400, planes), planes, kinds)
    for chart in rules.charts:
        assert chart.sigmas == pytest.approx((1.0, 1.0), abs=0.05)
    with pytest.raises(RulesFault, match="at least 20"):
        fit_paste_rules("ewma", windows_of(3, planes), planes)


def bundle_of(rules: bytes, planes: tuple[str, ...]) -> Bundle:
    """A bundle in memory: its golden windows are the reader's business."""
    contract = Contract(
        crop_px=SIDE,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=BOARDS, planes=planes),
        inputs=(
            TensorSpec(
                name="window", shape=("N", BOARDS, len(planes), SIDE, SIDE), dtype="float32", meaning="last boards"
            ),
        ),
        outputs=(TensorSpec(name="score", shape=("N",), dtype="float32", meaning="largest of the map"),),
    )
    manifest = Manifest.model_validate_json(json.dumps({**manifest_of_rules(), "files": {}}))
    return Bundle(
        folder=Path("drawn"),
        sha256="0" * 64,
        manifest=manifest.model_copy(update={"contract": contract}),
        thresholds=Thresholds.model_construct(),
        models={"fp32": rules},
        golden_batch=np.zeros((1, SIDE, SIDE, 3), np.uint8),
        golden_scores={},
    )


@pytest.fixture
def rules_json() -> bytes:
    rules = PasteRulesFile(comparator="pad", charts=(Chart(weight=1.0, sigmas=(1.0, 1.0)),))
    return rules.model_dump_json().encode()


def test_a_scorer_gives_the_map_and_its_largest(rules_json: bytes) -> None:
    planes = ("mask", "area", "volume")  # in the contract's order, which need not be the comparator's
    scorer = PasteRulesScorer(bundle_of(rules_json, planes), EngineChoice())
    windows = windows_of(3, planes)
    batch = scorer.score(windows)
    score, maps = batch.score, batch.map
    assert maps is not None
    assert np.array_equal(score, np.abs(maps).max(axis=(1, 2)))
    assert np.array_equal(np.abs(maps), np.abs(windows[:, -1, 1:]).max(axis=1))
    with pytest.raises(ScorerFault, match="expected float32"):
        scorer.score(windows[:, :5])
    with pytest.raises(ScorerFault, match="no embedding"):
        scorer.embed(windows)


def test_what_are_no_paste_rules_is_refused(rules_json: bytes) -> None:
    with pytest.raises(BundleFault, match="takes \\['area'\\]"):
        PasteRulesScorer(bundle_of(rules_json, ("mask", "volume")), EngineChoice())
    one_sigma = json.loads(rules_json)
    one_sigma["charts"][0]["sigmas"] = [1.0]
    with pytest.raises(BundleFault, match="1 sigmas, expected 2"):
        PasteRulesScorer(bundle_of(json.dumps(one_sigma).encode(), ("mask", "volume", "area")), EngineChoice())
