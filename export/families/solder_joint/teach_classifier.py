"""Teaches the defect classifier from a data set: good joints with defects painted on, and labelled ones where there
are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from edge.board import Image
from export.datasets import Row, load_crops
from export.families.solder_joint.classifier_training import Lesson, check_paint, fit_classifier
from export.families.solder_joint.good_joints import CANVAS_PITCHES, CANVAS_PX, read_joints
from export.families.solder_joint.painted import Lot
from export.teaching import Taught, TeachingJob
from export.training_record import TrainingFault

MISSING_LABELS = frozenset({"missing", "open_hole", "insufficient"})
BRIDGE_LABELS = frozenset({"bridge"})
HELD_OUT_SHARE = 3  # every third pin of the validation boards sets the threshold and is not learned from


def teach_classifier(job: TeachingJob) -> Taught:
    """Train on `samples.train_rows`. Raises TrainingFault where the data gives no places or too few good joints."""
    samples = job.samples
    if any(row.place is None for row in (*samples.train_rows, *samples.val_rows)):
        raise TrainingFault(
            "this preset paints defects between pins: it needs a table with x, y and pitch of each joint"
        )
    good = [r for r in samples.train_rows if r.is_good]
    val_good = [r for r in samples.val_rows if r.is_good]
    lesson = Lesson(
        lot=Lot(
            good=read_joints(job.folder, good, samples.all_rows),
            missing=_canvases(job, samples.train_rows, MISSING_LABELS),
            bridge=_canvases(job, samples.train_rows, BRIDGE_LABELS),
        ),
        val_good=read_joints(job.folder, val_good, samples.all_rows),
        graph_input=job.samples.graph_input,
        region_scale=job.contract.region_scale,
    )
    report = fit_classifier(job.network, lesson, job.settings, job.seed, job.on_epoch)
    return Taught(report=report, check=check_paint(job.network, lesson))


def share_labelled(train: Sequence[Row], val: Sequence[Row]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Rows to learn from and rows to take the threshold from, where the few labelled defects there are must all teach.

    Of the validation boards every third good pin stays unseen for the threshold; their defects and other good pins
    teach. So there is no recall to state from validation, and its false calls are of pins never seen on boards that
    were.
    """
    held_out = {row.line for row in val if row.is_good and _held_out(row.unit)}
    taught = (*train, *(row for row in val if row.line not in held_out))
    return taught, tuple(row for row in val if row.line in held_out)


def _held_out(unit: str) -> bool:
    return hashlib.sha256(unit.encode()).digest()[0] % HELD_OUT_SHARE == 0


def _canvases(job: TeachingJob, rows: Sequence[Row], labels: frozenset[str]) -> Image:
    return load_crops(job.folder, [r for r in rows if r.label in labels], CANVAS_PX, CANVAS_PITCHES)
