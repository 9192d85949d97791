"""Test joints a second time, with regions as a machine gets them wrong: the same slices, another box.

A line's own set holds few wrong regions; here each kind is met often enough to be counted. The faults and their sizes
are the line twin's (`export.simulator.xray.roi`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.datasets import Place, Row
from export.families.axi_joint.labels import ROI_OK, column, roi_faults
from export.simulator.xray.board import VIEW_PX
from export.simulator.xray.board_types import board_type
from export.simulator.xray.roi import RoiFault, ViewRois, roi_at

EVERY = 3  # of the joints with right regions, one in so many


def with_wrong_regions(rows: Sequence[Row], seed: int = 0) -> tuple[Row, ...]:
    """Every third right row with a wrong region instead, its fault by lot. Rows need `board_type`, one of the twin's.
    Raises KeyError or ValueError for another."""
    rng = np.random.default_rng(seed)
    right = [row for row, fault in zip(rows, roi_faults(rows), strict=True) if fault == ROI_OK and row.place]
    return tuple(_spoilt(row, rng) for row in right[::EVERY])


def _spoilt(row: Row, rng: np.random.Generator) -> Row:
    place = row.place
    if place is None:
        raise ValueError(f"{row.path}: a row without a region")
    pitch = board_type(column(row, "board_type")).pitch_px
    fine = ViewRois(fault=RoiFault.OK, turn_rad=0.0, size=0.0)
    box = roi_at(rng, (place.x_px, place.y_px), place.size_px, pitch, VIEW_PX, fine, 0.0, 1.0)
    return replace(
        row,
        place=Place(
            x_px=(box.x0 + box.x1) / 2, y_px=(box.y0 + box.y1) / 2, size_px=float(max(box.x1 - box.x0, box.y1 - box.y0))
        ),
        line=re.sub(r"(^|,)roi=[^,]*", rf"\g<1>roi={box.fault.value}", row.line),
    )
