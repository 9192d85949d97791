"""A small convolutional classifier of 64 x 64 crops: good, missing, bridge. The score is its surprise at a good joint,
-ln P(good).

Classes are judged at each of 8 x 8 places and averaged with a bell round the middle, so that what belongs to a
neighbour counts for less, and the same places give the map. Pictures are (N, 3, 64, 64) float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.solder_joint.net import INPUT_PX
from export.families.solder_joint.painted import CLASSES, GOOD

PLACES_PX = 8  # side of the grid of places
BELL_VARIANCE = 0.3  # of the bell, in half crops squared


class Classifier(nn.Module):
    """Six convolutions, three halvings of the side (the first has a stride), one linear layer at each place."""

    def __init__(self, width: int, dropout_frac: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(3, width, side=5, stride=2),
            *_convolution(width, 2 * width, stride=2),
            *_convolution(2 * width, 2 * width),
            *_convolution(2 * width, 4 * width, stride=2),
            *_convolution(4 * width, 4 * width),
        )
        self.dropout = nn.Dropout(dropout_frac)
        self.head = nn.Conv2d(4 * width, len(CLASSES), 1)
        axis = torch.linspace(-1, 1, PLACES_PX)
        bell = torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * BELL_VARIANCE))
        self.register_buffer("bell", bell / bell.sum())

    def forward(self, x: Tensor) -> Tensor:
        """Evidence for each class at each place, (N, 3, 8, 8)."""
        return self.head(self.dropout(self.features(x)))

    def logits(self, places: Tensor) -> Tensor:
        """The classes' logits for whole crops, (N, 3)."""
        return (places * self.bell).sum(dim=(2, 3))

    def loss(self, x: Tensor, classes: Tensor, smoothing_frac: float = 0.0) -> Tensor:
        """Cross-entropy of crops (N, 3, 64, 64) with `classes` (N,), averaged over the batch."""
        return functional.cross_entropy(self.logits(self(x)).float(), classes, label_smoothing=smoothing_frac)


class DefectScore(nn.Module):
    """What a station computes: -ln P(good), above 0 and rising with the odds of any defect, and where it comes from."""

    def __init__(self, net: Classifier) -> None:
        super().__init__()
        self.net = net
        enlarge = functional.interpolate(torch.eye(PLACES_PX)[None], size=INPUT_PX, mode="linear", align_corners=False)
        self.register_buffer("enlarge", enlarge[0].T.contiguous())  # (64, 8): a matrix product instead of a Resize

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,), and the same of each place enlarged to (N, 64, 64)."""
        places = self.net(x)
        local = torch.matmul(self.enlarge, torch.matmul(surprise(places), self.enlarge.T))
        return surprise(self.net.logits(places)), local


def surprise(logits: Tensor) -> Tensor:
    """-ln P(good); the classes are dimension 1. Through the log odds, which stay exact where P(good) is nearly 1."""
    defects = [logits[:, k] for k in range(len(CLASSES)) if k != GOOD]
    return functional.softplus(torch.logsumexp(torch.stack(defects), dim=0) - logits[:, GOOD])


def _convolution(c_in: int, c_out: int, *, side: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, side, stride, side // 2, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
