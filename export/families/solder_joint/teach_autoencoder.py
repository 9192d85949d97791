"""Teaches the autoencoders: to reconstruct, and the constrained ones then to keep their gradients alike as well."""

from __future__ import annotations

from dataclasses import replace

from export.families.solder_joint.gradcon import ConstrainedAutoencoder
from export.teaching import Taught, TeachingJob, teach_reconstruction
from export.train import fit

# Of all epochs, without the constraint, BatchNorm's statistics those of the batch. Held after 30 %, a narrow β-VAE gave
# in to the KL term and was refused as collapsed.
FREE_EPOCHS_FRAC = 0.8
# Held statistics do not follow the weights: steps of Table I's 1e-2 throw the network back to where it began.
CONSTRAINED_LEARNING_RATE = 1e-3


def teach_autoencoder(job: TeachingJob) -> Taught:
    """Train on good crops and hold the reconstruction against PCA. A constrained network learns without the constraint
    first, then with it and with its statistics held; the report is of the second part. Raises TrainingFault."""
    if not isinstance(job.network, ConstrainedAutoencoder):
        return teach_reconstruction(job)
    free = max(1, round(FREE_EPOCHS_FRAC * job.settings.epochs))
    good = job.samples.val[job.samples.val_good]
    begun = fit(job.network, job.samples.train, good, replace(job.settings, epochs=free), job.seed, job.on_epoch)
    job.network.hold_statistics()
    rest = max(1, job.settings.epochs - free)
    return teach_reconstruction(
        replace(
            job,
            settings=replace(job.settings, learning_rate=CONSTRAINED_LEARNING_RATE, epochs=rest),
            on_epoch=lambda report: job.on_epoch(replace(report, epoch=report.epoch + begun.epochs)),
        )
    )
