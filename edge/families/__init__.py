"""The table of families at the station: one row each. `graph_input` turns crops (or windows of boards) into what the
family's graph takes."""

from __future__ import annotations

from typing import Any, Protocol

from edge.board import Floats
from edge.bundle import Contract
from edge.families import axi_joint, bga_package, paste_print, pth_component, solder_joint


class Family(Protocol):
    """What a family's file at the station offers."""

    def graph_input(self, crops: Any, contract: Contract, out: Floats | None = None) -> Floats:
        """(N, h, w, 3) uint8 BGR, or what else the family judges, to the graph's float32 input, in `out` where one is
        given. Several threads may."""
        ...


FAMILIES: dict[str, Family] = {
    "solder_joint": solder_joint,
    "pth_component": pth_component,
    "paste_print": paste_print,
    "axi_joint": axi_joint,
    "bga_package": bga_package,
}
