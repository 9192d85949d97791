"""Which rows choose a threshold and which say how good it is, with their crops and fingerprints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.lot import GOOD, Lot
from calibration.splits import SplitFault, check_apart, choice_rows
from edge.board import Floats, Image
from edge.bundle import Bundle
from edge.references import Scorable
from edge.scorers import Scorer
from export.approved import Approved, approved_of, scorable
from export.datasets import TRAIN_SPLIT, VAL_SPLIT, DataSet, Row, fingerprint
from export.families import load_family
from export.inputs import contract_inputs
from export.table_columns import UNKNOWN, column_of, parts_of

TIME_COLUMNS = ("time_utc", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of a data set, their crops (N, h, w, 3) uint8 BGR (or windows) and their fingerprint."""

    name: str  # of the split, and of the part of it
    rows: tuple[Row, ...]
    crops: Image | Floats
    sha256: str
    approved: Approved | None = None  # of every part, where the family compares

    def inputs(self, scorer: Scorer) -> Scorable:
        """What a scorer takes for them."""
        return scorable(self.approved, self.crops, self.rows, scorer)

    def lot(self, score: Floats) -> Lot:
        """The rows with their scores (N,)."""
        return Lot(
            score=score,
            label=np.array([GOOD if row.is_good else row.label for row in self.rows]),
            unit=np.array([row.unit for row in self.rows]),
            board=np.array([board_of(row) for row in self.rows]),
            part=parts_of(self.rows),
        )


def check_splits(bundle: Bundle, split: str, check_split: str | None, hold_out_frac: float | None) -> None:
    """Raise SplitFault for names that would let a threshold be chosen or measured on what it must not see."""
    if check_split is not None and hold_out_frac is not None:
        raise SplitFault("a check split and a share to hold out: name one of them")
    if check_split == split:
        raise SplitFault(f"{split!r} chooses the threshold: its figures cannot come from the same rows")
    if TRAIN_SPLIT in (split, check_split):
        raise SplitFault(f"{TRAIN_SPLIT!r} taught the bundle, and its scores are better than any other board's")
    if VAL_SPLIT in (split, check_split) and _learned_from_validation(bundle):
        raise SplitFault(f"preset {bundle.manifest.preset!r} learned from {VAL_SPLIT!r} too: choose on another split")


def _learned_from_validation(bundle: Bundle) -> bool:
    manifest = bundle.manifest
    if manifest.engine == "rules":
        return manifest.variant.endswith("/tuned")
    preset = load_family(manifest.family).PRESETS.get(manifest.preset)
    return preset is not None and preset.share_rows is not None


def cut_rows(
    data: DataSet, bundle: Bundle, split: str, check_split: str | None, hold_out_frac: float | None
) -> tuple[Rows, Rows | None]:
    """The rows that choose, and those that check where there are any. Raises SplitFault when they would share a board
    with each other or with what the bundle learned from, DataFault when there are none."""
    rows = data.split(split)
    boards: dict[str, set[str]] = {}
    for row in data.rows:
        boards.setdefault(row.split, set()).add(board_of(row))
    for other in (TRAIN_SPLIT, check_split):
        if other in boards:
            check_apart(boards[split], boards[other], repr(split), repr(other))
    if check_split is not None:
        return rows_of(split, data, rows, bundle), rows_of(check_split, data, data.split(check_split), bundle)
    if hold_out_frac is None:
        return rows_of(split, data, rows, bundle), None
    mask = choice_rows(
        [board_of(row) for row in rows],
        choice_frac=1.0 - hold_out_frac,
        times=[next((t for c in TIME_COLUMNS if (t := column_of(row, c))), "") for row in rows],
        units=[row.unit for row in rows],
    )
    earlier = tuple(row for row, chooses in zip(rows, mask, strict=True) if chooses)
    later = tuple(row for row, chooses in zip(rows, mask, strict=True) if not chooses)
    return rows_of(f"{split}, earlier boards", data, earlier, bundle), rows_of(
        f"{split}, later boards", data, later, bundle
    )


def rows_of(name: str, data: DataSet, rows: tuple[Row, ...], bundle: Bundle) -> Rows:
    """Some rows with the crops the bundle's contract wants. Raises DataFault."""
    return Rows(
        name=name,
        rows=rows,
        crops=contract_inputs(data.folder, rows, bundle.manifest.contract),
        sha256=fingerprint(data, (), rows).sha256,
        approved=approved_of(data, bundle.manifest.contract),
    )


def board_of(row: Row) -> str:
    """The board a row's table names; empty where it names none."""
    name = column_of(row, "board")
    return "" if name in UNKNOWN else name


def defect_labels(data: DataSet) -> tuple[str, ...]:
    """Every class of defect the data set knows in any split: one that the choosing rows lack is said to be lacking."""
    return tuple(sorted({row.label for row in data.rows if not row.is_good}))
