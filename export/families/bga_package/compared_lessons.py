"""Pictures to teach the net that compares: lessons as in `lessons.py`, each beside approved ones of its part number.

Approved pictures are other good packages of the same part number, mirrored, turned and scaled alike, and lit each for
itself. Most groups are of pictures brought onto each other, as a station does it (`edge.register_aligned`), the others
as their machine cut them: a pixel or two apart. A part number's pattern and print are varied too: balls gone, or marks
there, in all pictures of a group alike are no defect. There are few part numbers to learn from, and what is to be
learned is to compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from export.families.bga_package.balls import Balls, Grey
from export.families.bga_package.lessons import (
    KINDS,
    PICTURE_PX,
    PLACES,
    Lessons,
    Rng,
    Shelf,
    as_grey,
    draw_placement,
    maybe_relit,
    placed,
    shelf_of,
    told,
)
from export.families.bga_package.paint_balls import take_out
from export.families.bga_package.paint_dirt import paint_foreign, paint_line
from export.onto_reference import brought_together

GROUP = 4  # lessons of one part number, placed alike: they share their approved pictures
MAX_BESIDE = 3  # approved pictures of a group
REGISTERED_FRAC = 0.65  # of groups, those brought onto each other
BESIDE_CHANCES = (0.25, 0.25, 0.5)  # of one, two or three approved pictures
HOLES_FRAC, MARKS_FRAC = 0.4, 0.3  # of groups, those with balls gone, or marks there, in all their pictures
MAX_HOLES, PADS_FRAC = 6, 0.4  # balls gone from all; of those groups, how many keep the bare pads
NEAR_PITCH = 0.35  # a ball nearer to where it is in another picture is the same ball

Placed = list[tuple[Floats, Balls]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartShelf:
    """Good pictures as they were cut, the same brought onto the first of their part number, and the part number (N,)
    of each."""

    as_cut: Shelf
    registered: Shelf
    parts: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.parts)


def part_shelf(pictures: Grey, parts: NDArray[np.str_]) -> PartShelf:
    """Find the balls of good pictures (N, 256, 256) uint8 of `parts` (N,), twice."""
    return PartShelf(as_cut=shelf_of(pictures), registered=shelf_of(brought_together(pictures, parts)), parts=parts)


AnyShelf = Shelf | PartShelf  # a net that compares learns from packages whose part numbers are known


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedLessons(Lessons):
    """`approved` (M, 256, 256) uint8, and which of them each lesson is held against, `compared` (n, MAX_BESIDE)."""

    approved: Grey
    compared: NDArray[np.int64]


def draw_compared(parted: PartShelf, n: int, rng: Rng) -> ComparedLessons:
    """`n` pictures drawn anew. The same generator state gives the same pictures."""
    pictures = np.empty((n, PICTURE_PX, PICTURE_PX), np.uint8)
    marks = np.zeros((n, len(KINDS), PLACES, PLACES), np.bool_)
    counts = np.empty((n, PLACES, PLACES), np.bool_)
    compared = np.empty((n, MAX_BESIDE), np.int64)
    approved: list[Grey] = []
    for start in range(0, n, GROUP):
        rows = range(start, min(start + GROUP, n))
        beside = 1 + int(rng.choice(MAX_BESIDE, p=BESIDE_CHANCES))
        group = _group(parted, beside, len(rows), rng)
        compared[rows.start : rows.stop] = len(approved) + np.arange(MAX_BESIDE) % beside
        approved += [as_grey(maybe_relit(picture, rng)) for picture, _ in group[:beside]]
        for row, (picture, balls) in zip(rows, group[beside:], strict=True):
            pictures[row], counts[row] = told(picture, balls, marks[row], rng)
    return ComparedLessons(
        pictures=pictures, marks=marks, counts=counts, approved=np.stack(approved), compared=compared
    )


def _group(parted: PartShelf, beside: int, n: int, rng: Rng) -> Placed:
    """Approved pictures of a part number, then others of it to be taught, all placed alike and with the same pattern.
    Where there are too few, those to be taught come again."""
    part = parted.parts[rng.integers(len(parted))]
    rows = rng.permutation(np.flatnonzero(parted.parts == part))
    others = rows[beside:] if len(rows) > beside else rows
    chosen = [*np.resize(rows, beside), *np.resize(others, n)]
    shelf = parted.registered if rng.random() < REGISTERED_FRAC else parted.as_cut
    placement = draw_placement(PICTURE_PX, rng)
    group = [placed(shelf.pictures[k], shelf.balls[k], placement) for k in chosen]
    if rng.random() < MARKS_FRAC:
        _mark_alike(group, rng)
    if rng.random() < HOLES_FRAC:
        group = _with_holes(group, rng)
    return group


def _mark_alike(group: Placed, rng: Rng) -> None:
    """The same flake or line in all pictures, in place: print, or a track."""
    seed, line = int(rng.integers(2**32)), bool(rng.random() < 0.5)
    pitch_px = group[0][1].pitch_px or 0.4 * PICTURE_PX
    for picture, balls in group:
        alike = np.random.default_rng(seed)
        if line:
            paint_line(picture, pitch_px, crack=False, rng=alike)
        else:
            paint_foreign(picture, pitch_px, float(alike.uniform(0.3, 2.0)), balls.dark, alike)


def _with_holes(group: Placed, rng: Rng) -> Placed:
    """The same few balls gone from all pictures, with their pads or without."""
    first = group[0][1]
    if not len(first):
        return group
    holes = first.places_px[rng.permutation(len(first))[: int(rng.integers(1, MAX_HOLES + 1))]]
    with_pad, seed = bool(rng.random() < PADS_FRAC), int(rng.integers(2**32))
    return [(picture, _without(picture, balls, holes, with_pad, seed)) for picture, balls in group]


def _without(picture: Floats, balls: Balls, holes: NDArray[np.float64], with_pad: bool, seed: int) -> Balls:
    """Take balls out of a picture, in place; those that are left. The same `seed` gives pads of the same look."""
    gone = np.zeros(len(balls), np.bool_)
    for hole in holes:
        away = np.hypot(*(balls.places_px - hole).T) if len(balls) else np.empty(0)
        if not len(away) or away.min() > NEAR_PITCH * balls.pitch_px:
            continue
        k = int(away.argmin())
        gone[k] = True
        take_out(picture, balls, k, with_pad=with_pad, rng=np.random.default_rng(seed))
    return Balls(
        places_px=balls.places_px[~gone], radii_px=balls.radii_px[~gone], pitch_px=balls.pitch_px, dark=balls.dark
    )
