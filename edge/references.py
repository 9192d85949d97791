"""Approved pictures of a part: what a family that compares holds a crop against.

A part has up to `MAX_REFERENCES` approved pictures. Turned as the part may be mounted, they give up to `MAX_APPROVED`
pictures, which is what the graph takes for every crop; where there are fewer they come again, so that the nearest one
stays the same. They are embedded by the bundle's own graph, at the precision that judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import REFERENCES, Contract

MAX_REFERENCES = 5
MAX_APPROVED = 10
TURNS_DEG = (0, 90, 180, 270)

Rows = slice | NDArray[np.int64] | NDArray[np.bool_] | list[int]


@dataclass(frozen=True, slots=True)
class Compared:
    """Crops (N, h, w, 3) uint8 BGR, each with the embedded pictures it is compared with (N, K, E) float32. Rows are
    taken as from an array."""

    crops: Image
    references: Floats

    def __post_init__(self) -> None:
        if len(self.crops) != len(self.references):
            raise ValueError(f"{len(self.crops)} crops with the references of {len(self.references)}")

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, rows: Rows) -> Compared:
        return Compared(self.crops[rows], self.references[rows])


Scorable = Image | Compared | Floats  # what a scorer takes: crops, crops with references, or windows of boards


class Embedder(Protocol):
    """The side of a scorer that a family which compares has."""

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E) float32. Raises ScorerFault."""
        ...


def crops_of(inputs: Scorable) -> Image | Floats:
    """The pixels of what a scorer takes, or the windows."""
    return inputs.crops if isinstance(inputs, Compared) else inputs


def takes_references(contract: Contract) -> bool:
    """Whether graphs of this contract compare."""
    return any(spec.name == REFERENCES for spec in contract.inputs)


def approved_pictures(crops: Image, turns_deg: Sequence[int]) -> Image:
    """A part's approved pictures (MAX_APPROVED, h, h, 3) from its references (n, h, h, 3), each in every turn allowed.

    Raises ValueError when there are none, too many, or a turn is not one of `TURNS_DEG`.
    """
    if fault := references_fault(len(crops), turns_deg):
        raise ValueError(fault)
    turned = [np.rot90(crop, turn // 90) for turn in turns_deg for crop in crops]
    return np.stack([turned[k % len(turned)] for k in range(MAX_APPROVED)])


def parsed_turns(text: str) -> tuple[int, ...]:
    """The turns a table's cell names, "0 180" for instance; () where it is empty. Raises ValueError."""
    names = text.split()
    if not {*names} <= {str(turn) for turn in TURNS_DEG}:
        raise ValueError(f"{text!r}, expected some of {' '.join(map(str, TURNS_DEG))}")
    return tuple(int(name) for name in names)


def references_fault(n: int, turns_deg: Sequence[int]) -> str:
    """What is wrong with so many references in these turns; empty when nothing is."""
    if not 1 <= n <= MAX_REFERENCES:
        return f"{n} reference pictures, allowed are 1 to {MAX_REFERENCES}"
    if 0 not in turns_deg or len(set(turns_deg)) != len(turns_deg) or not set(turns_deg) <= set(TURNS_DEG):
        return f"turns {tuple(turns_deg)}, expected some of {TURNS_DEG}, each once, 0 among them"
    if n * len(turns_deg) > MAX_APPROVED:
        return f"{n} reference pictures in {len(turns_deg)} turns each, at most {MAX_APPROVED} are compared with"
    return ""


def embedded(embedder: Embedder, pictures: Image) -> Floats:
    """Approved pictures (P, K, h, w, 3) of P parts, embedded: (P, K, E) float32. Raises ScorerFault."""
    n_parts, n_pictures = pictures.shape[:2]
    flat = embedder.embed(pictures.reshape(n_parts * n_pictures, *pictures.shape[2:]))
    return flat.reshape(n_parts, n_pictures, -1)
