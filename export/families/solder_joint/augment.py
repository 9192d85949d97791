"""Other views of a joint: turned, shifted, scaled, mirrored, unsharp, at another resolution, in another light.

Wider than one line's camera varies, because a station's board is never quite as bright, sharp or centred as those it
was trained on. Seeded by the generator it is given.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.board import Image
from export.families.solder_joint.good_joints import CANVAS_PX, PITCH_PX
from export.families.solder_joint.net import INPUT_PX

SHIFT_PITCHES = 0.22  # registered centres are off by up to a quarter of the pitch
LOW_RESOLUTION_PX = (20, 30)  # a whole-board view's crop
RESOLUTION_PX = (26, INPUT_PX)  # a close-up's
MIDDLE = np.full(2, (CANVAS_PX - 1) / 2)


def augmented(canvases: Image, region_scale: float, rng: np.random.Generator) -> Image:
    """Canvases (N, 128, 128, 3) uint8 BGR to crops (N, 64, 64, 3) of about `region_scale` pitches, each seen
    differently."""
    return _relit(np.stack([_viewed(c, region_scale, rng) for c in canvases]), rng)


def _viewed(canvas: Image, region_scale: float, rng: np.random.Generator) -> Image:
    turn = rng.integers(4) * math.pi / 2 + rng.normal(0, 0.15) if rng.random() < 0.6 else rng.uniform(0, 2 * math.pi)
    out_px = _resolution_px(rng)
    scale = out_px / (region_scale * PITCH_PX * math.exp(rng.normal(0, 0.06)))
    aspect, mirror = math.exp(rng.normal(0, 0.04)), rng.choice((-1, 1))
    c, s = math.cos(turn) * scale, math.sin(turn) * scale
    linear = np.array([[c * aspect * mirror, -s * aspect], [s * mirror, c]])
    shift = rng.uniform(-SHIFT_PITCHES, SHIFT_PITCHES, 2) * PITCH_PX * math.sqrt(rng.random())
    offset = np.full(2, (out_px - 1) / 2) - linear @ (MIDDLE + shift)
    source = cv2.GaussianBlur(canvas, (0, 0), 0.35 / scale) if scale < 0.6 else canvas
    matrix = np.hstack([linear, offset[:, None]])
    crop = cv2.warpAffine(source, matrix, (out_px, out_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if out_px != INPUT_PX:
        crop = cv2.resize(crop, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
    return _focused(crop, rng)


def _resolution_px(rng: np.random.Generator) -> int:
    if rng.random() < 0.15:
        return int(rng.integers(*LOW_RESOLUTION_PX))
    return INPUT_PX if rng.random() < 0.4 else int(rng.integers(*RESOLUTION_PX))


def _focused(crop: Image, rng: np.random.Generator) -> Image:
    """Out of focus, or sharpened as a camera does, or left."""
    if rng.random() < 0.35:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.0)).astype(np.uint8, copy=False)
    if rng.random() < 0.3:
        return cv2.addWeighted(crop, 2.0, cv2.GaussianBlur(crop, (0, 0), 1.2), -1.0, 0).astype(np.uint8, copy=False)
    return crop


def _relit(crops: Image, rng: np.random.Generator) -> Image:
    """Gamma, exposure, white balance, a light from one side, stray light and noise."""
    n, px = crops.shape[:2]
    light = (crops.astype(np.float32) / 255) ** np.exp(rng.normal(0, 0.35, (n, 1, 1, 1))).astype(np.float32)
    gain = np.exp(rng.normal(0, 0.25, (n, 1, 1, 1)) + rng.normal(0, 0.06, (n, 1, 1, 3)))
    axis = np.linspace(-0.5, 0.5, px)
    slope = rng.normal(0, 0.35, (n, 2))
    side = 1 + slope[:, 0, None, None] * axis[:, None] + slope[:, 1, None, None] * axis[None, :]
    light = light * (gain * side.clip(0.2, 2)[..., None]).astype(np.float32)
    light += rng.normal(0, 0.05, (n, 1, 1, 1)).astype(np.float32)
    light += rng.standard_normal(light.shape, np.float32) * (0.03 * rng.random((n, 1, 1, 1))).astype(np.float32)
    return (light.clip(0, 1) * 255).astype(np.uint8)


def centred(canvases: Image, region_scale: float) -> Image:
    """Canvases (N, 128, 128, 3) to the crops (N, 64, 64, 3) that a station would cut, nothing changed."""
    scale = INPUT_PX / (region_scale * PITCH_PX)
    offset = (INPUT_PX - 1) / 2 - scale * (CANVAS_PX - 1) / 2
    matrix = np.array([[scale, 0.0, offset], [0.0, scale, offset]])
    return np.stack([cv2.warpAffine(c, matrix, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR) for c in canvases])
