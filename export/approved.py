"""Approved pictures of the parts of a data set, as a recipe would hold them: a few good places of each part.

They come from the split `reference` where a table has one, else from `train`. How a part may be turned is told by the
column `turns_deg` of those rows ("0 180"); where there is none, a part may not be turned.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import Contract, GoldenApproved
from edge.recipe_parts import kept
from edge.references import (
    MAX_REFERENCES,
    Compared,
    Embedder,
    Scorable,
    approved_pictures,
    embedded,
    parsed_turns,
    takes_references,
)
from export.datasets import TRAIN_SPLIT, DataFault, DataSet, Row, contract_crops
from export.graph_inputs import GraphInputs, Inputs
from export.onto_reference import Onto
from export.table_columns import column_of, parts_of

REFERENCE_SPLIT = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The parts of a data set and the approved pictures of each, (P, K, h, h, 3) uint8 BGR; `onto` where crops are
    turned and moved to lie as the first of them."""

    parts: tuple[str, ...]
    crops: Image
    onto: bool = False

    def indices(self, rows: Sequence[Row]) -> NDArray[np.int64]:
        """Which part each row is of, (N,). Raises DataFault for one without approved pictures."""
        order = {part: k for k, part in enumerate(self.parts)}
        parts = parts_of(rows)
        if strangers := sorted(set(parts.tolist()) - order.keys()):
            raise DataFault(f"parts {strangers[:5]} have no approved pictures; those that have: {self.parts[:5]} …")
        return np.array([order[part] for part in parts], np.int64)

    def brought(self, crops: Image, rows: Sequence[Row]) -> Image:
        """Rows' crops (N, h, w, 3) uint8 as they are compared. Raises DataFault."""
        if not self.onto:
            return crops
        of_rows = self.indices(rows).tolist()
        bring = {k: Onto(self.crops[k, 0]) for k in set(of_rows)}
        return np.stack([bring[k].brought(crop) for k, crop in zip(of_rows, crops, strict=True)])

    def golden(self, rows: Sequence[Row]) -> GoldenApproved:
        """Of the parts of a few rows alone, as a bundle holds them."""
        flat = self.crops[self.indices(rows)]
        distinct: dict[bytes, int] = {}
        compared = np.array([[distinct.setdefault(p.tobytes(), len(distinct)) for p in row] for row in flat], np.int64)
        pictures = np.stack([np.frombuffer(data, np.uint8).reshape(flat.shape[2:]) for data in distinct])
        return GoldenApproved(pictures, compared)

    def beside(self, crops: Floats, rows: Sequence[Row], graph_input: Callable[[Image], Floats]) -> GraphInputs:
        """Rows' crops as graph input (N, C, h, w), with the pictures they are compared with."""
        n_parts, n_pictures = self.crops.shape[:2]
        flat = graph_input(self.crops.reshape(-1, *self.crops.shape[2:]))
        return GraphInputs(crops, flat.reshape(n_parts, n_pictures, *flat.shape[1:]), self.indices(rows))


def approved_of(data: DataSet, contract: Contract, n_references: int = MAX_REFERENCES) -> Approved | None:
    """The approved pictures of every part; None where graphs of this contract compare nothing.

    `n_references` good rows of each part, or as many as there are, evenly through the table. Raises DataFault.
    """
    if not takes_references(contract):
        return None
    by_part: dict[str, list[Row]] = collections.defaultdict(list)
    for row in _candidates(data):
        by_part[parts_of([row])[0]].append(row)
    if "" in by_part:
        raise DataFault(f"{data.folder}: {by_part[''][0].path}: no part_number or component, and parts are compared")
    chosen = {part: _chosen(rows, n_references) for part, rows in sorted(by_part.items())}
    crops = contract_crops(data.folder, [row for rows in chosen.values() for row in rows], contract)
    pictures, start = [], 0
    for part, rows in chosen.items():
        own = crops[start : start + len(rows)]
        if contract.onto_approved:
            own = np.stack([Onto(own[0]).brought(one) for one in own])
        try:
            pictures.append(approved_pictures(own, _turns(rows[0])))
        except ValueError as err:
            raise DataFault(f"{data.folder}: part {part!r}: {err}") from None
        start += len(rows)
    return Approved(parts=tuple(chosen), crops=np.stack(pictures), onto=contract.onto_approved)


def as_compared(approved: Approved | None, crops: Image | Floats, rows: Sequence[Row]) -> Image | Floats:
    """Rows' crops or windows as a graph of the family is given them."""
    return crops if approved is None else approved.brought(np.asarray(crops, np.uint8), rows)


def graph_inputs(
    approved: Approved | None, crops: Floats, rows: Sequence[Row], graph_input: Callable[[Image], Floats]
) -> Inputs:
    """Rows' crops as graph input, with what they are compared with where the family compares."""
    return crops if approved is None else approved.beside(crops, rows, graph_input)


def scorable(approved: Approved | None, crops: Image | Floats, rows: Sequence[Row], embedder: Embedder) -> Scorable:
    """Rows' crops (N, h, w, 3) uint8 as a scorer takes them, the approved pictures embedded by itself; windows as they
    are."""
    if approved is None:
        return crops
    return Compared(
        approved.brought(np.asarray(crops, np.uint8), rows), embedded(embedder, approved.crops)[approved.indices(rows)]
    )


def _candidates(data: DataSet) -> tuple[Row, ...]:
    has_own = any(row.split == REFERENCE_SPLIT for row in data.rows)
    return data.normals(REFERENCE_SPLIT if has_own else TRAIN_SPLIT)


def _chosen(rows: list[Row], n: int) -> list[Row]:
    most = kept(range(len(rows)), _turns(rows[0]))  # as many as a recipe may hold
    spread = np.linspace(0, len(rows) - 1, min(n, len(most))).round().astype(int)
    return [rows[k] for k in spread]


def _turns(row: Row) -> tuple[int, ...]:
    try:
        return parsed_turns(column_of(row, "turns_deg")) or (0,)
    except ValueError as err:
        raise DataFault(f"{row.path}: turns_deg {err}") from None
