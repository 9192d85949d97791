"""A map of the crops as the graph gets them: t-SNE of their principal components. For eyes, never for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from edge.families import FAMILIES
from export.scoring import ScoredSplit

MAX_POINTS = 800  # t-SNE of more takes longer than a reader waits
MIN_POINTS = 12
COMPONENTS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentMap:
    """Places `at` (N, 2) of N rows, with what they are and whether they were called."""

    at: NDArray[np.float64]
    labels: NDArray[np.str_]
    is_good: NDArray[np.bool_]
    called: NDArray[np.bool_]


def latent_map(scored: ScoredSplit) -> LatentMap | None:
    """The map of at most MAX_POINTS rows: every defect that fits, then good rows drawn evenly. None for too few."""
    chosen = _chosen(scored.is_good)
    if len(chosen) < MIN_POINTS:
        return None
    manifest = scored.bundle.manifest
    inputs = FAMILIES[manifest.family].graph_input(scored.crops[chosen], manifest.contract)
    flat = inputs.reshape(len(chosen), -1)
    main = PCA(min(COMPONENTS, len(chosen) - 1), svd_solver="randomized", random_state=0).fit_transform(flat)
    perplexity = min(30.0, (len(chosen) - 1) / 3)
    at = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(main)
    return LatentMap(
        at=at.astype(np.float64),
        labels=scored.labels[chosen],
        is_good=scored.is_good[chosen],
        called=scored.called[chosen],
    )


def _chosen(is_good: NDArray[np.bool_]) -> NDArray[np.int64]:
    defects, good = np.flatnonzero(~is_good), np.flatnonzero(is_good)
    kept_defects = _evenly(defects, MAX_POINTS // 2 if len(good) > MAX_POINTS // 2 else MAX_POINTS - len(good))
    return np.sort(np.concatenate([kept_defects, _evenly(good, MAX_POINTS - len(kept_defects))]))


def _evenly(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(int)]
