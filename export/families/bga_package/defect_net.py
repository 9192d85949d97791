"""The net of preset `best`: fully convolutional, evidence for each kind of defect at each of 32 x 32 places.

Sized for less than a millisecond a package on one core: 256 x 256 grey pictures are halved twice by few channels, what
belongs together over several pitches is looked at on 16 x 16 places, and the mean over the whole picture is fed back
there, since a ball is too small only beside its neighbours. Pictures are (N, 1, 256, 256) float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.bga_package.lessons import KINDS

RARE = 1e-3  # a place's chance of a defect before anything is learned: the first steps are not lost on the ground
FOCUS = 2.0  # exponent of the focal loss (Lin et al., arXiv 1708.02002): sure places hardly count
PICTURE_WEIGHT = 1.0
WIDTHS = (8, 16, 32, 64)  # channels at 128, 64, 32 and 16 places a side


class PlaceNet(nn.Module):
    """From the features of a picture's places, which `fine` gives, to each kind's odds there. `third` and `fourth`:
    channels at 32 and 16 places a side."""

    def __init__(self, fine: nn.Sequential, third: int, fourth: int, kinds: int) -> None:
        super().__init__()
        self.fine = fine
        self.wide_in = nn.Sequential(*convolution(third, fourth, stride=2), *convolution(fourth, fourth))
        self.whole = nn.Linear(fourth, fourth)
        self.wide_out = nn.Sequential(*convolution(fourth, fourth), nn.Conv2d(fourth, 4 * third, 1))
        self.enlarge = nn.PixelShuffle(2)
        self.join = nn.Sequential(*convolution(2 * third, fourth, side=1))
        self.head = nn.Conv2d(fourth, kinds, 1)
        nn.init.constant_(self.head.bias, math.log(RARE / len(KINDS)))

    def log_odds(self, fine: Tensor) -> Tensor:
        """Features (N, third, 32, 32) to log odds (N, K, 32, 32)."""
        wide = self.wide_in(fine)
        wide = torch.relu(wide + self.whole(wide.mean(dim=(2, 3)))[:, :, None, None])
        coarse = torch.relu(self.enlarge(self.wide_out(wide)))
        return self.head(self.join(torch.cat([fine, coarse], dim=1)))

    def of_lessons(self, x: Tensor, *beside: Tensor) -> Tensor:
        """Log odds (N, K, 32, 32) of the pictures of lessons, with what else a net learns from."""
        raise NotImplementedError

    def loss(self, x: Tensor, marks: Tensor, counts: Tensor, *beside: Tensor) -> Tensor:
        """`marked_loss` of pictures (N, 1, 256, 256)."""
        return marked_loss(self.of_lessons(x, *beside), marks, counts)


class DefectNet(PlaceNet):
    """Judges a picture by itself."""

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS, kinds: int = len(KINDS)) -> None:
        first, second, third, fourth = widths
        fine = nn.Sequential(*stem(first, second, third), *convolution(third, third))
        super().__init__(fine, third, fourth, kinds)

    def forward(self, x: Tensor) -> Tensor:
        """Log odds of each kind at each place, (N, K, 32, 32)."""
        return self.log_odds(self.fine(x))

    def of_lessons(self, x: Tensor, *beside: Tensor) -> Tensor:
        """Log odds (N, K, 32, 32): of the pictures themselves."""
        return self(x)


def marked_loss(log_odds: Tensor, marks: Tensor, counts: Tensor) -> Tensor:
    """Focal loss of the places plus cross-entropy of whole pictures. `log_odds` (N, K, 32, 32); `marks` (N, K, 32, 32)
    and `counts` (N, 32, 32) are 0 or 1, float."""
    logits = log_odds.float()
    plain = functional.binary_cross_entropy_with_logits(logits, marks, reduction="none")
    surprise = 1 - torch.exp(-plain)
    places = (plain * surprise.pow(FOCUS) * counts[:, None]).sum() / marks.sum().clamp(min=1.0)
    whole = functional.binary_cross_entropy_with_logits(evidence(logits, (1, 2, 3)), marks.amax(dim=(1, 2, 3)))
    return places + PICTURE_WEIGHT * whole


class DefectScore(nn.Module):
    """What a station computes: the map is ln(1 + odds) of any defect at each place, the score that of the worst place,
    and a kind's strength that of the kind where it is strongest.

    The loss sums a picture's odds over its places, where a little doubt at a thousand of them outweighs one defect: on
    defects painted on validation packages the worst place ranks better (AUROC 0.949 against 0.937) and names bridges.
    """

    def __init__(self, net: DefectNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (N,), map (N, 32, 32) and kind (N, K); all above 0, higher is worse."""
        return judged(self.net(x))


def judged(log_odds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log odds (N, K, 32, 32) to score (N,), map (N, 32, 32) and kind (N, K), as `DefectScore` says."""
    places = functional.softplus(evidence(log_odds, (1,)))
    return places.amax(dim=(1, 2)), places, functional.softplus(log_odds.amax(dim=(2, 3)))


def evidence(logits: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Log of the summed odds over some dimensions; written out, since engines in 16 bits overflow on a bare exp."""
    top = logits.amax(dim=dim, keepdim=True)
    return (torch.log(torch.exp(logits - top).sum(dim=dim, keepdim=True)) + top).squeeze(dim)


def stem(first: int, second: int, third: int) -> list[nn.Module]:
    """Pictures (N, 1, 256, 256) to features (N, third, 32, 32)."""
    return [
        *convolution(1, first, side=5, stride=2),
        *convolution(first, second, stride=2),
        *convolution(second, third, stride=2),
    ]


def convolution(c_in: int, c_out: int, *, side: int = 3, stride: int = 1) -> list[nn.Module]:
    """With BatchNorm and ReLU."""
    return [nn.Conv2d(c_in, c_out, side, stride, side // 2, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
