"""Teaches the defect net from a data set's good packages: finds their balls, paints defects, checks on validation."""

from __future__ import annotations

import numpy as np

from export.families.bga_package.defect_training import check_paint, fit_defects
from export.families.bga_package.lessons import greys, shelf_of
from export.inputs import contract_inputs
from export.teaching import Taught, TeachingJob

LEARNED_BY_THE_LINE = 256  # of the training pictures: the check's linear reconstruction is no more than a floor


def teach_defects(job: TeachingJob) -> Taught:
    """Train on the good pictures of `samples.train_rows`; labelled defects take no part. Raises TrainingFault."""
    samples = job.samples
    good = [row for row in samples.train_rows if row.is_good]
    train = shelf_of(greys(np.asarray(contract_inputs(job.folder, good, job.contract), np.uint8)))
    val = shelf_of(greys(np.asarray(samples.val_crops, np.uint8)[samples.val_good]))
    report = fit_defects(job.network, train, val, samples.graph_input, job.settings, job.seed, job.on_epoch)
    some = samples.train[:: max(1, len(samples.train) // LEARNED_BY_THE_LINE)]
    return Taught(report=report, check=check_paint(job.network, some, val, samples.graph_input))
