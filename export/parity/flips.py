"""Regions whose verdict is another one on the other side, each side at its own threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Bundle, Parity
from edge.families import FAMILIES
from export.agreement import agreement
from export.approved import approved_of, as_compared, graph_inputs
from export.datasets import DataSet, Row
from export.graph_inputs import Feedable, onnx_session, session_feeds
from export.parity.sides import Run, Side, run_in_chunks

Maps = Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One region on both sides. `is_flip` is False for the ones shown because nothing flipped and they are nearest."""

    index: int
    region: str
    label: str
    scores: tuple[float, float]
    called: tuple[bool, bool]

    @property
    def is_flip(self) -> bool:
        """Whether the verdicts differ."""
        return self.called[0] != self.called[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipReport:
    """How well the two sides agree over all rows, every flip (worst first), and what to show."""

    agreement: Parity
    flips: tuple[Flip, ...]
    shown: tuple[Flip, ...]


def bundle_feeds(bundle: Bundle, data: DataSet, crops: Image, rows: Sequence[Row]) -> Feedable:
    """What the family's graph takes for rows' crops (N, h, w, 3) uint8 BGR. Both sides are given the same: approved
    pictures embedded by the FP32 graph, so that a difference is made where it is found."""
    contract = bundle.manifest.contract
    prepare = partial(FAMILIES[bundle.manifest.family].graph_input, contract=contract)
    approved = approved_of(data, contract)
    inputs = graph_inputs(approved, prepare(as_compared(approved, crops, rows)), rows, prepare)
    return session_feeds(onnx_session(bundle.model(), threads=2), inputs)


def compare_verdicts(
    sides: tuple[Side, Side], runs: tuple[Run, Run], inputs: Feedable, rows: Sequence[Row], most: int
) -> FlipReport:
    """Scores of all rows on both sides; `shown` are at most `most` flips, or as many of the widest apart where none
    flipped."""
    first, second = (run_in_chunks(run, inputs)["score"] for run in runs)
    thresholds = (sides[0].threshold, sides[1].threshold)
    rows_compared = [
        Flip(
            index=i,
            region=_region(row),
            label=row.label,
            scores=(float(first[i]), float(second[i])),
            called=(bool(first[i] > thresholds[0]), bool(second[i] > thresholds[1])),
        )
        for i, row in enumerate(rows)
    ]
    by_distance = sorted(rows_compared, key=lambda f: -_distance(f, thresholds))
    flips = tuple(f for f in by_distance if f.is_flip)
    return FlipReport(
        agreement=agreement(
            first,
            second,
            thresholds=thresholds,
            is_defect=np.array([not row.is_good for row in rows]),
            compared_with=sides[0].label,
        ),
        flips=flips,
        shown=(flips or tuple(by_distance))[:most],
    )


def _region(row: Row) -> str:
    place = row.place
    return row.path if place is None else f"{row.path} at {place.x_px:.0f}, {place.y_px:.0f}"


def _distance(flip: Flip, thresholds: tuple[float, float]) -> float:
    """How far apart the two are in terms of where verdicts turn."""
    ours, theirs = (score - threshold for score, threshold in zip(flip.scores, thresholds, strict=True))
    return abs(ours - theirs)
