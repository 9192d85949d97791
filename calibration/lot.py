"""Scored places with what they are: class, part number, physical place, board. What thresholds are chosen from.

Pictures of one physical place are one draw, not several. A place counts once: a defect by its lowest score (it is
caught when every picture of it is called), a good place by its highest (it is called when any picture of it is). Both
err to the safe side: a single picture of such a place is called at least as often, and called wrongly at most as
often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.faults import CalibrationFault
from edge.board import Floats

GOOD = "good"
Mask = NDArray[np.bool_]
Names = NDArray[np.str_]
Scores = NDArray[np.floating[Any]]


class LotFault(CalibrationFault):
    """Scores that cannot be used: what came, what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """N scored rows, in time order where it matters. `label` is GOOD or a defect's name; `board` is empty where the
    data names none."""

    score: Floats  # (N,) float32, finite, higher is worse
    label: Names  # (N,)
    unit: Names  # (N,) the physical place
    board: Names  # (N,)
    part: Names  # (N,) part number

    def __post_init__(self) -> None:
        n = len(self.score)
        if any(len(column) != n for column in (self.label, self.unit, self.board, self.part)):
            raise LotFault(f"{n} scores beside columns of another length")
        if not np.isfinite(self.score).all():
            bad = int((~np.isfinite(self.score)).sum())
            raise LotFault(f"{n} scores, {bad} of them not finite: need finite ones")

    @property
    def defect_labels(self) -> tuple[str, ...]:
        """The classes of defects there are, sorted."""
        return tuple(sorted({str(label) for label in self.label} - {GOOD}))

    @property
    def parts(self) -> tuple[str, ...]:
        """The part numbers there are, sorted."""
        return tuple(sorted({str(part) for part in self.part}))

    def rows(self, chosen: Mask) -> Lot:
        """The rows chosen by a mask (N,)."""
        return Lot(
            score=self.score[chosen],
            label=self.label[chosen],
            unit=self.unit[chosen],
            board=self.board[chosen],
            part=self.part[chosen],
        )

    def good(self) -> Sample:
        """All good places, each by its highest score."""
        return _sample(self, self.label == GOOD, np.maximum)

    def defects(self, label: str | None = None, part: str | None = None) -> Sample:
        """The defects of a class and part number (None: of any), each place by its lowest score."""
        chosen = self.label != GOOD if label is None else self.label == label
        if part is not None:
            chosen = chosen & (self.part == part)
        return _sample(self, chosen, np.minimum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Independent scores of one kind of place, (n,) float32, and the rows and boards behind them."""

    score: Floats
    n_rows: int
    n_boards: int | None  # None where the data names no boards

    def __len__(self) -> int:
        return len(self.score)


def lot_of(good: Scores, defects: Mapping[str, Scores], *, part: str = "") -> Lot:
    """A lot from plain scores, every one a place of its own, on boards nobody named."""
    scores = [np.asarray(good, np.float32), *(np.asarray(s, np.float32) for s in defects.values())]
    names = [GOOD, *defects]
    n = sum(len(s) for s in scores)
    return Lot(
        score=np.concatenate(scores),
        label=np.concatenate([np.full(len(s), name, object) for s, name in zip(scores, names, strict=True)]).astype(
            str
        ),
        unit=np.arange(n).astype(str),
        board=np.full(n, ""),
        part=np.full(n, part),
    )


def _sample(lot: Lot, chosen: Mask, keep: np.ufunc) -> Sample:
    score, boards = lot.score[chosen], {str(b) for b in lot.board[chosen]}
    n_boards = len(boards) if boards and "" not in boards else None
    if not len(score):
        return Sample(score=np.empty(0, np.float32), n_rows=0, n_boards=None)
    # the same place may carry several defects over time, and a good place become a bad one: a unit within its class
    keys = np.char.add(np.char.add(lot.label[chosen].astype(str), "\n"), lot.unit[chosen].astype(str))
    index = np.unique(keys, return_inverse=True)[1]
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    return Sample(score=keep.reduceat(score[order], starts), n_rows=len(score), n_boards=n_boards)
