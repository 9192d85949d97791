"""Teaches the defect nets from a data set's good packages: finds their balls, paints defects, checks on validation."""

from __future__ import annotations

import numpy as np

from edge.references import takes_references
from export.datasets import Row
from export.families.bga_package.balls import Grey
from export.families.bga_package.compared_lessons import AnyShelf, part_shelf
from export.families.bga_package.defect_training import check_paint, fit_defects
from export.families.bga_package.lessons import greys, shelf_of
from export.inputs import contract_inputs
from export.table_columns import parts_of
from export.teaching import Taught, TeachingJob

LEARNED_BY_THE_LINE = 256  # of the training pictures: the check's linear reconstruction is no more than a floor


def teach_defects(job: TeachingJob) -> Taught:
    """Train on the good pictures of `samples.train_rows`; labelled defects take no part. A net that compares learns
    from pictures of the same part number. Raises TrainingFault."""
    samples = job.samples
    train_rows = [row for row in samples.train_rows if row.is_good]
    val_rows = [row for row in samples.val_rows if row.is_good]
    learned = greys(np.asarray(contract_inputs(job.folder, train_rows, job.contract), np.uint8))
    train = _shelf(job, train_rows, learned)
    val = _shelf(job, val_rows, greys(np.asarray(samples.val_crops, np.uint8)[samples.val_good]))
    report = fit_defects(job.network, train, val, samples.graph_input, job.settings, job.seed, job.on_epoch)
    some = samples.train[:: max(1, len(samples.train) // LEARNED_BY_THE_LINE)]
    return Taught(report=report, check=check_paint(job.network, some, val, samples.graph_input))


def _shelf(job: TeachingJob, rows: list[Row], pictures: Grey) -> AnyShelf:
    return part_shelf(pictures, parts_of(rows)) if takes_references(job.contract) else shelf_of(pictures)
