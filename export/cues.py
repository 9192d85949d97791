"""Cues that know nothing about solder: what a label could be guessed from without looking at the joint.

A model's figure counts only where it clears these on the same rows. Each cue is one number a row; as nobody knows which
way a cue points, it is judged in the better direction, which flatters the cue, never the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.datasets import Row, read_picture
from export.metrics import auroc

Cue = NDArray[np.float64]


def trivial_cues(folder: Path, rows: Sequence[Row], crops: Image, train_crops: Image | None) -> dict[str, Cue]:
    """Every cue over the rows, (N,) each. `crops` (N, h, w, 3) uint8 BGR are the rows', `train_crops` those of good
    places in training, from which a mean colour is known; None leaves that cue out."""
    cues = _file_cues(folder, rows)
    grey = np.stack([cv2.cvtColor(c, cv2.COLOR_BGR2GRAY) for c in crops]).astype(np.float64)
    cues["grey deviation"] = grey.std(axis=(1, 2))
    cues["mean grey"] = grey.mean(axis=(1, 2))
    cues["sharpness"] = np.array([cv2.Laplacian(g, cv2.CV_64F).var() for g in grey])
    if train_crops is not None:
        usual = train_crops.mean(axis=(1, 2)).mean(axis=0)
        cues["mean colour"] = np.linalg.norm(crops.mean(axis=(1, 2)) - usual, axis=1)
    return cues


def cue_auroc(good: Cue, defect: Cue) -> float:
    """AUROC of a cue in the better direction, 0.5 to 1."""
    value = auroc(good, defect)
    return max(value, 1.0 - value)


def _file_cues(folder: Path, rows: Sequence[Row]) -> dict[str, Cue]:
    facts: dict[str, tuple[float, float]] = {}
    for path in {row.path for row in rows}:
        height, width = read_picture(folder / path).shape[:2]
        facts[path] = ((folder / path).stat().st_size, abs(np.log(width / height)))
    formats = sorted({Path(row.path).suffix.lower() for row in rows})
    return {
        "file size": np.array([facts[row.path][0] for row in rows], np.float64),
        "file format": np.array([formats.index(Path(row.path).suffix.lower()) for row in rows], np.float64),
        "aspect": np.array([facts[row.path][1] for row in rows], np.float64),
    }
