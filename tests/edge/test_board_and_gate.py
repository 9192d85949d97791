"""Records that cannot lie, and the judge: no way from a doubt to PASS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board import Board, Finding, Outcome, Reason
from edge.gate import Judged, judge, undecided
from tests.edge.helpers import finding, region, verdict

pytestmark = pytest.mark.unit

BY = Judged(recipe_id="r", recipe_sha256="a" * 64, bundle_sha256="b" * 64, n_regions=2)


def board(**changes: object) -> Board:
    values = {
        "uid": "u",
        "board_id": "B1",
        "trigger_ns": 0,
        "trigger_utc": "",
        "picture_path": "p",
        "picture_sha256": "",
        "image": np.zeros((4, 4, 3), np.uint8),
    }
    return Board(**{**values, **changes})  # type: ignore[arg-type]


def test_pass_needs_every_region() -> None:
    both = (finding(0.5, "J1-1"), finding(1.0, "J1-2"))
    assert judge(board(), BY, both, 1, ()).outcome is Outcome.PASS
    one = judge(board(), BY, both[:1], 1, ())
    assert (one.outcome, one.reason) == (Outcome.UNDECIDED, Reason.OUT_OF_VIEW)
    assert judge(board(), BY, (), 1, ()).outcome is Outcome.UNDECIDED


def test_a_defect_seen_is_a_defect_even_when_regions_are_out_of_view() -> None:
    seen = judge(board(), BY, (finding(1.01),), 1, ())
    assert seen.outcome is Outcome.FAIL
    assert "worst J1-1" in seen.detail


@given(
    scores=st.lists(st.floats(-10, 10, allow_nan=False), max_size=6),
    n_regions=st.integers(0, 6),
    has_bundle=st.booleans(),
)
def test_pass_only_when_all_scored_and_none_above(scores: list[float], n_regions: int, has_bundle: bool) -> None:
    by = Judged(
        recipe_id="r", recipe_sha256="a" * 64, bundle_sha256="b" * 64 if has_bundle else "", n_regions=n_regions
    )
    findings = tuple(finding(s, f"J1-{i}") for i, s in enumerate(scores))
    try:
        outcome = judge(board(), by, findings, 1, ()).outcome
    except ValueError:
        outcome = Outcome.UNDECIDED
    may_pass = has_bundle and len(scores) == n_regions > 0 and all(s <= 1.0 for s in scores)
    assert (outcome is Outcome.PASS) == may_pass


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outcome": Outcome.PASS, "findings": (finding(2.0),)}, "PASS with 1 defects"),
        ({"outcome": Outcome.PASS, "n_regions": 3}, "1 of 3 regions"),
        ({"outcome": Outcome.PASS, "n_regions": 0, "findings": ()}, "0 of 0 regions"),
        ({"outcome": Outcome.PASS, "bundle_sha256": ""}, "without a verified bundle"),
        ({"outcome": Outcome.FAIL, "findings": ()}, "FAIL without a defect"),
        ({"outcome": Outcome.UNDECIDED, "reason": Reason.JUDGED}, "cannot have reason judged"),
    ],
)
def test_contradicting_verdicts_cannot_be_built(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        verdict(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.JUDGED])
def test_a_decision_has_no_excuse(outcome: Outcome, reason: Reason) -> None:
    with pytest.raises(ValueError, match="cannot have reason"):
        verdict(outcome=outcome, reason=reason)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_is_finite(score: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Finding(region=region(), score=score)


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.JUDGED])
def test_undecided_keeps_its_reason(reason: Reason) -> None:
    held = undecided(board(), BY, reason, "x" * 2_000, 1)
    assert held.reason is reason
    assert len(held.detail) == 500


def test_board_has_an_image_or_a_fault() -> None:
    with pytest.raises(ValueError, match="exactly one of image, panel, axi and capture fault"):
        board(image=None)
    with pytest.raises(ValueError, match="exactly one of image, panel, axi and capture fault"):
        board(capture_fault="torn")
    with pytest.raises(ValueError, match="1 to 32 bytes"):
        board(board_id="x" * 33)


def test_reason_codes_never_move() -> None:
    assert [r.name for r in sorted(Reason, key=lambda r: r.wire_code)] == [
        "JUDGED",
        "CAPTURE_FAULT",
        "NOT_REGISTERED",
        "OUT_OF_VIEW",
        "DEADLINE",
        "SCORER_FAULT",
        "NOT_READY",
        "INTERRUPTED",
        "INTERNAL",
        "DRIFT",
    ]
