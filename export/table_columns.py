"""Which board and which part number a row belongs to, from whichever columns its table has."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.datasets import Row

# Of a board, or of what is mounted on it, or of a package by itself.
PART_COLUMNS = ("part_number", "component", "package_type")
UNKNOWN = frozenset({"", "unknown"})


def column_of(row: Row, name: str) -> str:
    """What the row's table says in a column; empty where it has no such column."""
    found = re.search(rf"(?:^|,){re.escape(name)}=(.*?)(?=,\w+=|$)", row.line)
    return found[1] if found else ""


def has_boards(rows: Sequence[Row]) -> bool:
    """Whether the table says which board every row is from."""
    return all(column_of(row, "board") not in UNKNOWN for row in rows)


def boards_of(rows: Sequence[Row]) -> NDArray[np.str_]:
    """The board behind each row, (N,); where the table does not say for all, the picture stands for it."""
    known = has_boards(rows)
    return np.array([column_of(row, "board") if known else row.path for row in rows])


def parts_of(rows: Sequence[Row]) -> NDArray[np.str_]:
    """The part number of each row, (N,); empty where the table has none."""
    return np.array([next((v for c in PART_COLUMNS if (v := column_of(row, c))), "") for row in rows])
