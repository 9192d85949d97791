"""Which fault of the printer a panel shows: pad scores of the last boards to a small picture, a picture to a name.

After experiment 3 of the CRRN paper, whose picture is the pad map pooled and made binary, excess and insufficient
apart. Ours is evidence instead: pads summed over neighbours and boards, each squeegee stroke by itself, and the board's
level. Whatever the size of the panel, a picture has 32 x 32 cells. What names the fault is a graph, `namer.onnx`; how
its answers become a call, and what that is worth, stands beside it in `namer.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.panel import Numbers
from edge.paste.planes import BoardPads
from edge.paste.table import STROKES, PadTable

KINDS = ("none", "squeegee", "support", "removed", "kneading", "clamp", "smear")
PICTURE_CELLS = 32
MAX_WINDOW_BOARDS = 64
RECENT_BOARDS = 3
BLUR_CELLS = 0.8  # neighbours count with a cell; the protocol's narrowest strip is 1.7 cells of the twin's panel
MAX_PADS_TOGETHER = 16.0  # what the twin's densest place has: a product of more pads must not look surer
MIN_GROUP_PADS = 12  # of fewer the median moves with the fault that is looked for
EVIDENCE_SCALE, EVIDENCE_CLIP = 4.0, 6.0  # an empty pad says little more than one half full
LEVEL_SCALE = 4.0
REGION_FRAC, MAX_REGIONS = 0.5, 4  # of the strongest evidence: what lies above belongs to the fault

Cells = NDArray[np.int64]
Boards = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What channels are made from: T boards of P pads, oldest first."""

    scores: Numbers  # (T, P) signed
    level: Numbers  # (T,) the board's median
    left: Numbers  # (T, P) scores without their aperture group's median on that board
    same_stroke: Boards  # (T,) printed with the blade that printed the last board
    recent: Boards  # (T,) the last three
    cell: Cells  # (P,) of the picture, row by row
    threshold: float


@dataclass(frozen=True, slots=True)
class FaultRegion:
    """Where on the panel, in the table's millimetres."""

    x0_mm: float
    y0_mm: float
    x1_mm: float
    y1_mm: float


def printer_map(table: PadTable, board: BoardPads) -> Floats:
    """(tiles, S, S) float32: sigmas of each pad without what stroke and wipe usually leave, the board's level left in;
    of volume and area the farther from 0. A pad that was not measured stands at the board's level.

    Names more than maps without the level: missing kneading moves all of a panel.
    """
    volume = board.periodic_volume() + board.volume_level()
    area = board.periodic_area() + board.area_level()
    score = np.where(np.abs(volume) >= np.abs(area), volume, area)
    if board.measured.any():
        score = np.where(board.measured, score, np.median(score[board.measured]))
    maps = np.zeros((table.n_tiles, table.side_cells, table.side_cells), np.float32)
    maps[table.tile, table.row, table.col] = score
    return maps


def fault_picture(
    maps: Floats,
    table: PadTable,
    threshold: float,
    counters: Sequence[int | None],
    channels: Sequence[str] | None = None,
) -> Floats:
    """(C, 32, 32) float32 of maps (T, tiles, S, S), signed pad scores of the last T boards, oldest first.

    `threshold` is the pad threshold of what made the maps; `channels` None are OWN_CHANNELS. Where a counter is missing
    every second board counts as the same stroke. Raises ValueError for an unknown channel, no boards or too many, or
    maps that do not fit the table.
    """
    names = OWN_CHANNELS if channels is None else tuple(channels)
    if unknown := [name for name in names if name not in CHANNELS]:
        raise ValueError(f"channels {unknown}: known are {sorted(CHANNELS)}")
    window = _window(maps, table, threshold, counters)
    return np.stack([CHANNELS[name](window) for name in names]).astype(np.float32)


def fault_region(maps: Floats, table: PadTable, kind: str) -> FaultRegion | None:
    """The box around all of `fault_regions`; None where nothing sticks out."""
    boxes = fault_regions(maps, table, kind)
    if not boxes:
        return None
    low, high = (min(b.x0_mm for b in boxes), min(b.y0_mm for b in boxes)), max(b.x1_mm for b in boxes)
    return FaultRegion(*low, high, max(b.y1_mm for b in boxes))


def fault_regions(maps: Floats, table: PadTable, kind: str) -> tuple[FaultRegion, ...]:
    """Boxes around connected cells with at least half of the strongest evidence, strongest first, 4 at most.

    `maps` as for `fault_picture`. A broken blade is looked for on the stroke that shows it, missing kneading with the
    board's level left in. Raises ValueError for a name that is none of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: known are {KINDS}")
    evidence = _fault_evidence(_window(maps, table, 0.0, [None] * len(maps)), kind)
    peak = float(evidence.max())
    if peak <= 0.0:
        return ()
    count, label = cv2.connectedComponents((evidence >= REGION_FRAC * peak).astype(np.uint8), connectivity=8)
    strongest = sorted(range(1, count), key=lambda k: -float(evidence[label == k].max()))
    return tuple(_box(table, *np.nonzero(label == k)) for k in strongest[:MAX_REGIONS])


def _window(maps: Floats, table: PadTable, threshold: float, counters: Sequence[int | None]) -> _Window:
    side, n = table.side_cells, len(maps)
    if not 1 <= n <= MAX_WINDOW_BOARDS or maps.shape[1:] != (table.n_tiles, side, side):
        expected = f"(1 to {MAX_WINDOW_BOARDS}, {table.n_tiles}, {side}, {side})"
        raise ValueError(f"maps: shape {maps.shape}, expected {expected}")
    if len(counters) != n:
        raise ValueError(f"{len(counters)} counters for {n} boards")
    scores = maps[:, table.tile, table.row, table.col].astype(np.float64)
    known = [c for c in counters if c is not None]
    count = np.array(known if len(known) == n else range(n))
    level = np.median(scores, axis=1)
    return _Window(
        scores=scores,
        level=level,
        left=_group_free(scores, level, table.group),
        same_stroke=count % STROKES == count[-1] % STROKES,
        recent=np.arange(n) >= n - RECENT_BOARDS,
        cell=_cells(table),
        threshold=threshold,
    )


def _group_free(scores: Numbers, level: Numbers, group: Cells) -> Numbers:
    """(T, P): a day's step moves large apertures more than small ones, and the board's median knows only one of
    them."""
    left = scores - level[:, None]
    order = np.argsort(group, kind="stable")
    for pads in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(pads) >= MIN_GROUP_PADS:
            left[:, pads] = scores[:, pads] - np.median(scores[:, pads], axis=1, keepdims=True)
    return left


def _cells(table: PadTable) -> Cells:
    """(P,): the panel's extent, whatever it is, becomes 32 x 32 cells."""
    row, col = (
        np.minimum((mm - mm.min()) / max(float(np.ptp(mm)), 1e-6) * PICTURE_CELLS, PICTURE_CELLS - 1).astype(np.int64)
        for mm in (table.y_mm, table.x_mm)
    )
    return np.asarray(row * PICTURE_CELLS + col, np.int64)


def _summed(values: Numbers, cell: Cells) -> Numbers:
    picture = np.bincount(cell, weights=values, minlength=PICTURE_CELLS * PICTURE_CELLS)
    return np.asarray(picture.reshape(PICTURE_CELLS, PICTURE_CELLS))


def _any_beyond(values: Numbers, window: _Window) -> Numbers:
    """The paper's recipe for values (P,): pooled by the largest, then binary."""
    return (_summed((values > window.threshold).astype(np.float64), window.cell) > 0).astype(np.float64)


def _called_frac(window: _Window, sign: float) -> Numbers:
    """Which fraction of a cell's pads, over all boards, is beyond the threshold."""
    called = (sign * window.scores > window.threshold).mean(axis=0)
    return _summed(called, window.cell) / np.maximum(_summed(np.ones(len(called)), window.cell), 1.0)


def _blurred(values: Numbers, cell: Cells) -> Numbers:
    """(32, 32): the blurred sum of pads (P,) over its own noise, were they independent and of unit variance, so that
    sparse and dense parts of a panel look alike where there is nothing. They are not quite independent: however many
    pads a place has, no more than 16 count."""
    n_pads = _summed(np.ones(len(cell)), cell)
    weight, square = _BLUR @ n_pads @ _BLUR, _BLUR**2 @ n_pads @ _BLUR**2
    together = weight**2 / np.maximum(square, 1e-9)
    few_enough = np.sqrt(np.minimum(1.0, MAX_PADS_TOGETHER / np.maximum(together, 1e-9)))
    return np.asarray(few_enough * (_BLUR @ _summed(values, cell) @ _BLUR) / np.sqrt(np.maximum(square, 1.0)))


def _evidence(window: _Window, boards: Boards) -> Numbers:
    """(32, 32): how far the chosen boards (T,) lie off together, groups' levels taken away; 0 where there are none."""
    n = max(1, int(boards.sum()))
    evidence = _blurred(window.left[boards].sum(axis=0) / np.sqrt(n), window.cell)
    return np.clip(evidence / EVIDENCE_SCALE, -EVIDENCE_CLIP, EVIDENCE_CLIP)


def _flat(value: float) -> Numbers:
    return np.full((PICTURE_CELLS, PICTURE_CELLS), np.clip(value / LEVEL_SCALE, -EVIDENCE_CLIP, EVIDENCE_CLIP))


def _fault_evidence(window: _Window, kind: str) -> Numbers:
    """(32, 32), not negative: how much a cell looks like this fault."""
    if kind == "none":
        return np.zeros((PICTURE_CELLS, PICTURE_CELLS))
    if kind == "squeegee":
        strokes = [_evidence(window, window.same_stroke == same) for same in (True, False)]
        return np.maximum(max(strokes, key=lambda picture: float(picture.max())), 0.0)
    if kind == "kneading":
        return np.maximum(-_blurred(window.scores[window.recent].mean(axis=0), window.cell), 0.0)
    signs = {"support": 1.0, "removed": -1.0, "smear": -1.0}
    lately = _evidence(window, window.recent)
    return np.maximum(signs[kind] * lately, 0.0) if kind in signs else np.abs(lately)


def _box(table: PadTable, rows: Cells, cols: Cells) -> FaultRegion:
    x0, y0 = float(table.x_mm.min()), float(table.y_mm.min())
    dx, dy = float(np.ptp(table.x_mm)) / PICTURE_CELLS, float(np.ptp(table.y_mm)) / PICTURE_CELLS
    x1, y1 = x0 + dx * (int(cols.max()) + 1), y0 + dy * (int(rows.max()) + 1)
    return FaultRegion(x0 + dx * int(cols.min()), y0 + dy * int(rows.min()), x1, y1)


_APART = np.subtract.outer(np.arange(PICTURE_CELLS), np.arange(PICTURE_CELLS))
_BLUR = np.exp(-0.5 * (_APART / BLUR_CELLS) ** 2)

PAPER_CHANNELS = ("excess", "insufficient")
CHANNELS: dict[str, Callable[[_Window], Numbers]] = {
    "excess": lambda w: _any_beyond(w.scores.max(axis=0), w),
    "insufficient": lambda w: _any_beyond(-w.scores.min(axis=0), w),
    "excess_frac": lambda w: _called_frac(w, 1.0),
    "insufficient_frac": lambda w: _called_frac(w, -1.0),
    "window": lambda w: _evidence(w, np.ones(len(w.scores), bool)),
    "recent": lambda w: _evidence(w, w.recent),
    "last": lambda w: _evidence(w, np.arange(len(w.scores)) == len(w.scores) - 1),
    "same_stroke": lambda w: _evidence(w, w.same_stroke),
    "other_stroke": lambda w: _evidence(w, ~w.same_stroke),
    "level_last": lambda w: _flat(float(w.level[-1])),
    "level_window": lambda w: _flat(float(w.level.mean())),
    "level_change": lambda w: _flat(float(w.level[-RECENT_BOARDS:].mean() - w.level[:RECENT_BOARDS].mean())),
    "boards": lambda w: np.full((PICTURE_CELLS, PICTURE_CELLS), len(w.scores) / 10.0),
}
OWN_CHANNELS = tuple(name for name in CHANNELS if name not in PAPER_CHANNELS)
