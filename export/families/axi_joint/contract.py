"""The contract of an `axi_joint` graph: what it takes and gives. Written into `manifest.json`, compared at load."""

from __future__ import annotations

from edge.bundle import Contract, TensorSpec
from export.families import one_of
from export.families.axi_joint.labels import KINDS
from export.families.axi_joint.net import INPUT_PX, N_SLICES

PLACE_SCALE = 1.5  # Algorithm 1: crop side / longer side of the region
WHOLE_SCALE = 1.0  # data sets that hold ready-cut crops: the crop is the region

CHANNELS = ("slices",)
NORMALISATIONS = ("frac",)

_SCORE = TensorSpec(name="score", shape=("N",), dtype="float32", meaning="probability of a defect, 0 to 1")
_KIND = TensorSpec(name="kind", shape=("N", len(KINDS)), dtype="float32", meaning=f"probability of {', '.join(KINDS)}")
_ROI = TensorSpec(name="roi", shape=("N",), dtype="float32", meaning="above 0.5: this region is wrong, do not judge")


def contract(*, channels: str, normalisation: str, places: bool, variant: object = None) -> Contract:
    """The contract of a graph of this variant; one whose variant has `tells` gives `kind` and `roi` besides.

    Raises UnknownName.
    """
    one_of(dict.fromkeys(CHANNELS), channels, "channels")
    one_of(dict.fromkeys(NORMALISATIONS), normalisation, "normalisation")
    tells = bool(getattr(variant, "tells", False))
    return Contract(
        crop_px=INPUT_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels="slices",
        normalisation="frac",
        n_slices=N_SLICES,
        kinds=KINDS if tells else (),
        inputs=(
            TensorSpec(
                name="slices",
                shape=("N", N_SLICES, INPUT_PX, INPUT_PX),
                dtype="float32",
                meaning="grey / 255, slice 00 first, a missing slice all 0",
            ),
        ),
        outputs=(_SCORE, _KIND, _ROI) if tells else (_SCORE,),
    )
