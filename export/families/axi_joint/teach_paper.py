"""Teaches the paper's networks from a data set: labelled defects of `train` are learned from, `val` chooses the
epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.datasets import Row
from export.families.axi_joint.labels import defective
from export.families.axi_joint.paper_training import LabelledCrops, fit_paper
from export.inputs import contract_inputs
from export.teaching import Taught, TeachingJob

MIN_AUROC = 0.6  # on validation, balanced: below it nothing was learned


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedCheck:
    """How well validation joints of other board types are told apart."""

    val_auroc: float
    min_auroc: float = MIN_AUROC

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"tells defective joints of validation from good ones with AUROC {self.val_auroc:.4f}"

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known: nothing here."""
        return []

    @property
    def faults(self) -> list[str]:
        """Why this training may not become a bundle; empty when it may."""
        if self.val_auroc >= self.min_auroc:
            return []
        return [f"the network {self.summary}, at least {self.min_auroc} is needed: train longer, or on more joints"]


def share_labelled(train: Sequence[Row], val: Sequence[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """All rows of train teach, all of validation choose the epoch and the threshold."""
    return tuple(train), tuple(val)


def teach_paper(job: TeachingJob) -> Taught:
    """Train on `samples.train_rows`, labelled defects and all. Raises TrainingFault, DataFault."""
    samples = job.samples
    train = LabelledCrops(
        slices=contract_inputs(job.folder, samples.train_rows, job.contract), defective=defective(samples.train_rows)
    )
    val = LabelledCrops(slices=samples.val_crops, defective=defective(samples.val_rows))
    report = fit_paper(job.network, train, val, job.settings, job.seed, job.on_epoch)
    return Taught(report=report, check=LearnedCheck(val_auroc=1.0 - report.best_val_loss))
