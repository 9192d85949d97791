"""Test joints with slices taken away: as a program with fewer would see them, or with one lost on the way.

Programs of few slices drop the outer ones first, one side after the other, and what is left moves up to slice 00; a
lost slice leaves a plane of zeros where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edge.board import Image
from export.families.axi_joint.paper_metrics import Judged, at_threshold, auroc_by_board, fpr_at_recall
from export.families.axi_joint.paper_training import probabilities

EVERY = 3  # of the test joints, one in so many
KEPT = (3, 2, 1)
LOST = "one lost"


def at_most(slices: Image, n: int) -> Image:
    """uint8 (N, h, w, 6) with at most `n` slices a joint, the outer ones dropped, the lowest first."""
    made = np.zeros_like(slices)
    for joint, out in zip(slices, made, strict=True):
        there = list(np.flatnonzero(joint.any(axis=(0, 1))))
        while len(there) > n:
            there.pop(0)
            if len(there) > n:
                there.pop()
        out[:, :, : len(there)] = joint[:, :, there]
    return made


def one_lost(slices: Image, seed: int = 0) -> Image:
    """uint8 (N, h, w, 6) with one slice of every joint that has several, by lot, all zero."""
    rng, made = np.random.default_rng(seed), slices.copy()
    for joint in made:
        there = np.flatnonzero(joint.any(axis=(0, 1)))
        if len(there) > 1:
            joint[:, :, rng.choice(there)] = 0
    return made


def fewer_slices_scores(place: Path, scored: nn.Module, slices: Image) -> dict[str, Any]:
    """Scores (N / EVERY,) by what was taken away, kept in a run's folder so that they are made once."""
    file = place / "fewer_slices.npz"
    if not file.is_file():
        few = slices[::EVERY]
        cut = {"all": few} | {str(n): at_most(few, n) for n in KEPT} | {LOST: one_lost(few)}
        np.savez(file, **{name: probabilities(scored, crops)[0] for name, crops in cut.items()})
    with np.load(file, allow_pickle=False) as kept:
        return {name: np.asarray(kept[name], np.float32) for name in kept.files}


def fewer_slices_figures(
    scores: Mapping[str, Any], test: Judged, thresholds: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """By what was taken away: AUROC, false calls read off the ROC, and the figures of every threshold."""
    made: dict[str, dict[str, Any]] = {}
    for name, score in scores.items():
        judged = Judged(score=score, defective=test.defective[::EVERY], board=test.board[::EVERY])
        made[name] = auroc_by_board(judged) | {
            "fpr_at_recall": {recall: fpr_at_recall(judged, float(recall)) for recall in thresholds},
            "at": {recall: at_threshold(judged, value) for recall, value in thresholds.items()},
        }
    return made
