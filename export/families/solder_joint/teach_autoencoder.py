"""Teaches the autoencoders: to reconstruct, and the constrained ones then to keep their gradients alike as well."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from export.families.solder_joint.gradcon import ConstrainedAutoencoder
from export.teaching import Taught, TeachingJob, teach_reconstruction
from export.train import fit
from export.training_record import FitReport

# Of all epochs, without the constraint, BatchNorm's statistics those of the batch. Held after 30 %, a narrow β-VAE gave
# in to the KL term and was refused as collapsed.
FREE_EPOCHS_FRAC = 0.8
# Held statistics do not follow the weights: steps of Table I's 1e-2 throw the network back to where it began.
CONSTRAINED_LEARNING_RATE = 1e-3


def teach_autoencoder(job: TeachingJob) -> Taught:
    """Train on good crops and hold the reconstruction against PCA. A constrained network learns without the constraint
    first, then with it and with its statistics held; the report is of the second part. Raises TrainingFault."""
    if isinstance(job.network, ConstrainedAutoencoder):
        return learn_constrained(job, learn_freely(job))
    with _channels_last(job.network):
        return teach_reconstruction(job)


def learn_freely(job: TeachingJob) -> FitReport:
    """The first part of a constrained network's training, in which it learns as a plain one does."""
    samples = job.samples
    settings = replace(job.settings, epochs=free_epochs(job.settings.epochs))
    with _channels_last(job.network):
        return fit(job.network, samples.train, samples.val[samples.val_good], settings, job.seed, job.on_epoch)


def learn_constrained(job: TeachingJob, begun: FitReport) -> Taught:
    """The second part, with the constraint on; `begun` is the report of the first. Raises TrainingFault."""
    job.network.hold_statistics()
    rest = max(1, job.settings.epochs - free_epochs(job.settings.epochs))
    second = replace(
        job,
        settings=replace(job.settings, learning_rate=CONSTRAINED_LEARNING_RATE, epochs=rest),
        on_epoch=lambda report: job.on_epoch(replace(report, epoch=report.epoch + begun.epochs)),
    )
    with _channels_last(job.network):
        return teach_reconstruction(second)


def free_epochs(epochs: int) -> int:
    """How many of a constrained network's epochs come before the constraint."""
    return max(1, round(FREE_EPOCHS_FRAC * epochs))


@contextlib.contextmanager
def _channels_last(network: nn.Module) -> Iterator[None]:
    """The memory layout in which a step takes less than half the time."""
    network.to(memory_format=torch.channels_last)
    yield
    network.to(memory_format=torch.contiguous_format)
