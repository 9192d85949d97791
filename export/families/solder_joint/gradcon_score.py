"""GradCon's score: reconstruction error and how little a crop's weight gradients look like those of training.

Here by torch's autograd, crop by crop on the network as it was trained; exported in the forward operators of
`gradcon_operators`. So the parity that a bundle states is between two computations that share nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.families.solder_joint.gradcon import ConstrainedAutoencoder, mean_cosine
from export.families.solder_joint.gradcon_operators import GradConOperators
from export.families.solder_joint.net import squared_error
from export.training_record import TrainingFault

GAMMA = 0.12  # 4 α, as Kwon et al. suggest and the solder-joint paper's authors took


class GradConScore(nn.Module):
    """A(X) = A(X)_recon + γ L_grad, and γ more: 1 - cosine in place of -cosine.

    The constant changes no order and no verdict; without it scores lie round 0, where a tolerance in parts of the
    threshold means nothing.
    """

    def __init__(self, net: ConstrainedAutoencoder, gamma: float = GAMMA) -> None:
        super().__init__()
        self.net = net
        self.gamma = gamma
        self.operators = GradConOperators(net, gamma)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and the squared error averaged over channels, (N, h, w)."""
        if torch.compiler.is_exporting() or not self.net.decoder_weights():  # folded: no trained weight is left
            return self.operators(x)
        error = (self.net(x).picture - x).square().mean(dim=1)
        return error.mean(dim=(1, 2)) + self.gamma * (1.0 - self.cosines(x)), error

    def cosines(self, x: Tensor) -> Tensor:
        """The mean cosine over decoder layers of each crop's weight gradients with the averages, (N,), by autograd.

        Raises TrainingFault when no gradient was averaged.
        """
        if not self.net.steps.all():
            raise TrainingFault("the network has no average training gradient: GradCon needs two epochs at least")
        weights, averages = self.net.decoder_weights(), self.net.averages()
        found = []
        for crop in x.split(1):
            with torch.enable_grad():
                gradients = torch.autograd.grad(squared_error(self.net(crop).picture, crop).sum(), weights)
            found.append(mean_cosine(gradients, averages))
        return torch.stack(found)
