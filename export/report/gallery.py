"""Pictures of the worst mistakes: the crop as the model sees it, and beside it where the model saw something.

A place appears once, with its worst picture, so that twelve tiles are twelve places and not one pin from twelve angles.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.scorers import checked_scores
from export.report.approved import nearest_approved
from export.report.subjects import Subject
from export.report.window_picture import pictures_of
from export.scoring import ScoredSplit
from export.table_columns import column_of, parts_of

MAX_TILES = 12
GOOD_TILES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One place: its crop, its map and the nearest approved picture (None where the bundle has none) as data URIs, and
    what was said about it."""

    crop: str
    heat: str | None
    approved: str | None
    label: str
    where: str
    score: float
    threshold: float
    called: bool
    others: tuple[str, ...]  # what the other bundles said


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Tiles of one kind. `mistakes` False: there were none, and these came closest."""

    tiles: tuple[Tile, ...]
    n: int  # mistakes there were, in rows
    n_places: int
    mistakes: bool


def misses(subjects: Sequence[Subject]) -> Gallery:
    """Defects that the first bundle passed, furthest below the threshold first."""
    scored = subjects[0].scored
    return _gallery(subjects, ~scored.is_good, ~scored.called, scored.score - scored.thresholds)


def false_calls(subjects: Sequence[Subject]) -> Gallery:
    """Good places that the first bundle called, furthest above the threshold first."""
    scored = subjects[0].scored
    return _gallery(subjects, scored.is_good, scored.called, scored.thresholds - scored.score)


def usual_good(subjects: Sequence[Subject]) -> tuple[Tile, ...]:
    """Good places evenly through the range of their scores, for comparison."""
    scored = subjects[0].scored
    good = np.flatnonzero(scored.is_good & ~scored.called)
    if not len(good):
        return ()
    ordered = good[np.argsort(scored.score[good], kind="stable")]
    chosen = ordered[np.linspace(0, len(ordered) - 1, min(GOOD_TILES, len(ordered))).round().astype(int)]
    return _tiles(subjects, chosen)


def _gallery(
    subjects: Sequence[Subject], of: NDArray[np.bool_], wrong: NDArray[np.bool_], badness: NDArray[np.float64]
) -> Gallery:
    """`badness` is lowest for the worst; where nothing is wrong, the lowest are what came closest."""
    scored = subjects[0].scored
    found = np.flatnonzero(of & wrong)
    candidates = found if len(found) else np.flatnonzero(of)
    ordered = candidates[np.argsort(badness[candidates], kind="stable")]
    _, first = np.unique(scored.units[ordered], return_index=True)
    chosen = ordered[np.sort(first)][: MAX_TILES if len(found) else GOOD_TILES]
    return Gallery(
        tiles=_tiles(subjects, chosen),
        n=len(found),
        n_places=len(np.unique(scored.units[found])),
        mistakes=bool(len(found)),
    )


def _tiles(subjects: Sequence[Subject], chosen: NDArray[np.int64]) -> tuple[Tile, ...]:
    scored = subjects[0].scored
    if not len(chosen):
        return ()
    heat = checked_scores(scored.scorer, scored.inputs[chosen]).map
    top = _usual_heat(scored) if heat is not None else 1.0
    approved = nearest_approved(scored, chosen)
    return tuple(
        Tile(
            crop=png_uri(pictures_of(scored.crops[i : i + 1], scored.bundle.manifest.contract)[0]),
            heat=None if heat is None else png_uri(heat_picture(heat[k], top)),
            approved=None if approved is None else png_uri(approved[k]),
            label=scored.rows[i].label,
            where=place_name(scored, int(i)),
            score=float(scored.score[i]),
            threshold=float(scored.thresholds[i]),
            called=bool(scored.called[i]),
            others=tuple(f"{s.name}: {'called' if s.scored.called[i] else 'passed'}" for s in subjects[1:]),
        )
        for k, i in enumerate(chosen)
    )


def place_name(scored: ScoredSplit, index: int) -> str:
    """`board E, J40_00L`; the part where the table names no site, the picture where it names no board."""
    row = scored.rows[index]
    board, site = column_of(row, "board"), column_of(row, "site")
    what = site or str(parts_of([row])[0])
    if board or site:
        return ", ".join(named for named in (f"board {board}" if board else "", what) if named)
    picture = row.path.rsplit("/", 1)[-1]
    return f"{what}, {picture}" if what else picture


def heat_picture(heat: NDArray[np.float32], top: float) -> Image:
    """A map (h, w) as (h, w, 3) BGR: dark is nothing, bright is `top` and more, of either sign."""
    level = np.clip(np.abs(heat) / max(top, 1e-12), 0.0, 1.0)
    return cv2.applyColorMap((255.0 * level).round().astype(np.uint8), cv2.COLORMAP_INFERNO).astype(np.uint8)


def png_uri(image: Image) -> str:
    """A BGR picture as `data:image/png;base64,…`."""
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode()


def _usual_heat(scored: ScoredSplit) -> float:
    """What counts as bright, the same for every tile: the higher of the 99.9th percentile over maps of good places and
    the 99th over maps of defects."""
    good, defect = np.flatnonzero(scored.is_good)[:64], np.flatnonzero(~scored.is_good)[:64]
    tops = []
    for rows, quantile in ((good, 0.999), (defect, 0.99)):
        if len(rows) and (heat := checked_scores(scored.scorer, scored.inputs[rows]).map) is not None:
            tops.append(float(np.quantile(heat, quantile)))
    return max(tops, default=1.0)
