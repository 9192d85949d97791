"""The presets of `pth_component`: one table. A row says which networks it has, how they are trained and what scores
each has.

A further preset or network is a row here: anything its `teach` can train and a score in `scores.SCORES` understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

from export.families.pth_component.backbones import TINY, weights_file
from export.families.pth_component.best_teaching import BEST_TRAINING, teach_local
from export.families.pth_component.local_features import BACKBONE, LocalNet, LocalSizes
from export.families.pth_component.net import EMBEDDING_SIZE, PartNet
from export.families.pth_component.teach_triplets import TripletTraining, teach_triplets
from export.families.pth_component.triplets import TripletSettings
from export.teaching import Taught, TeachingJob

if TYPE_CHECKING:
    from export.families import ShareRows

PAPER_BACKBONES = {
    "mobilenetv3_large": "mobilenetv3_large_100",
    "mobilenetv3_small": "mobilenetv3_small_100",
    "resnet50": "resnet50",
    "inception_resnet_v2": "inception_resnet_v2",
}
PAPER_TRAINABLE_LAYERS = 67  # of MobileNetV3 large's 109: Table 4, experiment 1
LITE0_TRAINABLE_LAYERS = 20  # of 98: the last three blocks and the last convolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, and the scores it can be exported with; the first is the default. `embedding_size` and
    `map_px` (0: no map) are the graph's sizes."""

    build: Callable[[], nn.Module]
    scores: tuple[str, ...] = ("nearest", "cosine", "nearest_tta")
    embedding_size: int = EMBEDDING_SIZE
    map_px: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks, input and training; the defaults are what `train` takes when nothing is said."""

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    training: Any  # what its `teach` understands
    channels: str = "bgr"
    normalisation: str = "unit"
    teach: Callable[[TeachingJob], Taught] = teach_triplets
    share_rows: ShareRows | None = None


def fine_tuned(backbone: str, trainable_layers: int | None, *, normalise: bool) -> PartNet:
    """A network whose first layers stay as ImageNet left them. Without ImageNet weights there is nothing to keep, and
    every layer is trained."""
    kept = trainable_layers if weights_file(backbone) is not None else None
    return PartNet(backbone, trainable_layers=kept, normalise=normalise)


def _paper_variant(backbone: str) -> Variant:
    """Table 4's best: no BatchNorm after the embedding, no normalisation, and for MobileNetV3 large 67 layers trained;
    for the others the paper gives no number, and all are."""
    layers = PAPER_TRAINABLE_LAYERS if backbone == PAPER_BACKBONES["mobilenetv3_large"] else None
    return Variant(build=partial(fine_tuned, backbone, layers, normalise=False))


# Table 3. Which triplets, and how many: docs/decisions/0008.
PAPER_TRAINING = TripletTraining(
    epochs=100,
    triplets_per_epoch=4000,
    batch=64,
    learning_rate=1e-2,
    margin=0.2,
    triplets=TripletSettings(strategy="noise"),
    redraw=False,
    decay=False,
    settle=False,
    patience_epochs=100,
)

FAST_TRAINING = TripletTraining(
    epochs=10,
    triplets_per_epoch=1000,
    batch=32,
    learning_rate=2e-3,
    margin=0.2,
    triplets=TripletSettings(strategy="all", another_picture=True, relight=True),
    redraw=True,
    decay=True,
    settle=True,
    patience_epochs=10,
)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the paper's networks and training: 100 epochs are hours on a processor",
        variants={name: _paper_variant(backbone) for name, backbone in PAPER_BACKBONES.items()},
        default_variant="mobilenetv3_large",
        training=PAPER_TRAINING,
    ),
    "fast": Preset(
        summary="MobileNetV3 small, taught by all the paper's negatives and painted errors in minutes",
        variants={
            "mobilenetv3_small": Variant(build=partial(PartNet, "mobilenetv3_small_100", normalise=True)),
            TINY: Variant(build=partial(PartNet, TINY, normalise=True)),
        },
        default_variant="mobilenetv3_small",
        training=FAST_TRAINING,
    ),
    "pretrained": Preset(
        summary="EfficientNet-Lite0 with ImageNet weights, its last blocks taught as in `fast`, in minutes",
        variants={
            "efficientnet_lite0": Variant(
                build=partial(fine_tuned, "tf_efficientnet_lite0", LITE0_TRAINABLE_LAYERS, normalise=True)
            ),
        },
        default_variant="efficientnet_lite0",
        training=replace(FAST_TRAINING, epochs=5, triplets_per_epoch=480, patience_epochs=5),
    ),
    "best": Preset(
        summary="local features held against the approved pictures place by place",
        variants={
            "lite0": Variant(
                build=LocalNet,
                scores=("local",),
                embedding_size=LocalSizes.embedding_size,
                map_px=LocalSizes.map_px,
            ),
            "plain": Variant(
                build=partial(LocalNet, plain=True),
                scores=("local",),
                embedding_size=LocalSizes.embedding_size,
                map_px=LocalSizes.map_px,
            ),
        },
        default_variant="lite0" if weights_file(BACKBONE) is not None else "plain",
        training=BEST_TRAINING,
        teach=teach_local,
    ),
}
