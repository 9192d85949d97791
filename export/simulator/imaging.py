"""How difficult a photograph is: named, frozen settings.

Everything a setting leaves open is a span, drawn evenly from the picture's seed. `EASY`, `LINE` and `HAND_HELD` are the
difficulties sets and demos name; `REFERENCE` is the clean picture recipes start from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Span = tuple[float, float]  # lowest and highest value the seed may draw


def draw(span: Span, rng: np.random.Generator) -> float:
    """One value of the span."""
    return float(rng.uniform(*span))


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaging:
    """How difficult the photograph is. Spans are drawn evenly per picture; `_frac` is of the picture or of white."""

    name: str
    size_px: tuple[int, int]  # width, height
    fill_frac: Span  # the board's longest extent against the picture
    tilt_deg: Span  # camera off the perpendicular, towards a random side
    rotation_deg: Span
    shift_frac: float  # how far off centre, at most; the board always stays in the picture
    camera_distance: float  # in board widths: near cameras see the edges at a slant
    lamp_elevation_deg: Span
    lamp_azimuth_deg: Span
    lamp_size: Span
    key: Span
    fill: Span
    ring: Span
    colour_cast: float  # greatest departure of the blue and red gain from 1
    exposure: Span
    uneven_frac: Span  # fall-off of the light across the board
    glare_frac: Span  # the lamp's haze on the solder mask
    vignette_frac: Span
    defocus_px: Span  # Gaussian sigma
    motion_px: Span
    noise_frac: Span
    sharpen: Span
    jpeg_quality: tuple[int, int] | None
    textured_background: bool
    straight_on: bool = False  # the picture is the canvas itself: no pose is drawn


REFERENCE = Imaging(
    name="reference",
    size_px=(900, 900),
    fill_frac=(1.0, 1.0),
    tilt_deg=(0.0, 0.0),
    rotation_deg=(0.0, 0.0),
    shift_frac=0.0,
    camera_distance=50.0,
    lamp_elevation_deg=(55.0, 55.0),
    lamp_azimuth_deg=(-120.0, -120.0),
    lamp_size=(0.10, 0.10),
    key=(0.7, 0.7),
    fill=(0.95, 0.95),
    ring=(0.3, 0.3),
    colour_cast=0.0,
    exposure=(1.0, 1.0),
    uneven_frac=(0.0, 0.0),
    glare_frac=(0.0, 0.0),
    vignette_frac=(0.0, 0.0),
    defocus_px=(0.0, 0.0),
    motion_px=(0.0, 0.0),
    noise_frac=(0.0, 0.0),
    sharpen=(0.0, 0.0),
    jpeg_quality=None,
    textured_background=False,
    straight_on=True,
)
"""The clean straight-on picture a recipe is made from: canvas and picture coincide."""

EASY = Imaging(
    name="easy",
    size_px=(900, 900),
    fill_frac=(0.90, 0.93),
    tilt_deg=(0.0, 1.0),
    rotation_deg=(-1.0, 1.0),
    shift_frac=0.01,
    camera_distance=8.0,
    lamp_elevation_deg=(55.0, 65.0),
    lamp_azimuth_deg=(-130.0, -110.0),
    lamp_size=(0.08, 0.12),
    key=(0.6, 0.8),
    fill=(0.9, 1.0),
    ring=(0.25, 0.35),
    colour_cast=0.01,
    exposure=(0.97, 1.03),
    uneven_frac=(0.0, 0.05),
    glare_frac=(0.0, 0.02),
    vignette_frac=(0.0, 0.05),
    defocus_px=(0.3, 0.5),
    motion_px=(0.0, 0.0),
    noise_frac=(0.004, 0.006),
    sharpen=(0.0, 0.0),
    jpeg_quality=(95, 97),
    textured_background=False,
)
"""A good fixed camera with a dome lamp: every board nearly in the same place."""

LINE = Imaging(
    name="line",
    size_px=(900, 900),
    fill_frac=(0.86, 0.93),
    tilt_deg=(0.0, 4.0),
    rotation_deg=(-3.0, 3.0),
    shift_frac=0.03,
    camera_distance=4.0,
    lamp_elevation_deg=(45.0, 75.0),
    lamp_azimuth_deg=(-180.0, 180.0),
    lamp_size=(0.04, 0.16),
    key=(0.5, 1.1),
    fill=(0.75, 1.05),
    ring=(0.0, 0.5),
    colour_cast=0.04,
    exposure=(0.88, 1.1),
    uneven_frac=(0.05, 0.2),
    glare_frac=(0.0, 0.10),
    vignette_frac=(0.05, 0.2),
    defocus_px=(0.4, 0.9),
    motion_px=(0.0, 0.8),
    noise_frac=(0.006, 0.014),
    sharpen=(0.0, 0.5),
    jpeg_quality=(86, 95),
    textured_background=True,
)
"""A production line's camera: conveyor tolerance, lamps that age and drift."""

HAND_HELD = Imaging(
    name="hand_held",
    size_px=(900, 900),
    fill_frac=(0.88, 1.0),
    tilt_deg=(2.0, 14.0),
    rotation_deg=(-18.0, 18.0),
    shift_frac=0.05,
    camera_distance=2.4,
    lamp_elevation_deg=(22.0, 75.0),
    lamp_azimuth_deg=(-180.0, 180.0),
    lamp_size=(0.02, 0.30),
    key=(0.35, 1.4),
    fill=(0.6, 1.1),
    ring=(0.0, 0.3),
    colour_cast=0.10,
    exposure=(0.85, 1.3),
    uneven_frac=(0.1, 0.45),
    glare_frac=(0.0, 0.28),
    vignette_frac=(0.1, 0.35),
    defocus_px=(0.5, 1.5),
    motion_px=(0.0, 2.0),
    noise_frac=(0.006, 0.020),
    sharpen=(0.2, 1.0),
    jpeg_quality=(62, 92),
    textured_background=True,
)
"""A person with a telephone in whatever light there is."""

DIFFICULTIES: Mapping[str, Imaging] = {imaging.name: imaging for imaging in (EASY, LINE, HAND_HELD)}
