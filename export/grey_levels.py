"""The smallest change a camera makes: pictures that differ by one grey level, everywhere or at random.

For self-tests of verdicts: a place whose verdict such a change turns was never clearly one thing or the other.
"""

from __future__ import annotations

import numpy as np

from edge.board import Image

NOISE_SEEDS = (1, 2, 3, 4, 5)


def shifted(image: Image, levels: int) -> Image:
    """Every pixel of (h, w, 3) uint8 `levels` brighter, or darker where negative; 0 and 255 stay."""
    return np.clip(image.astype(np.int16) + levels, 0, 255).astype(np.uint8)


def noisy(image: Image, levels: int, seed: int) -> Image:
    """Every value of (h, w, 3) uint8 changed by its own whole number from -`levels` to `levels`, all equally likely."""
    noise = np.random.default_rng(seed).integers(-levels, levels, image.shape, np.int16, endpoint=True)
    return np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
