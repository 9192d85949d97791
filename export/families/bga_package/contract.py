"""The contract of a `bga_package` graph: what it takes and gives. Written into `manifest.json`, compared at load."""

from __future__ import annotations

from edge.bundle import EMBEDDING, REFERENCES, Contract, TensorSpec
from edge.references import MAX_APPROVED
from export.families import one_of
from export.families.bga_package.presets import Variant

INPUT_PX = 256  # the paper's: "the package area has been cropped and resized to a resolution of 256x256"
PLACE_SCALE = 1.0  # a place's box is the package, or the tile
WHOLE_SCALE = 1.0

CHANNELS = ("grey",)
NORMALISATIONS = ("frac", "standardised")


def contract(*, channels: str, normalisation: str, places: bool, variant: Variant) -> Contract:
    """The contract of a graph of this variant trained with these settings; `places` where the data gave boxes.

    Raises UnknownName.
    """
    one_of(dict.fromkeys(CHANNELS), channels, "channels")
    one_of(dict.fromkeys(NORMALISATIONS), normalisation, "normalisation")
    outputs = [
        TensorSpec(name="score", shape=("N",), dtype="float32", meaning="anomaly score, higher is worse"),
        TensorSpec(
            name="map", shape=("N", variant.map_px, variant.map_px), dtype="float32", meaning=variant.map_meaning
        ),
    ]
    if variant.kinds:
        meaning = "how strongly each kind shows: its greatest evidence anywhere in the picture, above 0"
        outputs.append(TensorSpec(name="kind", shape=("N", len(variant.kinds)), dtype="float32", meaning=meaning))
    crops = TensorSpec(
        name="crops",
        shape=("N", 1, INPUT_PX, INPUT_PX),
        dtype="float32",
        meaning=f"{channels} pictures, {normalisation}, one channel",
    )
    inputs = (crops,)
    if variant.embedding_size:
        size = variant.embedding_size
        meaning = "embeddings of the approved pictures of each package's part number, repeated to fill"
        inputs = (
            crops,
            TensorSpec(name=REFERENCES, shape=("N", MAX_APPROVED, size), dtype="float32", meaning=meaning),
        )
        meaning = "what an approved picture is kept as"
        outputs.append(TensorSpec(name=EMBEDDING, shape=("N", size), dtype="float32", meaning=meaning))
    return Contract(
        crop_px=INPUT_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels=channels,
        normalisation=normalisation,
        inputs=inputs,
        outputs=tuple(outputs),
        kinds=variant.kinds,
        onto_approved=bool(variant.embedding_size),
    )
