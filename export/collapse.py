"""Did the training collapse? The check between a trained network and its bundle.

A network that always answers with the mean picture (dead units, a posterior equal to the prior, a learning rate that blew
up) still has scores that look like scores. So on validation normals, boards it has never seen, its reconstruction error
is held against a PCA of 8 components fitted on the same training crops, in the same units: an autoencoder of 640 latent
values that cannot describe good joints better than 8 straight lines has not learned them. Defects take no part, so the
check works where a customer has none; how well the score *ranks* defects is `evaluate`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.board import Floats
from export.pca import YARDSTICK_COMPONENTS, fit_pca

MIN_SPREAD_FRAC = 1e-4  # of the mean score: below this the score says the same of every crop


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseCheck:
    """Mean squared reconstruction errors on validation normals, and the spread of the score over them."""

    network_error: float
    pca_error: float
    score_spread: float
    score_mean: float

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        found = []
        if not np.isfinite([self.network_error, self.score_spread]).all():
            found.append(f"scores of validation normals are not finite (mean {self.score_mean})")
        elif self.score_spread <= MIN_SPREAD_FRAC * abs(self.score_mean):
            found.append(
                f"every validation crop scores {self.score_mean:.6g}: the score does not depend on the picture"
            )
        if not self.network_error < self.pca_error:
            found.append(
                f"reconstructs validation normals with error {self.network_error:.4f}, a PCA of {YARDSTICK_COMPONENTS} "
                f"components with {self.pca_error:.4f}: the training collapsed or is not done; try another seed, more "
                "epochs, or a smaller KL weight"
            )
        return found


def check_collapse(*, train: Floats, val: Floats, val_map: Floats, val_score: Floats) -> CollapseCheck:
    """Compare a network with PCA. `train` (N, C, h, w) and `val` (M, C, h, w) are good graph inputs, `val_map` (M, h, w)
    its squared error per pixel and `val_score` (M,) its score on `val`."""
    return CollapseCheck(
        network_error=float(val_map.mean()),
        pca_error=float(fit_pca(train).reconstruction_error(val).mean()),
        score_spread=float(val_score.std()),
        score_mean=float(val_score.mean()),
    )
