"""Real balls with faults painted on: whether a network that calls no real good ball would see anything at all there.

Paint is no physics: the bridge has the width and the look of the twin's at four heights, sharp at one and soft at the
others; the missing ball is filled with the ground beside it. The figures say that a network answers to such changes on
real pictures, not how many real defects it would find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image

BRIDGE_PX, PITCH_PX = 22, 100
BRIDGE_TAKES = (0.30, 0.45, 0.35, 0.25)  # of the light, lowest slice first
BRIDGE_BLUR_PX = (5.0, 1.5, 3.0, 6.0)
BALL_PX, GROUND_PX, EDGE_BLUR_PX = 40, 50, 1.2  # radius of what is filled; where the ground is, along both axes

Point = tuple[int, int]


def bridged(slices: Image, centre: Point) -> Image:
    """(h, w, 4) with solder from a ball to the next one on its right."""
    made = slices.astype(np.float32)
    end = (centre[0] + PITCH_PX, centre[1])
    for k, (taken, blur_px) in enumerate(zip(BRIDGE_TAKES, BRIDGE_BLUR_PX, strict=True)):
        mask = np.zeros(slices.shape[:2], np.float32)
        cv2.line(mask, centre, end, 1.0, BRIDGE_PX)
        made[:, :, k] *= 1.0 - taken * cv2.GaussianBlur(mask, (0, 0), blur_px)
    return np.clip(np.rint(made), 1, 255).astype(np.uint8)


def erased(slices: Image, centre: Point) -> Image:
    """(h, w, n) without the ball."""
    mask = np.zeros(slices.shape[:2], np.float32)
    cv2.circle(mask, centre, BALL_PX, 1.0, -1)
    share = cv2.GaussianBlur(mask, (0, 0), EDGE_BLUR_PX)[:, :, None]
    made = (1 - share) * slices + share * _ground(slices, centre)
    return np.clip(np.rint(made), 1, 255).astype(np.uint8)


def _ground(slices: Image, centre: Point) -> NDArray[np.floating]:
    """The median grey of each slice in the middle of the four cells round a ball."""
    height, width, _ = slices.shape
    x, y = centre
    places = [(x + dx, y + dy) for dx in (-GROUND_PX, GROUND_PX) for dy in (-GROUND_PX, GROUND_PX)]
    inside = [slices[v - 4 : v + 5, u - 4 : u + 5] for u, v in places if 4 <= u < width - 4 and 4 <= v < height - 4]
    return np.median(np.concatenate([patch.reshape(-1, slices.shape[2]) for patch in inside]), axis=0)


PAINTS: Mapping[str, Callable[[Image, Point], Image]] = {"bridge painted": bridged, "ball erased": erased}
