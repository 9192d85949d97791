"""The contract of a `pth_component` graph: what it takes and gives. Written into `manifest.json`, compared at load."""

from __future__ import annotations

from typing import Protocol

from edge.bundle import Contract, TensorSpec
from edge.references import MAX_APPROVED
from export.families import one_of
from export.families.pth_component.net import INPUT_PX

PLACE_SCALE = 1.25  # crop side / longer box side: shows the part and a rim of board, where it may have moved to
WHOLE_SCALE = 1.0  # data sets that hold ready-cut crops: the crop is the region

CHANNELS = ("bgr", "grey")
NORMALISATIONS = ("unit", "standardised")


class GraphSizes(Protocol):
    """What the contract has to know of a preset's variant."""

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""
        ...

    @property
    def map_px(self) -> int:
        """Side of `map`; 0 where the graph gives none."""
        ...


def contract(*, channels: str, normalisation: str, places: bool, variant: GraphSizes) -> Contract:
    """The contract of a graph of this variant trained with these settings; `places` where the data gave boxes.

    Raises UnknownName.
    """
    one_of(dict.fromkeys(CHANNELS), channels, "channels")
    one_of(dict.fromkeys(NORMALISATIONS), normalisation, "normalisation")
    size = variant.embedding_size
    crops = TensorSpec(
        name="crops",
        shape=("N", 3, INPUT_PX, INPUT_PX),
        dtype="float32",
        meaning=f"{channels} crops, {normalisation}, channel first",
    )
    references = TensorSpec(
        name="references",
        shape=("N", MAX_APPROVED, size),
        dtype="float32",
        meaning="embeddings of the approved pictures of each crop's part, repeated to fill",
    )
    score = TensorSpec(
        name="score", shape=("N",), dtype="float32", meaning="distance to the nearest reference, higher is worse"
    )
    heat = TensorSpec(
        name="map", shape=("N", variant.map_px, variant.map_px), dtype="float32", meaning="where the crop differs"
    )
    embedding = TensorSpec(name="embedding", shape=("N", size), dtype="float32", meaning="what a reference is kept as")
    return Contract(
        crop_px=INPUT_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels=channels,
        normalisation=normalisation,
        inputs=(crops, references),
        outputs=(score, heat, embedding) if variant.map_px else (score, embedding),
    )
