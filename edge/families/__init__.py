"""The table of families at the station: one row each. `graph_input` turns crops into what the family's graph takes."""

from __future__ import annotations

from typing import Protocol

from edge.board import Floats, Image
from edge.bundle import Contract
from edge.families import pth_component, solder_joint


class Family(Protocol):
    """What a family's file at the station offers."""

    def graph_input(self, crops: Image, contract: Contract, out: Floats | None = None) -> Floats:
        """(N, h, w, 3) uint8 BGR to the graph's float32 input, in `out` where one is given. Several threads may."""
        ...


FAMILIES: dict[str, Family] = {
    "solder_joint": solder_joint,
    "pth_component": pth_component,
}
