"""Pictures to teach the defect net with: good packages of the training split, as they are or with defects painted on,
and where on each picture which kind of defect lies.

No labelled defect takes part. Pictures are turned, mirrored, and some of them scaled and lit anew, before anything is
painted, so that paint is as sharp as the picture; afterwards all is treated alike. Good ones carry paint too (a ball
pasted into its own place, one hardly larger), since the net must not learn what paint looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from export.families.bga_package.balls import Balls, Grey, find_balls
from export.families.bga_package.paint_balls import paint_bridge, paint_missing, paint_shifted, paint_size
from export.families.bga_package.paint_dirt import paint_foreign, paint_line, paint_splatter

Rng = np.random.Generator

KINDS = ("missing", "bridge", "size", "shifted", "foreign", "splatter", "scratch_crack")
BALL_KINDS = frozenset({"missing", "bridge", "size", "shifted"})
PICTURE_PX, PLACE_PX = 256, 8  # of a whole picture; places are told on a grid of this pitch
PLACES = PICTURE_PX // PLACE_PX
GOOD_FRAC = 0.38
PASTED_FRAC = 0.45  # of the good ones, those that carry harmless paint
DEFECTS = (1, 1, 2, 3, 4)  # so many on a defective picture, by lot: every place teaches, and a pass costs the same
WARPED_FRAC, RELIT_FRAC = 0.5, 0.5
MIN_CHANGE_GREY = 3.5  # of the painted place, on average: less is seen by nobody, and is painted again
TRIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Good pictures (N, h, w) uint8 grey and their balls."""

    pictures: Grey
    balls: tuple[Balls, ...]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """`pictures` (n, 256, 256) uint8; `marks` (n, K, 32, 32) bool, which kind lies where; `counts` (n, 32, 32) bool,
    the places that are told: not those on the rim of a defect."""

    pictures: Grey
    marks: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @property
    def defective(self) -> NDArray[np.bool_]:
        """(n,)."""
        return np.asarray(self.marks.any(axis=(1, 2, 3)))


def shelf_of(pictures: Grey) -> Shelf:
    """Find the balls of good pictures (N, h, w), which are of one look: dark balls in most of them, or in none."""
    found = [find_balls(picture) for picture in pictures]
    dark = sum(balls.dark for balls in found) > len(found) / 2
    none = Balls(places_px=np.empty((0, 2)), radii_px=np.empty(0), pitch_px=0.0, dark=dark)
    return Shelf(pictures=pictures, balls=tuple(balls if balls.dark == dark else none for balls in found))


def draw_lessons(shelf: Shelf, n: int, rng: Rng) -> Lessons:
    """`n` pictures drawn anew, whole ones: a net taught by pieces of pictures, which cost less, called good whole ones.
    The same generator state gives the same pictures."""
    pictures = np.empty((n, PICTURE_PX, PICTURE_PX), np.uint8)
    marks = np.zeros((n, len(KINDS), PLACES, PLACES), np.bool_)
    counts = np.empty((n, PLACES, PLACES), np.bool_)
    for k in range(n):
        pictures[k], counts[k] = _lesson(shelf, int(rng.integers(len(shelf))), marks[k], rng)
    return Lessons(pictures=pictures, marks=marks, counts=counts)


def paint(picture: Floats, balls: Balls, kind: str, rng: Rng) -> Floats:
    """Paint one defect on a (h, w) float32 picture in place; the mask of where. Balls' kinds need a ball."""
    if kind in BALL_KINDS:
        return _paint_ball(picture, balls, kind, rng)
    pitch_px = balls.pitch_px or 0.4 * picture.shape[0]
    if kind == "foreign":
        share = float(np.exp(rng.uniform(np.log(0.28), np.log(2.5))))
        return paint_foreign(picture, pitch_px, share, balls.dark or not len(balls), rng)
    if kind == "splatter":
        return paint_splatter(picture, balls, int(np.exp(rng.uniform(np.log(5), np.log(40)))), rng)
    return paint_line(picture, pitch_px, crack=bool(rng.random() < 0.5), rng=rng)


def _paint_ball(picture: Floats, balls: Balls, kind: str, rng: Rng) -> Floats:
    hit = int(rng.integers(len(balls)))
    if kind == "missing":
        return paint_missing(picture, balls, hit, rng)
    if kind == "bridge":
        return paint_bridge(picture, balls, hit, float(rng.uniform(0.2, 1.0)), rng)
    if kind == "shifted":
        return paint_shifted(picture, balls, hit, float(rng.uniform(0.13, 0.40)), rng)
    scale = rng.uniform(0.58, 0.86) if rng.random() < 0.5 else rng.uniform(1.14, 1.42)
    return paint_size(picture, balls, hit, float(scale))


def _lesson(shelf: Shelf, index: int, marks: NDArray[np.bool_], rng: Rng) -> tuple[Grey, NDArray[np.bool_]]:
    grey = shelf.pictures[index]
    return told(*placed(grey, shelf.balls[index], draw_placement(grey.shape[0], rng)), marks, rng)


def told(picture: Floats, balls: Balls, marks: NDArray[np.bool_], rng: Rng) -> tuple[Grey, NDArray[np.bool_]]:
    """A placed picture as a lesson: left good or made defective, lit anew or not. Sets `marks` (K, 32, 32), and returns
    the picture (h, w) uint8 with the places that are told, (32, 32)."""
    touched = np.zeros((PLACES, PLACES), np.bool_)
    if rng.random() < GOOD_FRAC:
        if len(balls) and rng.random() < PASTED_FRAC:
            _harmless(picture, balls, rng)
    else:
        for _ in range(int(rng.choice(DEFECTS))):
            kind, mask = _painted(picture, balls, rng)
            cells = _cells(mask)
            marks[KINDS.index(kind)] |= cells
            touched |= cells
    picture = maybe_relit(picture, rng)
    rim = cv2.dilate(touched.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~touched
    return as_grey(picture), ~rim


def as_grey(picture: Floats) -> Grey:
    """To the nearest grey level, (h, w) uint8."""
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def _painted(picture: Floats, balls: Balls, rng: Rng) -> tuple[str, Floats]:
    """Paint one defect that shows. X-rays see no scratch and hardly a crack, so none is taught there."""
    kinds = [k for k in KINDS if (len(balls) or k not in BALL_KINDS) and not (balls.dark and k == "scratch_crack")]
    kind = kinds[int(rng.integers(len(kinds)))]
    before = picture.copy()
    for _ in range(TRIES):
        mask = paint(picture, balls, kind, rng)
        if _shows(picture, before, mask):
            break
        picture[:] = before
    else:
        mask = np.zeros_like(picture)
    return kind, mask


def _shows(picture: Floats, before: Floats, mask: Floats) -> bool:
    weight = float(mask.sum())
    return weight > 1.0 and float((np.abs(picture - before) * mask).sum()) / weight >= MIN_CHANGE_GREY


def _harmless(picture: Floats, balls: Balls, rng: Rng) -> None:
    """Paint as of defects, within what good balls differ by."""
    for hit in rng.integers(0, len(balls), int(rng.integers(1, 4))):
        if rng.random() < 0.5:
            paint_size(picture, balls, int(hit), float(rng.uniform(0.95, 1.05)))
        else:
            paint_shifted(picture, balls, int(hit), float(rng.uniform(0.0, 0.03)), rng)


def _cells(mask: Floats) -> NDArray[np.bool_]:
    rows = mask.reshape(PLACES, PLACE_PX, -1).max(axis=1)  # in two steps: a tenth of the time
    return np.asarray(rows.reshape(PLACES, PLACES, PLACE_PX).max(axis=2) > 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a picture's pixels go: `move` (2, 3); `exact` where no pixel has to be interpolated."""

    move: NDArray[np.float64]
    exact: bool


def draw_placement(side_px: int, rng: Rng) -> Placement:
    """Mirrored and turned by quarters; half of the pictures also scaled, turned and moved a little."""
    middle = (side_px - 1) / 2
    matrix = np.eye(2)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0.0], [0.0, 1.0]])
    for _ in range(int(rng.integers(4))):
        matrix = matrix @ np.array([[0.0, -1.0], [1.0, 0.0]])
    shift = np.zeros(2)
    exact = rng.random() >= WARPED_FRAC
    if not exact:
        angle = np.deg2rad(rng.uniform(-3, 3))
        scale = np.diag(float(rng.uniform(0.78, 1.3)) * (1 + rng.uniform(-0.06, 0.06, 2)))
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ scale @ matrix
        shift = rng.uniform(-3, 3, 2)
    move = np.concatenate([matrix, (np.array([middle, middle]) @ (np.eye(2) - matrix.T) + shift)[:, None]], axis=1)
    return Placement(move=move, exact=exact)


def placed(picture: Grey, balls: Balls, placement: Placement) -> tuple[Floats, Balls]:
    """A picture (h, w) as it is placed, float32, and the balls that are still inside."""
    side, move = picture.shape[0], placement.move
    flags = cv2.INTER_NEAREST if placement.exact else cv2.INTER_LINEAR
    lies = cv2.warpAffine(picture, move, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    places = balls.places_px @ move[:, :2].T + move[:, 2]
    inside = ((places > 0.02 * side) & (places < 0.98 * side)).all(axis=1)
    larger = float(np.sqrt(abs(np.linalg.det(move[:, :2]))))
    moved = Balls(
        places_px=places[inside],
        radii_px=balls.radii_px[inside] * larger,
        pitch_px=balls.pitch_px * larger,
        dark=balls.dark,
    )
    return lies.astype(np.float32), moved


def maybe_relit(picture: Floats, rng: Rng) -> Floats:
    """Half of the pictures, as another station would take them."""
    return _relit(picture, rng) if rng.random() < RELIT_FRAC else picture


def _relit(picture: Floats, rng: Rng) -> Floats:
    """Another lamp and exposure, another focus, more noise."""
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 0.7))).astype(np.float32)
    shade = rng.normal(1.0, 0.05, (3, 3)).astype(np.float32)
    field = cv2.resize(shade, picture.shape[::-1], interpolation=cv2.INTER_CUBIC)
    bent = cv2.pow(picture.clip(0, 255) / np.float32(255), float(rng.uniform(0.92, 1.09)))
    lit = bent * field * np.float32(255 * rng.uniform(0.88, 1.12))
    grain = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(0.0, 1.8))
    return np.asarray(lit + grain, np.float32)


def greys(crops: NDArray[np.uint8]) -> Grey:
    """(N, h, w, 3) uint8 BGR to (N, h, w) uint8, as the station's grey."""
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY) for crop in crops]).astype(np.uint8, copy=False)


def as_crops(pictures: Sequence[Grey] | Grey) -> NDArray[np.uint8]:
    """Grey pictures (n, h, w) as (n, h, w, 3): what the family's `graph_input` takes."""
    return np.repeat(np.asarray(pictures, np.uint8)[..., None], 3, axis=3)
