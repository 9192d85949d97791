"""What a station computes: the network and its score as one module, (N, 3, 64, 64) to `score` (N,) and `map` (N, h, w).

Higher is worse. The latent is mu, not a sample, so a crop has one score; scores are per value of the crop, so those of
the two kinds are of one size. A further score is one module and one row in `SCORES`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from export.families.solder_joint.classifier import DefectScore
from export.families.solder_joint.gradcon_score import GradConScore
from export.families.solder_joint.nearest import NearestScore
from export.families.solder_joint.net import Autoencoder, kl_divergence


class ReconstructionScore(nn.Module):
    """Eq. 2: the mean squared error of a crop's reconstruction."""

    def __init__(self, net: Autoencoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and the squared error averaged over channels, (N, h, w)."""
        error = (self.net(x).picture - x).square().mean(dim=1)
        return error.mean(dim=(1, 2)), error


class ElboScore(nn.Module):
    """The negative of Eq. 3, with the KL weight the network was trained with, per value of the crop.

    Eq. 3 as printed is the (positive) ELBO; it is turned round here so that higher is worse.
    """

    def __init__(self, net: Autoencoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and the squared error averaged over channels, (N, h, w)."""
        out = self.net(x)
        error = (out.picture - x).square().mean(dim=1)
        values = x.shape[1] * x.shape[2] * x.shape[3]
        return error.mean(dim=(1, 2)) + (self.net.beta / values) * kl_divergence(out), error


SCORES: dict[str, Callable[..., nn.Module]] = {
    "recon": ReconstructionScore,
    "elbo": ElboScore,
    "gradcon": GradConScore,
    "surprise": DefectScore,
    "distance": NearestScore,
}
