"""What a table's rows say of joints: defective or not, which kinds, whether the region is wrong; and the balance."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.datasets import Row

KINDS = ("insufficient", "missing", "short")
ROI_OK = "ok"
# Regions that show another joint or none: the label belongs to what is not in the picture.
NEIGHBOUR = "neighbour"
NOT_THIS_JOINT = frozenset({NEIGHBOUR, "elsewhere"})

Mask = NDArray[np.bool_]


def defective(rows: Sequence[Row]) -> Mask:
    """(N,) bool: not labelled good."""
    return np.array([not row.is_good for row in rows], bool)


def kinds(rows: Sequence[Row]) -> NDArray[np.float32]:
    """(N, 3) float32: 1 for the kind the label names. A label may name several, joined by "+"; one that names none of
    `KINDS` (a void, say) leaves all 0."""
    return np.array([[kind in row.label.split("+") for kind in KINDS] for row in rows], np.float32)


def roi_faults(rows: Sequence[Row]) -> list[str]:
    """What the table's column `roi` says is wrong with each region; "ok" where it says nothing."""
    return [column(row, "roi") or ROI_OK for row in rows]


def column(row: Row, name: str) -> str:
    """A further column of the row's line in its table, "" where there is none."""
    found = re.search(rf"(?:^|,){re.escape(name)}=([^,]*)", row.line)
    return found.group(1) if found else ""


def balanced(is_defective: Mask, seed: int) -> NDArray[np.int64]:
    """Indices of all defective joints and as many good ones, drawn once and shuffled: the paper's down-sampling."""
    rng = np.random.default_rng(seed)
    bad, good = np.flatnonzero(is_defective), np.flatnonzero(~is_defective)
    kept = good if len(good) <= len(bad) else rng.choice(good, len(bad), replace=False)
    return rng.permutation(np.concatenate([bad, kept])).astype(np.int64)
