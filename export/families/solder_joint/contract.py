"""The contract of a `solder_joint` graph: what it takes and gives. Written into `manifest.json`, compared at load."""

from __future__ import annotations

from edge.bundle import Contract, TensorSpec
from export.families import one_of
from export.families.solder_joint.net import INPUT_PX

PLACE_SCALE = 1.5  # crop side / pitch: shows the joint and the gap to its neighbours, where bridges are
WHOLE_SCALE = 1.0  # data sets that hold ready-cut crops: the crop is the region

CHANNELS = ("bgr", "grey")
NORMALISATIONS = ("unit", "standardised")


def contract(*, channels: str, normalisation: str, places: bool, variant: object = None) -> Contract:
    """The contract of a graph trained with these settings, the same for every variant; `places` where the data gave
    centres or boxes.

    Raises UnknownName.
    """
    one_of(dict.fromkeys(CHANNELS), channels, "channels")
    one_of(dict.fromkeys(NORMALISATIONS), normalisation, "normalisation")
    return Contract(
        crop_px=INPUT_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels=channels,
        normalisation=normalisation,
        inputs=(
            TensorSpec(
                name="crops",
                shape=("N", 3, INPUT_PX, INPUT_PX),
                dtype="float32",
                meaning=f"{channels} crops, {normalisation}, channel first",
            ),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="anomaly score, higher is worse"),
            TensorSpec(
                name="map",
                shape=("N", INPUT_PX, INPUT_PX),
                dtype="float32",
                meaning="squared reconstruction error per pixel, mean over channels",
            ),
        ),
    )
