"""The presets of `paste_print`: one table. A row says which networks it has, how they are trained and what scores each
has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from export.families.paste_print.best_from_data import teach_best
from export.families.paste_print.best_net import PasteNet
from export.families.paste_print.best_planes import PLANES as BEST_PLANES
from export.families.paste_print.best_teaching import BEST_TRAINING
from export.families.paste_print.contract import BOARDS, CHANNELS, NORMALISATION, PAPER_PLANES, VOLUME_PLANES
from export.families.paste_print.corruption import Corruption
from export.families.paste_print.net import PrintNet
from export.families.paste_print.recurrent_training import RecurrentSettings
from export.families.paste_print.teach_recurrent import teach_recurrent
from export.teaching import Taught, TeachingJob

if TYPE_CHECKING:
    from export.families import ShareRows

PAPER_WIDTH = 64
FAST_WIDTH = 16
TINY_WIDTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a preset, the planes of its windows, and the scores it can be exported with; the first is the
    default."""

    build: Callable[[], nn.Module]
    scores: tuple[str, ...] = ("residual",)
    planes: tuple[str, ...] = PAPER_PLANES
    boards: int = BOARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named choice of networks and training."""

    summary: str
    variants: Mapping[str, Variant]
    default_variant: str
    training: RecurrentSettings
    teach: Callable[[TeachingJob], Taught]
    channels: str = CHANNELS
    normalisation: str = NORMALISATION
    share_rows: ShareRows | None = None


def recurrent_variants(width: int) -> dict[str, Variant]:
    """The paper's four networks, and CRRN with the paper's two volume channels."""
    kinds = {"crrn": (True, True), "crrn_na": (True, False), "crae": (False, True), "crae_na": (False, False)}
    made = {
        name: Variant(build=partial(PrintNet, width, memory=memory, attention=attention))
        for name, (memory, attention) in kinds.items()
    }
    made["crrn_volume"] = Variant(build=made["crrn"].build, planes=VOLUME_PLANES)
    return made


# The paper gives neither amounts of noise nor a training schedule. These were chosen on the twin's validation days by
# what `window_check` says of CRRN: little left of good boards, little copied of raised pads; all networks share them.
CORRUPTION = Corruption(noise_sigma=2.0, zero_frac=0.3, short_frac=0.1)
TINY = Variant(build=partial(PrintNet, TINY_WIDTH, memory=False, attention=False), boards=3)
FAST_TRAINING = RecurrentSettings(epochs=6, batch=8, learning_rate=4e-3, corruption=CORRUPTION, bfloat16=True)
PAPER_TRAINING = RecurrentSettings(epochs=6, batch=8, learning_rate=2e-3, corruption=CORRUPTION, bfloat16=True)

PRESETS: dict[str, Preset] = {
    "paper": Preset(
        summary="the paper's networks, 64 channels",
        variants=recurrent_variants(PAPER_WIDTH),
        default_variant="crrn",
        training=PAPER_TRAINING,
        teach=teach_recurrent,
    ),
    "fast": Preset(
        summary="the same networks with 16 channels; tiny: CRAE\\a with 4, of three boards, to see that all works",
        variants={**recurrent_variants(FAST_WIDTH), "tiny": TINY},
        default_variant="crrn",
        training=FAST_TRAINING,
        teach=teach_recurrent,
    ),
    "best": Preset(
        summary="levels, averages over boards and strokes, neighbours; taught with faults added to good boards",
        variants={"best": Variant(build=PasteNet, scores=("odds",), planes=BEST_PLANES)},
        default_variant="best",
        training=BEST_TRAINING,
        teach=teach_best,
    ),
}
