"""Training with the gradient constraint (Eq. 4 and J = L + α L_grad; GradCon of Kwon et al., ECCV 2020).

L_grad is minus the mean over the decoder's layers of the cosine between the batch's gradient of the reconstruction
error with respect to the layer's weights and the average of the gradients of J in the steps before. That average is
part of the network's state: the score compares one crop's gradient with it.

The constraint comes when the network has learned to reconstruct, with BatchNorm's statistics held still and mu for the
latent, as at a station. Through a batch's own statistics gradients are other vectors than those of one crop there; a
β-VAE that never had them gives in to the KL term; and with samples through statistics that were settled on mu it
forgets how to reconstruct from mu. See the README.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.solder_joint.net import Autoencoder, kl_divergence, squared_error

ALPHA = 0.03  # the paper gives none; both groups' published code has 0.03, on a mean squared error


class HeldNorm(nn.BatchNorm2d):
    """BatchNorm whose statistics can be held still: it is then in evaluation whatever the network around it does."""

    held = False

    def train(self, mode: bool = True) -> HeldNorm:
        """As every module's, unless held."""
        return super().train(mode and not self.held)

    def reset_running_stats(self) -> None:
        """As BatchNorm's, unless held."""
        if not self.held:
            super().reset_running_stats()


class ConstrainedAutoencoder(Autoencoder):
    """An autoencoder whose training gradients are kept alike. `alpha` weighs L_grad against the mean squared error of a
    crop's values.

    Buffers: `average_<k>` (Cin, Cout, 3, 3), the average gradient of decoder layer k, and `steps` (6,) int64, how many
    of each were averaged.
    """

    def __init__(self, widths: tuple[int, ...], *, variational: bool, beta: float, alpha: float = ALPHA) -> None:
        super().__init__(widths, variational=variational, beta=beta, norm=HeldNorm)
        self.alpha = alpha
        self.held = False
        self.register_buffer("steps", torch.zeros(len(self.decoder_weights()), dtype=torch.int64))
        for k, weight in enumerate(self.decoder_weights()):
            self.register_buffer(f"average_{k}", torch.zeros_like(weight))
            weight.register_post_accumulate_grad_hook(self._averaging(k))

    def decoder_weights(self) -> list[nn.Parameter]:
        """The weights of the six transposed convolutions, from the latent to the picture."""
        return [layer.weight for layer in self.decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]

    def averages(self) -> list[Tensor]:
        """The average training gradient of each of `decoder_weights`; zeros before the first step."""
        return [self.get_buffer(f"average_{k}") for k in range(len(self.decoder_weights()))]

    def hold_statistics(self) -> None:
        """From here on BatchNorm's statistics stay as they are, and gradients are averaged and constrained."""
        self.held = True
        for norm in self.modules():
            if isinstance(norm, HeldNorm):
                norm.held = True

    def latent(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """As every autoencoder's, and mu once statistics are held: they are those of mu, and so is the score."""
        return mu if self.held else super().latent(mu, logvar)

    def loss(self, x: Tensor) -> Tensor:
        """J: the negative ELBO and the constraint, in sums over a crop's values. The negative ELBO alone until the
        statistics are held, and in the first step then, which has nothing to compare with."""
        if not (self.held and self.steps.all()):
            return super().loss(x)
        wanted = torch.is_grad_enabled()
        with torch.enable_grad():  # in validation as well: the epoch that is kept is the best by J
            out = self(x)
            error = squared_error(out.picture, x).mean()
            gradients = torch.autograd.grad(error, self.decoder_weights(), create_graph=wanted, retain_graph=wanted)
            constraint = -mean_cosine(gradients, self.averages())
            j = error + self.beta * kl_divergence(out).mean() + self.alpha * x[0].numel() * constraint
        return j if wanted else j.detach()

    def _averaging(self, k: int) -> Callable[[Tensor], None]:
        """Takes a step's gradient of J into the average of layer k, once it is whole."""

        def take(weight: Tensor) -> None:
            if self.held:
                self.steps[k] += 1
                average = self.get_buffer(f"average_{k}")
                average += (weight.grad - average) / self.steps[k]

        return take


def mean_cosine(gradients: Sequence[Tensor], averages: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the cosine between a layer's gradient and its average; scalar."""
    pairs = zip(gradients, averages, strict=True)
    return torch.stack([functional.cosine_similarity(g.flatten(), a.flatten(), dim=0) for g, a in pairs]).mean()
