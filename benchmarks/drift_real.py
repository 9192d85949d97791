"""Good joints of the real close-ups under each disturbance: how many of them a bundle calls at its own threshold.

The picture is changed and the crop is cut where it was: no registration makes up for a shift. A shift is tried towards
all four sides, and its counts are means over them. Nothing is chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.drift_twin import CLEAN, DISTURBANCES, shifted
from edge.board import Floats
from edge.bundle import read_bundle
from edge.crop import crop_squares
from edge.scorers import EngineChoice, Scorer, checked_scores, load_scorer
from export.datasets import Row, read_data_set, read_picture

SPLIT, WHERE = "val", ("view=closeup",)
BATCH = 64
SHIFT = "shift 1 px"
LOOSE_FRAC = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Good joints called by a bundle under one disturbance, and how that differs from the picture as it is."""

    joints: int
    called: float
    newly_called: float
    no_longer_called: float
    called_of_loose: float  # at the threshold that calls LOOSE_FRAC of the undisturbed: more joints behind the figure
    median_score_shift: float  # as a share of the threshold


def call_real_joints(data: Path, bundle_folder: Path) -> dict[str, Called]:
    """Score the good `val` close-up joints of `data` under every disturbance. Raises DataFault, BundleFault."""
    bundle = read_bundle(bundle_folder)
    scorer = load_scorer(bundle, EngineChoice(threads=1, maps=False))
    contract = bundle.manifest.contract
    threshold = bundle.threshold("fp32").value
    rows = read_data_set(data, "joints.csv", WHERE).normals(SPLIT)
    by_path: dict[str, list[Row]] = {}
    for row in rows:
        by_path.setdefault(row.path, []).append(row)
    ways = {(CLEAN, 0): lambda image: image, **{(name, 0): way for name, way in DISTURBANCES.items() if name != SHIFT}}
    ways |= {(SHIFT, side): shifted(*step) for side, step in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1)))}
    scores: dict[tuple[str, int], list[Floats]] = {way: [] for way in ways}
    for path, of_picture in by_path.items():
        picture = read_picture(data / path)
        places = [row.place for row in of_picture if row.place is not None]
        centres = np.array([(p.x_px, p.y_px) for p in places])
        sides = np.array([contract.region_scale * p.size_px for p in places])
        for way, into in scores.items():
            into.append(_scores(scorer, crop_squares(ways[way](picture), centres, sides, contract.crop_px)))
    joined = {way: np.concatenate(parts) for way, parts in scores.items()}
    clean = joined[CLEAN, 0]
    names = (CLEAN, *DISTURBANCES)
    return {n: _called(clean, [s for (name, _), s in joined.items() if name == n], threshold) for n in names}


def _scores(scorer: Scorer, crops: np.ndarray) -> Floats:
    return np.concatenate([checked_scores(scorer, crops[i : i + BATCH]).score for i in range(0, len(crops), BATCH)])


def _called(clean: Floats, scores: list[Floats], threshold: float) -> Called:
    was, now = clean > threshold, np.array(scores) > threshold
    loose = np.quantile(clean, 1 - LOOSE_FRAC)
    return Called(
        joints=len(clean),
        called=float(now.sum(axis=1).mean()),
        newly_called=float((now & ~was).sum(axis=1).mean()),
        no_longer_called=float((was & ~now).sum(axis=1).mean()),
        called_of_loose=float((np.array(scores) > loose).sum(axis=1).mean()),
        median_score_shift=round(float(np.median(np.array(scores) - clean)) / max(abs(threshold), 1e-9), 5),
    )
