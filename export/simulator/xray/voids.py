"""Bubbles in solder: how many, how large and at which height, as counted on real balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.simulator.xray.machine import Machine
from export.simulator.xray.stack import Floats, Window, disc

Rng = np.random.Generator
TALL_FRAC = (0.70, 1.36)  # half height of a ball's voids, of its radius: this, less so much of theirs
MOST_TALL = 3.5
MEDIAN_FRAC = 0.08  # diameter, of the ball's
PLACES = (0.2, 0.5, 0.3)  # near the package pad, near the board's, between: where real balls have light spots


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """One bubble: its place from the joint's centre, its height in t, its radius, and how much taller than wide."""

    dx_px: float
    dy_px: float
    height_t: float
    radius_px: float
    tall: float = 1.0

    @property
    def half_height_px(self) -> float:
        """From its middle to its top."""
        return self.radius_px * self.tall


def ball_void_tall(radius_px: float, ball_px: float) -> float:
    """How much taller than wide a void of a ball of radius `ball_px` is: small ones stand three times as tall.
    With round ones neither the contrast nor the depth over which the real voids show is met (README, check 4)."""
    half_height_px = TALL_FRAC[0] * ball_px - TALL_FRAC[1] * radius_px
    return float(np.clip(half_height_px / radius_px, 1.0, MOST_TALL))


def ball_voids(
    rng: Rng, mean_count: float, diameter_px: float, pads_t: tuple[float, float], large_frac: float = 0.02
) -> tuple[Void, ...]:
    """Voids of a good ball: Poisson count, log-normal diameters (median 0.08 of the ball's, cut at 0.45), half of
    them near the board's pad. One in `large_frac` of the balls is larger than 0.3."""
    fractions = np.clip(MEDIAN_FRAC * np.exp(0.45 * rng.standard_normal(rng.poisson(mean_count))), 0.03, 0.29)
    if rng.random() < large_frac:
        fractions = np.append(fractions, rng.uniform(0.3, 0.45))
    return tuple(_placed(rng, float(fraction) * diameter_px / 2, diameter_px / 2, pads_t) for fraction in fractions)


def gross_void(rng: Rng, size_frac: float, diameter_px: float, pads_t: tuple[float, float]) -> Void:
    """A rejected void: `size_frac` of the ball's diameter, near its centre."""
    radius = size_frac * diameter_px / 2
    reach = max(0.0, 0.85 * diameter_px / 2 - radius)
    angle, out = rng.uniform(0, 2 * np.pi), reach * np.sqrt(rng.random()) * 0.7
    low, high = pads_t
    return Void(
        dx_px=out * np.cos(angle),
        dy_px=out * np.sin(angle),
        height_t=rng.uniform(low + 0.3 * (high - low), low + 0.8 * (high - low)),
        radius_px=radius,
    )


def gap_voids(
    rng: Rng, mean_count: float, inner_px: float, outer_px: float, heights_t: tuple[float, float]
) -> tuple[Void, ...]:
    """Voids of a filled hole: in the gap between lead and barrel, 0 to 4, shaped by its width."""
    found = []
    for _ in range(min(4, rng.poisson(mean_count))):
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.7) * (outer_px - inner_px)
        middle = (inner_px + outer_px) / 2
        found.append(
            Void(
                dx_px=middle * np.cos(angle),
                dy_px=middle * np.sin(angle),
                height_t=rng.uniform(*heights_t),
                radius_px=max(1.0, radius),
            )
        )
    return tuple(found)


def _placed(rng: Rng, radius_px: float, ball_px: float, pads_t: tuple[float, float]) -> Void:
    low, high = pads_t
    where = rng.choice(3, p=PLACES)
    height = (rng.uniform(0.72, 0.95), rng.uniform(0.05, 0.28), rng.uniform(0.28, 0.72))[where] * (high - low) + low
    out = max(0.0, 0.8 * ball_px - radius_px) * np.sqrt(rng.random())
    angle = rng.uniform(0, 2 * np.pi)
    return Void(
        dx_px=out * np.cos(angle),
        dy_px=out * np.sin(angle),
        height_t=height,
        radius_px=radius_px,
        tall=ball_void_tall(radius_px, ball_px),
    )


def left_by_voids(
    window: Window, height_t: float, step_t: float, machine: Machine, voids: Sequence[Void]
) -> Floats | np.float32:
    """(h, w) how much solder the voids leave of each pixel of the layer at this height, 0..1; 1 where there is none."""
    left: Floats | np.float32 = np.float32(1.0)
    half_step_px = step_t / machine.t_per_px / 2
    for void in voids:
        above_px = abs(height_t - void.height_t) / machine.t_per_px
        share = np.clip((void.half_height_px + half_step_px - above_px) / (2 * half_step_px), 0.0, 1.0)
        if share > 0:
            radius = float(np.sqrt(max(void.radius_px**2 - (above_px / void.tall) ** 2, 0.25)))
            away = np.hypot(window.dx_px - np.float32(void.dx_px), window.dy_px - np.float32(void.dy_px))
            left = left * (1 - np.float32(share) * disc(away, radius))
    return left
