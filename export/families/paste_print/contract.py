"""The contract of a `paste_print` graph: what it takes and gives. Written into `manifest.json`, compared at load."""

from __future__ import annotations

from typing import Protocol

from edge.bundle import Contract, TensorSpec, WindowSpec
from export.families import one_of
from export.families.paste_print.net import SIDE_CELLS

CHANNELS = "planes"
NORMALISATION = "per_pad"
BOARDS = 10  # the protocol's main length of a window
PAPER_PLANES = ("mask", "volume", "area")
VOLUME_PLANES = ("mask", "volume", "group_volume")  # the paper's two channels are volumes: the ablation


class WindowShape(Protocol):
    """What the contract has to know of a preset's variant."""

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of `edge.paste.planes`, in the graph's order."""
        ...

    @property
    def boards(self) -> int:
        """T, the boards of a window."""
        ...


def contract(*, channels: str, normalisation: str, places: bool, variant: WindowShape) -> Contract:
    """The contract of a graph of this variant; windows have no `places`, a tile is taken whole. Raises UnknownName."""
    one_of({CHANNELS: None}, channels, "channels")
    one_of({NORMALISATION: None}, normalisation, "normalisation")
    shape = ("N", variant.boards, len(variant.planes), SIDE_CELLS, SIDE_CELLS)
    return Contract(
        crop_px=SIDE_CELLS,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=variant.boards, planes=variant.planes),
        inputs=(
            TensorSpec(
                name="window",
                shape=shape,
                dtype="float32",
                meaning="planes of the last boards, oldest first, the board under judgement last",
            ),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="greatest |map|, higher is worse"),
            TensorSpec(
                name="map",
                shape=("N", SIDE_CELLS, SIDE_CELLS),
                dtype="float32",
                meaning="signed score of each pad of the last board: positive excess, negative insufficient, 0 no pad",
            ),
        ),
    )
