"""Defects of balls, painted on pictures of good packages: missing, too small or too large, shifted, bridged.

Every painter changes a (h, w) float32 grey picture in place and returns where it did, a (h, w) float32 mask. What a
picture shows elsewhere is never touched, so a network cannot learn the paint from afar. Sizes are shares of the pitch
or the radius as in the specification of the twin's packages.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from export.families.bga_package.balls import Balls

Rng = np.random.Generator
Point = NDArray[np.float64]

_BARE_RADII = 1.15  # a ball and its soft edge
# Of the radius found. By X-ray that is the ball's; under a lamp that of its bright part, 0.73 to 1.03 of the ball's on
# part numbers of the twin that are learned from: pads of 0.68 to 0.95 of it left the balls of two of them unmissed.
_DARK_PADS, _BRIGHT_PADS = (0.68, 0.95), (0.7, 1.2)
_INPAINT_PX = 12.0  # a hole is filled at about this radius: a large one would take 50 ms


def paint_missing(picture: Floats, balls: Balls, hit: int, rng: Rng) -> Floats:
    """One to three neighbouring balls gone; their pads stay, or nothing does (as the paper makes them)."""
    mask = np.zeros_like(picture)
    with_pad = rng.random() < 0.65
    for k in nearest(balls, hit)[: int(rng.choice((1, 1, 2, 3)))]:
        take_out(picture, balls, int(k), with_pad=with_pad, rng=rng)
        add_disc(mask, balls.places_px[k], float(balls.radii_px[k]))
    return mask


def take_out(picture: Floats, balls: Balls, hit: int, *, with_pad: bool, rng: Rng) -> None:
    """One ball gone, its bare pad there or not."""
    place, radius = balls.places_px[hit], float(balls.radii_px[hit])
    usual = _ball_grey(picture, place, radius)
    part, bare = without_ball(picture, place, radius, rng)
    picture[part] = bare
    if with_pad:
        _paint_pad(picture, place, radius, usual, balls.dark, rng)


def paint_size(picture: Floats, balls: Balls, hit: int, scale: float) -> Floats:
    """One ball `scale` times as large, drawn together or apart about its middle; the ground beside it gives way."""
    place, radius = balls.places_px[hit], float(balls.radii_px[hit])
    reach = max(min(0.5 * balls.pitch_px, 1.8 * radius), 1.12 * _BARE_RADII * radius * max(scale, 1.0))
    part, dx, dy = _patch(picture.shape, place, reach)
    away = np.hypot(dx, dy)
    inner = _BARE_RADII * radius * scale  # within it the ball, beyond it the ground drawn in or pushed out
    source = np.where(
        away < inner,
        away / scale,
        _BARE_RADII * radius + (away - inner) * (reach - _BARE_RADII * radius) / max(reach - inner, 1e-3),
    )
    ratio = np.where(away < reach, source / np.maximum(away, 1e-6), 1.0).astype(np.float32)
    columns = np.float32(place[0]) + dx * ratio
    rows = np.float32(place[1]) + dy * ratio
    picture[part] = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros_like(picture)
    add_disc(mask, place, radius * max(scale, 1.0))
    return mask


def paint_shifted(picture: Floats, balls: Balls, hit: int, share: float, rng: Rng) -> Floats:
    """One ball beside its place by `share` of the pitch, any way."""
    place, radius = balls.places_px[hit], float(balls.radii_px[hit])
    angle = rng.uniform(0, 2 * np.pi)
    target = place + share * balls.pitch_px * np.array([np.cos(angle), np.sin(angle)])
    original = picture.copy()
    part, bare = without_ball(picture, place, radius, rng)
    picture[part] = bare
    paste_ball(picture, original, place, target, radius)
    mask = np.zeros_like(picture)
    add_disc(mask, target, radius)
    return mask


def paint_bridge(picture: Floats, balls: Balls, hit: int, share: float, rng: Rng) -> Floats:
    """Solder from one ball to a neighbour: a neck of `share` of a ball's width, or a second ball half a pitch away as
    the paper places them."""
    place, radius = balls.places_px[hit], float(balls.radii_px[hit])
    other = _neighbour(balls, hit, rng)
    step = other - place
    mask = np.zeros_like(picture)
    if share > 0.5 and rng.random() < 0.3:
        middle = place + step / 2
        paste_ball(picture, picture.copy(), place, middle, radius)
        add_disc(mask, middle, radius)
        return mask
    length = float(np.hypot(*step))
    part, dx, dy = _patch(picture.shape, place + step / 2, length / 2 + 2)
    along = (dx * step[0] + dy * step[1]) / length + length / 2
    across = (dy * step[0] - dx * step[1]) / length
    waist = rng.uniform(0.0, 0.4)
    half = share * radius * (1 - waist + waist * np.clip(2 * along / length - 1, -1, 1) ** 2)
    edge = rng.uniform(0.6, 1.6)
    neck = np.clip((half - np.abs(across)) / edge + 0.5, 0, 1) * ((along > 0) & (along < length))
    for end in (place, other):  # over the balls themselves the neck is not seen, or hardly
        inside = np.hypot(dx + (place + step / 2 - end)[0], dy + (place + step / 2 - end)[1])
        neck = neck * np.clip((inside - (radius - 1.0)) / 1.5 + 0.5, rng.uniform(0.0, 0.15), 1)
    grey = solder_grey(picture, place, radius, balls.dark, rng)
    shine = 1 + rng.uniform(0.0, 0.35) * (1 - np.abs(across) / np.maximum(half, 1.0)).clip(0, 1) * (not balls.dark)
    picture[part] += neck * (grey * shine - picture[part])
    mask[part] = neck
    return mask


def nearest(balls: Balls, hit: int) -> NDArray[np.int64]:
    """Balls by their distance from one, itself first."""
    return np.argsort(np.hypot(*(balls.places_px - balls.places_px[hit]).T), kind="stable")


def without_ball(picture: Floats, place: Point, radius: float, rng: Rng) -> tuple[tuple[slice, slice], Floats]:
    """The patch round a ball, and the same with the ground drawn in from beside it, with the ground's own noise."""
    part, dx, dy = _patch(picture.shape, place, 1.5 * radius + 3)
    patch = picture[part]
    hole = np.clip((_BARE_RADII * radius + 1.0 - np.hypot(dx, dy)) / 1.5 + 0.5, 0, 1)
    by = max(1.0, radius / _INPAINT_PX)
    size = (max(8, round(patch.shape[1] / by)), max(8, round(patch.shape[0] / by)))
    small = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8)
    gap = (cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.02).astype(np.uint8)
    filled = cv2.inpaint(small, gap, 2, cv2.INPAINT_TELEA).astype(np.float32)
    ground = cv2.resize(filled, patch.shape[::-1], interpolation=cv2.INTER_LINEAR)
    ground = ground + noise_like(picture, patch.shape, rng)
    return part, (patch + hole * (ground - patch)).astype(np.float32)


def noise_like(picture: Floats, shape: tuple[int, ...], rng: Rng) -> Floats:
    """Grain as the picture has it: its deviation from the median of second differences, which edges hardly move."""
    rows = picture[::16]  # a sixteenth says it as well
    second = rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]
    deviation = min(8.0, float(np.median(np.abs(second))) / 0.6745 / 2.45)
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)


def paste_ball(picture: Floats, source: Floats, place: Point, target: Point, radius: float) -> None:
    """A copy of the ball at `place` in `source`, to `target` in `picture`, to a fraction of a pixel."""
    part, dx, dy = _patch(picture.shape, target, radius + 3)
    copy = cv2.remap(
        source,
        (dx + np.float32(place[0])).astype(np.float32),
        (dy + np.float32(place[1])).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    cover = np.clip((radius + 0.7 - np.hypot(dx, dy)) / 1.5 + 0.5, 0, 1)
    picture[part] += cover * (copy - picture[part])


def solder_grey(picture: Floats, place: Point, radius: float, dark: bool, rng: Rng) -> float:
    """A grey that solder may have beside a ball: much as the ball, or flatter and duller under a lamp."""
    usual = _ball_grey(picture, place, radius)
    if dark:
        return float(np.clip(usual * rng.uniform(0.85, 1.35), 2, 200))
    return float(np.clip(rng.uniform(0.45, 1.3) * usual, 45, 240))


def add_disc(mask: Floats, place: Point, radius: float) -> None:
    """A disc of ones into a mask, in place."""
    part, dx, dy = _patch(mask.shape, place, radius + 2)
    mask[part] = np.maximum(mask[part], np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1))


def _paint_pad(picture: Floats, place: Point, radius: float, usual: float, dark: bool, rng: Rng) -> None:
    """The bare pad: flat metal under a lamp, a slight shade by X-ray."""
    size = radius * rng.uniform(*(_DARK_PADS if dark else _BRIGHT_PADS))
    part, dx, dy = _patch(picture.shape, place, size + 3)
    cover = np.clip((size - np.hypot(dx, dy)) / rng.uniform(0.8, 2.8) + 0.5, 0, 1)
    if dark:
        picture[part] *= 1 - cover * np.float32(rng.uniform(0.04, 0.22))
        return
    grey = np.float32(np.clip(rng.uniform(0.5, 1.3) * usual, 60, 210))
    rim = 1 - rng.uniform(0.0, 0.3) * np.clip(np.hypot(dx, dy) / size, 0, 1) ** 4
    picture[part] += cover * (grey * rim + noise_like(picture, cover.shape, rng) - picture[part])


def _ball_grey(picture: Floats, place: Point, radius: float) -> float:
    part, dx, dy = _patch(picture.shape, place, radius)
    inside = np.hypot(dx, dy) < 0.85 * radius
    return float(np.median(picture[part][inside])) if inside.any() else float(np.median(picture))


def _neighbour(balls: Balls, hit: int, rng: Rng) -> Point:
    """A neighbour's place; one pitch to any side where none was found."""
    gaps = np.hypot(*(balls.places_px - balls.places_px[hit]).T)
    near = np.flatnonzero((gaps > 0) & (gaps < 1.25 * balls.pitch_px))
    if len(near):
        return np.asarray(balls.places_px[rng.choice(near)], np.float64)
    side = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], np.float64)[rng.integers(4)]
    return balls.places_px[hit] + side * balls.pitch_px


def _patch(shape: tuple[int, ...], middle: Point, reach: float) -> tuple[tuple[slice, slice], Floats, Floats]:
    """The square round a point as slices, and its pixels' offsets from the point, float32."""
    height, width = shape[:2]
    x0, y0 = (int(np.clip(at - reach, 0, side - 1)) for at, side in zip(middle, (width, height), strict=True))
    x1 = max(x0 + 1, int(np.clip(middle[0] + reach + 1, 0, width)))  # a middle beyond the rim leaves a strip
    y1 = max(y0 + 1, int(np.clip(middle[1] + reach + 1, 0, height)))
    dy, dx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    return (slice(y0, y1), slice(x0, x1)), dx - np.float32(middle[0]), dy - np.float32(middle[1])
