"""A component held against its references place by place: what `best` computes.

The embedding is a grid of local features: EfficientNet-Lite0 up to stride 16, 8 x 8 places, projected to few channels
in which good components of one part vary by 1. A place's difference is that to the nearest reference at the same place,
less what the references differ among themselves there; a trimmer's dial may stand anywhere, its body may not. The score
is the mean of the greatest few, where the middle of the crop counts in full and its rim, with the neighbours, hardly.

After PatchCore (Roth et al. 2022) and PaDiM (Defard et al. 2021), with five pictures in place of a memory bank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.families.pth_component.backbones import Backbone
from export.families.pth_component.net import INPUT_PX

BACKBONE = "tf_efficientnet_lite0"
STAGES = 4  # of the backbone, to stride 16
FEATURES = 80  # channels there
STRIDE = 16
PLAIN_STAGES = ((24, 2), (32, 2), (32, 1), (64, 2), (64, 1), (FEATURES, 2))  # channels, stride
GRID = INPUT_PX // STRIDE  # places along a side
PLACES = GRID * GRID
CHANNELS = 48  # of a place
BELL_RADIUS = 0.5  # in half crops: places nearer the middle count in full
TOP_PLACES = 3  # whose mean is the score: a defect's, not one place's noise
SHARPNESS = 4.0  # of the bend where differences begin to count; below it scores still tell better from good
SAME_PICTURE = 1e-3  # mean squared difference below which two references are one picture, repeated
ALLOWED = (1.2, 3.0)  # variances: less than five pictures' spread is luck, more is a part that may be turned
APART = 1e4  # above any difference there is


class LocalSizes:
    """What the contract has to know of this network's graph."""

    embedding_size = PLACES * CHANNELS
    map_px = GRID


class LocalNet(nn.Module):
    """(N, 3, 128, 128) BGR x/127.5 - 1 to embeddings (N, 3072), place by place, each with its 48 channels.

    EfficientNet-Lite0's first stages with ImageNet weights where this machine has them (`weights` says), or, `plain`, a
    few convolutions that can be trained from nothing and need no timm.
    """

    def __init__(self, *, plain: bool = False, pretrained: bool = True) -> None:
        super().__init__()
        self.weights = "random"
        if plain:
            self.stem, self.stem_norm, self.stages = nn.Identity(), nn.Identity(), _plain_stages()
        else:
            backbone = Backbone(BACKBONE, pretrained=pretrained)
            self.weights = backbone.weights
            # apart, not in a Sequential: timm's norm includes the activation, and the export folds a Sequential's norms
            self.stem, self.stem_norm = backbone.body.conv_stem, backbone.body.bn1
            self.stages = nn.Sequential(*backbone.body.blocks[:STAGES])
        self.project = nn.Conv2d(FEATURES, CHANNELS, 1)

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""
        return PLACES * CHANNELS

    def features(self, x: Tensor) -> Tensor:
        """What the stages give, (N, 80, 8, 8)."""
        return self.stages(self.stem_norm(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (N, 3072)."""
        return self.project(self.features(x)).permute(0, 2, 3, 1).flatten(1)


class LocalReference(nn.Module):
    """Crops (N, 3, 128, 128) and embedded references (N, 10, 3072) to `score` (N,), `map` (N, 8, 8) and `embedding`
    (N, 3072). Higher is worse; fewer than ten references are repeated."""

    bell: Tensor

    def __init__(self, net: LocalNet) -> None:
        super().__init__()
        self.net = net
        self.embedding_size = net.embedding_size
        self.map_px = GRID
        self.register_buffer("bell", _bell(), persistent=False)

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings (N, 3072)."""
        return self.net(crops)

    def forward(self, crops: Tensor, references: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score, map and embedding."""
        embedding = self.embed(crops)
        score, differences = self.compare(embedding, references)
        return score, differences, embedding

    def compare(self, embedding: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and map (N, 8, 8) of embeddings (N, 3072) against references (N, 10, 3072)."""
        differences = self.differences(embedding, references)
        return differences.flatten(1).topk(TOP_PLACES, dim=1).values.mean(dim=1), differences

    def differences(self, embedding: Tensor, references: Tensor) -> Tensor:
        """(N, 3072) and (N, 10, 3072) to (N, 8, 8)."""
        nearest = _squared(embedding.unsqueeze(1) - references).amin(dim=1)
        surplus = functional.softplus(nearest - allowed(references), beta=SHARPNESS) * self.bell
        return surplus.view(-1, GRID, GRID)


def allowed(references: Tensor) -> Tensor:
    """How much references (N, 10, 3072) differ among themselves, (N, 64): at each place the mean over the pictures of
    the difference to the nearest other one, then the greatest of 3 x 3 places. 0 where there is one picture."""
    pairs = references.unsqueeze(1) - references.unsqueeze(2)
    local = _squared(pairs)  # (N, 10, 10, 64)
    same = (local.mean(dim=3, keepdim=True) < SAME_PICTURE).to(local.dtype)
    other = (local + APART * same).amin(dim=2)
    spread = (other * (other < APART / 2).to(local.dtype)).mean(dim=1)
    widest = functional.max_pool2d(spread.view(-1, 1, GRID, GRID), 3, stride=1, padding=1).flatten(1)
    return widest.clamp(*ALLOWED)


def _plain_stages() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width, stride in PLAIN_STAGES:
        convolution = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers[:-1])  # the last one's sign is kept, as in EfficientNet's stages


def _squared(difference: Tensor) -> Tensor:
    """(…, 3072) to the mean square over channels at each place, (…, 64)."""
    places = difference.unflatten(-1, (PLACES, CHANNELS))
    return (places * places).mean(dim=-1)


def _bell() -> Tensor:
    """1 in the middle, nearly 0 in the corners, (64,)."""
    axis = (torch.arange(GRID) + 0.5) / GRID * 2 - 1
    radius2 = axis[:, None] ** 2 + axis[None, :] ** 2
    return torch.exp(-((radius2 / BELL_RADIUS) ** 2)).flatten()
