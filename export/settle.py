"""BatchNorm's statistics, taken afresh from the weights as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def fresh_statistics(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Inside, these norms forget their running statistics and take a plain average over the batches that are run; they
    are left in training mode."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches that follow
        norm.train()
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
