"""The annotated picture: what colour is where, nothing of the board hidden by the banner, any size, any verdict."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.annotate import BANNER, DEFECT, GOOD, annotate
from edge.board import Finding, Outcome, Reason, Region, Verdict
from tests.edge.drawn import drawn_board

pytestmark = pytest.mark.unit


def _finding(name: str, x_px: float, y_px: float, score: float, side_px: float = 60.0) -> Finding:
    region = Region(refdes=name, pin="1", x_px=x_px, y_px=y_px, side_px=side_px, threshold=1.0)
    return Finding(region=region, score=score)


def _verdict(outcome: Outcome, findings: tuple[Finding, ...], detail: str = "as tested") -> Verdict:
    return Verdict(
        uid="u",
        board_id="A1043",
        outcome=outcome,
        reason=Reason.NOT_REGISTERED if outcome is Outcome.UNDECIDED else Reason.JUDGED,
        detail=detail,
        n_regions=max(1, len(findings)),
        findings=findings,
        recipe_id="header",
        recipe_sha256="a" * 64,
        bundle_sha256="b" * 64,
        picture_sha256="c" * 64,
        picture_path="p.png",
        trigger_ns=0,
        decided_ns=150_000_000,
        trigger_utc="2025-01-01T00:00:00Z",
    )


def _board(width_px: int, height_px: int) -> np.ndarray:
    return np.full((height_px, width_px, 3), 70, np.uint8)


def _count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    wanted = np.array(colour)
    return int(np.count_nonzero(cv2.inRange(picture, np.maximum(wanted - 6, 0), np.minimum(wanted + 6, 255))))


@pytest.mark.parametrize(("width", "height"), [(700, 700), (1600, 1200), (4000, 3000)])
def test_the_banner_is_above_the_board_and_boxes_are_on_it(width: int, height: int) -> None:
    findings = (_finding("J1", 0.3 * width, 0.5 * height, 0.2), _finding("J2", 0.7 * width, 0.5 * height, 2.0))
    picture = annotate(_board(width, height), _verdict(Outcome.FAIL, findings))
    banner_px = picture.shape[0] - height
    assert picture.shape[1] == width
    assert 0.03 * height < banner_px < 0.3 * height
    banner, board = picture[:banner_px], picture[banner_px:]
    assert _count(banner, BANNER[Outcome.FAIL]) > 0.5 * banner.shape[0] * width
    assert _count(banner, (255, 255, 255)) > 100, "no text on the banner"
    left, right = board[:, : width // 2], board[:, width // 2 :]
    assert _count(left, GOOD) > 4 * 50
    assert _count(left, DEFECT) == 0
    assert _count(right, DEFECT) > 2 * 4 * 60, "a defect's box is thick"
    assert _count(right, GOOD) == 0


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.UNDECIDED])
def test_each_outcome_has_its_own_banner(outcome: Outcome) -> None:
    findings = (_finding("J1", 200, 200, 0.2),) if outcome is Outcome.PASS else ()
    picture = annotate(_board(720, 480), _verdict(outcome, findings))
    assert tuple(int(v) for v in picture[1, 1]) == BANNER[outcome]
    assert len(set(BANNER.values())) == 3


def test_the_picture_given_is_not_drawn_on() -> None:
    image = drawn_board(1)
    before = image.copy()
    annotate(image, _verdict(Outcome.FAIL, (_finding("J1", 200, 200, 3.0),)))
    assert np.array_equal(image, before)


def test_small_joints_are_enlarged() -> None:
    picture = annotate(_board(720, 720), _verdict(Outcome.PASS, (_finding("J1", 200, 200, 0.2, side_px=22.0),)))
    assert picture.shape[1] == 1440


def test_names_of_neighbouring_defects_do_not_cover_each_other() -> None:
    findings = tuple(_finding(f"J{i}", 300 + 40 * i, 300, 2.0 + i, side_px=44.0) for i in range(6))
    alone = [annotate(_board(1000, 700), _verdict(Outcome.FAIL, (f,))) for f in findings]
    together = annotate(_board(1000, 700), _verdict(Outcome.FAIL, findings))
    board = together[together.shape[0] - 700 :]
    white = [_count(a[a.shape[0] - 700 :], (255, 255, 255)) for a in alone]
    assert _count(board, (255, 255, 255)) >= 0.95 * sum(white)


def test_text_and_places_at_the_limits_do_not_break_it() -> None:
    findings = (
        _finding("J" * 60, -20.0, -20.0, 1e6),
        _finding("J2", 10_000.0, 10_000.0, 3.0),
        _finding("J3", 100.0, 99.0, 2.0),
    )
    maps = np.stack([np.zeros((8, 8)), np.ones((8, 8)), np.eye(8)]).astype(np.float32)
    verdict = _verdict(Outcome.FAIL, findings, detail="ä " + "x" * 400 + " 12 of 70 … " * 10)
    assert annotate(_board(200, 120), verdict, maps).shape[1] == 200


def test_a_map_tints_its_own_defect() -> None:
    finding = _finding("J1", 200, 200, 3.0, side_px=100.0)
    maps = np.zeros((1, 10, 10), np.float32)
    maps[0, :5] = 1.0
    picture = annotate(_board(720, 480), _verdict(Outcome.FAIL, (finding,)), maps)
    board = picture[picture.shape[0] - 480 :]
    assert board[165:190, 170:230].mean() > board[215:240, 170:230].mean() + 20
