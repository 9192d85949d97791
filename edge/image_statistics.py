"""How bright, coloured, sharp and noisy a registered picture is beside the recipe's reference: five numbers a board.

Measured on small patches of the board itself, the same places on every board, each held against the reference picture's
patch and joined by the median, so that a defect, a label or a shadow does not move them. Made to be compared with those
of other boards of the same recipe, not to be read alone. The cost does not grow with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image

PATCH_PX = 32
GRID = 10  # patches along each side of the inspected part of the board
MARGIN_FRAC = 0.15  # of the reference's size: how far round the places the board is looked at
USABLE_LEVEL = (10.0, 245.0)  # mean grey levels of a patch outside of which a gain cannot be read off
MIN_PATCHES = 9  # fewer of a kind give no number; a median of nine outlives four spoilt patches
TEXTURED_FRAC, FLAT_FRAC = 0.4, 0.4  # of the patches, by the reference: these tell the focus, those the noise
# J. Immerkaer, "Fast Noise Variance Estimation", 1996: blind to edges and slopes; white noise of deviation 1 gives 6.
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
NOISE_KERNEL_GAIN = 6.0
LAPLACE_KERNEL = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
MEAN_ABS_TO_SIGMA = float(np.sqrt(np.pi / 2))  # of a normal distribution

Grey = NDArray[np.float32]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatistics:
    """Natural logarithms, so that a difference of 0.02 is 2 %. NaN where too little of the board could be seen."""

    level: float  # picture over reference, mean of the colours: the lamp, the exposure
    blue: float  # blue over green, against the reference's
    red: float  # red over green, against the reference's
    focus: float  # energy of the finest detail over that of the next coarser
    noise: float  # grey levels, on the flattest patches


class ImageProbe:
    """Measures pictures of one recipe. Built once from its reference."""

    def __init__(self, reference: Image, centres_px: Numbers) -> None:
        """`reference` (h, w, 3) uint8 BGR, `centres_px` (N, 2) the places in it."""
        centres = _grid(reference.shape[:2], centres_px)
        patches, inside = _patches(reference, centres)
        self._centres = centres[inside]
        self._log_colour = np.log(np.maximum(_colours(patches), 1.0))  # (P, 3)
        order = np.argsort(_detail(_greys(patches))) if len(patches) else np.empty(0, np.int64)
        self._flat = np.zeros(len(order), np.bool_)
        self._flat[order[: round(FLAT_FRAC * len(order))]] = True
        self._textured = np.zeros(len(order), np.bool_)
        self._textured[order[len(order) - round(TEXTURED_FRAC * len(order)) :]] = True

    def measure(self, image: Image, homography: Numbers) -> ImageStatistics:
        """`image` (h, w, 3) uint8 BGR, `homography` (3, 3) from reference to picture pixels. Never raises for what the
        picture shows."""
        if not len(self._centres):
            return ImageStatistics(level=np.nan, blue=np.nan, red=np.nan, focus=np.nan, noise=np.nan)
        centres = cv2.perspectiveTransform(self._centres[None], homography)[0]
        patches, inside = _patches(image, centres)
        if not len(patches):
            return ImageStatistics(level=np.nan, blue=np.nan, red=np.nan, focus=np.nan, noise=np.nan)
        colours = _colours(patches)
        usable = ((colours > USABLE_LEVEL[0]) & (colours < USABLE_LEVEL[1])).all(axis=1)
        gain = (np.log(np.maximum(colours, 1.0)) - self._log_colour[inside])[usable]  # (P, 3) BGR
        return ImageStatistics(
            level=_median(gain.mean(axis=1)),
            blue=_median(gain[:, 0] - gain[:, 1]),
            red=_median(gain[:, 2] - gain[:, 1]),
            focus=_focus(_greys(patches[self._textured[inside]])),
            noise=_noise(_greys(patches[self._flat[inside]])),
        )


def _grid(shape: tuple[int, ...], places_px: Numbers) -> Numbers:
    """(GRID², 2) patch centres, evenly over the rectangle round the places and a margin."""
    size = np.array([shape[1], shape[0]], np.float64)
    low = np.maximum(places_px.min(axis=0) - MARGIN_FRAC * size, PATCH_PX)
    high = np.minimum(places_px.max(axis=0) + MARGIN_FRAC * size, size - 1 - PATCH_PX)
    x, y = (np.linspace(low[i], max(low[i], high[i]), GRID) for i in range(2))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _patches(image: Image, centres: Numbers) -> tuple[Image, NDArray[np.bool_]]:
    """The (P, PATCH_PX, PATCH_PX, 3) patches that lie whole in the picture, not resampled, and which they are (N,)."""
    with np.errstate(invalid="ignore"):
        corners = np.floor(np.nan_to_num(centres, nan=-1e6, posinf=-1e6, neginf=-1e6).clip(-1e6, 1e6)).astype(np.int64)
    corners -= PATCH_PX // 2
    room = np.array([image.shape[1], image.shape[0]]) - PATCH_PX
    inside = ((corners >= 0) & (corners <= room)).all(axis=1)
    found = [image[y : y + PATCH_PX, x : x + PATCH_PX] for x, y in corners[inside]]
    empty = np.empty((0, PATCH_PX, PATCH_PX, 3), np.uint8)
    return (np.stack(found) if found else empty), inside


def _colours(patches: Image) -> Numbers:
    """Mean of each colour, (P, 3)."""
    return np.array([cv2.mean(patch)[:3] for patch in patches], np.float64).reshape(-1, 3)


def _greys(patches: Image) -> Grey:
    """Grey levels (P, PATCH_PX, PATCH_PX) float32."""
    if not len(patches):
        return np.empty(patches.shape[:3], np.float32)
    grey = cv2.cvtColor(patches.reshape(len(patches) * PATCH_PX, PATCH_PX, 3), cv2.COLOR_BGR2GRAY)
    return grey.astype(np.float32).reshape(len(patches), PATCH_PX, PATCH_PX)


def _filtered(grey: Grey, kernel: Grey) -> Grey:
    """Each patch filtered on its own: the rim, where stacked patches meet, is left out."""
    if not len(grey):
        return grey
    stacked = cv2.filter2D(grey.reshape(-1, grey.shape[2]), cv2.CV_32F, kernel)
    return np.asarray(stacked.reshape(grey.shape)[:, 1:-1, 1:-1], np.float32)


def _detail(grey: Grey) -> Numbers:
    """Mean square of the discrete Laplacian inside each patch, (P,)."""
    laplacian = _filtered(grey, LAPLACE_KERNEL)
    energy: Numbers = np.einsum("pyx,pyx->p", laplacian, laplacian, dtype=np.float64)
    return np.asarray(energy / laplacian[0].size, np.float64)


def _focus(grey: Grey) -> float:
    if len(grey) < MIN_PATCHES:
        return float("nan")
    half: Grey = (grey[:, ::2, ::2] + grey[:, 1::2, ::2] + grey[:, ::2, 1::2] + grey[:, 1::2, 1::2]) / np.float32(4)
    return _median(np.log((_detail(grey) + 1.0) / (_detail(half) + 1.0)))


def _noise(grey: Grey) -> float:
    if len(grey) < MIN_PATCHES:
        return float("nan")
    sigma = np.abs(_filtered(grey, NOISE_KERNEL)).mean(axis=(1, 2)) * MEAN_ABS_TO_SIGMA / NOISE_KERNEL_GAIN
    return _median(np.log(sigma + 0.1))


def _median(values: Numbers) -> float:
    return float(np.median(values)) if len(values) >= MIN_PATCHES else float("nan")
