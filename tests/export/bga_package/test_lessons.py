"""What `best` is taught from: balls are found in both looks, paint stays where its mask says, lessons are what they
say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.board import Floats
from export.families.bga_package.balls import Balls, find_balls, pitch_of
from export.families.bga_package.lessons import (
    BALL_KINDS,
    GOOD_FRAC,
    KINDS,
    MIN_CHANGE_GREY,
    Shelf,
    as_crops,
    draw_lessons,
    greys,
    paint,
    shelf_of,
)
from export.families.bga_package.paint_balls import paint_shifted, paint_size
from export.simulator.xray.packages import draw_package, package_type

pytestmark = pytest.mark.unit

TYPES = {False: "PO-404", True: "PX-503"}


@pytest.fixture(scope="module")
def shelves() -> dict[bool, Shelf]:
    """Two good packages of each look, by whether balls are dark."""
    drawn = {dark: [draw_package(package_type(name), (1, k)).image for k in range(2)] for dark, name in TYPES.items()}
    return {dark: shelf_of(greys(np.stack(images))) for dark, images in drawn.items()}


@pytest.mark.parametrize("dark", [False, True])
def test_balls_are_where_the_design_says(shelves: dict[bool, Shelf], dark: bool) -> None:
    package = package_type(TYPES[dark])
    whole = ((package.places_px > 0.6 * package.pitch_px) & (package.places_px < 255 - 0.6 * package.pitch_px)).all(1)
    for balls in shelves[dark].balls:
        assert balls.dark == dark
        gaps = np.hypot(*(package.places_px[whole][:, None] - balls.places_px[None]).transpose(2, 0, 1)).min(axis=1)
        assert np.mean(gaps < 0.15 * package.pitch_px) > 0.8
        assert balls.pitch_px == pytest.approx(package.pitch_px, rel=0.15)
        assert np.median(balls.radii_px) == pytest.approx(package.diameter_px / 2, rel=0.15)


def test_a_blank_picture_has_no_balls() -> None:
    balls = find_balls(np.full((256, 256), 90, np.uint8))
    assert len(balls) == 0
    assert balls.pitch_px == 0.0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_paint_changes_its_place_and_no_other(shelves: dict[bool, Shelf], dark: bool, kind: str) -> None:
    shelf, rng = shelves[dark], np.random.default_rng(0)
    changes = []
    for _ in range(6):
        before = shelf.pictures[0].astype(np.float32)
        after = before.copy()
        mask = paint(after, shelf.balls[0], kind, rng)
        assert mask.shape == after.shape
        assert mask.min() >= 0.0
        assert mask.max() <= 1.0 + 1e-6
        assert np.isfinite(after).all()
        change = np.abs(after - before)
        reach = 1.6 * shelf.balls[0].pitch_px if kind in BALL_KINDS else 6.0  # a shifted ball also leaves its place
        assert change[_far_from(mask > 0.01, reach)].max(initial=0.0) < 1.5
        changes.append(float((change * mask).sum() / max(mask.sum(), 1.0)))
    assert np.median(changes) > MIN_CHANGE_GREY


@pytest.mark.parametrize("dark", [False, True])
def test_a_ball_grows_and_moves_as_told(shelves: dict[bool, Shelf], dark: bool) -> None:
    picture, balls = shelves[dark].pictures[0].astype(np.float32), shelves[dark].balls[0]
    middle = int(np.argmin(np.hypot(*(balls.places_px - 128).T)))
    place = balls.places_px[middle]
    for scale in (0.75, 1.2):
        after = picture.copy()
        paint_size(after, balls, middle, scale)
        found = find_balls(np.rint(after).astype(np.uint8))
        k = int(np.argmin(np.hypot(*(found.places_px - place).T))) if len(found) else 0
        at = np.hypot(*(found.places_px[k] - place))
        if at < 0.2 * balls.pitch_px:  # beyond a quarter off the usual size, the finder itself leaves it out
            assert found.radii_px[k] / balls.radii_px[middle] == pytest.approx(scale, abs=0.12)
    after = picture.copy()
    mask = paint_shifted(after, balls, middle, 0.3, np.random.default_rng(1))
    rows, columns = np.nonzero(mask > 0.5)
    moved = np.hypot(columns.mean() - place[0], rows.mean() - place[1])
    assert moved == pytest.approx(0.3 * balls.pitch_px, abs=2.0)


@pytest.mark.parametrize("dark", [False, True])
def test_lessons_tell_kinds_and_places(shelves: dict[bool, Shelf], dark: bool) -> None:
    drawn = draw_lessons(shelves[dark], 60, np.random.default_rng(5))
    assert drawn.pictures.shape == (60, 256, 256)
    assert drawn.marks.shape == (60, len(KINDS), 32, 32)
    assert abs((~drawn.defective).mean() - GOOD_FRAC) < 0.2
    seen = drawn.marks.any(axis=(2, 3)).sum(axis=0)
    taught = [name for name in KINDS if not (dark and name == "scratch_crack")]
    assert all((seen[KINDS.index(name)] > 0) == (name in taught) for name in KINDS)
    assert drawn.counts[~drawn.defective].all()  # nothing of a good picture is left untold
    assert not (drawn.marks.any(axis=1) & ~drawn.counts).any()
    assert not drawn.counts[drawn.defective].all(axis=(1, 2)).all()
    np.testing.assert_array_equal(as_crops(drawn.pictures)[..., 1], drawn.pictures)


def test_the_same_seed_draws_the_same_lessons(shelves: dict[bool, Shelf]) -> None:
    first, again, other = (draw_lessons(shelves[False], 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pictures, again.pictures)
    np.testing.assert_array_equal(first.marks, again.marks)
    assert not np.array_equal(first.pictures, other.pictures)


def test_a_shelf_is_of_one_look(shelves: dict[bool, Shelf]) -> None:
    pictures = np.concatenate([shelves[True].pictures, np.full((1, 256, 256), 200, np.uint8)])
    shelf = shelf_of(pictures)
    assert all(balls.dark for balls in shelf.balls)
    assert len(shelf.balls[2]) == 0
    lessons = draw_lessons(Shelf(pictures=pictures[2:], balls=shelf.balls[2:]), 8, np.random.default_rng(0))
    assert not lessons.marks[:, [KINDS.index(name) for name in BALL_KINDS]].any()


def test_pitch_of_one_ball_is_guessed() -> None:
    assert pitch_of(np.array([[40.0, 40.0]]), np.array([20.0])) == 60.0


def _far_from(mask: np.ndarray, reach: float) -> Floats:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) > reach


def test_a_ball_at_the_rim_may_be_moved_out_of_the_picture(shelves: dict[bool, Shelf]) -> None:
    picture, pitch_px = shelves[True].pictures[0].astype(np.float32), shelves[True].balls[0].pitch_px
    for place in ((1.0, 128.0), (254.0, 128.0), (128.0, 254.0)):
        edge = Balls(places_px=np.array([place]), radii_px=np.array([20.0]), pitch_px=pitch_px, dark=True)
        for seed in range(6):
            after = picture.copy()
            mask = paint_shifted(after, edge, 0, 0.9, np.random.default_rng(seed))
            assert np.isfinite(after).all()
            assert mask.shape == after.shape
