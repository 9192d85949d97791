"""What a scorer gives for a batch of regions."""

from __future__ import annotations

from dataclasses import dataclass

from edge.board import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBatch:
    """Scores (N,) float32, higher is worse; the rest where the family has it."""

    score: Floats
    map: Floats | None = None  # (N, h, w): where the score comes from
    kind: Floats | None = None  # (N, K): how strongly each of the contract's `kinds` shows
    roi: Floats | None = None  # (N,): above `edge.bundle.ROI_LIMIT` the region does not show what it should
