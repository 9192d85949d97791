"""The solder-joint autoencoders: CAE, VAE and β-VAE of Ulger, Yuksel and Yilmaz, "Anomaly Detection for Solder Joints
Using β-VAE" (Fig. 3, Table I). One module and its loss; how it is trained and exported is said elsewhere.

Channel widths, the place of each upsampling and the BatchNorm + LeakyReLU on the heads are not in the paper's text;
they follow the authors' own published network. Pictures are (N, 3, 64, 64) float32 in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_PX = 64
LATENT_CHANNELS = 10
POOLINGS = 3
LATENT_PX = INPUT_PX // 2**POOLINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What one pass gives: the picture again (N, 3, 64, 64), and the posterior's `mu` and `logvar` (N, 10, 8, 8).

    `logvar` is None for the CAE, which has no posterior.
    """

    picture: Tensor
    mu: Tensor
    logvar: Tensor | None


class BicubicDouble(nn.Module):
    """Bicubic x2 upsampling (align_corners False) of square maps as two matrix products, Y = U X Uᵀ.

    U (2n, n) is torch's own interpolation of an identity, so borders are exact. The same linear map as a Resize node,
    which ONNX Runtime computes several times slower and TensorRT's INT8 path leaves in FP32.
    """

    def __init__(self, side_px: int) -> None:
        super().__init__()
        columns = torch.eye(side_px).reshape(side_px, 1, side_px, 1)
        doubled = functional.interpolate(columns, size=(2 * side_px, 1), mode="bicubic", align_corners=False)
        self.register_buffer("u", doubled[:, 0, :, 0].T.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, n, n) to (N, C, 2n, 2n)."""
        return torch.matmul(self.u, torch.matmul(x, self.u.T))


class Autoencoder(nn.Module):
    """Five convolutions and three poolings to a 10 x 8 x 8 latent, six transposed convolutions and three upsamplings
    back.

    `widths` are the five encoder widths (the paper's: 16, 32, 64, 128, 256); the decoder mirrors them. With
    `variational` there are two heads, mu and logvar, else one. `beta` weighs the KL term of the loss. `norm` is the
    kind of BatchNorm.
    """

    CONVOLUTIONS: ClassVar[int] = 5

    def __init__(
        self, widths: tuple[int, ...], *, variational: bool, beta: float, norm: type[nn.BatchNorm2d] = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        if len(widths) != self.CONVOLUTIONS:
            raise ValueError(f"widths: got {len(widths)}, the network has {self.CONVOLUTIONS} encoder convolutions")
        self.beta = beta
        self.encoder = self.make_encoder(widths, norm)
        self.mu_head = convolution(widths[-1], LATENT_CHANNELS, norm)
        self.logvar_head = convolution(widths[-1], LATENT_CHANNELS, norm) if variational else None
        self.decoder = self.make_decoder(widths, norm)

    def make_encoder(self, widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
        """From the picture to features (N, widths[-1], 8, 8)."""
        return _encoder(widths, norm)

    def make_decoder(self, widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
        """From the latent to the picture."""
        return _decoder(widths, norm)

    def forward(self, x: Tensor) -> Reconstruction:
        """Reconstruct `x`. Samples the latent in training; in evaluation z is mu, so that a score is repeatable."""
        features = self.encoder(x)
        mu = self.mu_head(features)
        if self.logvar_head is None:
            return Reconstruction(picture=self.decoder(mu), mu=mu, logvar=None)
        logvar = self.logvar_head(features)
        return Reconstruction(picture=self.decoder(self.latent(mu, logvar)), mu=mu, logvar=logvar)

    def latent(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """What the decoder gets, (N, 10, 8, 8): a sample in training, mu in evaluation."""
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar) if self.training else mu

    def loss(self, x: Tensor) -> Tensor:
        """The negative ELBO of Eq. 1 with both terms summed over a crop, as Eq. 3 sums them, averaged over the
        batch."""
        out = self(x)
        return (squared_error(out.picture, x) + self.beta * kl_divergence(out)).mean()


def squared_error(picture: Tensor, x: Tensor) -> Tensor:
    """Sum over a crop's values of the squared difference, (N,)."""
    return (picture - x).square().sum(dim=(1, 2, 3))


def kl_divergence(out: Reconstruction) -> Tensor:
    """KL of the posterior from the standard normal, summed over the latent, (N,); 0 for the CAE."""
    if out.logvar is None:
        return out.mu.new_zeros(len(out.mu))
    return -0.5 * (1.0 + out.logvar - out.mu.square() - out.logvar.exp()).sum(dim=(1, 2, 3))


def convolution(c_in: int, c_out: int, norm: type[nn.BatchNorm2d], *, side: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution of `side` by `side`, BatchNorm, LeakyReLU; one zero round the map."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, side, stride=stride, padding=1), norm(c_out), nn.LeakyReLU())


def _transposed(c_in: int, c_out: int, norm: type[nn.BatchNorm2d], activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(c_in, c_out, 3, padding=1), norm(c_out), activation)


def _encoder(widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k, (c_in, c_out) in enumerate(zip((3, *widths[:-1]), widths, strict=True)):
        layers.append(convolution(c_in, c_out, norm))
        if k < POOLINGS:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def _decoder(widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
    narrowing = widths[::-1]  # 256, 128, 64, 32, 16
    layers: list[nn.Module] = []
    for k, (c_in, c_out) in enumerate(zip((LATENT_CHANNELS, *narrowing[:-1]), narrowing, strict=True)):
        if k >= 3:
            layers.append(BicubicDouble(LATENT_PX * 2 ** (k - 3)))
        layers.append(_transposed(c_in, c_out, norm, nn.LeakyReLU()))
    layers.append(BicubicDouble(INPUT_PX // 2))
    layers.append(_transposed(narrowing[-1], 3, norm, nn.Tanh()))
    return nn.Sequential(*layers)
