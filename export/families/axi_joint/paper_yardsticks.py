"""What joints tell without being looked at: single numbers of a crop or a row against the label. Near 0.5 is as it
should be; a set whose labels one of these knows is no test of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Image
from export.datasets import Row
from export.families.axi_joint.labels import defective
from export.metrics import auroc

CENTRE = slice(52, 76)  # of 128 px: inside the joint


def yardsticks(rows: Sequence[Row], crops: Image) -> dict[str, float]:
    """AUROC of each number, the better of its two directions. `crops` (N, 128, 128, 6) uint8."""
    bad = defective(rows)
    there = np.maximum(crops.any(axis=(1, 2)).sum(axis=1), 1).astype(np.float64)
    means = crops.mean(axis=(1, 2)).sum(axis=1) / there
    numbers = {
        "mean grey": means,
        "grey deviation": crops[..., 0].std(axis=(1, 2)),
        "grey of the joint's middle": crops[:, CENTRE, CENTRE].mean(axis=(1, 2)).sum(axis=1) / there,
        "fineness": np.abs(np.diff(crops[..., 0].astype(np.int16), axis=1)).mean(axis=(1, 2)),
        "side of the region": np.array([row.place.size_px if row.place else 0.0 for row in rows]),
        "number of slices": there,
    }
    each = {name: auroc(values[~bad], values[bad]) for name, values in numbers.items()}
    return {name: max(value, 1.0 - value) for name, value in each.items()}
