"""Distance to the nearest good joint, in the answers of fixed filters: no training, no pretrained weights.

A crop is described by how strongly oriented filters answer at three sizes (mean and spread), by how those answers vary
in their turn, by how its grey levels are distributed, and by a thumbnail. The score is the distance of that description
to the nearest of the good joints it was taught. The finest size of the crop is left out: it tells cameras apart before
it tells joints apart. Pictures are (N, 3, 64, 64) float32; meant for grey crops standardised one by one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.families.solder_joint import STANDARDISED_SCALE
from export.families.solder_joint.net import INPUT_PX

KERNEL_PX = 13
WAVELENGTH_PX = 4.0  # at each size; the crop is halved for the next
BELL_PX = 2.0  # deviation of a filter's bell along its wave
BELL_SIDES = 0.75  # how much slower it falls across
TURNS, TURNS_OF_ANSWERS = 8, 4  # filters evenly over half a turn
DEVIATION = STANDARDISED_SCALE  # of a standardised crop; what follows is in parts of it
LEVELS = torch.linspace(-2.0 * DEVIATION, 2.5 * DEVIATION, 16)  # where the share of brighter pixels is taken
EDGE = 4.0 / DEVIATION  # how sharply, per unit of grey
FLOOR = 0.01 * DEVIATION  # of a logarithm: answers weaker than this are all alike
TINY = 1e-6  # keeps roots and divisions finite
BANK = 2048  # good joints at most; fewer are repeated, which changes no distance
THUMBNAIL_PX = 4
# Sizes of the description's parts, which are weighed alike: three means and two spreads, then the others in order.
GROUPS = (*(TURNS,) * 5, TURNS * TURNS_OF_ANSWERS, len(LEVELS), THUMBNAIL_PX**2)
SIZE = sum(GROUPS)


class FilterEnergy(nn.Module):
    """How strongly waves of each turn stand in each channel, whatever their phase: (N, C, h, w) to (N, C * turns, h,
    w)."""

    def __init__(self, channels: int, turns: int) -> None:
        super().__init__()
        self.even, self.odd = (
            nn.Conv2d(channels, channels * turns, KERNEL_PX, groups=channels, bias=False) for _ in range(2)
        )
        for convolution, kernels in zip((self.even, self.odd), _waves(turns), strict=True):
            convolution.weight = nn.Parameter(kernels.repeat(channels, 1, 1, 1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        # the rim goes on as it is: with zeros round it, every bright rim would be an edge
        padded = functional.pad(x, (KERNEL_PX // 2,) * 4, mode="replicate")
        even, odd = self.even(padded), self.odd(padded)
        return torch.sqrt(even * even + odd * odd + TINY)


class Description(nn.Module):
    """(N, 3, 64, 64) to descriptions (N, `SIZE`) and the logarithm of the answers at half size (N, 8, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.waves = FilterEnergy(1, TURNS)
        self.waves_of_answers = FilterEnergy(TURNS, TURNS_OF_ANSWERS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        grey = x.mean(dim=1, keepdim=True)
        half = functional.avg_pool2d(grey, 2)
        quarter = functional.avg_pool2d(half, 2)
        answers = [self.waves(size) for size in (half, quarter, functional.avg_pool2d(quarter, 2))]
        means = [answer.mean(dim=(2, 3)) for answer in answers]
        spreads = [_spread(answer, mean) for answer, mean in zip(answers[:2], means, strict=False)]
        second = self.waves_of_answers(functional.avg_pool2d(answers[0], 2)).mean(dim=(2, 3))
        strengths = torch.log(torch.cat([*means, *spreads, second], dim=1) + FLOOR)
        brighter = [((grey - level) * EDGE + 0.5).clamp(0, 1).mean(dim=(1, 2, 3)) for level in LEVELS.tolist()]
        thumbnail = functional.avg_pool2d(grey, INPUT_PX // THUMBNAIL_PX).flatten(1)
        described = torch.cat([strengths, torch.stack(brighter, dim=1), thumbnail], dim=1)
        return described, torch.log(answers[0] + FLOOR)


class NearestGood(nn.Module):
    """The description and the good joints it was taught.

    Buffers: `mean` and `scale` (`SIZE`,) of descriptions, `bank` (`SIZE`, `BANK`) of good joints, standardised, one
    a column, and `bank_squares` (`BANK`,) their squared lengths; `place_mean` and `place_scale` (8, 1, 1) of the
    answers at half size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.description = Description()
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.register_buffer("bank", torch.zeros(SIZE, BANK))
        self.register_buffer("bank_squares", torch.zeros(BANK))
        self.register_buffer("place_mean", torch.zeros(TURNS, 1, 1))
        self.register_buffer("place_scale", torch.ones(TURNS, 1, 1))

    @torch.no_grad()
    def learn(self, crops: Tensor, batch: int = 64) -> None:
        """Remember good crops (M, 3, 64, 64), at least 2; of more than `BANK` a random choice, seeded by torch."""
        pairs = [self.description(x) for x in crops.split(batch)]
        described = torch.cat([pair[0] for pair in pairs])
        places = torch.cat([pair[1].mean(dim=(2, 3)) for pair in pairs])
        squares = torch.cat([pair[1].square().mean(dim=(2, 3)) for pair in pairs])
        shares = torch.cat([torch.full((n,), 1.0 / math.sqrt(n)) for n in GROUPS])
        self.mean.copy_(described.mean(dim=0))
        self.scale.copy_(shares / (described.std(dim=0) + TINY))
        mean = places.mean(dim=0)
        self.place_mean.copy_(mean[:, None, None])
        self.place_scale.copy_(1.0 / (squares.mean(dim=0) - mean.square() + TINY).sqrt()[:, None, None])
        order = torch.randperm(len(described))[torch.arange(BANK) % len(described)]
        self.bank.copy_(((described - self.mean) * self.scale)[order].T)
        self.bank_squares.copy_(self.bank.square().sum(dim=0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to the nearest good joint (N,), and how unusual the answers at each place are, in squared
        deviations (N, 32, 32)."""
        described, answers = self.description(x)
        own = (described - self.mean) * self.scale
        squares = (own * own).sum(dim=1, keepdim=True) + self.bank_squares
        nearest = (squares - 2.0 * torch.matmul(own, self.bank)).amin(dim=1)
        unusual = (answers - self.place_mean) * self.place_scale
        return torch.sqrt(nearest.clamp(min=TINY)), (unusual * unusual).mean(dim=1)


class NearestScore(nn.Module):
    """What a station computes: the distance, and where a crop's answers are unusual."""

    def __init__(self, net: NearestGood) -> None:
        super().__init__()
        self.net = net
        side_px = INPUT_PX // 2
        enlarge = functional.interpolate(torch.eye(side_px)[None], size=INPUT_PX, mode="linear", align_corners=False)
        self.register_buffer("enlarge", enlarge[0].T.contiguous())  # a matrix product instead of a Resize

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and map (N, 64, 64)."""
        distance, unusual = self.net(x)
        return distance, torch.matmul(self.enlarge, torch.matmul(unusual, self.enlarge.T))


def _spread(answer: Tensor, mean: Tensor) -> Tensor:
    away = answer - mean[:, :, None, None]
    return torch.sqrt((away * away).mean(dim=(2, 3)) + TINY)


def _waves(turns: int) -> tuple[Tensor, Tensor]:
    """Even and odd Gabor kernels, (turns, 1, 13, 13) each; the even ones without a mean, so that light does not
    count."""
    axis = torch.arange(KERNEL_PX, dtype=torch.float32) - KERNEL_PX // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    even, odd = [], []
    for k in range(turns):
        turn = math.pi * k / turns
        along = x * math.cos(turn) + y * math.sin(turn)
        across = (y * math.cos(turn) - x * math.sin(turn)) * BELL_SIDES
        bell = torch.exp(-(along * along + across * across) / (2 * BELL_PX**2))
        phase = 2 * math.pi * along / WAVELENGTH_PX
        wave = bell * torch.cos(phase)
        wave = wave - bell * (wave.sum() / bell.sum())
        even.append(wave / wave.abs().sum())
        odd.append(bell * torch.sin(phase) / wave.abs().sum())
    return torch.stack(even)[:, None], torch.stack(odd)[:, None]
