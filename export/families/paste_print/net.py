"""The four networks of Yoo, Kim and Kim, "Convolutional Recurrent Reconstructive Network for Spatiotemporal Anomaly
Detection in Solder Paste Inspection": CRRN, CRRN\\a, CRAE and CRAE\\a, by two switches. One module and its loss; how it
is trained and exported is said elsewhere.

A window is (N, T, 3, S, S) float32, oldest board first: plane 0 is the mask, 1 and 2 are the two channels, in sigmas.

Choices where the paper is silent:
- both modules of the S-Encoder have stride 2: 48 x 48 cells to features of 12 x 12;
- C_t^0, the memory below the first layer (Eq. 2), is the spatial feature, as H_t^0 is;
- each layer has its own ST-Attention, without a bias; the raised state goes to the next board, the plain one upwards;
- encoder and decoder have an S-Encoder each: the decoder's sees reconstructions, which have other statistics;
- the S-Decoder's BatchNorm knows a channel's four phases apart: they have 4, 6, 6 and 9 taps;
- a reconstruction is fed back with 0 where there is no pad, as in the data; Eq. 5 is drawn for each window and board.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from export.families.paste_print.cells import KERNEL, ConvLSTMCell, CSTMCell, Memory
from export.families.paste_print.contract import SIDE_CELLS
from export.families.paste_print.deconvolution import PHASES, STRIDE, PhaseConvolution

CHANNELS = 2
LAYERS = 2
FEATURE_SIDE = SIDE_CELLS // STRIDE**2

Memories = list[Memory]  # one a layer


class PrintNet(nn.Module):
    """Reconstructs the boards of a window, the last one first (Eq. 3, 4).

    `memory`: CSTM cells (CRRN), else ConvLSTM (CRAE). `attention`: ST-Attention (Eq. 6-8), else "\\a". `width` is the
    channels of all inner layers (the paper's: 64). `residual_sigma` (2,) is the spread of the last board's residuals on
    clean validation windows, by channel; 1 before it is known.
    """

    residual_sigma: Tensor

    def __init__(self, width: int, *, memory: bool, attention: bool) -> None:
        super().__init__()
        cell = CSTMCell if memory else ConvLSTMCell
        self.s_encoder, self.s_reencoder = _s_encoder(width), _s_encoder(width)
        self.s_decoder = _s_decoder(width)
        self.encoder = nn.ModuleList(cell(width, FEATURE_SIDE) for _ in range(LAYERS))
        self.decoder = nn.ModuleList(cell(width, FEATURE_SIDE) for _ in range(LAYERS))
        attentive = LAYERS if attention else 0
        self.attention = nn.ModuleList(
            nn.Conv2d(width, 1, KERNEL, padding=KERNEL // 2, bias=False) for _ in range(attentive)
        )
        self.register_buffer("residual_sigma", torch.ones(CHANNELS))

    def forward(self, window: Tensor) -> Tensor:
        """All boards again, (N, T, 2, S, S), each decoder step fed with what the one before gave."""
        return self.reconstruct(window[:, :, 1:], window, truth_frac=0.0)

    def last_board(self, window: Tensor) -> Tensor:
        """The board under judgement again, (N, 2, S, S). D_T is E_T, so this takes the encoder and the S-Decoder."""
        memories, _ = self._encode(window[:, :, 1:])
        return self.s_decoder(memories[-1].hidden)

    def loss(self, window: Tensor, seen: Tensor | None = None, truth_frac: float = 0.0) -> Tensor:
        """Mean squared error over pads of boards that are there. `seen` (N, T, 2, S, S) is what the encoder is shown
        instead of the window's own channels; `truth_frac` the epsilon of Eq. 5."""
        values, mask = window[:, :, 1:], window[:, :, :1]
        made = self.reconstruct(values if seen is None else seen, window, truth_frac)
        return ((made - values).square() * mask).sum() / (CHANNELS * mask.sum()).clamp(min=1.0)

    def reconstruct(self, seen: Tensor, window: Tensor, truth_frac: float) -> Tensor:
        """All boards of `window` again, (N, T, 2, S, S), from what the encoder is shown, `seen` (N, T, 2, S, S)."""
        memories, maps = self._encode(seen)
        made = [self.s_decoder(memories[-1].hidden)]
        for t in reversed(range(seen.shape[1] - 1)):
            after = window[:, t + 1]
            fed = _sampled(after[:, 1:], made[-1] * after[:, :1], truth_frac)
            memories = self._decoded(self.s_reencoder(fed), memories, maps[t])
            made.append(self.s_decoder(memories[-1].hidden))
        return torch.stack(made[::-1], dim=1)

    def _encode(self, values: Tensor) -> tuple[Memories, list[list[Tensor]]]:
        """Memories after the last board, and the attention maps (N, 1, side, side) of each board and layer."""
        boards = values.shape[1]
        every = self.s_encoder(values.reshape(-1, CHANNELS, SIDE_CELLS, SIDE_CELLS))
        features = every.reshape(-1, boards, *every.shape[1:])
        drive = self.encoder[0].below(every)
        drives = drive.reshape(-1, boards, *drive.shape[1:])
        given: Sequence[Memory | None] = [None] * LAYERS
        maps: list[list[Tensor]] = []
        for t in range(boards):
            memories = _stepped(self.encoder, drives[:, t], features[:, t], given)
            maps.append([torch.tanh(look(m.hidden)) for look, m in zip(self.attention, memories, strict=False)])
            given = _shifted(memories, maps[-1], 1.0)
        return memories, maps

    def _decoded(self, feature: Tensor, given: Memories, maps: list[Tensor]) -> Memories:
        """One board back (Eq. 4, 8): a layer's state is lowered before the layer above sees it."""
        memories: Memories = []
        hidden, cell = feature, feature
        for k, layer in enumerate(self.decoder):
            (memory,) = _shifted([layer(layer.below(hidden), cell, given[k])], maps[k : k + 1], -1.0)
            memories.append(memory)
            hidden, cell = memory
        return memories


def _stepped(cells: nn.ModuleList, drive: Tensor, feature: Tensor, given: Sequence[Memory | None]) -> Memories:
    """One board further through all layers; `drive` is the first layer's."""
    memories = [cells[0](drive, feature, given[0])]
    for layer, before in zip(cells[1:], given[1:], strict=True):
        hidden, cell = memories[-1]
        memories.append(layer(layer.below(hidden), cell, before))
    return memories


def _shifted(memories: Memories, maps: Sequence[Tensor], sign: float) -> Memories:
    """Hidden states plus (Eq. 7) or minus (Eq. 8) their attention maps; as they are where there are none."""
    if not maps:
        return memories
    return [Memory(m.hidden + sign * a, m.cell) for m, a in zip(memories, maps, strict=True)]


def _sampled(truth: Tensor, made: Tensor, truth_frac: float) -> Tensor:
    """Eq. 5: the truth with probability `truth_frac`, for each window, else what was made."""
    if truth_frac <= 0.0:
        return made
    chosen = torch.rand(len(truth), 1, 1, 1) < truth_frac
    return torch.where(chosen, truth, made)


def _s_encoder(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (CHANNELS, width):
        layers += [nn.Conv2d(channels, width, KERNEL, STRIDE, KERNEL // 2), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)


def _s_decoder(width: int) -> nn.Sequential:
    """The last module has no ReLU, as in the paper: residuals have both signs."""
    layers: list[nn.Module] = []
    for channels in (width, CHANNELS):
        layers += [PhaseConvolution(width, channels), nn.BatchNorm2d(PHASES * channels), nn.PixelShuffle(STRIDE)]
        layers += [nn.ReLU()] if channels == width else []
    return nn.Sequential(*layers)
