"""Packages drawn for tests: balls in rows and columns, one known fault at most, and rules that fit them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.scorers.package_rules_file import PackageRulesFile

Place = tuple[float, float]
LIMITS: dict[str, Any] = {
    "max_absent_frac": 0.5,
    "max_flat_frac": 0.5,
    "max_dense_frac": 0.3,
    "max_undersize_frac": 0.1,
    "max_oversize_frac": 0.1,
    "max_shift_frac": 0.08,
    "max_out_of_round_frac": 0.08,
    "max_extra_frac": 0.3,
    "max_bridge_density_frac": 0.5,
    "max_speck_load_frac": 0.01,
    "max_foreign_area_frac": 0.05,
    "max_line_length_px": 20.0,
    "max_field_offset_px": 4.0,
    "max_chip_px": 3.0,
}
SHARED: dict[str, Any] = {"min_arc_frac": 0.5, "line_width_px": 7, "line_contrast_ratio": 8.0, **LIMITS}
REFLECTED: dict[str, Any] = SHARED | {
    "ball_polarity": "bright",
    "pattern": "symmetric",
    "ground_percentile_pct": 40.0,
    "ball_percentile_pct": 96.0,
    "ball_threshold_frac": 0.4,
    "opening_px": 1,
    "min_ball_diameter_px": 6.0,
    "max_ball_diameter_px": 48.0,
    "min_balls_count": 4,
    "grid_model": "affine",
    "edge_level_frac": 0.5,
    "keep_out_frac": 1.35,
    "pin1_window_frac": 0.0,
    "bridge_width_frac": 0.2,
    "speck_size_frac": 0.22,
    "speck_contrast_frac": 0.6,
    "foreign_size_frac": 0.2,
    "foreign_contrast_frac": 0.4,
    "outline_step_grey": 0.0,
}
TRANSMITTED: dict[str, Any] = REFLECTED | {
    "ball_polarity": "dark",
    "pattern": "full",
    "ground_percentile_pct": 25.0,
    "ball_percentile_pct": 90.0,
    "ball_threshold_frac": 0.6,
    "opening_px": 13,
    "min_ball_diameter_px": 24.0,
    "max_ball_diameter_px": 120.0,
    "grid_model": "tilted",
    "keep_out_frac": 1.1,
    "speck_size_frac": 0.12,
}
GROUND, BALL = 40.0, 130.0


def rules(look: dict[str, Any] = REFLECTED, **changed: Any) -> PackageRulesFile:
    """Rules of a look, some of them changed."""
    return PackageRulesFile(**(look | changed))


class Package:
    """A package to draw on: `places` (n, 2), `radii` (n,), `flat` (n,) bool for bare pads; `canvas` in grey levels."""

    def __init__(self, pitch_px: float = 30.0, first_px: float = 23.0, n: int = 8, radius_px: float = 8.5) -> None:
        steps = first_px + pitch_px * np.arange(n)
        self.pitch_px, self.radius_px = pitch_px, radius_px
        self.places = np.array([(x, y) for y in steps for x in steps])
        self.radii = np.full(n * n, radius_px)
        self.flat = np.zeros(n * n, bool)
        self.there = np.ones(n * n, bool)
        self.over: list[tuple[NDArray[np.float32], float]] = []  # a mask and its grey level, painted last
        self.ground = np.full((256, 256), GROUND, np.float32)

    def disc(self, place: Place, radius_px: float, grey: float) -> Package:
        """A spot over everything."""
        return self._painted(lambda mask: cv2.circle(mask, *_fixed(place, radius_px), 255, -1, cv2.LINE_AA, 4), grey)

    def line(self, begin: Place, end: Place, width_px: int, grey: float) -> Package:
        """A straight stroke over everything."""
        ends = [_fixed(place, 0)[0] for place in (begin, end)]
        return self._painted(lambda mask: cv2.line(mask, *ends, 255, width_px, cv2.LINE_AA, 4), grey)

    def picture(self, look: dict[str, Any] = REFLECTED, seed: int = 3) -> Image:
        """(256, 256, 3) uint8 BGR with a little noise: bright rings on green, or dark discs on white."""
        grey, rng = self.ground.copy(), np.random.default_rng(seed)
        for place, radius, flat, there in zip(self.places, self.radii, self.flat, self.there, strict=True):
            if there:
                low, high = (np.clip(place + side * (radius + 2), 0, 256).astype(int) for side in (-1, 1))
                y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
                out = np.hypot(x - place[0], y - place[1]) / radius
                ringed = not flat and look["ball_polarity"] == "bright"
                light = BALL * (0.6 + 0.8 * np.exp(-(((out - 0.65) / 0.2) ** 2)) if ringed else 1.0)
                cover = np.clip((1 - out) * radius + 0.5, 0, 1)
                part = grey[low[1] : high[1], low[0] : high[0]]
                part += (light - part) * cover
        for mask, level in self.over:
            grey = grey * (1 - mask) + level * mask
        grey = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.7) + rng.normal(0, 1.0, grey.shape)
        if look["ball_polarity"] == "dark":
            return np.repeat(np.clip(255 - grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        colour = np.where((grey < 60)[..., None], (1.0, 1.6, 1.0), (1.0, 1.0, 1.0))
        return np.asarray(np.clip(grey[..., None] * colour, 0, 255), np.uint8)

    def _painted(self, draw: Any, grey: float) -> Package:
        mask = np.zeros((256, 256), np.uint8)
        draw(mask)
        self.over.append((np.asarray(mask / 255, np.float32), grey))
        return self


def _fixed(place: Place, radius_px: float) -> tuple[tuple[int, int], int]:
    """In sixteenths of a pixel."""
    return (round(16 * place[0]), round(16 * place[1])), round(16 * radius_px)
