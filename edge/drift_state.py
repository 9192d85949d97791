"""What the drift monitor must not forget over a restart: the reference or the boards it is learned from, and the sums.

One small JSON file in the inspector's own folder. It belongs to one recipe, bundle and precision; with any other, or
damaged, it is no state at all, and the monitor learns anew.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge.board import MAX_BOARD_ID_LEN
from edge.drift_chart import CAP, REFERENCE_BOARDS, Cusum, Reference
from edge.durable import replace_file
from edge.settings import Settings, SettingsFault, read_json

Finite = Annotated[float, Field(allow_inf_nan=False)]
Row = tuple[Finite | None, ...]  # None: no number


class SavedSum(Settings):
    """One side of one chart."""

    total: Annotated[float, Field(ge=0.0, le=CAP)]
    boards: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    size: Finite
    alarm: bool
    since: Annotated[str, Field(max_length=MAX_BOARD_ID_LEN)]


class SavedDrift(Settings):
    """`drift.json`."""

    key: str
    n_boards: Annotated[int, Field(ge=0)]
    learning: Annotated[tuple[Row, ...], Field(max_length=REFERENCE_BOARDS)] = ()
    centre: Row = ()  # empty while learning
    spread: Row = ()
    up: tuple[SavedSum, ...] = ()
    down: tuple[SavedSum, ...] = ()

    def fits(self, key: str, n_numbers: int) -> bool:
        """Whether it is for this key and every row has that many numbers."""
        rows = [*self.learning, *((self.centre, self.spread, self.up, self.down) if self.centre else ())]
        positive = all(s is None or s > 0 for s in self.spread)
        return self.key == key and positive and all(len(row) == n_numbers for row in rows)


def load_drift(path: Path, key: str, n_numbers: int) -> SavedDrift | None:
    """The state kept at `path`, or None: not there, damaged, or of another recipe or bundle."""
    try:
        saved = read_json(path, SavedDrift)
    except SettingsFault:
        return None
    return saved if saved.fits(key, n_numbers) else None


def save_drift(path: Path, state: SavedDrift) -> None:
    """Write aside, fsync, rename. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.with_suffix(".new"), path, state.model_dump_json().encode())


def row_of(numbers: NDArray[np.float64]) -> Row:
    """(S,) float64 as it is written; what is not finite is None."""
    return tuple(float(v) if math.isfinite(v) else None for v in numbers)


def numbers_of(row: Row) -> NDArray[np.float64]:
    """The way back: None is NaN."""
    return np.array([math.nan if v is None else v for v in row], np.float64)


def sums_of(cusum: Cusum, since: list[list[str]], side: int) -> tuple[SavedSum, ...]:
    """One side of the charts as it is written; `since` (2, S) board ids."""
    return tuple(
        SavedSum(total=float(t), boards=float(b), size=float(z), alarm=bool(a), since=s)
        for t, b, z, a, s in zip(
            cusum.total[side], cusum.boards[side], cusum.size[side], cusum.alarm[side], since[side], strict=True
        )
    )


def cusum_of(saved: SavedDrift) -> Cusum:
    """The sums of a state that has a reference."""
    sides = (saved.up, saved.down)
    return Cusum(
        total=np.array([[s.total for s in side] for side in sides], np.float64),
        boards=np.array([[s.boards for s in side] for side in sides], np.float64),
        size=np.array([[s.size for s in side] for side in sides], np.float64),
        alarm=np.array([[s.alarm for s in side] for side in sides], np.bool_),
    )


def reference_of(saved: SavedDrift) -> Reference:
    """The reference of a state that has one."""
    return Reference(centre=numbers_of(saved.centre), spread=numbers_of(saved.spread))
