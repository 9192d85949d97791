"""Did the training collapse? The check between a trained network and its bundle.

A network that answers every crop with the mean picture (dead units, a posterior equal to the prior, a learning rate
that blew up) still gives scores that look like scores. So its reconstruction error on validation normals, boards it has
never seen, is held against the least that a linear reconstruction does: the mean and one principal component of the
same training crops, in the same units. A collapsed network is no better than the mean alone and is refused; an honest
one clears the line with room. Defects take no part, so the check works where a customer has none; how well the score
*ranks* defects is `evaluate`'s business.

More components would not be a check against collapse: a β-VAE holds back on purpose, and on boards it has not seen
PCA-8 can reconstruct better than a β-VAE that is sound. That is told as a warning, since it is worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.board import Floats
from export.pca import YARDSTICK_COMPONENTS, fit_pca

REFUSAL_COMPONENTS = 1
MIN_SPREAD_FRAC = 1e-4  # of the mean score: below this the score says the same of every crop


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseCheck:
    """Mean squared reconstruction errors on validation normals, and the score over them."""

    network_error: float
    line_error: float  # of the mean and one principal component
    yardstick_error: float  # of PCA with the components `evaluate` reports
    score_mean: float
    score_spread: float

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        found = []
        if not np.isfinite([self.network_error, self.score_mean, self.score_spread]).all():
            found.append(f"scores of validation normals are not finite (mean {self.score_mean})")
        elif self.score_spread <= MIN_SPREAD_FRAC * abs(self.score_mean):
            found.append(f"every validation crop scores {self.score_mean:.6g}: the score does not depend on the crop")
        if not self.network_error < self.line_error:
            found.append(
                f"the network reconstructs validation normals with error {self.network_error:.4f}, the mean and one "
                f"principal component with {self.line_error:.4f}: the training collapsed or is not done; try more "
                "epochs, another seed, or a smaller KL weight"
            )
        return found

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"reconstructs validation normals with error {self.network_error:.4f}, the mean and one principal "
            f"component with {self.line_error:.4f}"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        if self.network_error < self.yardstick_error:
            return []
        return [
            f"PCA-{YARDSTICK_COMPONENTS} reconstructs validation normals with error {self.yardstick_error:.4f}, better "
            f"than this network with {self.network_error:.4f}"
        ]


def check_collapse(*, train: Floats, val: Floats, val_map: Floats, val_score: Floats) -> CollapseCheck:
    """Compare a network with PCA. `train` (N, C, h, w) and `val` (M, C, h, w) are good graph inputs; `val_map` (M, h,
    w) is the network's squared error per pixel on `val`, `val_score` (M,) its score."""
    return CollapseCheck(
        network_error=float(val_map.mean()),
        line_error=float(fit_pca(train, REFUSAL_COMPONENTS).reconstruction_error(val).mean()),
        yardstick_error=float(fit_pca(train, YARDSTICK_COMPONENTS).reconstruction_error(val).mean()),
        score_mean=float(val_score.mean()),
        score_spread=float(val_score.std()),
    )
