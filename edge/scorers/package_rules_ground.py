"""What lies between the balls: bridges from ball to ball, specks, foreign bodies, scratches and cracks.

Ground is what is left of the picture without the balls. Its own slow shading is taken away, and what is left is told by
size and shape: specks and lines by top-hat and black-hat with a small window, foreign bodies by area.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.scorers.package_rules_balls import Balls, Levels
from edge.scorers.package_rules_file import PackageRulesFile

N_ACROSS, N_ALONG = 13, 7
BRIDGE_INSET = 1.08  # of the radius: a bridge is looked for from there to there
SHADE_PITCHES, SHADE_STEP_PX = 1.5, 4  # window of the ground's slow shading, and how finely it is known
MIN_GRAIN_GREY = 0.3
MIN_LINE_RATIO = 3.0  # length / mean width: a shorter one is a spot
COMPACT_FRAC, MIN_SPECK_PX = 0.6, 4  # of its box; a pixel or two are noise
_ACROSS = np.linspace(-0.6, 0.6, N_ACROSS, dtype=np.float32)  # of the diameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something on the ground that is not the ground: `amount` of it, in the unit of its limit, and its box x, y, w,
    h."""

    amount: float
    box_px: tuple[int, int, int, int]


NOTHING = Part(amount=0.0, box_px=(0, 0, 0, 0))


def bridge_density(
    bright: Image, levels: Levels, balls: Balls, pairs: NDArray[np.int64], rules: PackageRulesFile
) -> Floats:
    """Of each pair (m, 2) of neighbours: the least density along the densest path from one to the other, (m,); 0 where
    balls touch or are out of the picture."""
    begin, end = balls.places_px[pairs[:, 0]], balls.places_px[pairs[:, 1]]
    step = end - begin
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-3)[:, None]
    unit = step / length
    radius = balls.radii_px[pairs].mean(1)[:, None]
    share = np.linspace(0.0, 1.0, N_ALONG, dtype=np.float32)[None]
    along = radius * BRIDGE_INSET * (1 - share) + (length - radius * BRIDGE_INSET) * share  # (m, N_ALONG)
    across = 2 * radius * _ACROSS[None]
    side = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    x, y = (
        (
            begin[:, k, None, None]
            + along[:, :, None] * unit[:, k, None, None]
            + across[:, None] * side[:, k, None, None]
        )
        .reshape(len(pairs), -1)
        .astype(np.float32)
        for k in (0, 1)
    )
    grey = cv2.remap(bright, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    path = grey.reshape(len(pairs), N_ALONG, N_ACROSS).min(1).astype(np.float32)
    lines = max(1, round(rules.bridge_width_frac / float(_ACROSS[1] - _ACROSS[0])))
    neck = np.min([path[:, k : N_ACROSS - lines + 1 + k] for k in range(lines)], axis=0).max(1)
    touching = length[:, 0] < 2.05 * BRIDGE_INSET * radius[:, 0]
    return np.asarray(np.where(touching, 0.0, (neck - levels.ground) / levels.step), np.float32)


def ground_mask(shape_px: tuple[int, int], places_px: Floats, radii_px: Floats) -> Image:
    """(h, w) uint8, 255 on the ground; not around places (n, 2)."""
    mask = np.full(shape_px, 255, np.uint8)
    for (x, y), radius in zip(
        np.rint(16 * places_px).astype(int).tolist(), np.rint(16 * radii_px).astype(int).tolist(), strict=True
    ):
        cv2.circle(mask, (x, y), radius, 0, -1, cv2.LINE_8, 4)
    return mask


def shade_of(grey: Image, mask: Image, pitch_px: float) -> Image:
    """Mean of the ground (h, w) uint8 over SHADE_PITCHES, as it would also be under the balls."""
    small = (grey.shape[1] // SHADE_STEP_PX, grey.shape[0] // SHADE_STEP_PX)
    window = (2 * round(SHADE_PITCHES * pitch_px / SHADE_STEP_PX / 2) + 1,) * 2
    ground, weight = (
        cv2.blur(cv2.resize(plane, small, interpolation=cv2.INTER_AREA).astype(np.float32), window)
        for plane in (cv2.bitwise_and(grey, mask), mask)
    )
    shade = np.asarray(np.clip(255 * ground / np.maximum(weight, 8.0), 0, 255), np.uint8)
    return np.asarray(cv2.resize(shade, grey.shape[::-1]), np.uint8)


def without_balls(grey: Image, mask: Image, shade: Image) -> Image:
    """The picture with nothing but ground, shade in place of the balls."""
    ground = shade.copy()
    cv2.copyTo(grey, mask, ground)
    return np.asarray(ground, np.uint8)


def specks(mask: Image, size_px: int, pitch_px: float) -> Part:
    """Small compact parts together, in squares of a pitch: no rings (vias), no lines, nothing large."""
    if not cv2.countNonZero(mask):
        return NOTHING
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    x, y, width, height, area = stats[1:].T
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    kept = (longer <= size_px) & (2 * shorter >= longer) & (area >= COMPACT_FRAC * width * height)
    kept &= area >= MIN_SPECK_PX
    if not kept.any():
        return NOTHING
    x0, y0 = int(x[kept].min()), int(y[kept].min())
    box = (x0, y0, int((x + width)[kept].max()) - x0, int((y + height)[kept].max()) - y0)
    return Part(amount=float(area[kept].sum()) / pitch_px**2, box_px=box)


def largest(mask: Image, pitch_px: float) -> Part:
    """The connected part of most area, in squares of a pitch; looked for at half the resolution."""
    half = np.ascontiguousarray(mask[::2, ::2])
    if not cv2.countNonZero(half):
        return NOTHING
    _, _, stats, _ = cv2.connectedComponentsWithStats(half, connectivity=8, ltype=cv2.CV_16U)
    k = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = _box(stats[k])
    box = (2 * x, 2 * y, 2 * width, 2 * height)
    return Part(amount=4 * float(stats[k, cv2.CC_STAT_AREA]) / pitch_px**2, box_px=box)


def lines(bare: Image, mask: Image, width_px: int, contrast_ratio: float, bright: bool) -> Part:
    """The longest narrow thing darker (or brighter) than the ground, in px. A line stands out from the ground's own
    grain by `contrast_ratio`; widths up to `width_px` count."""
    kernel = np.ones((width_px, width_px), np.uint8)
    hat = cv2.morphologyEx(bare, cv2.MORPH_TOPHAT if bright else cv2.MORPH_BLACKHAT, kernel)
    grain = max(MIN_GRAIN_GREY, float(cv2.mean(hat, mask)[0]))
    _, found = cv2.threshold(cv2.bitwise_and(hat, mask), contrast_ratio * grain, 255, cv2.THRESH_BINARY)
    if not cv2.countNonZero(found):
        return NOTHING
    _, _, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8, ltype=cv2.CV_16U)
    extent = np.hypot(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT])
    extent *= extent**2 > MIN_LINE_RATIO * stats[1:, cv2.CC_STAT_AREA]
    k = int(np.argmax(extent))
    return Part(amount=float(extent[k]), box_px=_box(stats[k + 1]))


def _box(stats: NDArray[np.int32]) -> tuple[int, int, int, int]:
    x, y, width, height = stats[:4].tolist()
    return int(x), int(y), int(width), int(height)
