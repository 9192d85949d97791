"""The presets of `solder_joint`: one table. A row says which networks it has, how they are trained and what scores each
has.

A further preset or network is a row here: anything its `teach` can train and a score in `scores.SCORES` understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from export.families.solder_joint.classifier import Classifier
from export.families.solder_joint.classifier_training import ClassifierSettings
from export.families.solder_joint.gradcon import ConstrainedAutoencoder
from export.families.solder_joint.half_net import HALF_WIDTHS, HalfAutoencoder
from export.families.solder_joint.nearest import NearestGood
from export.families.solder_joint.net import Autoencoder
from export.families.solder_joint.painted import Mixture, Source
from export.families.solder_joint.teach_autoencoder import teach_autoencoder
from export.families.solder_joint.teach_classifier import share_labelled, teach_classifier
from export.families.solder_joint.teach_nearest import NearestSettings, teach_nearest
from export.teaching import Taught, TeachingJob, teach_reconstruction
from export.train import TrainingSettings

if TYPE_CHECKING:
    from export.families import ShareRows

PAPER_WIDTHS = (16, 32, 64, 128, 256)
FAST_WIDTHS = (8, 16, 32, 64, 64)
BETA = 3.0  # Table I
OTHER_BETAS = (0.01, 0.1, 10.0)  # Table III, besides 1 (the VAE) and 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, and the scores it can be exported with; the first is the default."""

    build: Callable[[], nn.Module]
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks, input and training; the defaults are what `train` takes when nothing is said.

    Settings of a kind of their own have their own `teach`. `share_rows` says which rows teach and which set the
    threshold where that is not the usual.
    """

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    channels: str
    normalisation: str
    training: TrainingSettings | ClassifierSettings | NearestSettings
    teach: Callable[[TeachingJob], Taught] = teach_reconstruction
    share_rows: ShareRows | None = None


def _variants(widths: tuple[int, ...]) -> dict[str, Variant]:
    kinds = {"cae": (False, 0.0), "vae": (True, 1.0), "beta_vae": (True, BETA)}
    kinds |= {f"beta_vae_{beta:g}": (True, beta) for beta in OTHER_BETAS}
    made: dict[str, Variant] = {}
    for name, (variational, beta) in kinds.items():
        scores = ("recon", "elbo") if variational else ("recon",)
        plain = partial(Autoencoder, widths, variational=variational, beta=beta)
        constrained = partial(ConstrainedAutoencoder, widths, variational=variational, beta=beta)
        made[name] = Variant(build=plain, scores=scores)
        made[f"{name}_gradcon"] = Variant(build=constrained, scores=("gradcon", *scores))
    return made


def _half_variants() -> dict[str, Variant]:
    """The three networks of the paper at half the resolution."""
    kinds = {"cae": (False, 0.0), "vae": (True, 1.0), "beta_vae": (True, BETA)}
    return {
        name: Variant(
            build=partial(HalfAutoencoder, HALF_WIDTHS, variational=variational, beta=beta),
            scores=("recon", "elbo") if variational else ("recon",),
        )
        for name, (variational, beta) in kinds.items()
    }


# Table I. The decay's patience is not given there; 10 epochs is the optimiser library's default.
PAPER_TRAINING = TrainingSettings(
    epochs=100, batch=64, learning_rate=1e-2, decay=0.1, decay_patience=10, weight_decay=1e-4, flip=True
)

# Shares of what one epoch shows. Real good joints lead; painted and pasted good ones keep paint from meaning defect.
PAINTED: Mixture = {
    Source.REAL_GOOD: 4.0,
    Source.PASTED_GOOD: 1.0,
    Source.PAINTED_GOOD: 1.0,
    Source.OTHERS_BRIDGE: 1.0,
    Source.OTHERS_MISSING: 0.3,
    Source.PAINTED_MISSING: 2.5,
    Source.PAINTED_BRIDGE: 2.5,
}
LABELLED: Mixture = {**PAINTED, Source.REAL_MISSING: 1.2, Source.REAL_BRIDGE: 1.5}

CLASSIFIER_WIDTH = 16  # 0.3 ms a joint on two cores
CLASSIFIER = {"classifier": Variant(build=partial(Classifier, CLASSIFIER_WIDTH), scores=("surprise",))}
# Each colour by itself is standardised: metal against solder mask shows, the colour of the light does not.
CLASSIFIER_CHANNELS, CLASSIFIER_NORMALISATION = "bgr", "standardised"
CLASSIFIER_TRAINING = ClassifierSettings(
    epochs=7,
    steps=100,
    pictures=2000,
    batch=64,
    learning_rate=4e-3,
    weight_decay=1e-3,
    label_smoothing_frac=0.02,
    mean_decay=0.99,
    mixture=PAINTED,
)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the paper's networks and training",
        variants=_variants(PAPER_WIDTHS),
        default_variant="beta_vae",
        channels="bgr",
        normalisation="unit",
        training=PAPER_TRAINING,
        teach=teach_autoencoder,
    ),
    "fast": Preset(
        summary="the same networks, narrow enough for 1 ms a joint on two cores",
        variants=_variants(FAST_WIDTHS),
        default_variant="beta_vae",
        channels="bgr",
        normalisation="unit",
        training=PAPER_TRAINING,
        teach=teach_autoencoder,
    ),
    "half": Preset(
        summary="the paper's method at half the resolution: about 100 µs a joint on two cores; ranks `missing` lower",
        variants=_half_variants(),
        default_variant="beta_vae",
        channels="bgr",
        normalisation="unit",
        training=replace(PAPER_TRAINING, epochs=60),  # after 30, validation ranks `missing` higher and bridges lower
        teach=teach_autoencoder,
    ),
    "best": Preset(
        summary="a classifier taught by defects painted on good joints; no labelled defect needed",
        variants=CLASSIFIER,
        default_variant="classifier",
        training=CLASSIFIER_TRAINING,
        teach=teach_classifier,
        channels=CLASSIFIER_CHANNELS,
        normalisation=CLASSIFIER_NORMALISATION,
    ),
    "labelled": Preset(
        summary="the same classifier, taught by the labelled defects of train and val besides",
        variants=CLASSIFIER,
        default_variant="classifier",
        training=replace(CLASSIFIER_TRAINING, mixture=LABELLED),
        teach=teach_classifier,
        channels=CLASSIFIER_CHANNELS,
        normalisation=CLASSIFIER_NORMALISATION,
        share_rows=share_labelled,
    ),
    "nearest": Preset(
        summary="distance to the nearest good joint in the answers of fixed filters; for ready-cut crops of any joints",
        variants={"filters": Variant(build=NearestGood, scores=("distance",))},
        default_variant="filters",
        training=NearestSettings(),
        teach=teach_nearest,
        channels="grey",
        normalisation="standardised",
    ),
}
