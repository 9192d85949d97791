"""Lessons for the net that compares: approved pictures are of the same part number, placed alike, without defects."""

from __future__ import annotations

import numpy as np
import pytest

from export.families.bga_package import compared_lessons
from export.families.bga_package.compared_lessons import GROUP, MAX_BESIDE, PartShelf, draw_compared, part_shelf
from export.families.bga_package.lessons import greys
from export.simulator.xray.packages import draw_package, package_type

pytestmark = pytest.mark.unit

TYPES = ("PO-404", "PO-409")


@pytest.fixture(scope="module")
def parted() -> PartShelf:
    """Four good packages of each of two part numbers whose balls are of very different sizes."""
    parts = np.repeat(TYPES, 4)
    images = [draw_package(package_type(part), (1, k)).image for k, part in enumerate(parts)]
    return part_shelf(greys(np.stack(images)), parts)


def test_each_lesson_is_beside_approved_pictures_of_its_group(parted: PartShelf) -> None:
    drawn = draw_compared(parted, 2 * GROUP + 1, np.random.default_rng(0))
    assert drawn.pictures.shape == (9, 256, 256)
    assert drawn.compared.shape == (9, MAX_BESIDE)
    assert set(drawn.compared.ravel()) == set(range(len(drawn.approved)))
    for start in (0, GROUP, 2 * GROUP):
        assert (drawn.compared[start : start + GROUP] == drawn.compared[start]).all()
    assert not set(drawn.compared[0]) & set(drawn.compared[GROUP])


def test_pictures_are_brought_onto_the_first_of_their_part_number(parted: PartShelf) -> None:
    together, apart = parted.registered.pictures.astype(float), parted.as_cut.pictures.astype(float)
    for first in (0, 4):
        np.testing.assert_array_equal(together[first], apart[first])
        of = range(first + 1, first + 4)
        differs = [np.abs(pictures[of] - pictures[first]).mean() for pictures in (together, apart)]
        assert differs[0] < 0.9 * differs[1]


def test_the_same_state_gives_the_same_lessons(parted: PartShelf) -> None:
    one, other = (draw_compared(parted, 5, np.random.default_rng(3)) for _ in range(2))
    for name in ("pictures", "marks", "counts", "approved", "compared"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_good_lessons_look_like_what_is_approved_and_no_other(
    parted: PartShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Placed alike, a package resembles its own part number far more than the other group's."""
    monkeypatch.setattr("export.families.bga_package.lessons.GOOD_FRAC", 1.0)
    likeness: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(4):
        drawn = draw_compared(parted, 2 * GROUP, np.random.default_rng(seed))
        assert not drawn.defective.any()
        for k, row in ((0, 0), (GROUP, GROUP), (0, GROUP), (GROUP, 0)):
            pair = np.stack([drawn.pictures[k], drawn.approved[drawn.compared[row, 0]]]).reshape(2, -1)
            likeness[k == row].append(float(np.corrcoef(pair)[0, 1]))
    assert np.median(likeness[True]) > 0.75
    assert np.median(likeness[False]) < 0.5


def test_balls_gone_from_all_are_no_defect(parted: PartShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.families.bga_package.lessons.GOOD_FRAC", 1.0)
    monkeypatch.setattr(compared_lessons, "MARKS_FRAC", 0.0)
    drawn = {}
    for holes_frac in (0.0, 1.0):
        monkeypatch.setattr(compared_lessons, "HOLES_FRAC", holes_frac)
        drawn[holes_frac] = compared_lessons._group(parted, 2, 3, np.random.default_rng(5))
    for (whole, balls), (holed, left) in zip(drawn[0.0], drawn[1.0], strict=True):
        gone = {tuple(place) for place in balls.places_px} - {tuple(place) for place in left.places_px}
        assert 1 <= len(gone) <= compared_lessons.MAX_HOLES
        for x, y in gone:
            assert whole[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].std() >= 0.0
            assert not np.array_equal(whole[int(y), int(x)], holed[int(y), int(x)])
    assert len({len(balls) - len(left) for (_, balls), (_, left) in zip(drawn[0.0], drawn[1.0], strict=True)}) == 1


def test_a_part_number_with_one_picture_is_held_against_itself(parted: PartShelf) -> None:
    alone = part_shelf(parted.as_cut.pictures[:1], parted.parts[:1])
    drawn = draw_compared(alone, 3, np.random.default_rng(0))
    assert len(drawn.approved) in range(1, MAX_BESIDE + 1)
