"""The variational autoencoder of Lee, Han and Choi, "BGA Anomaly detection by exploiting Variational AutoEncoders"
(poster, steps 01 to 05). One module and its loss; how it is trained and exported is said elsewhere.

The poster gives the picture (256 x 256), the terms of the loss and that the decoder mirrors the encoder with transposed
convolutions. Widths, strides, the length of the latent vector and the grey channel are not in it: they are chosen here
so that two processor cores can train it. Pictures are (N, 1, 256, 256) float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.1
LOGVAR_RANGE = (-10.0, 3.0)  # sigma of 0.007 to 4.5: beyond it one step of the optimiser makes exp(logvar) infinite
FIRST_LOGVAR = -4.0  # little noise at first: the decoder learns to draw before the KL term is paid for


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What one pass gives: the picture again (N, 1, s, s), and the posterior's `mu` and `logvar` (N, L)."""

    picture: Tensor
    mu: Tensor
    logvar: Tensor


class Vae(nn.Module):
    """Convolutions of stride 2, one a width, to vectors mu and log(sigma²); transposed convolutions back.

    A transposed convolution of stride 2 is written as what it is, a convolution to four times the channels and their
    shuffling (Shi et al., arXiv 1609.07009; here its kernel is 6 x 6), since engines run that form and not the other.
    `side_px` is the side at which pictures are taken: larger ones are averaged down to it first.
    """

    def __init__(self, widths: Sequence[int], latent: int, side_px: int = 256) -> None:
        super().__init__()
        smallest = side_px >> len(widths)
        if smallest << len(widths) != side_px or not smallest:
            raise ValueError(f"side_px {side_px}, {len(widths)} widths: the side must halve once a width")
        self.side_px, self.top = side_px, (widths[-1], smallest, smallest)
        self.encoder = nn.Sequential(*(m for c in pairwise((1, *widths)) for m in _halving(*c)))
        inner = widths[-1] * smallest**2
        self.mu_head = nn.Linear(inner, latent)
        self.logvar_head = nn.Linear(inner, latent)
        nn.init.zeros_(self.logvar_head.weight)
        nn.init.constant_(self.logvar_head.bias, FIRST_LOGVAR)
        self.spread = nn.Linear(latent, inner)
        back = tuple(reversed(widths))
        self.decoder = nn.Sequential(
            *(m for c in pairwise(back) for m in _doubling(*c)),
            nn.Conv2d(back[-1], 4, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def taken(self, x: Tensor) -> Tensor:
        """(N, 1, h, h) pictures at the side the network works at, (N, 1, s, s)."""
        by = x.shape[-1] // self.side_px
        return x if by == 1 else functional.avg_pool2d(x, by)

    def forward(self, x: Tensor) -> Reconstruction:
        """Reconstruct pictures (N, 1, s, s). Samples z = mu + sigma * epsilon in training (step 02); in evaluation z is
        mu, so that a score is repeatable."""
        features = self.encoder(x).flatten(1)
        mu, logvar = self.mu_head(features), self.logvar_head(features).clamp(*LOGVAR_RANGE)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar) if self.training else mu
        top = functional.leaky_relu(self.spread(z), LEAK).reshape(-1, *self.top)
        return Reconstruction(picture=self.decoder(top), mu=mu, logvar=logvar)

    def loss(self, x: Tensor) -> Tensor:
        """Step 04: ||x - x̂||² + KL, each summed over a picture, averaged over the batch. A pixel that was averaged
        down counts for all it stands for, or the KL term would outweigh the rest at a small side."""
        taken = self.taken(x)
        out = self(taken)
        stands_for = x[0].numel() / taken[0].numel()
        return (stands_for * squared_error(out.picture, taken) + kl_divergence(out)).mean()


class CosineScore(nn.Module):
    """Step 05: the score is 1 - cos(x, x̂), so that higher is worse; the map is the squared error, averaged down."""

    def __init__(self, net: Vae, map_px: int) -> None:
        super().__init__()
        if net.side_px % map_px:
            raise ValueError(f"map_px {map_px} does not divide {net.side_px}")
        self.net = net
        self.map_by = net.side_px // map_px

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 1, 256, 256) to score (N,) and map (N, m, m)."""
        taken = self.net.taken(x)
        picture = self.net(taken).picture
        error = functional.avg_pool2d((picture - taken) * (picture - taken), self.map_by)
        return cosine_distance(taken.flatten(1), picture.flatten(1)), error[:, 0]


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """1 - cos of rows (N, D), (N,), by way of the difference of unit vectors: 1 - a·b of nearly equal pictures loses
    its digits in 32 bits."""
    apart = _unit(a) - _unit(b)
    return 0.5 * (apart * apart).sum(dim=1)


def squared_error(picture: Tensor, x: Tensor) -> Tensor:
    """Sum over a picture of the squared difference, (N,)."""
    return (picture.float() - x).square().sum(dim=(1, 2, 3))


def kl_divergence(out: Reconstruction) -> Tensor:
    """KL of the posterior from the standard normal, summed over the latent, (N,)."""
    mu, logvar = out.mu.float(), out.logvar.float()
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1.0).sum(dim=1)


def _unit(rows: Tensor) -> Tensor:
    return rows / torch.sqrt((rows * rows).sum(dim=1, keepdim=True) + 1e-12)


def _halving(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.LeakyReLU(LEAK)]


def _doubling(c_in: int, c_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(c_in, 4 * c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(4 * c_out),
        nn.LeakyReLU(LEAK),
        nn.PixelShuffle(2),
    ]
