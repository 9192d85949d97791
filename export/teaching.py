"""How a preset teaches a network: what it is given, what it gives back, and the plain way, which is to reconstruct.

The workshop reads, cuts, exports and writes; a preset that needs more than good crops (wider ones, labelled defects)
brings its own function of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edge.board import Floats, Image
from edge.bundle import Contract, DataFingerprint
from export.approved import Approved, graph_inputs
from export.collapse import check_collapse
from export.datasets import Row
from export.graph_inputs import Inputs
from export.onnx import run_torch
from export.train import fit
from export.training_record import EpochReport, FitReport


class Check(Protocol):
    """What was looked at before a network may become a bundle."""

    @property
    def faults(self) -> list[str]:
        """Why it may not; empty when it may."""
        ...

    @property
    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        ...

    @property
    def summary(self) -> str:
        """One line for people."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What a training sees. `train` are good crops as graph input (N, C, h, w); `val_rows` all rows of validation with
    their crops (M, h, w, 3) uint8 and graph input (M, C, h, w). `train_rows` are what may be learned from: good places,
    and for a preset that asks for them defects; `all_rows` every place there is in the data set."""

    train: Floats
    train_rows: tuple[Row, ...]
    val_rows: tuple[Row, ...]
    val_crops: Image | Floats
    val: Floats
    all_rows: tuple[Row, ...]
    data: DataFingerprint
    graph_input: Callable[[Image | Floats], Floats]  # crops (N, h, w, 3), or windows, to graph input, by the contract
    approved: Approved | None = None  # of every part, where the family compares

    @property
    def train_inputs(self) -> Inputs:
        """The good training places as a graph takes them."""
        good = [row for row in self.train_rows if row.is_good]
        return graph_inputs(self.approved, self.train, good, self.graph_input)

    @property
    def val_inputs(self) -> Inputs:
        """All places of validation as a graph takes them."""
        return graph_inputs(self.approved, self.val, self.val_rows, self.graph_input)

    @property
    def val_good(self) -> NDArray[np.bool_]:
        """Which of `val_rows` are good, (M,) bool."""
        return np.array([row.is_good for row in self.val_rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingJob:
    """A fresh `network`, the first of its scores over it, and what to teach it with. `settings` are the preset's own
    kind."""

    network: nn.Module
    scored: nn.Module
    samples: Samples
    folder: Path
    contract: Contract
    settings: Any
    seed: int
    on_epoch: Callable[[EpochReport], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a training did, and whether its network may become a bundle."""

    report: FitReport
    check: Check


def teach_reconstruction(job: TeachingJob) -> Taught:
    """Train on good crops, hold the reconstruction of validation normals against PCA."""
    samples = job.samples
    good = samples.val[samples.val_good]
    report = fit(job.network, samples.train, good, job.settings, job.seed, job.on_epoch)
    outputs = run_torch(job.scored, good)
    if outputs.map is None:
        raise TypeError("a network that reconstructs has a map of its errors")
    check = check_collapse(train=samples.train, val=good, val_map=outputs.map, val_score=outputs.score)
    return Taught(report=report, check=check)
