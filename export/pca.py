"""PCA reconstruction of grey, standardised crops: the linear yardstick that every learned reconstruction must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats

YARDSTICK_COMPONENTS = 8  # the best of 8 and 32 on the data sets' own tables of floors


@dataclass(frozen=True, slots=True, kw_only=True)
class Pca:
    """The mean (D,) and `components` (K, D) of good crops, each an orthonormal row."""

    mean: Floats
    components: Floats

    def reconstruction_error(self, inputs: Floats) -> Floats:
        """Mean squared error (N,) of graph inputs (N, C, h, w), per value."""
        centred = inputs.reshape(len(inputs), -1) - self.mean
        left = centred - (centred @ self.components.T) @ self.components
        return np.square(left).mean(axis=1)


def fit_pca(good: Floats, components: int = YARDSTICK_COMPONENTS) -> Pca:
    """PCA of good graph inputs (N, C, h, w), by way of the N x N inner products. At most N - 1 components."""
    rows = good.reshape(len(good), -1).astype(np.float32)
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    kept = np.argsort(values)[::-1][: min(components, len(good) - 1)]
    kept = kept[values[kept] > 1e-6 * max(values.max(), 1e-30)]
    scaled: NDArray[np.float64] = vectors[:, kept] / np.sqrt(values[kept])
    return Pca(mean=mean, components=(scaled.T.astype(np.float32) @ centred))
