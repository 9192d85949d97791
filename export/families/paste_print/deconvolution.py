"""The transposed convolution of the spatial decoder, in operators that every engine has.

A transposed 5x5 convolution of stride 2 (padding 2, output padding 1) writes each of its four output phases with other
taps: even rows and columns with taps 0, 2, 4, odd ones with 1, 3. So it is one 3x3 convolution to four times the
channels, whose outputs a PixelShuffle (DepthToSpace) interleaves. Equality with `nn.ConvTranspose2d` is tested.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 5
STRIDE = 2
PHASES = STRIDE * STRIDE
PHASE_KERNEL = 3


class PhaseConvolution(nn.Conv2d):
    """(N, channels_in, h, w) to the four phases (N, 4 channels_out, h, w) of a transposed 5x5 convolution of stride 2.

    11 of the 36 taps of the 3x3 form are no taps of the 5x5 one: they are 0 and get no gradient.
    """

    taps: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, PHASES * channels_out, PHASE_KERNEL, padding=PHASE_KERNEL // 2)
        plain = nn.ConvTranspose2d(channels_in, channels_out, KERNEL, STRIDE, KERNEL // 2, STRIDE - 1)
        used = phases_of(torch.ones(channels_in, channels_out, KERNEL, KERNEL))
        self.register_buffer("taps", used[:PHASES, :1].repeat(channels_out, 1, 1, 1), persistent=False)
        self.take(plain)

    def forward(self, x: Tensor) -> Tensor:
        """Phases, to be interleaved by `nn.PixelShuffle(2)`."""
        weight = self.weight * self.taps if self.training else self.weight
        return functional.conv2d(x, weight, self.bias, padding=self.padding)

    @torch.no_grad()
    def take(self, plain: nn.ConvTranspose2d) -> None:
        """Take the weights of a transposed 5x5 convolution of stride 2, padding 2, output padding 1, with a bias."""
        self.weight.copy_(phases_of(plain.weight))
        self.bias.copy_(plain.bias.repeat_interleave(PHASES))


def phases_of(weight: Tensor) -> Tensor:
    """Weights (in, out, 5, 5) of a transposed convolution to those (4 out, in, 3, 3) of its phases, in the order of
    PixelShuffle: channel, row phase, column phase."""
    channels_in, channels_out = weight.shape[:2]
    # turned round, with a tap 0 in front, taps go (odd, even, odd, even, odd, even) along each axis
    turned = functional.pad(weight.flip(2, 3), (1, 0, 1, 0))
    split = turned.reshape(channels_in, channels_out, PHASE_KERNEL, STRIDE, PHASE_KERNEL, STRIDE).flip(3, 5)
    return split.permute(1, 3, 5, 0, 2, 4).reshape(PHASES * channels_out, channels_in, PHASE_KERNEL, PHASE_KERNEL)
