"""One package picture, inspected: what is measured of its balls, its ground and its outline, and where.

Values are in the units of the limits of `PackageRulesFile`; a value over its limit is a call of the measure's kind. No
grid at all is a call of its own: whatever lies there is no package of good balls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from edge.board import Floats, Image
from edge.scorers.package_rules_balls import Blobs, Levels, find_blobs, levels_of
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_grid import NumberedPlaces, around
from edge.scorers.package_rules_ground import (
    Part,
    bridge_density,
    ground_mask,
    largest,
    lines,
    shade_of,
    specks,
    without_balls,
)
from edge.scorers.package_rules_kinds import MEASURES, N_BALL_MEASURES
from edge.scorers.package_rules_outline import find_outline
from edge.scorers.package_rules_sites import Sites, ball_values, find_sites, pin1_mark

NO_GRID = 1.0  # value of the first measure, the share that is absent of a ball: no grid is no balls at all
NO_OUTLINE_PX = 1e3
DARK_FRAC = 0.5  # nothing can be darker than black: dark bodies have half the contrast of bright ones
_AT = {measure.limit: k for k, measure in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauged:
    """`values` (len(MEASURES),) float32, the worst of each measure. Where: `places_px` (n, 2) and `at_places`
    (n, len(MEASURES)) for what has a place, `parts` for what has a box; `reach_px` is a ball's radius."""

    values: Floats
    places_px: Floats
    at_places: Floats
    parts: tuple[tuple[int, Part], ...]  # measure, and what was found
    reach_px: float


class Planes(NamedTuple):
    """A picture's greys (h, w) uint8: `solder` with bright balls, `ground` for what is dark on the ground."""

    solder: Image
    ground: Image


def planes_of(picture: Image, rules: PackageRulesFile) -> Planes:
    """Planes of a picture (h, w, 3) uint8 BGR. Solder is grey and mask is coloured: in the darkest of the three colours
    they are farthest apart. X-rays are inverted."""
    blue, green, red = (_u8(plane) for plane in cv2.split(picture))
    if rules.ball_polarity == "dark":
        solder = _u8(cv2.bitwise_not(green))
        return Planes(solder, solder)
    mean = cv2.addWeighted(cv2.addWeighted(blue, 0.5, red, 0.5, 0), 2 / 3, green, 1 / 3, 0)
    return Planes(_u8(cv2.min(cv2.min(blue, green), red)), _u8(mean))


def gauge(picture: Image, rules: PackageRulesFile) -> Gauged:
    """Everything measured of a picture (h, w, 3) uint8 BGR."""
    planes = planes_of(picture, rules)
    levels = levels_of(planes.solder, rules)
    blobs = find_blobs(planes.solder, levels, rules)
    sites = find_sites(planes.solder, levels, blobs, rules)
    if sites is None:
        return _no_grid()
    at_places = np.zeros((len(sites.index), len(MEASURES)), np.float32)
    at_places[:, :N_BALL_MEASURES] = ball_values(sites)
    places = [sites.balls.places_px]
    rows = [at_places]
    for limit, more_places, values in (_bridges(planes, levels, sites, rules), _extras(blobs, sites, rules)):
        places.append(more_places)
        rows.append(np.zeros((len(values), len(MEASURES)), np.float32))
        rows[-1][:, _AT[limit]] = values
    parts = (*_of_ground(planes, levels, sites, rules), *_of_outline(planes, sites, rules))
    everywhere = np.concatenate(rows)
    values = np.maximum(everywhere.max(0), 0.0)
    for k, part in parts:
        values[k] = max(values[k], part.amount)
    return Gauged(
        values=values.astype(np.float32),
        places_px=np.concatenate(places),
        at_places=everywhere,
        parts=parts,
        reach_px=sites.radius_px,
    )


def _bridges(planes: Planes, levels: Levels, sites: Sites, rules: PackageRulesFile) -> tuple[str, Floats, Floats]:
    numbered = NumberedPlaces(sites.index)
    here = np.arange(len(sites.index))
    beside = [np.stack([here, numbered.at(sites.index + step)], axis=1) for step in ((1, 0), (0, 1))]
    pairs = np.concatenate(beside)
    pairs = pairs[pairs[:, 1] >= 0]
    if not len(pairs):
        return "max_bridge_density_frac", np.zeros((0, 2), np.float32), np.zeros(0, np.float32)
    density = bridge_density(planes.solder, levels, sites.balls, pairs, rules)
    return "max_bridge_density_frac", sites.balls.places_px[pairs].mean(1), density


def _extras(blobs: Blobs, sites: Sites, rules: PackageRulesFile) -> tuple[str, Floats, Floats]:
    """Whole blobs that are no place's ball: their area, in areas of a ball."""
    places, sizes = blobs.places_px[blobs.whole], blobs.diameters_px[blobs.whole]
    nearest = NumberedPlaces(sites.index).at(sites.grid.nearest(places))
    apart = np.hypot(*(places - sites.balls.places_px[nearest]).T)
    extra = (nearest < 0) | (apart > 0.5 * sites.grid.pitch_px)
    if rules.pin1_window_frac > 0:
        from_mark = np.hypot(*(places - pin1_mark(sites)).T)
        extra &= from_mark > rules.pin1_window_frac * sites.grid.pitch_px
    return "max_extra_frac", places[extra], np.square(sizes[extra] / (2 * sites.radius_px))


def _of_ground(planes: Planes, levels: Levels, sites: Sites, rules: PackageRulesFile) -> tuple[tuple[int, Part], ...]:
    pitch = sites.grid.pitch_px
    places, radii = sites.balls.places_px, sites.balls.radii_px
    if rules.pattern == "full":  # cut through by the rim of the picture: seen, though not measured
        cut = sites.grid.places(around(sites.index))
        places, radii = np.concatenate([places, cut]), np.append(radii, np.full(len(cut), sites.radius_px))
    mask = ground_mask(planes.solder.shape, places, radii * rules.keep_out_frac)
    if rules.pin1_window_frac > 0:
        x, y = pin1_mark(sites).tolist()
        cv2.circle(mask, (round(x), round(y)), round(rules.pin1_window_frac * pitch), 0, -1)
    reflected = rules.ball_polarity == "bright"
    solder_unit = max(8.0, levels.ground) if reflected else levels.step
    ground_unit = max(8.0, float(cv2.mean(planes.ground, mask)[0])) if reflected else levels.step
    speck_px = _odd(rules.speck_size_frac * pitch)
    narrow, wide = (np.ones((side, side), np.uint8) for side in (speck_px, _odd(rules.foreign_size_frac * pitch)))
    shade = shade_of(planes.solder, mask, pitch)
    bare = without_balls(planes.solder, mask, shade)
    small = _u8(cv2.morphologyEx(bare, cv2.MORPH_TOPHAT, narrow))
    bodies = _u8(cv2.subtract(cv2.morphologyEx(bare, cv2.MORPH_OPEN, wide), shade))
    dirt = _above(bodies, rules.foreign_contrast_frac * solder_unit)
    if reflected:
        shade = shade_of(planes.ground, mask, pitch)
        bare = without_balls(planes.ground, mask, shade)
        dark = _u8(cv2.subtract(shade, cv2.morphologyEx(bare, cv2.MORPH_CLOSE, wide)))
        dirt = _u8(cv2.bitwise_or(dirt, _above(dark, DARK_FRAC * rules.foreign_contrast_frac * ground_unit)))
    smooth = _u8(cv2.GaussianBlur(bare, (3, 3), 0))
    scratches = [
        lines(smooth, mask, rules.line_width_px, rules.line_contrast_ratio, bright) for bright in (False, True)
    ]
    found = (
        ("max_speck_load_frac", specks(_above(small, rules.speck_contrast_frac * solder_unit), speck_px, pitch)),
        ("max_foreign_area_frac", largest(dirt, pitch)),
        *(("max_line_length_px", part) for part in scratches),
    )
    return tuple((_AT[limit], part) for limit, part in found)


def _u8(plane: object) -> Image:
    """What OpenCV gave, which its stubs do not know to be 8-bit."""
    return np.asarray(plane, np.uint8)


def _odd(px: float) -> int:
    return max(3, 2 * round(px / 2) + 1)


def _of_outline(planes: Planes, sites: Sites, rules: PackageRulesFile) -> tuple[tuple[int, Part], ...]:
    if rules.outline_step_grey <= 0:
        return ()
    outline = find_outline(planes.ground, rules.outline_step_grey)
    if outline is None:
        return ((_AT["max_chip_px"], Part(amount=NO_OUTLINE_PX, box_px=(0, 0, 0, 0))),)
    middle = sites.grid.places((sites.index.min(0) + sites.index.max(0))[None] / 2)[0]
    offset = float(np.hypot(middle[0] - outline.middle_px[0], middle[1] - outline.middle_px[1]))
    x, y = outline.chip_at_px
    return (
        (_AT["max_field_offset_px"], Part(amount=offset, box_px=(0, 0, 0, 0))),
        (_AT["max_chip_px"], Part(amount=outline.chip_px, box_px=(x - 4, y - 4, 9, 9))),
    )


def _above(plane: Image, level: float) -> Image:
    return _u8(cv2.threshold(plane, level, 255, cv2.THRESH_BINARY)[1])


def _no_grid() -> Gauged:
    values = np.zeros(len(MEASURES), np.float32)
    values[0] = NO_GRID
    return Gauged(
        values=values,
        places_px=np.zeros((0, 2), np.float32),
        at_places=np.zeros((0, len(MEASURES)), np.float32),
        parts=(),
        reach_px=0.0,
    )
