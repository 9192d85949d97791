"""Teaches the variational autoencoder: to reconstruct good packages, and no more."""

from __future__ import annotations

import torch

from export.teaching import Taught, TeachingJob, teach_reconstruction


def teach_vae(job: TeachingJob) -> Taught:
    """Train on good pictures and hold the reconstruction against PCA, in the memory layout in which a step takes
    half the time. Raises TrainingFault."""
    job.network.to(memory_format=torch.channels_last)
    taught = teach_reconstruction(job)
    job.network.to(memory_format=torch.contiguous_format)
    return taught
