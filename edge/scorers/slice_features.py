"""What an X-ray inspection machine's own algorithms measure of a solder joint in slices: NumPy and OpenCV.

The joint is found first, then every slice is looked at in polar coordinates round it, as darkness against the slice's
own background (`slice_polar`). Slices are numbered from the solder or board side up; whatever their number, they are
read at four stations from first to last, so that joints with three slices and with five have the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.scorers.slice_polar import ANGLES, HALF_REGION_PX, RADII, RIM_RADIUS, Look, beside, look_at

STATIONS = 4  # heights at which a joint is described: first slice, last slice, two between
MIN_CONTRAST = 4.0 / 255  # a disc less than four grey levels darker than its surroundings is none
MAX_RATIO = 4.0
INNER = RADII // 3  # px: a joint's darkest ring lies within
CORE_PX = 5
BARREL_PX = (6.0, 40.0)
WALL = (0.74, 0.94)  # of the barrel's radius: solder between lead and wall; leads fill up to 0.72 of a hole
DISC = 0.85  # of the barrel's radius: within it a light spot is a void
GAP_FROM = 1.35  # of the barrel's radius: beyond the fillet, where solder of a good joint ends
GAP_FROM_PX = 40.0  # at most
CROWD_PX = 8  # what is rim
SECTORS, CROWDED = 8, 3  # a short or two darken fewer sectors of the rim, a region that holds several joints more

# Of each slice, read at STATIONS; name -> unit.
STATION_MEASURES: dict[str, str] = {
    "core": "darkness of the middle, of the joint's contrast",
    "radius": "at half contrast, of the barrel's radius",
    "wall": "darkness between lead and wall, of the joint's contrast",
    "crown": "darkness between lead and wall, of the same slice's core",
    "area": "dark at half the joint's contrast, of the barrel's disc",
    "dip": "light ring inside the disc, of the joint's contrast",
    "edge": "from 90 to 10 per cent of the darkness, of half the region's side",
    "unround": "standard deviation of the radius over its mean",
    "light_spot": "lightest spot inside the disc against its ring, of the joint's contrast",
    "gap": "darkest straight way from the disc to the rim, its lightest point, of the joint's contrast",
    "gap_mean": "darkest straight way from the disc to the rim, its mean, of the joint's contrast",
    "one_sided": "the same mean against the way opposite, of the joint's contrast",
    "strip": "the same mean against what lies on both sides of the way, of the joint's contrast",
    "strip_least": "the same against both sides, its lightest point, of the joint's contrast",
}
JOINT_MEASURES: dict[str, str] = {
    "contrast": "darkness of the joint in its darkest slice, 0 to 1",
    "fill": "mean of wall over the stations",
    "least_wall": "smallest wall of all slices",
    "worst_dip": "largest dip of all slices",
    "worst_gap": "largest gap of all slices",
    "worst_strip": "largest strip of all slices",
    "worst_light_spot": "largest light_spot of all slices",
    "offset": "of the joint found from the region's middle, of half the region's side",
    "barrel_radius": "of half the region's side",
    "widest_radius": "of the slice with the widest disc, of half the region's side",
    "crowding": "dark at half the joint's contrast, of the rim's third darkest eighth",
}
FEATURES: dict[str, str] = {
    **{f"{name}_{k}": unit for name, unit in STATION_MEASURES.items() for k in range(STATIONS)},
    **JOINT_MEASURES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    """The joint's disc: what all measures are relative to."""

    profiles: Floats  # (slices, RADII): darkness of each ring, the median of its angles; a short does not move it
    inner: Floats  # (slices,): darkness of the darkest ring
    contrast: float  # of the darkest slice
    barrel_px: float  # radius at half contrast of all slices together


def measured(crops: Image) -> tuple[Floats, NDArray[np.int64]]:
    """(N, h, h, C) uint8, one slice a channel and 0 where there is none, to features (N, len(FEATURES)) float32 in the
    order of FEATURES, and how many slices each has (N,). A crop with no slice at all measures 0 throughout."""
    found = np.zeros((len(crops), len(FEATURES)), np.float32)
    counts = np.zeros(len(crops), np.int64)
    for n, crop in enumerate(crops):
        look = look_at(crop)
        if look is not None:
            counts[n] = len(look.heights)
            found[n] = _features(look)
    return found, counts


def _features(look: Look) -> Floats:
    rings = np.partition(look.polar, ANGLES // 2, axis=2)[:, :, ANGLES // 2]
    disc = _disc(rings)
    by_slice = {**_disc_measures(disc), **_spot_measures(look.polar, rings, disc), **_gap_measures(look, rings, disc)}
    of_slices = np.stack([by_slice[name] for name in STATION_MEASURES])  # (measures, slices)
    stations = of_slices @ _stations(look.heights)
    rim = look.polar[:, RIM_RADIUS - CROWD_PX : RIM_RADIUS] > 0.5 * disc.contrast
    sectors = np.sort(rim.reshape(*rim.shape[:2], SECTORS, -1).mean(axis=(0, 1, 3)))
    of_joint = {
        "contrast": disc.contrast,
        "fill": stations[list(STATION_MEASURES).index("wall")].mean(),
        "least_wall": by_slice["wall"].min(),
        **{f"worst_{name}": by_slice[name].max() for name in ("dip", "gap", "strip", "light_spot")},
        "offset": look.offset_px / HALF_REGION_PX,
        "barrel_radius": disc.barrel_px / HALF_REGION_PX,
        "widest_radius": by_slice["radius"][disc.inner >= 0.5 * disc.contrast].max(initial=0.0)
        * disc.barrel_px
        / HALF_REGION_PX,
        "crowding": sectors[-CROWDED],
    }
    return np.concatenate([stations.ravel(), [of_joint[name] for name in JOINT_MEASURES]]).astype(np.float32)


def _disc(rings: Floats) -> Disc:
    floor = np.sort(rings[:, INNER:RIM_RADIUS], axis=1)[:, (RIM_RADIUS - INNER) // 5]
    profiles = rings - floor[:, None]
    inner = profiles[:, :INNER].max(axis=1)
    summed = profiles.sum(axis=0, keepdims=True)
    barrel = _radii_below(summed, 0.5 * summed[:, :INNER].max(axis=1))
    return Disc(
        profiles=profiles,
        inner=inner,
        contrast=max(float(inner.max()), MIN_CONTRAST),
        barrel_px=float(np.clip(barrel[0], *BARREL_PX)),
    )


def _disc_measures(disc: Disc) -> dict[str, Floats]:
    profiles, inner, barrel = disc.profiles, disc.inner, disc.barrel_px
    core = profiles[:, :CORE_PX].mean(axis=1)
    wall = profiles[:, round(WALL[0] * barrel) : round(WALL[1] * barrel) + 1].mean(axis=1)
    dips = profiles[:, : round(1.2 * barrel) + 2]
    from_inside = np.maximum.accumulate(dips, axis=1)
    from_outside = np.maximum.accumulate(dips[:, ::-1], axis=1)[:, ::-1]
    return {
        "core": core / disc.contrast,
        "radius": _radii_below(profiles, 0.5 * inner) / barrel,
        "wall": wall / disc.contrast,
        "crown": np.clip(wall / np.maximum(core, MIN_CONTRAST), -MAX_RATIO, MAX_RATIO),
        "dip": (np.minimum(from_inside, from_outside) - dips).max(axis=1) / disc.contrast,
        "edge": (_radii_below(profiles, 0.1 * inner) - _radii_below(profiles, 0.9 * inner)) / HALF_REGION_PX,
    }


def _spot_measures(polar: Floats, rings: Floats, disc: Disc) -> dict[str, Floats]:
    barrel = disc.barrel_px
    dark = (polar[:, : int(HALF_REGION_PX)] > 0.5 * disc.contrast).astype(np.float32)
    reach = dark[:, : round(1.5 * barrel) + 2].sum(axis=1)
    ring_areas = 2 * np.arange(dark.shape[1], dtype=np.float32) + 1
    within = slice(2, max(4, round(DISC * barrel)))
    spots = rings[:, within] - polar[:, within].min(axis=2)
    return {
        "area": np.asarray(ring_areas @ dark.mean(axis=2).T / barrel**2, np.float32),
        "unround": reach.std(axis=1) / np.maximum(reach.mean(axis=1), 1.0),
        "light_spot": spots.max(axis=1) / disc.contrast,
    }


def _gap_measures(look: Look, rings: Floats, disc: Disc) -> dict[str, Floats]:
    """Of all straight ways from the disc's fillet to the rim the most solder-like, in three ways of looking at it."""
    away = slice(round(min(GAP_FROM * disc.barrel_px, GAP_FROM_PX)), RIM_RADIUS)
    polar = look.polar[:, away]
    against_ring = polar - rings[:, away, None]
    opposite = np.roll(polar, ANGLES // 2, axis=2)
    flat = look.polar.reshape(len(look.polar), -1)
    left, right = (flat[:, side].reshape(look.polar.shape)[:, away] for side in beside())
    against_sides = polar - np.maximum(left, right)
    return {
        "gap": against_ring.min(axis=1).max(axis=1) / disc.contrast,
        "gap_mean": against_ring.mean(axis=1).max(axis=1) / disc.contrast,
        "one_sided": np.minimum(against_ring, polar - opposite).mean(axis=1).max(axis=1) / disc.contrast,
        "strip": against_sides.mean(axis=1).max(axis=1) / disc.contrast,
        "strip_least": against_sides.min(axis=1).max(axis=1) / disc.contrast,
    }


def _stations(heights: tuple[float, ...]) -> NDArray[np.float64]:
    """(slices, STATIONS): weights that read slices at these heights at STATIONS from 0 to 1."""
    at = np.linspace(0.0, 1.0, STATIONS)
    return np.stack([np.interp(at, heights, one) for one in np.eye(len(heights))])


def _radii_below(profiles: Floats, levels: Floats) -> Floats:
    """The radius in px (P,) at which each profile (P, RADII) first falls below its level beyond its darkest inner ring,
    between two rings by their darkness; the last radius where it never does."""
    rows, radii = np.arange(len(profiles)), np.arange(profiles.shape[1])
    peak = profiles[:, :INNER].argmax(axis=1)
    below = (profiles < levels[:, None]) & (radii > peak[:, None])
    first = np.where(below.any(axis=1), below.argmax(axis=1), radii[-1])
    high, low = profiles[rows, first - 1], profiles[rows, first]
    share = np.clip((high - levels) / np.maximum(high - low, 1e-6), 0.0, 1.0)
    return np.asarray(first - 0.5 + share, np.float32)
