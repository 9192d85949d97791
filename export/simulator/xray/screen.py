"""What a machine does to its slices before anybody sees them: grey scale of the day, shading, tile seams, JPEG."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.difficulty import Difficulty
from export.simulator.xray.machine import Machine
from export.simulator.xray.physics import grey, slow_field
from export.simulator.xray.stack import Floats

Rng = np.random.Generator


def screen_greys(mu: Floats, machine: Machine, setting: Difficulty, rng: Rng) -> NDArray[np.uint8]:
    """(slices, h, w) float32 mu to uint8, dark = dense; one grey scale for all slices of a view."""
    gain, gamma = float(rng.uniform(*setting.contrast_gain)), float(rng.uniform(*setting.gamma))
    seams, jpeg = rng.random() < setting.seams_frac, rng.random() < setting.jpeg_frac
    quality = int(rng.integers(*setting.jpeg_quality, endpoint=True))
    tiles = rng.normal(0.0, 1.0, (2, 3, 3)).astype(np.float32)
    out = np.empty(mu.shape, np.uint8)
    for n, plane in enumerate(mu):
        shaded = plane + slow_field(plane.shape, setting.shading_frac, rng)
        if seams:
            shaded = _tiled(shaded, tiles)
        out[n] = grey(shaded, machine, gain, gamma)
        if jpeg:
            out[n] = _through_jpeg(out[n], quality)
    return out


def _tiled(plane: Floats, tiles: Floats) -> Floats:
    """Grey level and contrast normalised tile by tile, as of pictures put together from several."""
    out: Floats = plane.copy()
    rows = np.linspace(0, plane.shape[0], tiles.shape[1] + 1).astype(int)
    columns = np.linspace(0, plane.shape[1], tiles.shape[2] + 1).astype(int)
    for i, (y0, y1) in enumerate(pairwise(rows)):
        for j, (x0, x1) in enumerate(pairwise(columns)):
            out[y0:y1, x0:x1] = plane[y0:y1, x0:x1] * (1 + 0.02 * tiles[0, i, j]) + 0.02 * tiles[1, i, j]
    return out


def _through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    done, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError("OpenCV could not write a JPEG")
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
