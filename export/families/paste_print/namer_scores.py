"""Ways to score pads that a picture of the namer can be made from: signed, one number a pad and board.

The same comparators as the protocol's 3.6, for whole runs at once: (d) `pad`, (e) `pad_level`, (f) `ewma`; besides them
`periodic`, which is (f) before its averaging over boards, and `printer`, the same with the board's level left in, which
a fault of the whole panel needs. Of volume and area the larger |value| decides. A network is a way as well:
`graph_scores` runs a bundle's graph, window → map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.bundle import BundleFault, read_bundle
from edge.paste.planes import CLIP_Z
from edge.paste.table import STROKES, PadTable
from export.graph_inputs import onnx_session
from export.simulator.paste import PrintRun, window_batches

Numbers = NDArray[np.float64]
Way = Callable[[PadTable, Numbers, NDArray[np.int64]], Numbers]  # table, z (N, P, 2), counters (N,) → (N, P)
Scores = Callable[[PadTable, PrintRun], Numbers]  # a run of boards → (N, P)
GRAPH_BATCH = 16
EWMA_WEIGHT = 0.3  # of the newest board
CLEAN_BOARD_FRAC = 0.99  # the pad threshold: one board in a hundred has a pad beyond it


def z_of(table: PadTable, volume_pct: Numbers, area_pct: Numbers) -> Numbers:
    """(N, P, 2) sigmas of each pad, clipped as the planes are."""
    values = np.stack([volume_pct, area_pct], axis=2)
    return np.asarray(np.clip((values - table.mean_pct) / table.sigma_pct, -CLIP_Z, CLIP_Z))


def pad(table: PadTable, z: Numbers, counters: NDArray[np.int64]) -> Numbers:
    """(N, P) comparator (d)."""
    return _larger(z)


def pad_level(table: PadTable, z: Numbers, counters: NDArray[np.int64]) -> Numbers:
    """(N, P) comparator (e): without the board's median."""
    return _larger(_level_free(z))


def periodic(table: PadTable, z: Numbers, counters: NDArray[np.int64]) -> Numbers:
    """(N, P) without the level and without what stroke and wipe usually leave."""
    return _larger(_level_free(z) - _usual(table, counters))


def printer(table: PadTable, z: Numbers, counters: NDArray[np.int64]) -> Numbers:
    """(N, P) `periodic` with the board's level left in: `edge.paste.fault_naming.printer_map` of each board."""
    return _larger(z - _usual(table, counters))


def ewma(table: PadTable, z: Numbers, counters: NDArray[np.int64]) -> Numbers:
    """(N, P) comparator (f): `periodic` averaged over boards, the newest counts 0.3."""
    left = _level_free(z) - _usual(table, counters)
    averaged = np.empty_like(left)
    averaged[0] = left[0]
    for k in range(1, len(left)):
        averaged[k] = EWMA_WEIGHT * left[k] + (1.0 - EWMA_WEIGHT) * averaged[k - 1]
    return _larger(averaged)


WAYS: dict[str, Way] = {
    "pad": pad,
    "pad_level": pad_level,
    "periodic": periodic,
    "printer": printer,
    "ewma": ewma,
}


def way_scores(name: str) -> Scores:
    """One of WAYS over whole runs of one stretch."""
    way = WAYS[name]

    def score(table: PadTable, run: PrintRun) -> Numbers:
        return way(table, z_of(table, run.volume_pct, run.area_pct), run.counter)

    return score


def graph_scores(folder: Path) -> Scores:
    """The graph of a bundle of this family, on one tile: each board at the end of its own window. Raises
    BundleFault."""
    bundle = read_bundle(folder)
    if (spec := bundle.manifest.contract.window) is None or bundle.manifest.engine != "onnx":
        raise BundleFault(f"{folder}: no graph that takes windows")
    session = onnx_session(bundle.model(), threads=1)

    def score(table: PadTable, run: PrintRun) -> Numbers:
        made = [
            session.run(["map"], {"window": window})[0]
            for _, window in window_batches(table, run, planes=spec.planes, boards=spec.boards, batch=GRAPH_BATCH)
        ]
        return np.concatenate(made)[:, table.row, table.col].astype(np.float64)

    return score


def pad_threshold(clean: Sequence[NDArray[np.floating]]) -> float:
    """The |score| that one clean board in a hundred exceeds, from runs (N, P) of clean boards."""
    return float(np.quantile(np.concatenate([np.abs(scores).max(axis=1) for scores in clean]), CLEAN_BOARD_FRAC))


def maps_of(table: PadTable, scores: NDArray[np.floating]) -> Floats:
    """(N, tiles, S, S) float32 of scores (N, P)."""
    maps = np.zeros((len(scores), table.n_tiles, table.side_cells, table.side_cells), np.float32)
    maps[:, table.tile, table.row, table.col] = scores
    return maps


def _level_free(z: Numbers) -> Numbers:
    return np.asarray(z - np.median(z, axis=1, keepdims=True))


def _usual(table: PadTable, counters: NDArray[np.int64]) -> Numbers:
    """(N, P, 2) what stroke and wipe usually leave on each board."""
    stroke = table.stroke_z[:, counters % STROKES].transpose(1, 0, 2)
    return np.asarray(stroke + table.wipe_z[:, counters % table.wipe_every].transpose(1, 0, 2))


def _larger(values: Numbers) -> Numbers:
    volume, area = values[..., 0], values[..., 1]
    return np.asarray(np.where(np.abs(volume) >= np.abs(area), volume, area))
