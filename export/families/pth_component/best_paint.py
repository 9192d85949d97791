"""Pictures `best` learns from: good components seen a little differently, and good ones with errors painted on.

To the five errors of the paper (`painted_errors`) come three of a real line: solder where none belongs, a piece of the
component that is not there, a bent lead. All are in the component's box; what changes outside it is a neighbour and
harmless, so it is changed in good pictures, too.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.families.pth_component.net import INPUT_PX
from export.families.pth_component.painted_errors import CANVAS_MIDDLE, ERRORS, Generator, Scene, moved
from export.families.pth_component.part_crops import CANVAS_PX, PartCrops
from export.families.pth_component.triplets import relit

SHIFT_PX, TURN_DEG = 3.0, 3.0  # of 128: what placement and registration leave in good pictures
RELIT_FRAC = 0.6
NEIGHBOUR_FRAC = 0.3
NEIGHBOUR_FROM = 1.25  # of the box: from here on it is somebody else's place
SPLASH_FRAC = (0.05, 0.16)  # radius of a lump, of the crop
BITE_FRAC = (0.12, 0.4)
BEND_FRAC = (0.08, 0.16)  # farthest a lead is pushed
SHARES = {"solder": 0.35, "bite": 0.15, "bend": 0.15, "paper": 0.35}

Error = Callable[[Image, NDArray[np.float64], Generator], Image]


def good_picture(parts: PartCrops, i: int, rng: Generator) -> Image:
    """Component `i` once more: a little moved, in another light, with other neighbours. (128, 128, 3) uint8."""
    canvas = parts.canvases[i]
    if rng.random() < NEIGHBOUR_FRAC:
        canvas = _with_neighbours_of(canvas, parts.canvases[int(rng.integers(len(parts)))], parts.boxes_px[i])
    return _seen(canvas, rng)


def bad_picture(parts: PartCrops, i: int, rng: Generator) -> Image:
    """Component `i` with one error painted on. (128, 128, 3) uint8."""
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    if kind == "paper":
        others = np.flatnonzero(parts.parts != parts.parts[i])
        scene = Scene(
            canvas=parts.canvases[i],
            other=parts.canvases[int(rng.choice(others))] if len(others) else parts.canvases[i][::-1],
            box_px=parts.boxes_px[i],
            wrong_turns=parts.wrong_turns[i],
        )
        return _relit(ERRORS[str(rng.choice(list(ERRORS)))](scene, rng), rng)
    return _seen(LINE_ERRORS[kind](parts.canvases[i], parts.boxes_px[i], rng), rng)


def with_solder(canvas: Image, box_px: NDArray[np.float64], rng: Generator) -> Image:
    """A splash: lumps of grey metal run together, rounded, with a glint."""
    lump = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
    middle = _inside(box_px, rng)
    radius = rng.uniform(*SPLASH_FRAC) * INPUT_PX
    for _ in range(rng.integers(2, 6)):
        centre_px = np.rint(middle + rng.normal(0, radius * 0.5, 2)).astype(int).tolist()
        axes = np.maximum(np.rint(radius * rng.uniform(0.3, 0.9, 2)), 2).astype(int).tolist()
        cv2.ellipse(lump, centre_px, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    height = np.sqrt(cv2.distanceTransform(lump, cv2.DIST_L2, 3))
    grain = cv2.GaussianBlur(rng.standard_normal(lump.shape).astype(np.float32), (0, 0), rng.uniform(1.5, 5))
    grey = rng.uniform(70, 190) + rng.uniform(10, 40) * grain / grain.std() + rng.uniform(0, 70) * _glint(height, rng)
    metal = grey[..., None] * rng.uniform(0.93, 1.07, 3)
    return _laid(canvas, metal, lump.astype(np.float32), 0.8)


def with_bite(canvas: Image, box_px: NDArray[np.float64], rng: Generator) -> Image:
    """A rectangle of the component shows another place of the picture instead: a lead, an edge or a marking is gone."""
    w, h = (rng.uniform(*BITE_FRAC, 2) * np.minimum(box_px, INPUT_PX)).astype(int).clip(8, CANVAS_PX // 2)
    x, y = np.rint(_inside(box_px, rng) - np.array([w, h]) / 2).astype(int).clip(0, CANVAS_PX - np.array([w, h]))
    from_x, from_y = int(rng.integers(0, CANVAS_PX - w)), int(rng.integers(0, CANVAS_PX - h))
    piece, mask = canvas.copy(), np.zeros((CANVAS_PX, CANVAS_PX), np.float32)
    piece[y : y + h, x : x + w] = canvas[from_y : from_y + h, from_x : from_x + w]
    mask[y : y + h, x : x + w] = 1
    return _laid(canvas, piece.astype(np.float64), mask, 1.2)


def with_bend(canvas: Image, box_px: NDArray[np.float64], rng: Generator) -> Image:
    """What is at one place of the component is pushed aside, its surroundings drawn along."""
    x, y = _inside(box_px, rng)
    ys, xs = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX].astype(np.float32)
    reach, angle = rng.uniform(0.09, 0.18) * INPUT_PX, rng.uniform(0, 2 * np.pi)
    push = rng.uniform(*BEND_FRAC) * INPUT_PX * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * reach**2))
    from_x, from_y = (xs + push * np.cos(angle)).astype(np.float32), (ys + push * np.sin(angle)).astype(np.float32)
    bent = cv2.remap(canvas, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return bent.astype(np.uint8, copy=False)


LINE_ERRORS: dict[str, Error] = {"solder": with_solder, "bite": with_bite, "bend": with_bend}


def _seen(canvas: Image, rng: Generator) -> Image:
    x, y = rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
    return _relit(moved(canvas, (float(x), float(y)), float(rng.uniform(-TURN_DEG, TURN_DEG))), rng)


def _relit(crop: Image, rng: Generator) -> Image:
    return relit(crop, rng) if rng.random() < RELIT_FRAC else crop


def _with_neighbours_of(canvas: Image, other: Image, box_px: NDArray[np.float64]) -> Image:
    half = np.rint(box_px * NEIGHBOUR_FROM / 2).astype(int)
    low = (np.rint(CANVAS_MIDDLE).astype(int) - half).clip(0)
    high = low + 2 * half
    made = other.copy()
    made[low[1] : high[1], low[0] : high[0]] = canvas[low[1] : high[1], low[0] : high[0]]
    return made


def _inside(box_px: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    """A place in the component's box, x and y in the canvas."""
    return CANVAS_MIDDLE + rng.uniform(-0.45, 0.45, 2) * np.minimum(box_px, INPUT_PX)


def _glint(height: NDArray[np.floating], rng: Generator) -> NDArray[np.floating]:
    """Light from one side on a rounded lump: -1 to 1."""
    angle = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.5))
    lit = slope_x * np.cos(angle) + slope_y * np.sin(angle)
    return lit / max(float(np.abs(lit).max()), 1e-6)


def _laid(canvas: Image, body: NDArray[np.floating], mask: NDArray[np.float32], softness_px: float) -> Image:
    share = cv2.GaussianBlur(mask, (0, 0), softness_px)[..., None]
    return (canvas * (1 - share) + body * share).clip(0, 255).astype(np.uint8)
