"""A contract holds together: slices, kinds and windows are each said in full or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from edge.bundle import Contract
from edge.families.axi_joint import graph_input
from edge.lanes import findings_of
from edge.scorers import ScoreBatch, ScorerFault, checked_scores
from tests.edge.axi.desk import SIDE_PX, SLICES, contract
from tests.edge.helpers import region

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_slices": None}, "n_slices None, channels 'slices'"),
        ({"channels": "grey"}, "'slices' has them, nothing else"),
        ({"kinds": ()}, "expected one a kind"),
        ({"kinds": ("missing", "short", "void")}, "expected one a kind"),
        ({"n_slices": 17}, "less than or equal to 16"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Contract.model_validate({**contract().model_dump(), **changes})


def test_what_is_not_the_embedding_judges() -> None:
    assert [spec.name for spec in contract().scored] == ["score", "kind", "roi"]
    assert contract().crop_channels == SLICES


def test_slices_become_fractions_and_a_missing_one_stays_nothing() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, SIDE_PX, SIDE_PX, SLICES), np.uint8)
    crops[..., 4:] = 0
    got = graph_input(crops, contract())
    np.testing.assert_allclose(got[1, 2], crops[1, :, :, 2] / 255, rtol=1e-6)
    assert not got[:, 4:].any()
    buffer = np.empty((3, SLICES, SIDE_PX, SIDE_PX), np.float32)
    assert graph_input(crops, contract(), buffer) is buffer
    np.testing.assert_array_equal(buffer, got)
    with pytest.raises(ValueError, match="expected 6"):
        graph_input(crops[..., :3], contract())


def test_only_a_defect_has_a_kind() -> None:
    regions = (region("J1-1", threshold=0.5), region("J1-2", threshold=0.5))
    scored = ScoreBatch(score=np.array([0.9, 0.1], np.float32), kind=np.array([[0.2, 0.8], [0.2, 0.8]], np.float32))
    assert [finding.kind for finding in findings_of(contract(), regions, scored)] == ["short", ""]


def test_a_defect_shows_where_the_map_is_highest() -> None:
    place = replace(region("U1", threshold=0.5), x_px=100.0, y_px=50.0, side_px=64.0)
    heat = np.zeros((1, 32, 32), np.float32)
    heat[0, 4, 24] = 3.0
    scored = ScoreBatch(score=np.ones(1, np.float32), map=heat, kind=np.array([[0.9, 0.1]], np.float32))
    (finding,) = findings_of(contract(), (place,), scored)
    assert (finding.kind, finding.seen_at_px) == ("missing", (117.0, 27.0))
    quiet = ScoreBatch(score=np.zeros(1, np.float32), map=heat, kind=scored.kind)
    assert findings_of(contract(), (place,), quiet)[0].seen_at_px is None


class _Says:
    """A scorer that says what it was given."""

    def __init__(self, batch: ScoreBatch) -> None:
        self._batch = batch

    def score(self, inputs: object) -> ScoreBatch:
        return self._batch

    def embed(self, crops: object) -> np.ndarray:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (ScoreBatch(score=np.zeros(2, np.float32), kind=np.zeros((1, 2), np.float32)), "kind: shape"),
        (ScoreBatch(score=np.zeros(2, np.float32), roi=np.array([0.1, np.nan], np.float32)), "roi: shape"),
    ],
)
def test_what_says_kind_or_region_is_held_to_its_promise_too(batch: ScoreBatch, told: str) -> None:
    crops = np.zeros((2, SIDE_PX, SIDE_PX, SLICES), np.uint8)
    with pytest.raises(ScorerFault, match=told):
        checked_scores(_Says(batch), crops)
