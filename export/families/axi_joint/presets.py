"""The presets of `axi_joint`: one table. A row says which networks it has, how they are trained and what scores each
has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from export.families.axi_joint.best_net import JointNet
from export.families.axi_joint.best_training import BestTraining
from export.families.axi_joint.net import Cnn3d, SliceLstm
from export.families.axi_joint.paper_training import PaperTraining
from export.families.axi_joint.teach_best import teach_best
from export.families.axi_joint.teach_paper import share_labelled, teach_paper
from export.teaching import Taught, TeachingJob

if TYPE_CHECKING:
    from export.families import ShareRows

FAST_SHRINK = 2  # 128 to 64 px, inside the graph
FAST_WIDTHS = (8, 16, 24, 32)
TINY_SHRINK, TINY_WIDTHS = 4, (4, 8, 8, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, and the scores it can be exported with; the first is the default. One that `tells`
    answers with the kind of defect and whether the region is wrong besides."""

    build: Callable[[], nn.Module]
    scores: tuple[str, ...] = ("probability",)
    tells: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks, input and training; the defaults are what `train` takes when nothing is said."""

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    training: PaperTraining | BestTraining
    teach: Callable[[TeachingJob], Taught]
    channels: str = "slices"
    normalisation: str = "frac"
    share_rows: ShareRows | None = share_labelled


# Section V: Adam, 1e-5 with decay 1e-6. The paper gives neither epochs nor batch; with steps as small as these, many of
# few joints learn more in the same time than few of many.
PAPER_TRAINING = PaperTraining(epochs=10, batch=8, learning_rate=1e-5, decay=1e-6)
# Small networks move too little at 1e-5: a step of Adam is as large for few weights as for many.
FAST_TRAINING = PaperTraining(epochs=12, batch=32, learning_rate=1e-3, decay=1e-3)
BEST_TRAINING = BestTraining(
    epochs=10, steps=60, batch=64, learning_rate=3e-3, weight_decay=2e-2, smoothing_frac=0.02, mean_decay=0.99
)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the paper's networks and training",
        variants={"cnn3d": Variant(build=Cnn3d), "lstm": Variant(build=SliceLstm)},
        default_variant="cnn3d",
        training=PAPER_TRAINING,
        teach=teach_paper,
    ),
    "fast": Preset(
        summary="the same ideas, small enough for a few ms a joint on two cores",
        variants={
            "cnn3d": Variant(build=partial(Cnn3d, widths=FAST_WIDTHS, hidden=64, shrink=FAST_SHRINK)),
            "lstm": Variant(build=partial(SliceLstm, widths=FAST_WIDTHS, cells=64, hidden=32, shrink=FAST_SHRINK)),
            "tiny": Variant(build=partial(Cnn3d, widths=TINY_WIDTHS, hidden=16, shrink=TINY_SHRINK)),
        },
        default_variant="cnn3d",
        training=FAST_TRAINING,
        teach=teach_paper,
    ),
    "best": Preset(
        summary="one small network for one to six slices that names the kind of defect and wrong regions",
        variants={
            "joint": Variant(build=JointNet, scores=("joint",), tells=True),
            "tiny": Variant(build=partial(JointNet, width=16, stem=4, blocks=1), scores=("joint",), tells=True),
        },
        default_variant="joint",
        training=BEST_TRAINING,
        teach=teach_best,
    ),
}
