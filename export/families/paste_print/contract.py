"""The contract of what judges paste, networks and rules alike: windows in, a score and a signed map out. Written into
`manifest.json`, compared at load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.bundle import Contract, TensorSpec, WindowSpec
from export.families import one_of

SIDE_CELLS = 48  # of a tile
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
    return window_contract(
        variant.planes,
        variant.boards,
        score="greatest |map|, higher is worse",
        signed_map="signed score of each pad of the last board: positive excess, negative insufficient, 0 no pad",
    )


def window_contract(planes: Sequence[str], boards: int, *, score: str, signed_map: str) -> Contract:
    """Windows of these planes and so many boards; `score` and `signed_map` say what the outputs mean."""
    shape = ("N", boards, len(planes), SIDE_CELLS, SIDE_CELLS)
    return Contract(
        crop_px=SIDE_CELLS,
        region_scale=1.0,
        channels="planes",
        normalisation="per_pad",
        window=WindowSpec(boards=boards, planes=tuple(planes)),
        inputs=(
            TensorSpec(
                name="window",
                shape=shape,
                dtype="float32",
                meaning="planes of the last boards, oldest first, the board under judgement last",
            ),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning=score),
            TensorSpec(name="map", shape=("N", SIDE_CELLS, SIDE_CELLS), dtype="float32", meaning=signed_map),
        ),
    )
