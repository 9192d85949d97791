"""Boards drawn with OpenCV for the tests of `edge/`: textured enough to be recognised, with joints at known places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image

WIDTH_PX, HEIGHT_PX = 480, 400


def drawn_board(seed: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> Image:
    """A green board with traces, pads, parts and print, different for each seed."""
    rng = np.random.default_rng(seed)
    board = np.full((height_px, width_px, 3), (60, 110, 30), np.uint8)
    for _ in range(120):
        x, y = int(rng.integers(0, width_px)), int(rng.integers(0, height_px))
        shade = tuple(int(v) for v in rng.integers(0, 256, 3))
        kind = int(rng.integers(0, 4))
        if kind == 0:
            cv2.line(board, (x, y), (x + int(rng.integers(-60, 60)), y + int(rng.integers(-60, 60))), shade, 2)
        elif kind == 1:
            cv2.rectangle(board, (x, y), (x + int(rng.integers(5, 40)), y + int(rng.integers(5, 30))), shade, -1)
        elif kind == 2:
            cv2.circle(board, (x, y), int(rng.integers(3, 12)), shade, -1)
        else:
            text = "".join(chr(int(c)) for c in rng.integers(65, 91, 3))
            cv2.putText(board, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, shade, 1, cv2.LINE_AA)
    return cv2.GaussianBlur(board, (0, 0), 0.8).astype(np.uint8)


def seen_from(board: Image, homography: NDArray[np.float64], width_px: int, height_px: int, seed: int = 0) -> Image:
    """The board as a camera sees it through `homography`, on a plain table, with a little noise."""
    seen = cv2.warpPerspective(board, homography, (width_px, height_px), borderValue=(90, 90, 90))
    noise = np.random.default_rng(seed).normal(0, 3, seen.shape)
    return np.clip(seen.astype(np.float64) + noise, 0, 255).astype(np.uint8)


def view(angle_deg: float, scale: float, tilt: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    """A homography round the board's centre: turned, scaled, tilted (perspective per pixel), then shifted."""
    to_centre = np.array([[1, 0, -WIDTH_PX / 2], [0, 1, -HEIGHT_PX / 2], [0, 0, 1]], np.float64)
    c, s = np.cos(np.deg2rad(angle_deg)) * scale, np.sin(np.deg2rad(angle_deg)) * scale
    turn = np.array([[c, -s, 0], [s, c, 0], [tilt, 0, 1]], np.float64)
    back = np.array([[1, 0, WIDTH_PX / 2 + shift[0]], [0, 1, HEIGHT_PX / 2 + shift[1]], [0, 0, 1]], np.float64)
    return back @ turn @ to_centre


def drawn_joints(kind: str, n: int, seed: int, side_px: int = 64) -> Image:
    """Crops (n, side_px, side_px, 3) of `good`, `bridge` or `missing` joints, 1.5 pitches wide."""
    rng = np.random.default_rng(seed)
    return np.stack([_joint(kind, rng, side_px) for _ in range(n)])


def _joint(kind: str, rng: np.random.Generator, side_px: int) -> Image:
    pitch = side_px / 1.5
    level = float(rng.uniform(0.8, 1.2))
    crop = np.full((side_px, side_px, 3), (60, 100, 40), np.float64) * level
    centre = tuple(int(v) for v in side_px / 2 + rng.uniform(-2, 2, 2))
    metal = tuple(float(v) for v in np.array([170.0, 175.0, 172.0]) * level)
    if kind == "missing":
        cv2.circle(crop, centre, round(0.30 * pitch), metal, -1)
        cv2.circle(crop, centre, round(0.16 * pitch), (15.0, 20.0, 15.0), -1)
    else:
        cv2.circle(crop, centre, round(float(rng.uniform(0.27, 0.32)) * pitch), metal, -1)
        cv2.circle(crop, centre, round(0.10 * pitch), (250.0, 250.0, 250.0), -1)
    if kind == "bridge":
        cv2.line(crop, centre, (side_px + 5, centre[1]), metal, round(0.35 * pitch))
    noisy = cv2.GaussianBlur(crop, (0, 0), 1.0) + rng.normal(0, 3, crop.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
