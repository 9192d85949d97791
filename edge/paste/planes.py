"""Planes: a window of boards as a graph or a rule takes it, (tiles, T, planes, S, S) float32.

Geometry and conversion of numbers only, for all pads of a board at once; whatever judges is in the graph. Where no pad
is, and where a board of the window is missing, every plane is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.panel import Numbers
from edge.paste.table import STROKES, PadTable

Groups = NDArray[np.int64]
Measured = NDArray[np.bool_]

SIGMA_FLOOR = 1e-9
MAD_TO_SIGMA = 1.4826
REPEAT_PCT = 3.05  # repeat noise of a pad on real boards: no group is known to be narrower than one pad's own
LEAST_AREA_PCT = 1.0  # of a pad that is nearly empty
CLIP_Z = 20.0  # an empty pad lies some 18 sigma below its mean: more says nothing
CLIP_STEADY = 2 * CLIP_Z


class BoardPads:
    """One board's pads against a table. `counter` is the machine's own, None where it does not count."""

    def __init__(self, table: PadTable, values_pct: Numbers, counter: int | None) -> None:
        """`values_pct` (P, 2) volume and area in the table's order, NaN where a pad was not measured."""
        self.measured: Measured = np.asarray(np.isfinite(values_pct).all(axis=1))
        self._table, self.counter = table, counter
        self._pct: Numbers = np.where(self.measured[:, None], values_pct, table.mean_pct)
        self.z: Numbers = np.clip((self._pct - table.mean_pct) / table.sigma_pct, -CLIP_Z, CLIP_Z)
        self.level: Numbers = np.asarray(np.median(self.z, axis=0))

    def volume(self) -> Numbers:
        """Volume in sigmas of this pad over good panels."""
        return self.z[:, 0]

    def area(self) -> Numbers:
        """Area in sigmas of this pad over good panels."""
        return self.z[:, 1]

    def mask(self) -> Numbers:
        """1: here is a pad, and it was measured."""
        return self.measured.astype(np.float64)

    def volume_level(self) -> Numbers:
        """The board's median of volume z, the same for all pads: what moved the whole board."""
        return np.full(len(self.z), self.level[0])

    def area_level(self) -> Numbers:
        """The board's median of area z."""
        return np.full(len(self.z), self.level[1])

    def group_volume(self) -> Numbers:
        """Volume in sigmas of its aperture group over good panels."""
        table = self._table
        z = (self._pct[:, 0] - table.group_mean_pct[table.group, 0]) / table.group_sigma_pct[table.group, 0]
        return np.asarray(np.clip(z, -CLIP_Z, CLIP_Z))

    def group_centred(self) -> Numbers:
        """`group_volume` minus its own group's median on this board."""
        z = self.group_volume()
        return np.asarray(z - _by_group(z, self._table.group, np.median)[self._table.group])

    def group_refitted(self) -> Numbers:
        """Volume in sigmas of its aperture group, mean and sigma refitted on this very board (the paper's rule)."""
        group, volume = self._table.group, self._pct[:, 0]
        mean, sigma = _by_group(volume, group, np.mean), _by_group(volume, group, np.std)
        return np.asarray(np.clip((volume - mean[group]) / np.maximum(sigma[group], SIGMA_FLOOR), -CLIP_Z, CLIP_Z))

    def own_volume(self) -> Numbers:
        """Volume in robust sigmas of its aperture group on this very board: for a pad without history. Half a group may
        be bad before its median moves."""
        return self._own(self._pct[:, 0])

    def own_area(self) -> Numbers:
        """Area, the same."""
        return self._own(self._pct[:, 1])

    def own_height(self) -> Numbers:
        """Height, the same: volume over area, in per cent of the stencil."""
        return self._own(100.0 * self._pct[:, 0] / np.maximum(self._pct[:, 1], LEAST_AREA_PCT))

    def periodic_volume(self) -> Numbers:
        """Volume z without the board's level and without what stroke and wipe usually leave on this pad."""
        return self._periodic(0)

    def periodic_area(self) -> Numbers:
        """Area z, the same."""
        return self._periodic(1)

    def steady_volume(self) -> Numbers:
        """Volume z without its aperture group's median on this board, stroke and wipe, in sigmas of what then is left:
        a group's own level follows days and drift better than the board's."""
        return self._steady(0)

    def steady_area(self) -> Numbers:
        """Area, the same."""
        return self._steady(1)

    def stroke(self) -> Numbers:
        """-1 and 1 by counter mod 2; 0 where the machine does not count."""
        return np.full(len(self.z), 0.0 if self.counter is None else 2.0 * (self.counter % STROKES) - 1.0)

    def wipe(self) -> Numbers:
        """Panels since the stencil was wiped, 0 to 1, by counter mod W; 0 where the machine does not count."""
        every = self._table.wipe_every
        return np.full(len(self.z), 0.0 if self.counter is None else (self.counter % every) / max(1, every - 1))

    def _own(self, value_pct: Numbers) -> Numbers:
        return np.asarray(np.clip(own_group_z(value_pct, self._table.group), -CLIP_Z, CLIP_Z))

    def _periodic(self, channel: int) -> Numbers:
        return self._without_phases(self.z[:, channel] - self.level[channel], channel)

    def _steady(self, channel: int) -> Numbers:
        z, group = self.z[:, channel], self._table.group
        left = self._without_phases(z - _by_group(z, group, np.median)[group], channel)
        return np.asarray(np.clip(left / self._table.noise_z[:, channel], -CLIP_STEADY, CLIP_STEADY))

    def _without_phases(self, z: Numbers, channel: int) -> Numbers:
        if self.counter is None:
            return z
        table = self._table
        z = z - table.stroke_z[:, self.counter % STROKES, channel]
        return np.asarray(z - table.wipe_z[:, self.counter % table.wipe_every, channel])


PLANES: dict[str, Callable[[BoardPads], Numbers]] = {
    name: getattr(BoardPads, name)
    for name in (
        "mask",
        "volume",
        "area",
        "volume_level",
        "area_level",
        "group_volume",
        "group_centred",
        "group_refitted",
        "own_volume",
        "own_area",
        "own_height",
        "periodic_volume",
        "periodic_area",
        "steady_volume",
        "steady_area",
        "stroke",
        "wipe",
    )
}


def board_planes(table: PadTable, board: BoardPads, names: Sequence[str]) -> Floats:
    """(tiles, planes, S, S) float32 of one board."""
    side = table.side_cells
    planes = np.zeros((table.n_tiles, len(names), side, side), np.float32)
    for k, name in enumerate(names):
        planes[table.tile, k, table.row, table.col] = np.where(board.measured, PLANES[name](board), 0.0)
    return planes


def pads_of_map(table: PadTable, maps: Floats) -> Floats:
    """(P,) of a map (tiles, S, S): each pad's own cell."""
    return np.asarray(maps[table.tile, table.row, table.col])


def own_group_z(value_pct: Numbers, group: Groups) -> Numbers:
    """(P,) in robust sigmas of each pad's aperture group on this very board; a sigma is at least the repeat noise.
    `value_pct` (P,) per cent of the aperture, or of the stencil. Half a group may be bad before its median moves."""
    off = value_pct - _by_group(value_pct, group, np.median)[group]
    sigma = np.maximum(MAD_TO_SIGMA * _by_group(np.abs(off), group, np.median), REPEAT_PCT)
    return np.asarray(off / sigma[group])


def _by_group(values: Numbers, group: Groups, statistic: Callable[[Numbers], np.floating]) -> Numbers:
    """(G,): a statistic of each group's pads on this board."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(int(group.max()) + 1))
    parts = np.split(values[order], starts[1:])
    return np.array([statistic(part) if len(part) else 0.0 for part in parts])
