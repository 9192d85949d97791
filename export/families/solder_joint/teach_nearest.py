"""Teaches the nearest-joint score: remembers good crops, and checks that it can tell a joint from two halves of others.

One pass over the crops; nothing is optimised.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from edge.board import Floats
from export.collapse import MIN_SPREAD_FRAC
from export.metrics import auroc
from export.onnx import run_torch
from export.teaching import Taught, TeachingJob
from export.training_record import EpochReport, FitReport, TrainingFault

MIN_GOOD = 8
CHANCE = 0.5  # the AUROC of a score that knows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestSettings:
    """What every preset's settings have; one pass is all there is."""

    epochs: int = 1
    bfloat16: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HalvesCheck:
    """How the score ranks crops put together from two validation joints above whole ones, and whether it moves."""

    halves_auroc: float
    score_mean: float
    score_spread: float

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"tells joints put together from two halves from whole ones with AUROC {self.halves_auroc:.3f}"

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this network may not become a bundle; empty when it may."""
        if not np.isfinite([self.score_mean, self.score_spread]).all():
            return [f"scores of validation normals are not finite (mean {self.score_mean})"]
        if self.score_spread <= MIN_SPREAD_FRAC * abs(self.score_mean):
            return [f"every validation crop scores {self.score_mean:.6g}: the score does not depend on the crop"]
        if self.halves_auroc <= CHANCE:
            return [f"the network {self.summary}: the crops are too alike, too few, or of another kind than training's"]
        return []


def teach_nearest(job: TeachingJob) -> Taught:
    """Remember the good crops of train. Raises TrainingFault where there are too few."""
    good = job.samples.val[job.samples.val_good]
    if (fewest := min(len(job.samples.train), len(good))) < MIN_GOOD:
        raise TrainingFault(f"{fewest} good joints to learn or to validate with: need at least {MIN_GOOD} of each")
    started = time.monotonic()
    torch.manual_seed(job.seed)
    job.network.eval()
    job.network.learn(torch.from_numpy(job.samples.train))
    scores = run_torch(job.scored, good).score
    halves = run_torch(job.scored, of_two_halves(good, np.random.default_rng(0))).score
    check = HalvesCheck(
        halves_auroc=auroc(scores, halves), score_mean=float(scores.mean()), score_spread=float(scores.std())
    )
    report = EpochReport(epoch=1, train_loss=0.0, val_loss=check.score_mean, learning_rate=0.0)
    job.on_epoch(report)
    seconds = time.monotonic() - started
    return Taught(
        report=FitReport(epochs=1, best_epoch=1, best_val_loss=check.score_mean, seconds=seconds, history=(report,)),
        check=check,
    )


def of_two_halves(crops: Floats, rng: np.random.Generator) -> Floats:
    """Each crop (N, C, h, w) with its right half from another one."""
    mixed = crops.copy()
    half = crops.shape[3] // 2
    others = (np.arange(len(crops)) + rng.integers(1, len(crops), len(crops))) % len(crops)
    mixed[:, :, :, half:] = crops[others][:, :, :, half:]
    return mixed
