"""Teaches `best` from a data set: labelled defects of `train`, cut from canvases as careless regions would cut them."""

from __future__ import annotations

import numpy as np

from export.families.axi_joint.best_training import Judged, Lesson, fit_best
from export.families.axi_joint.canvases import read_canvases
from export.families.axi_joint.labels import ROI_OK, defective, roi_faults
from export.families.axi_joint.teach_paper import LearnedCheck
from export.teaching import Taught, TeachingJob
from export.training_record import TrainingFault


def teach_best(job: TeachingJob) -> Taught:
    """Train on `samples.train_rows`, labelled defects and all. Raises TrainingFault where the data gives no regions or
    too few joints, DataFault."""
    samples = job.samples
    if any(row.place is None for row in samples.train_rows):
        raise TrainingFault("this preset cuts joints anew: it needs a table with a box x0, y0, x1, y1 of each joint")
    lesson = Lesson.of(samples.train_rows, read_canvases(job.folder, samples.train_rows, job.contract))
    val = Judged(
        slices=samples.val_crops,
        defective=defective(samples.val_rows),
        wrong=np.array([fault != ROI_OK for fault in roi_faults(samples.val_rows)]),
    )
    report = fit_best(job.network, lesson, val, job.settings, job.seed, job.on_epoch)
    return Taught(report=report, check=LearnedCheck(val_auroc=1.0 - report.best_val_loss))
