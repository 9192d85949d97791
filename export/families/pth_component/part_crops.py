"""Good components of a data set, cut wider than the station cuts them, with what the triplets have to know of each.

The middle of a canvas is the station's crop, bit by bit where a picture holds the place; the rim is what comes into
view when a component is moved. Ready-cut pictures have no rim: their border is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import Contract
from edge.references import TURNS_DEG, parsed_turns
from export.datasets import Row, has_places, load_crops
from export.families.pth_component.net import INPUT_PX
from export.table_columns import column_of, parts_of
from export.training_record import TrainingFault

CANVAS_PX = 160
RIM_PX = (CANVAS_PX - INPUT_PX) // 2
CLASS_COLUMN, TURNS_COLUMN = "class", "turns_deg"

GraphInput = Callable[[Image], Floats]  # (N, 128, 128, 3) uint8 BGR to (N, 3, 128, 128) float32, as the station does it


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCrops:
    """N good components. `canvases` (N, 160, 160, 3) uint8 BGR; `parts` and `classes` (N,) names; `boxes_px` (N, 2) the
    component's width and height in its crop of 128 px; `wrong_turns` the quarter turns a part must not have, empty
    where the table does not say."""

    canvases: Image
    parts: NDArray[np.str_]
    classes: NDArray[np.str_]
    boxes_px: NDArray[np.float64]
    wrong_turns: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.canvases)

    @property
    def crops(self) -> Image:
        """What the station would cut, (N, 128, 128, 3) uint8."""
        return centre(self.canvases)

    def of_classes(self, classes: Sequence[str]) -> PartCrops:
        """Only components of these classes."""
        chosen = np.flatnonzero(np.isin(self.classes, list(classes)))
        return PartCrops(
            canvases=self.canvases[chosen],
            parts=self.parts[chosen],
            classes=self.classes[chosen],
            boxes_px=self.boxes_px[chosen],
            wrong_turns=tuple(self.wrong_turns[i] for i in chosen),
        )


def read_part_crops(folder: Path, rows: Sequence[Row], contract: Contract) -> PartCrops:
    """Cut the canvases of good rows. Raises DataFault, and TrainingFault where the table names no parts."""
    parts = parts_of(rows)
    if not all(parts):
        raise TrainingFault("a component is compared with others of its part: the table needs a column part_number")
    classes = np.array([column_of(row, CLASS_COLUMN) or part for row, part in zip(rows, parts, strict=True)])
    return PartCrops(
        canvases=_canvases(folder, rows, contract),
        parts=parts,
        classes=classes,
        boxes_px=np.array([_box_px(row, contract.region_scale) for row in rows]),
        wrong_turns=tuple(_wrong_turns(row) for row in rows),
    )


def centre(canvases: Image) -> Image:
    """The middle (…, 128, 128, 3) of canvases (…, 160, 160, 3)."""
    middle = slice(RIM_PX, RIM_PX + INPUT_PX)
    return canvases[..., middle, middle, :]


def _canvases(folder: Path, rows: Sequence[Row], contract: Contract) -> Image:
    if has_places(rows):
        return load_crops(folder, rows, CANVAS_PX, contract.region_scale * CANVAS_PX / INPUT_PX)
    crops = load_crops(folder, rows, INPUT_PX, contract.region_scale)
    return np.pad(crops, ((0, 0), (RIM_PX, RIM_PX), (RIM_PX, RIM_PX), (0, 0)), mode="edge")


def _box_px(row: Row, region_scale: float) -> tuple[float, float]:
    sides = [column_of(row, name) for name in ("x0", "y0", "x1", "y1")]
    longer = INPUT_PX / region_scale
    if not all(sides):
        return longer, longer
    x0, y0, x1, y1 = (float(side) for side in sides)
    scale = longer / max(x1 - x0, y1 - y0)
    return (x1 - x0) * scale, (y1 - y0) * scale


def _wrong_turns(row: Row) -> tuple[int, ...]:
    """The table's `turns_deg` is what is allowed, for instance "0 180"."""
    allowed = parsed_turns(column_of(row, TURNS_COLUMN))
    return tuple(turn for turn in TURNS_DEG if turn not in allowed) if allowed else ()
