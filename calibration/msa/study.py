"""Studies as full grids: every appraiser judged every part equally often. What is missing or doubled is named.

A part is whatever is judged again and again: a joint, a pad, a board. A trial is one judgement of one part by one
appraiser. Both analyses need the full grid; a cell left out is not guessed.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calibration.faults import CalibrationFault

GOOD_WORDS = frozenset({"good", "normal", "ok", "pass", "go", "accept", "1", "yes", "true"})
NAMED_CELLS = 8  # so many faulty cells are named in one message
MIN_PARTS, MIN_TRIALS = 2, 2

Cell = tuple[str, str]  # (part, appraiser)
Entry = TypeVar("Entry")


class StudyFault(CalibrationFault):
    """A study from which nothing can be told: which cells, what came, what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeStudy:
    """Judgements (parts, appraisers, trials), as indices into `categories`, and the reference (parts,) where known.

    `good` are the categories that let a part pass; any other rejects it.
    """

    parts: tuple[str, ...]
    appraisers: tuple[str, ...]
    categories: tuple[str, ...]
    good: frozenset[str]
    decisions: NDArray[np.int64]
    reference: NDArray[np.int64] | None

    @property
    def passes(self) -> NDArray[np.bool_]:
        """(categories,): whether a part so judged passes."""
        return np.array([category in self.good for category in self.categories])


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeStudy:
    """Measured values (parts, appraisers, trials), float64, in `unit`."""

    parts: tuple[str, ...]
    appraisers: tuple[str, ...]
    values: NDArray[np.float64]
    unit: str = ""


def attribute_study(
    cells: Mapping[Cell, Sequence[str]],
    reference: Mapping[str, str] | None = None,
    good: Collection[str] = GOOD_WORDS,
    *,
    pass_or_reject: bool = False,
    vocabulary: Collection[str] = (),
) -> AttributeStudy:
    """A study from judgements by (part, appraiser), in trial order. Raises StudyFault naming what is wrong.

    Words of `good` are compared without regard to case. `pass_or_reject` makes every other word one: appraisers who
    name the defect and appraisers who only reject can then be compared. `vocabulary` are words that could have been
    said, whether or not they were.
    """
    parts, appraisers, trials = _full_grid(cells)
    if reference is not None and (unknown := [p for p in parts if not reference.get(p)]):
        raise StudyFault(f"no reference for {_some(unknown)}: every part needs one, or leave the reference out")
    said = {*vocabulary, *(word for entries in cells.values() for word in entries)}
    words = sorted(said | {reference[p] for p in parts} if reference is not None else said)
    passing = frozenset(w for w in words if w.lower() in {g.lower() for g in good})
    if not passing:
        raise StudyFault(f"none of the judgements {words} is a word for good {sorted(good)}: say which is")
    if pass_or_reject:
        categories: tuple[str, ...] = ("pass", "reject")
        index = {word: 0 if word in passing else 1 for word in words}
        passing = frozenset({"pass"})
    else:
        categories, index = tuple(words), {word: i for i, word in enumerate(words)}
    decisions = [[[index[word] for word in cells[part, who]] for who in appraisers] for part in parts]
    return AttributeStudy(
        parts=parts,
        appraisers=appraisers,
        categories=categories,
        good=passing,
        decisions=np.array(decisions, np.int64).reshape(len(parts), len(appraisers), trials),
        reference=None if reference is None else np.array([index[reference[p]] for p in parts], np.int64),
    )


def gauge_study(cells: Mapping[Cell, Sequence[float]], unit: str = "") -> GaugeStudy:
    """A study from measured values by (part, appraiser). Raises StudyFault naming cells that are missing, unequal, or
    hold values that are not finite, and studies too small for an analysis of variance."""
    parts, appraisers, trials = _full_grid(cells)
    if len(parts) < MIN_PARTS or trials < MIN_TRIALS:
        raise StudyFault(
            f"{len(parts)} parts, {trials} trials: needs at least {MIN_PARTS} parts and {MIN_TRIALS} trials of each"
        )
    odd = [f"{part} by {who}" for (part, who), values in cells.items() if not np.isfinite(values).all()]
    if odd:
        raise StudyFault(f"values that are not finite: {_some(odd)}")
    values = np.array([[cells[part, who] for who in appraisers] for part in parts], np.float64)
    return GaugeStudy(parts=parts, appraisers=appraisers, values=values, unit=unit)


def _full_grid(cells: Mapping[Cell, Sequence[Entry]]) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Parts and appraisers in order of first appearance, and the number of trials that every cell has."""
    if not cells:
        raise StudyFault("no judgements at all")
    parts = tuple(dict.fromkeys(part for part, _ in cells))
    appraisers = tuple(dict.fromkeys(who for _, who in cells))
    missing = [f"{part} by {who}" for part in parts for who in appraisers if not cells.get((part, who))]
    if missing:
        raise StudyFault(f"missing cells, {len(missing)} of {len(parts) * len(appraisers)}: {_some(missing)}")
    usual = collections.Counter(len(entries) for entries in cells.values()).most_common(1)[0][0]
    unequal = [f"{part} by {who}: {len(e)}" for (part, who), e in cells.items() if len(e) != usual]
    if unequal:
        raise StudyFault(f"unbalanced: most cells hold {usual} trials, but {_some(unequal)}")
    return parts, appraisers, usual


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED_CELLS
    return "; ".join(names[:NAMED_CELLS]) + (f"; and {rest} more" if rest > 0 else "")
