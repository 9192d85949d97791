"""The paper's five errors of a mounted component (Table 2), painted on pictures of good ones.

The paper names them and says that its augmentation made them, not how; these are ours. Each takes a scene and a seeded
generator and gives a crop (128, 128, 3) uint8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.families.pth_component.net import INPUT_PX
from export.families.pth_component.part_crops import CANVAS_PX

CANVAS_MIDDLE = (CANVAS_PX - 1) / 2
WRONG_SHIFT_PX = (14.0, 30.0)  # of a crop of 128: 11 to 23 %, several times what placement scatters
WRONG_TURN_DEG = (15.0, 75.0)  # quarter turns may be allowed for a part, and are asked for apart
LIFT_SCALE = (1.10, 1.30)  # nearer the lens
MISPLACED_PX = (28.0, 52.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One good component: `canvas` and `other`, one of another class, (160, 160, 3) uint8 BGR; `box_px` the component's
    width and height; quarter turns it must not have."""

    canvas: Image
    other: Image
    box_px: NDArray[np.float64]
    wrong_turns: tuple[int, ...]


Generator = np.random.Generator
Painter = Callable[[Scene, Generator], Image]


def moved(
    canvas: Image,
    shift_px: tuple[float, float],
    turn_deg: float,
    scale: tuple[float, float] = (1.0, 1.0),
    out_px: int = INPUT_PX,
) -> Image:
    """The middle of a canvas, (out_px, out_px, 3), its content shifted, turned and scaled about the middle."""
    a = math.radians(turn_deg)
    linear = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) @ np.diag(scale)
    offset = np.full(2, (out_px - 1) / 2) + shift_px - linear @ np.full(2, CANVAS_MIDDLE)
    matrix = np.hstack([linear, offset[:, None]])
    picture = cv2.warpAffine(canvas, matrix, (out_px, out_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture.astype(np.uint8, copy=False)


def missing(scene: Scene, rng: Generator) -> Image:
    """Bare board, with the solder of two leads or without."""
    board = _bare_board(scene, rng, CANVAS_PX)
    if rng.random() < 0.6:
        _draw_leads(board, scene, rng)
    return _cut(board)


def wrong(scene: Scene, rng: Generator) -> Image:
    """Another component where this one should be: as it was cut, or laid on this one's board."""
    if rng.random() < 0.5:
        return moved(scene.other, _small_shift(rng), rng.normal(0, 3))
    board = _bare_board(scene, rng, CANVAS_PX)
    return _cut(_laid_on(board, scene.other, _soft_box(scene.box_px, rng, 1.0)))


def shifted_or_rotated(scene: Scene, rng: Generator) -> Image:
    """Farther off than placement scatters, askew, or in a quarter turn the part must not have."""
    kind = rng.integers(3)
    if kind == 2 and scene.wrong_turns:
        return moved(scene.canvas, _small_shift(rng), rng.normal(0, 2) + int(rng.choice(scene.wrong_turns)))
    if kind == 0:
        return moved(scene.canvas, _shift(rng, WRONG_SHIFT_PX), rng.normal(0, 3))
    turn = rng.uniform(*WRONG_TURN_DEG) * rng.choice((-1, 1))
    return moved(scene.canvas, _small_shift(rng), float(turn))


def lifted(scene: Scene, rng: Generator) -> Image:
    """One side stands off the board: the component grows along one axis, leans away, and throws a shadow."""
    board = scene.canvas.copy()
    lean = _shift(rng, (4.0, 12.0))
    shadow = moved(_as_picture(_soft_box(scene.box_px, rng, 1.05)), (-lean[0], -lean[1]), 0, out_px=CANVAS_PX)
    board = (board * (1 - rng.uniform(0.35, 0.65) * shadow / 255.0)).astype(np.uint8)
    grown = (
        rng.uniform(*LIFT_SCALE, 2) if rng.random() < 0.5 else (rng.uniform(*LIFT_SCALE), 1.0)[:: rng.choice((-1, 1))]
    )
    scale = (float(grown[0]), float(grown[1]))
    body = moved(scene.canvas, lean, rng.normal(0, 4), scale, CANVAS_PX)
    mask = moved(_as_picture(_soft_box(scene.box_px, rng, 0.9)), lean, 0, scale, CANVAS_PX)[..., 0] / 255.0
    return _cut(_laid_on(board, body, mask))


def misplaced(scene: Scene, rng: Generator) -> Image:
    """The component lies elsewhere, part of it out of view, and bare board shows where it should be."""
    board = _bare_board(scene, rng, CANVAS_PX)
    shift, turn = _shift(rng, MISPLACED_PX), rng.uniform(-90, 90)
    body = moved(scene.canvas, shift, turn, out_px=CANVAS_PX)
    mask = moved(_as_picture(_soft_box(scene.box_px, rng, 0.95)), shift, turn, out_px=CANVAS_PX)[..., 0] / 255.0
    return _cut(_laid_on(board, body, mask))


ERRORS: dict[str, Painter] = {
    "missing": missing,
    "wrong": wrong,
    "shifted_or_rotated": shifted_or_rotated,
    "lifted": lifted,
    "misplaced": misplaced,
}


def _bare_board(scene: Scene, rng: Generator, px: int) -> Image:
    """Where the component is, the colours of the board round it, smoothly, with the board's own grain."""
    canvas = scene.canvas
    mask = _soft_box(scene.box_px, rng, 1.08)
    rim = np.concatenate([canvas[:6].reshape(-1, 3), canvas[-6:].reshape(-1, 3), canvas[:, :6].reshape(-1, 3)])
    patches = rng.choice(rim, (8, 8)).astype(np.float32)
    colours = 0.6 * np.median(rim, axis=0) + 0.4 * cv2.resize(patches, (px, px), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((px, px, 1), np.float32) * rng.uniform(1, 6)
    return _laid_on(canvas, (colours + grain).clip(0, 255).astype(np.uint8), mask)


def _draw_leads(board: Image, scene: Scene, rng: Generator) -> None:
    """Two solder lands along the longer side, with a hole in each or filled."""
    along = np.array([0.38, 0.0]) if scene.box_px[0] >= scene.box_px[1] else np.array([0.0, 0.38])
    radius = int(rng.integers(4, 10))
    metal = tuple(int(v) for v in rng.uniform(110, 220) + rng.normal(0, 10, 3))
    for side in (-1, 1):
        x, y = (int(v) for v in CANVAS_MIDDLE + side * along * scene.box_px + rng.normal(0, 2, 2))
        cv2.circle(board, (x, y), radius, metal, -1, cv2.LINE_AA)
        if rng.random() < 0.7:
            cv2.circle(board, (x, y), max(2, radius // 2), (20, 20, 20), -1, cv2.LINE_AA)


def _soft_box(box_px: NDArray[np.float64], rng: Generator, scale: float) -> NDArray[np.float32]:
    """1 over the component, 0 far from it, (160, 160): a rounded box with a soft edge."""
    half = np.minimum(box_px * scale, CANVAS_PX - 4.0) / 2
    mask = np.zeros((CANVAS_PX, CANVAS_PX), np.float32)
    low, high = np.rint(CANVAS_MIDDLE - half).astype(int), np.rint(CANVAS_MIDDLE + half).astype(int)
    if rng.random() < 0.5:
        cv2.rectangle(mask, low.tolist(), high.tolist(), 1.0, -1)
    else:
        axes = np.rint(half * 1.1).astype(int).tolist()
        cv2.ellipse(mask, [int(CANVAS_MIDDLE)] * 2, axes, 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32, copy=False)


def _laid_on(board: Image, body: Image, mask: NDArray[np.floating]) -> Image:
    share = mask[..., None].astype(np.float32)
    return (board * (1 - share) + body * share).astype(np.uint8)


def _as_picture(mask: NDArray[np.float32]) -> Image:
    return np.repeat((mask * 255).astype(np.uint8)[..., None], 3, axis=2)


def _cut(canvas: Image) -> Image:
    return moved(canvas, (0.0, 0.0), 0.0)


def _shift(rng: Generator, length_px: tuple[float, float]) -> tuple[float, float]:
    length, angle = rng.uniform(*length_px), rng.uniform(0, 2 * math.pi)
    return float(length * math.cos(angle)), float(length * math.sin(angle))


def _small_shift(rng: Generator) -> tuple[float, float]:
    return _shift(rng, (0.0, 4.0))
