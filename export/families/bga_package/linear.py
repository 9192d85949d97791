"""The line to beat: good pictures reconstructed from the mean and 48 principal components, scored by the cosine as the
paper scores its autoencoder's.

A yardstick of reports, not a preset: 48 components of a 256 x 256 picture are 12 MB to read twice a package.
"""

from __future__ import annotations

import numpy as np

from edge.board import Floats
from export.pca import Pca, fit_pca

LINE_COMPONENTS = 48


def fit_line(good: Floats, components: int = LINE_COMPONENTS) -> Pca:
    """The linear reconstruction of good graph inputs (N, 1, h, w)."""
    return fit_pca(good, components)


def cosine_scores(line: Pca, inputs: Floats) -> Floats:
    """1 - cos(x, x̂) of graph inputs (N, 1, h, w), (N,); higher is worse. A black picture has no angle: 0 of it is 1."""
    rows = inputs.reshape(len(inputs), -1).astype(np.float32)
    again = line.mean + ((rows - line.mean) @ line.components.T) @ line.components
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(again, axis=1)
    products = np.einsum("ij,ij->i", rows, again, dtype=np.float64)
    return np.asarray(1.0 - products / np.maximum(lengths, 1e-12), np.float32)
