"""The two recurrent cells of the paper: ConvLSTM (Eq. 1) and CSTM, the convolutional spatiotemporal memory (Eq. 2).

Eq. 1 is printed with slips; it is read as Shi et al., "Convolutional LSTM Network" have it: (1a) the peephole of the
input gate is W_i, not W_c; (1b), (1d) the peepholes are other weights than the convolutions of the same name; (1c) the
modulation gate's recurrent convolution is U_g, not U_c. The paper gives no biases; each gate has one.

Choices where the paper is silent: peepholes have a weight for each place (as Shi et al.) and begin at 0; the forget
gate's bias begins at 1; W_1x1 begins as "keep C_{t-1}^l", so that an untrained CSTM is a ConvLSTM.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

KERNEL = 5
GATES = 4  # input, forget, modulation, output
FORGET_BIAS = 1.0


class Memory(NamedTuple):
    """What a cell hands on: `hidden` H and `cell` C, each (N, channels, side, side)."""

    hidden: Tensor
    cell: Tensor


class ConvLSTMCell(nn.Module):
    """Eq. 1. The gates' convolutions of the layer below (W) and of the board before (U) are two, so that a first step,
    which has no board before, leaves out the second, and W of many boards can be run at once."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.below = nn.Conv2d(channels, GATES * channels, KERNEL, padding=KERNEL // 2)
        self.before = nn.Conv2d(channels, GATES * channels, KERNEL, padding=KERNEL // 2, bias=False)
        self.peephole_input = nn.Parameter(torch.zeros(channels, side, side))
        self.peephole_forget = nn.Parameter(torch.zeros(channels, side, side))
        self.peephole_output = nn.Parameter(torch.zeros(channels, side, side))
        with torch.no_grad():
            self.below.bias[channels : 2 * channels] = FORGET_BIAS

    def forward(self, drive: Tensor, cell_below: Tensor, before: Memory | None) -> Memory:
        """One board further. `drive` is `below(H_t^{l-1})`, (N, 4 channels, side, side); `cell_below` C_t^{l-1};
        `before` this layer's memory after the board before, None at the first board (zeros)."""
        if before is not None:
            drive = drive + self.before(before.hidden)
        into, forget, modulation, out = drive.chunk(GATES, dim=1)
        if before is not None:
            into = into + self.peephole_input * before.cell
            forget = forget + self.peephole_forget * before.cell
        cell = torch.sigmoid(into) * torch.tanh(modulation)
        kept = self.kept(cell_below, before)
        if kept is not None:
            cell = cell + torch.sigmoid(forget) * kept
        hidden = torch.sigmoid(out + self.peephole_output * cell) * torch.tanh(cell)
        return Memory(hidden, cell)

    def kept(self, cell_below: Tensor, before: Memory | None) -> Tensor | None:
        """What the forget gate lets through: C_{t-1}^l (1c)."""
        return None if before is None else before.cell


class CSTMCell(ConvLSTMCell):
    """Eq. 2 in place of (1c): the forget gate lets through W_1x1 [C_{t-1}^l; C_t^{l-1}], so that the layer below hands
    up its memory of this board, not only its hidden state. W_1x1 of the concatenation is two 1x1 convolutions, added.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__(channels, side)
        self.cell_before = nn.Conv2d(channels, channels, 1, bias=False)
        self.cell_below = nn.Conv2d(channels, channels, 1, bias=False)
        with torch.no_grad():
            self.cell_before.weight.copy_(torch.eye(channels)[:, :, None, None])
            self.cell_below.weight.zero_()

    def kept(self, cell_below: Tensor, before: Memory | None) -> Tensor | None:
        """W_1x1 [C_{t-1}^l; C_t^{l-1}]."""
        spatial = self.cell_below(cell_below)
        return spatial if before is None else spatial + self.cell_before(before.cell)
