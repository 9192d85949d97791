"""Teaches `best` from a data set's good components, and looks at what came of it before it may become a bundle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from export.families.pth_component.best_paint import bad_picture, good_picture
from export.families.pth_component.best_training import EpisodeTraining, fit_episodes, fit_projection
from export.families.pth_component.local_features import LocalReference
from export.families.pth_component.part_crops import PartCrops, read_part_crops
from export.metrics import auroc
from export.onnx import run_torch
from export.teaching import Taught, TeachingJob
from export.training_record import TrainingFault

MIN_GOOD = 8
MIN_AUROC = 0.7  # of painted errors on validation components; chance is 0.5
CHECK_SEED = 0

# Minutes of one processor. Longer gained nothing on validation.
BEST_TRAINING = EpisodeTraining(
    epochs=5,
    steps=40,
    episodes=4,
    queries=8,
    backbone_rate=2e-4,
    projection_rate=1e-3,
    scratch_times=2,
    scratch_rate=3e-3,
    weight_decay=1e-3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCheck:
    """How well errors painted on good validation components are told from these, slightly changed, held against the
    approved pictures."""

    painted_auroc: float
    n: int
    weights: str

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"tells errors painted on {self.n} validation components with AUROC {self.painted_auroc:.4f} "
            f"(first weights: {self.weights})"
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        if self.weights != "random":
            return []
        return ["trained without ImageNet weights: fewer errors are seen"]

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        if math.isfinite(self.painted_auroc) and self.painted_auroc > MIN_AUROC:
            return []
        return [f"the network {self.summary}: the training collapsed or is not done; try another seed or more epochs"]


def teach_local(job: TeachingJob) -> Taught:
    """Train on the good rows of train. Raises TrainingFault where parts are unknown or too few."""
    settings = job.settings
    if not isinstance(settings, EpisodeTraining):
        raise TypeError(f"settings are {type(settings).__name__}, expected EpisodeTraining")
    if not isinstance(job.scored, LocalReference):
        raise TypeError(f"the score is {type(job.scored).__name__}, expected LocalReference")
    train = read_part_crops(job.folder, [row for row in job.samples.train_rows if row.is_good], job.contract)
    val = read_part_crops(job.folder, [row for row in job.samples.val_rows if row.is_good], job.contract)
    if (fewest := min(len(train), len(val))) < MIN_GOOD:
        raise TrainingFault(f"{fewest} good components to train on or to validate with: need at least {MIN_GOOD} each")
    graph_input = job.samples.graph_input
    fit_projection(job.scored.net, graph_input(train.crops), train.parts)
    report = fit_episodes(job.scored, train, val, settings, graph_input, job.seed, job.on_epoch)
    if job.scored.net.weights == "random":  # its features have changed beyond what the first projection was made for
        fit_projection(job.scored.net, graph_input(train.crops), train.parts)
    return Taught(report=report, check=_check(job, job.scored, val))


def _check(job: TeachingJob, scored: LocalReference, val: PartCrops) -> LocalCheck:
    approved = job.samples.approved
    if approved is None:
        raise TypeError("this family compares: its samples have approved pictures")
    rows = [row for row in job.samples.val_rows if row.is_good]
    rng = np.random.default_rng(CHECK_SEED)
    scores = []
    for make in (good_picture, bad_picture):
        crops = np.stack([make(val, i, rng) for i in range(len(val))])
        inputs = approved.beside(job.samples.graph_input(crops), rows, job.samples.graph_input)
        scores.append(run_torch(scored, inputs).score)
    return LocalCheck(painted_auroc=auroc(*scores), n=len(val), weights=scored.net.weights)
