"""Two planes more than a station has, for the strongest control chart: volume and area without what moves a whole
aperture group, without stroke and wipe, in sigmas of what then is left of each pad.

A group's own level follows days and drift better than the board's, to which large and small apertures answer unlike:
what stays of a day on a pad falls from 0.27 to 0.09 sigma on the line twin, and smoothing over boards then pays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from edge.paste.panel import Numbers
from edge.paste.planes import CLIP_Z, MAD_TO_SIGMA, PLANES, BoardPads
from edge.paste.table import STROKES, PadTable
from export.simulator.paste import PrintRun

STEADY = ("steady_volume", "steady_area")
NOISE_FLOOR_Z = 0.1


def noise_z(table: PadTable, run: PrintRun) -> Numbers:
    """(P, 2) robust spread of each pad's steady value over good boards, in sigmas of the pad."""
    values = np.stack([run.volume_pct, run.area_pct], axis=-1)
    left = np.stack([unscaled(table, v, c) for v, c in zip(values, run.counter.tolist(), strict=True)])
    off = np.abs(left - np.median(left, axis=0))
    return np.asarray(np.maximum(MAD_TO_SIGMA * np.median(off, axis=0), NOISE_FLOOR_Z))


def unscaled(table: PadTable, values_pct: Numbers, counter: int | None) -> Numbers:
    """(P, 2) z of a board without its groups' medians and without what stroke and wipe usually leave."""
    z = np.clip((values_pct - table.mean_pct) / table.sigma_pct, -CLIP_Z, CLIP_Z)
    levels = np.array([np.median(z[table.group == k], axis=0) for k in range(int(table.group.max()) + 1)])
    left = z - levels[table.group]
    if counter is None:
        return np.asarray(left)
    return np.asarray(left - table.stroke_z[:, counter % STROKES] - table.wipe_z[:, counter % table.wipe_every])


def plane_values(table: PadTable, noise: Numbers, values_pct: Numbers, counter: int | None) -> Callable[[str], Numbers]:
    """The planes of one board by name, (P,): the station's, and the two of `STEADY`."""
    board = BoardPads(table, values_pct, counter)

    @functools.cache
    def steady() -> Numbers:
        return np.clip(unscaled(table, values_pct, counter) / noise, -2 * CLIP_Z, 2 * CLIP_Z)

    return lambda name: steady()[:, STEADY.index(name)] if name in STEADY else PLANES[name](board)
