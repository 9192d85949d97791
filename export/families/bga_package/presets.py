"""The presets of `bga_package`: one table. A row says which networks it has, how they are trained and what scores each
has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from export.families.bga_package.compared_net import EMBEDDING_SIZE, ComparedNet
from export.families.bga_package.defect_net import DefectNet
from export.families.bga_package.defect_training import DefectSettings
from export.families.bga_package.lessons import KINDS, PLACES
from export.families.bga_package.net import Vae
from export.families.bga_package.teach_defects import teach_defects
from export.families.bga_package.teach_vae import teach_vae
from export.teaching import Taught, TeachingJob
from export.train import TrainingSettings

if TYPE_CHECKING:
    from export.families import ShareRows

MAP_PX = PLACES  # a side of every map: small ones are enough to point, the station enlarges them where it draws
TINY_MAP_PX = 16
ODDS = "ln(1 + odds of any defect) at each place"

# The poster gives neither widths nor the length of the latent vector. `vae` is what a processor core trains in minutes;
# `vae_wide`, twice as wide, takes four times as long.
VAE_WIDTHS, VAE_LATENT = (8, 16, 32, 64, 128), 64
WIDE_WIDTHS, WIDE_LATENT = (16, 32, 64, 128, 256), 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, and the scores it can be exported with; the first is the default. `kinds` of defect that
    it tells apart, none for one that only reconstructs; its map is (N, map_px, map_px)."""

    build: Callable[[], nn.Module]
    scores: tuple[str, ...]
    map_px: int
    map_meaning: str
    kinds: tuple[str, ...] = ()
    embedding_size: int = 0  # of an approved picture; 0 where it compares nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks, input and training; the defaults are what `train` takes when nothing is said."""

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    training: TrainingSettings | DefectSettings
    teach: Callable[[TeachingJob], Taught]
    channels: str = "grey"
    normalisation: str = "frac"
    share_rows: ShareRows | None = None


def _vae(widths: tuple[int, ...], latent: int, side_px: int = 256, map_px: int = MAP_PX) -> Variant:
    return Variant(
        build=partial(Vae, widths, latent, side_px),
        scores=(f"cosine_{map_px}",),
        map_px=map_px,
        map_meaning="squared reconstruction error, averaged over the pixels of each place",
    )


# The poster gives the loss and no more. Two flat epochs and the rate goes down, to a fiftieth at the end.
VAE_TRAINING = TrainingSettings(
    epochs=9,
    batch=16,
    learning_rate=2e-3,
    decay=0.3,
    decay_patience=2,
    weight_decay=0.0,
    flip=False,
    bfloat16=True,
)
FAST_TRAINING = replace(VAE_TRAINING, epochs=40, batch=8, learning_rate=3e-3, decay_patience=5, bfloat16=False)
# Painted validation packages: AUROC 0.94 after 8 epochs, 0.983 after 24.
BEST_TRAINING = DefectSettings(
    epochs=24,
    steps=225,
    batch=16,
    learning_rate=4e-3,
    weight_decay=1e-3,
    mean_decay=0.985,
)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the poster's variational autoencoder: learns good packages, needs no parameter and no defect",
        variants={"vae": _vae(VAE_WIDTHS, VAE_LATENT), "vae_wide": _vae(WIDE_WIDTHS, WIDE_LATENT)},
        default_variant="vae",
        training=VAE_TRAINING,
        teach=teach_vae,
    ),
    "fast": Preset(
        summary="the same at half the side, or a quarter; a couple of minutes, or seconds",
        variants={
            "vae": _vae((8, 16, 32, 64), 32, side_px=128),
            "tiny": _vae((8, 16, 32), 16, side_px=64, map_px=TINY_MAP_PX),
        },
        default_variant="vae",
        training=FAST_TRAINING,
        teach=teach_vae,
    ),
    "best": Preset(
        summary="says what is wrong and where, beside approved pictures; taught by defects painted on good packages",
        variants={
            "compared": Variant(
                build=ComparedNet,
                scores=("odds_beside_approved",),
                map_px=PLACES,
                map_meaning=ODDS,
                kinds=KINDS,
                embedding_size=EMBEDDING_SIZE,
            ),
            "places": Variant(build=DefectNet, scores=("odds",), map_px=PLACES, map_meaning=ODDS, kinds=KINDS),
        },
        default_variant="compared",
        training=BEST_TRAINING,
        teach=teach_defects,
    ),
}
