"""What a recipe knows of a product's pads: where each lies on the grid, its aperture group, and what good prints show.

A table is learned from good panels (`edge.paste.learn`) and kept beside the recipe as `pads.csv`. Two channels
everywhere, in this order: volume and area, in per cent of the aperture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Names, Numbers

CHANNELS = ("volume", "area")
STROKES = 2  # two squeegee blades, one a direction


@dataclass(frozen=True, slots=True, kw_only=True)
class PadTable:
    """P pads in G aperture groups on a grid of `side_cells` a side, a tile; large panels take several tiles."""

    pad: Names  # (P,)
    tile: NDArray[np.int64]  # (P,)
    row: NDArray[np.int64]  # (P,) cell of its tile, downwards
    col: NDArray[np.int64]  # (P,)
    x_mm: Numbers  # (P,) for pictures
    y_mm: Numbers  # (P,)
    group: NDArray[np.int64]  # (P,) 0 … G-1, by nominal aperture area and stencil thickness
    mean_pct: Numbers  # (P, 2) median over good panels
    sigma_pct: Numbers  # (P, 2) 1.4826 MAD over good panels, at least 1 point
    group_mean_pct: Numbers  # (G, 2)
    group_sigma_pct: Numbers  # (G, 2) spread of all pads of the group on all good panels
    stroke_z: Numbers  # (P, 2, 2) pad, counter mod 2, channel: what is left of z by stroke, level taken away
    wipe_z: Numbers  # (P, W, 2) the same by counter mod W
    noise_z: Numbers  # (P, 2) spread of z without its group's level, stroke and wipe: what a day does not explain
    side_cells: int

    @property
    def wipe_every(self) -> int:
        """Panels from one stencil wipe to the next, W."""
        return int(self.wipe_z.shape[1])

    @property
    def n_tiles(self) -> int:
        """How many tiles the panel takes."""
        return int(self.tile.max()) + 1
