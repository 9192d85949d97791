"""The networks that name the printer's fault: the paper's two, from timm without ImageNet weights, and a small one.

All take pictures (N, C, 32, 32) as `edge.paste.fault_naming` makes them and give logits (N, K); `Named` adds the
softmax and is what is exported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.bundle import Contract, TensorSpec, WindowSpec
from edge.paste.fault_naming import KINDS, PICTURE_CELLS
from export.families import one_of
from export.families.pth_component.backbones import _timm  # the one place that knows how timm can be imported

OWN = "own"
NETWORKS: dict[str, str] = {
    "resnet18": "ResNet-18, the paper's first",
    "inception_v4": "Inception-v4, the paper's second",
    OWN: "four convolutions, some 30,000 weights",
}
BACKBONE_PX = {"resnet18": 48, "inception_v4": 80}  # a processor's choice; less than 75 Inception-v4 cannot take
OWN_WIDTHS = (24, 32, 48)
OWN_COARSE_CELLS = 4  # what is left of the panel's geometry before the last layer


class OwnNet(nn.Module):
    """(N, C, 32, 32) to logits (N, K): where on the panel is kept 4 x 4, what is strongest anywhere is kept beside."""

    def __init__(self, channels: int, n_kinds: int = len(KINDS)) -> None:
        super().__init__()
        first, second, third = OWN_WIDTHS
        self.body = nn.Sequential(
            *_convolution(channels, first, stride=2),
            *_convolution(first, second, stride=2),
            *_convolution(second, third, stride=1),
        )
        self.narrow = nn.Sequential(nn.Conv2d(third, 16, 1), nn.ReLU())
        self.coarse = nn.AvgPool2d(PICTURE_CELLS // 4 // OWN_COARSE_CELLS)
        self.strongest = nn.MaxPool2d(PICTURE_CELLS // 4)
        self.last = nn.Linear(16 * OWN_COARSE_CELLS**2 + third, n_kinds)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits (N, K)."""
        features = self.body(picture)
        coarse = self.coarse(self.narrow(features)).flatten(1)
        logits: Tensor = self.last(torch.cat([coarse, self.strongest(features).flatten(1)], dim=1))
        return logits


class BackboneNet(nn.Module):
    """One of timm's, random weights; pictures are enlarged to the side it gets here."""

    def __init__(self, name: str, channels: int, n_kinds: int = len(KINDS)) -> None:
        super().__init__()
        self.side_px = BACKBONE_PX[name]
        self.body = _timm().create_model(name, pretrained=False, in_chans=channels, num_classes=n_kinds)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits (N, K)."""
        size = (self.side_px, self.side_px)
        logits: Tensor = self.body(functional.interpolate(picture, size=size, mode="nearest"))
        return logits


class Named(nn.Module):
    """A network with its softmax: probability (N, K)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        """Probabilities (N, K)."""
        probability: Tensor = self.network(picture).softmax(dim=1)
        return probability


def new_network(name: str, channels: int) -> nn.Module:
    """One of NETWORKS for pictures of so many channels. Raises UnknownName."""
    one_of(NETWORKS, name, "network")
    return OwnNet(channels) if name == OWN else BackboneNet(name, channels)


def n_weights(network: nn.Module) -> int:
    """How many numbers were learned."""
    return sum(p.numel() for p in network.parameters())


def namer_contract(channels: tuple[str, ...], boards: int) -> Contract:
    """What the exported graph takes and gives, for the workshop's exporter and its checks."""
    picture = TensorSpec(
        name="picture",
        shape=("N", len(channels), PICTURE_CELLS, PICTURE_CELLS),
        dtype="float32",
        meaning=", ".join(channels),
    )
    meaning = ", ".join(KINDS)
    return Contract(
        crop_px=PICTURE_CELLS,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=boards, planes=channels),
        inputs=(picture,),
        outputs=(TensorSpec(name="probability", shape=("N", len(KINDS)), dtype="float32", meaning=meaning),),
    )


def _convolution(channels: int, width: int, *, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
