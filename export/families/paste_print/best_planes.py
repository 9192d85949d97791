"""Planes of many windows at once, from z of pads: what `edge.paste.planes` makes of one board at a time, for training.

Faults are added to pads' z on the fly, which moves the board's median: so the planes come after the injection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.panel import Numbers
from edge.paste.planes import CLIP_Z
from edge.paste.table import STROKES, PadTable

Counters = NDArray[np.int64]
# `best` takes these:
PLANES = (
    *("mask", "volume", "periodic_volume", "periodic_area", "volume_level", "area_level"),
    *("group_volume", "group_centred", "stroke"),
)


def z_of(table: PadTable, values_pct: Numbers) -> Floats:
    """(..., P, 2) per cent of the aperture to sigmas of each pad over good boards, not yet clipped."""
    return np.asarray((values_pct - table.mean_pct) / table.sigma_pct, np.float32)


def levels_of(z: Floats) -> Floats:
    """(..., P, 2) to (..., 2): the median over pads of each board, as `BoardPads` takes it."""
    return np.asarray(np.median(np.clip(z, -CLIP_Z, CLIP_Z), axis=-2), np.float32)


def window_planes(
    table: PadTable, z: Floats, counter: Counters, present: NDArray[np.bool_], names: Sequence[str] = PLANES
) -> Floats:
    """(N * tiles, T, planes, S, S) float32 of z (N, T, P, 2), counters (N, T); boards not `present` (N, T) are 0.

    Raises KeyError for `group_refitted`, which no network here takes.
    """
    n, boards, side = len(z), z.shape[1], table.side_cells
    values = _values(table, np.clip(z, -CLIP_Z, CLIP_Z), counter, names)
    if {"group_volume", "group_centred"} & set(names):
        values["group_volume"] = _group_volume(table, z)
        values["group_centred"] = values["group_volume"] - group_medians(table, values["group_volume"])
    cell = (table.tile * side + table.row) * side + table.col
    windows = np.zeros((n, boards, len(names), table.n_tiles * side * side), np.float32)
    for k, name in enumerate(names):
        windows[:, :, k, cell] = values[name] * present[..., None]
    tiled = windows.reshape(n, boards, len(names), table.n_tiles, side, side)
    return np.ascontiguousarray(np.moveaxis(tiled, 3, 1)).reshape(-1, boards, len(names), side, side)


def _values(table: PadTable, z: Floats, counter: Counters, names: Sequence[str]) -> dict[str, Floats]:
    """Each plane's values by pad, (N, T, P) or to be broadcast to it."""
    level = levels_of(z)
    stroke, wipe = counter % STROKES, counter % table.wipe_every
    values = {
        "mask": np.ones((1, 1, z.shape[2]), np.float32),
        "stroke": np.asarray(2.0 * stroke - 1.0, np.float32)[..., None],
        "wipe": np.asarray(wipe / max(1, table.wipe_every - 1), np.float32)[..., None],
    }
    for c, channel in enumerate(("volume", "area")):
        values[channel] = z[..., c]
        values[f"{channel}_level"] = level[..., None, c]
        if f"periodic_{channel}" in names:
            by_stroke = table.stroke_z[:, :, c].T.astype(np.float32)
            by_wipe = table.wipe_z[:, :, c].T.astype(np.float32)
            values[f"periodic_{channel}"] = z[..., c] - level[..., None, c] - by_stroke[stroke] - by_wipe[wipe]
    return values


def _group_volume(table: PadTable, z: Floats) -> Floats:
    """(N, T, P) volume in sigmas of the aperture group, from z of the pad (N, T, P, 2), not clipped."""
    group = table.group
    of_group = table.group_sigma_pct[group, 0]
    slope = np.asarray(table.sigma_pct[:, 0] / of_group, np.float32)
    offset = np.asarray((table.mean_pct[:, 0] - table.group_mean_pct[group, 0]) / of_group, np.float32)
    return np.asarray(np.clip(z[..., 0] * slope + offset, -CLIP_Z, CLIP_Z))


def group_medians(table: PadTable, values: Floats) -> Floats:
    """(..., P): of each pad's aperture group on its board."""
    medians = np.empty_like(values)
    for k in range(int(table.group.max()) + 1):
        own = table.group == k
        medians[..., own] = np.median(values[..., own], axis=-1, keepdims=True)
    return medians
