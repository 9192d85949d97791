"""Pins in plated holes as X-ray slices, drawn with discs and noise for tests: geometry, not physics."""

from __future__ import annotations

import cv2
import numpy as np

from edge.board import Floats, Image

SIDE_PX, SLICES = 128, 6
BARE, COPPER, SOLDER, LEAD = 205.0, 185.0, 60.0, 80.0  # grey levels, dark is dense
PAD_PX, BARREL_PX, LEAD_PX = 34.0, 22.0, 14.0
FILLED_UP_TO = {"good": 1.0, "short": 1.0, "insufficient": 0.2, "missing": -1.0}  # heights, 0 first slice and 1 last


def drawn_slices(
    kind: str, n: int, seed: int, slices: int = 4, shift_px: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
) -> Image:
    """Crops (n, 128, 128, 6) uint8 of `good`, `insufficient`, `missing` or `short` joints, `shift_px` off the middle
    and `scale` times as large as they should be."""
    rng = np.random.default_rng(seed)
    crops = np.zeros((n, SIDE_PX, SIDE_PX, SLICES), np.uint8)
    for crop in crops:
        centre = (63.5 + np.array(shift_px) + rng.normal(0.0, 1.0, 2)).astype(np.float32)
        gain, towards = float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.0, 2 * np.pi))
        for k in range(slices):
            drawn = _drawn(kind, k / max(1, slices - 1), centre, scale, towards)
            crop[:, :, k] = _seen(drawn, gain, rng)
    return crops


def _drawn(kind: str, height: float, centre: Floats, scale: float, towards: float) -> Floats:
    plane = np.full((SIDE_PX, SIDE_PX), BARE, np.float32)
    _disc(plane, centre, scale * PAD_PX, COPPER)
    _disc(plane, centre, scale * BARREL_PX, SOLDER if height <= FILLED_UP_TO[kind] else BARE)
    if kind == "short" and height < 0.5:
        x, y = float(centre[0]), float(centre[1])
        end = round(x + SIDE_PX * np.cos(towards)), round(y + SIDE_PX * np.sin(towards))
        cv2.line(plane, (round(x), round(y)), end, SOLDER + 30, 9)
    if kind != "missing":
        _disc(plane, centre, scale * LEAD_PX, LEAD)
    return plane


def _seen(drawn: Floats, gain: float, rng: np.random.Generator) -> Image:
    blurred = cv2.GaussianBlur(drawn, (0, 0), 2.5)
    grey = BARE + (blurred - BARE) * gain + 2.0 * rng.standard_normal(drawn.shape, np.float32)
    return np.clip(grey, 1, 255).astype(np.uint8)


def _disc(plane: Floats, centre: Floats, radius_px: float, grey: float) -> None:
    x, y, radius = (round(16 * float(v)) for v in (*centre, radius_px))
    cv2.circle(plane, (x, y), radius, grey, cv2.FILLED, cv2.LINE_8, shift=4)
