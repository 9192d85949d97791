"""The net of variant `compared`: as `defect_net.py`, and beside it the approved pictures of the part number.

A package with a hole in its pattern looks like another pattern, unless one knows the pattern: what is approved, place
by place. The graph embeds approved pictures itself: few channels at each of 32 x 32 places, after the same first three
convolutions. Beside its own features a place sees the approved pictures' mean and, by channel, its difference from the
nearest of them; what follows looks around, so that a picture off by a pixel or two is one that is off everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.families.bga_package.defect_net import WIDTHS, PlaceNet, convolution, judged, stem
from export.families.bga_package.lessons import KINDS, PLACES

CHANNELS = 8  # of an approved picture's place: ten pictures are read for every package, a third of a megabyte
EMBEDDING_SIZE = CHANNELS * PLACES * PLACES


class ComparedNet(PlaceNet):
    """Pictures (N, 1, 256, 256) and embedded approved ones (N, R, 8192) to log odds (N, K, 32, 32)."""

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS, kinds: int = len(KINDS)) -> None:
        first, second, third, fourth = widths
        super().__init__(nn.Sequential(*convolution(third + 2 * CHANNELS, third)), third, fourth, kinds)
        self.stem = nn.Sequential(*stem(first, second, third))
        self.project = nn.Conv2d(third, CHANNELS, 1)

    def embed(self, x: Tensor) -> Tensor:
        """What an approved picture is kept as, (N, 8192)."""
        return self.project(self.stem(x)).flatten(1)

    def forward(self, x: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds (N, K, 32, 32) and the pictures' own embeddings (N, 8192)."""
        features = self.stem(x)
        own = self.project(features)
        return self.log_odds(self.beside(features, own, references)), own.flatten(1)

    def beside(self, features: Tensor, own: Tensor, references: Tensor) -> Tensor:
        """Features of places (N, third, 32, 32) that know what is approved."""
        approved = references.unflatten(2, (CHANNELS, PLACES, PLACES))
        nearest = (approved - own.unsqueeze(1)).abs().amin(dim=1)
        return self.fine(torch.cat([features, approved.mean(dim=1), nearest], dim=1))

    def of_lessons(self, x: Tensor, *beside: Tensor) -> Tensor:
        """Log odds (N, K, 32, 32) of pictures each held against those of `pictures` (M, 1, 256, 256) that `compared`
        (N, R) int64 names. One pass for both: BatchNorm sees them together."""
        pictures, compared = beside
        features = self.stem(torch.cat([x, pictures]))
        embedded = self.project(features)
        references = embedded[len(x) :].flatten(1)[compared]
        return self.log_odds(self.beside(features[: len(x)], embedded[: len(x)], references))


class ComparedScore(nn.Module):
    """What a station computes, as `DefectScore`, and the embedding that approved pictures are kept as."""

    def __init__(self, net: ComparedNet) -> None:
        super().__init__()
        self.net = net

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings (N, 8192)."""
        return self.net.embed(crops)

    def forward(self, crops: Tensor, references: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Score (N,), map (N, 32, 32), kind (N, K) and embedding (N, 8192); all but the last above 0, higher is
        worse."""
        log_odds, embedding = self.net(crops, references)
        return *judged(log_odds), embedding
