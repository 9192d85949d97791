"""The presets of `solder_joint`: one table. A row says which networks it has, how they are trained and what scores each
has.

A further preset or network is a row here: anything with `loss(x)` that a score in `scores.SCORES` understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from export.families.solder_joint.net import Autoencoder
from export.train import TrainingSettings

PAPER_WIDTHS = (16, 32, 64, 128, 256)
FAST_WIDTHS = (8, 16, 32, 64, 64)
BETA = 3.0  # Table I


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, and the scores it can be exported with; the first is the default."""

    build: Callable[[], Autoencoder]
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks, input and training; the defaults are what `train` takes when nothing is said."""

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    channels: str
    normalisation: str
    training: TrainingSettings


def _variants(widths: tuple[int, ...]) -> dict[str, Variant]:
    return {
        "cae": Variant(build=partial(Autoencoder, widths, variational=False, beta=0.0), scores=("recon",)),
        "vae": Variant(build=partial(Autoencoder, widths, variational=True, beta=1.0), scores=("recon", "elbo")),
        "beta_vae": Variant(build=partial(Autoencoder, widths, variational=True, beta=BETA), scores=("recon", "elbo")),
    }


# Table I. The decay's patience is not given there. 10 epochs, the optimiser library's default: with 5, one lucky early
# epoch decayed the rate before the network had learned (validation loss jumps by half between first epochs).
PAPER_TRAINING = TrainingSettings(
    epochs=100, batch=64, learning_rate=1e-2, decay=0.1, decay_patience=10, weight_decay=1e-4, flip=True
)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the paper's networks and training",
        variants=_variants(PAPER_WIDTHS),
        default_variant="beta_vae",
        channels="bgr",
        normalisation="unit",
        training=PAPER_TRAINING,
    ),
    "fast": Preset(
        summary="the same networks, narrow enough for 1 ms a joint on two cores",
        variants=_variants(FAST_WIDTHS),
        default_variant="beta_vae",
        channels="bgr",
        normalisation="unit",
        training=PAPER_TRAINING,
    ),
}
