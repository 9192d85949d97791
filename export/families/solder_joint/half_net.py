"""The paper's autoencoder at half the resolution, for about 100 µs a joint on two cores: preset `half`.

What a layer costs is where it stands. The paper's first and last convolution and the last upsampling work on 64 x 64
places and take about half the time of a narrow network; here nothing learned does. The first convolution steps by two,
the others in the encoder as well in place of poolings, and the decoder ends at 32 x 32: its picture is doubled by the
fixed bicubic map and compared with the whole crop, as ever. Latent, loss, scores and BatchNorm + LeakyReLU are the
paper's.

Widths are multiples of 16 where it can be, what a vector unit of 512 bits fills: 8 channels cost as much as 16 there.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from export.families.solder_joint.net import (
    INPUT_PX,
    LATENT_CHANNELS,
    LATENT_PX,
    Autoencoder,
    BicubicDouble,
    convolution,
)

HALF_WIDTHS = (16, 16, 32)
STEM_SIDE = 4  # even, so that a step of two sees every pixel equally often
DRAWN_PX = INPUT_PX // 2  # the side of the picture that the last convolution draws
LAST_WIDTH = 8


class HalfAutoencoder(Autoencoder):
    """Three convolutions with a step of two to the 10 x 8 x 8 latent, four back to a picture of 32 x 32, doubled.

    `widths` are the three encoder widths; everything else is as `Autoencoder` has it.
    """

    CONVOLUTIONS: ClassVar[int] = 3

    def make_encoder(self, widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
        """From the picture to features (N, widths[-1], 8, 8)."""
        first, second, third = widths
        return nn.Sequential(
            convolution(3, first, norm, side=STEM_SIDE, stride=2),
            convolution(first, second, norm, stride=2),
            convolution(second, third, norm, stride=2),
        )

    def make_decoder(self, widths: tuple[int, ...], norm: type[nn.BatchNorm2d]) -> nn.Sequential:
        """From the latent to the picture (N, 3, 64, 64)."""
        _, second, third = widths
        return nn.Sequential(
            convolution(LATENT_CHANNELS, third, norm),
            convolution(third, second, norm),
            BicubicDouble(LATENT_PX),
            convolution(second, LAST_WIDTH, norm),
            BicubicDouble(2 * LATENT_PX),
            nn.Sequential(nn.Conv2d(LAST_WIDTH, 3, 3, padding=1), norm(3)),
            BicubicDouble(DRAWN_PX),
            nn.Tanh(),
        )
