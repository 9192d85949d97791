"""Pictures for the namer: of windows of scored runs, with the right name of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.paste.fault_naming import PICTURE_CELLS, fault_picture
from export.families.paste_print.namer_runs import TEACH_SIGMA, ScoredRun
from export.families.paste_print.namer_scores import maps_of

WINDOW_BOARDS = 10
SHORTER_FRAC = 0.15  # of the windows taught: the line stops and starts while something is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """Pictures (M, C, 32, 32) float16 and their labels (M,), indices into KINDS."""

    picture: NDArray[np.float16]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)


def pictures_of(
    run: ScoredRun,
    ends: Sequence[int],
    channels: Sequence[str],
    threshold: float,
    boards: Sequence[int] | None = None,
) -> NDArray[np.float16]:
    """(len(ends), C, 32, 32): the window that ends at each board, of `boards` boards, ten when None; shorter at the
    beginning of a run."""
    maps = maps_of(run.table, run.scores)
    made = []
    for end, n in zip(ends, boards or [WINDOW_BOARDS] * len(ends), strict=True):
        part = slice(max(0, end + 1 - n), end + 1)
        made.append(fault_picture(maps[part], run.table, threshold, run.counters[part], channels).astype(np.float16))
    return np.stack(made) if made else np.zeros((0, len(channels), PICTURE_CELLS, PICTURE_CELLS), np.float16)


def picture_set(
    runs: Iterable[ScoredRun], channels: Sequence[str], threshold: float, windows_a_run: int, seed: int
) -> PictureSet:
    """Windows to teach from, with a name from `TEACH_SIGMA` on; `windows_a_run` of each run at most, drawn at
    random."""
    rng = np.random.default_rng(seed)
    pictures, labels = [], []
    for run in runs:
        names = run.names_from(TEACH_SIGMA)
        ends = np.sort(rng.permutation(np.flatnonzero(names >= 0))[:windows_a_run])
        shorter = rng.random(len(ends)) < SHORTER_FRAC
        boards = np.where(shorter, rng.integers(2, WINDOW_BOARDS, len(ends)), WINDOW_BOARDS)
        pictures.append(pictures_of(run, ends.tolist(), channels, threshold, boards.tolist()))
        labels.append(names[ends])
    return PictureSet(picture=np.concatenate(pictures), label=np.concatenate(labels))
