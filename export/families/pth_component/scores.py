"""What a station computes: crops (N, 3, 128, 128) and their approved references (N, K, E) to `score` (N,) and
`embedding` (N, E). Higher is worse.

References are embeddings the same graph made before (with any references, zeros for instance); fewer than K are
repeated to fill it, which changes no minimum. A further score is one module and one row in `SCORES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from export.families.pth_component.local_features import LocalReference
from export.families.pth_component.net import INPUT_PX, PartNet, of_length_one

TTA_SHIFTS_PX = ((-3.0, 0.0), (3.0, 0.0), (0.0, -3.0), (0.0, 3.0))
TTA_TURNS_DEG = (-4.0, 4.0)
OTHER_VIEWS = len(TTA_SHIFTS_PX) + len(TTA_TURNS_DEG)


class NearestScore(nn.Module):
    """The Euclidean distance to the nearest reference."""

    def __init__(self, net: PartNet) -> None:
        super().__init__()
        self.net = net

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings (N, E)."""
        return self.net(crops)

    def forward(self, crops: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and embedding (N, E)."""
        embedding = self.embed(crops)
        return self.distance(embedding, references), embedding

    def distance(self, embedding: Tensor, references: Tensor) -> Tensor:
        """(N, E) and (N, K, E) to (N,)."""
        difference = embedding.unsqueeze(1) - references
        return (difference * difference).sum(dim=2).amin(dim=1).sqrt()


class CosineScore(NearestScore):
    """One less the greatest cosine between the embedding and a reference, 0 to 2: half the squared distance of vectors
    of length one, which keeps its digits where the cosine is near 1."""

    def distance(self, embedding: Tensor, references: Tensor) -> Tensor:
        """(N, E) and (N, K, E) to (N,)."""
        difference = of_length_one(embedding).unsqueeze(1) - of_length_one(references)
        return (difference * difference).sum(dim=2).amin(dim=1) * 0.5


class AveragedScore(NearestScore):
    """`NearestScore` of the mean embedding of seven views of a crop: as it is, shifted by 3 px each way, turned by 4
    degrees each way. Seven times the work; of length one again where the network's embeddings are."""

    grid: Tensor

    def __init__(self, net: PartNet) -> None:
        super().__init__(net)
        self.register_buffer("grid", _sampling_grid(), persistent=False)

    def embed(self, crops: Tensor) -> Tensor:
        """Mean embeddings (N, E)."""
        where = self.grid.expand(crops.shape[0], -1, -1, -1)
        below_each_other = grid_sample(crops, where, mode="bilinear", padding_mode="border", align_corners=False)
        seen = below_each_other.view(-1, 3, OTHER_VIEWS, INPUT_PX, INPUT_PX).transpose(1, 2)
        views = torch.cat([crops.unsqueeze(1), seen], dim=1).reshape(-1, 3, INPUT_PX, INPUT_PX)
        mean = self.net(views).view(-1, 1 + OTHER_VIEWS, self.net.embedding_size).mean(dim=1)
        return of_length_one(mean) if self.net.normalise else mean


def _sampling_grid() -> Tensor:
    """Where the pixels of the other views come from, one below the other, (1, 6 * 128, 128, 2) in grid_sample's units:
    the picture is 2 wide."""
    shifts = [[[1.0, 0.0, 2 * x / INPUT_PX], [0.0, 1.0, 2 * y / INPUT_PX]] for x, y in TTA_SHIFTS_PX]
    turns = [
        [[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0]]
        for a in (math.radians(d) for d in TTA_TURNS_DEG)
    ]
    grids = affine_grid(torch.tensor(shifts + turns), [OTHER_VIEWS, 3, INPUT_PX, INPUT_PX], align_corners=False)
    return grids.reshape(1, OTHER_VIEWS * INPUT_PX, INPUT_PX, 2)


SCORES: dict[str, Callable[[Any], nn.Module]] = {
    "local": LocalReference,
    "nearest": NearestScore,
    "cosine": CosineScore,
    "nearest_tta": AveragedScore,
}
