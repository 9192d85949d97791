"""Teaches the paper's networks from good windows, and checks what they learned on good windows of other days."""

from __future__ import annotations

from export.families.paste_print.recurrent_training import fit_recurrent
from export.families.paste_print.window_check import check_windows
from export.teaching import Taught, TeachingJob


def teach_recurrent(job: TeachingJob) -> Taught:
    """Train on `samples.train` (N, T, 3, S, S). Raises TrainingFault where there is too little."""
    good = job.samples.val[job.samples.val_good]
    report = fit_recurrent(job.network, job.samples.train, good, job.settings, job.seed, job.on_epoch)
    return Taught(report=report, check=check_windows(job.network, good))
