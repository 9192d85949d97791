"""Reviewed calls move a threshold, and the promise it was chosen with stays whole.

Only what was called is reviewed, so the true defects among reviewed calls are the high-scoring part of all defects: to
pool them with the defects of the choice would promise a recall that nobody has seen. A reviewed defect therefore counts
against raising the threshold, never for it. What allows a raise is the choice's own sample, which nothing censored, and
escapes: defects that were passed and found later. Those are a censored sample too, of the low scores, and counting them
in errs to the safe side.

    raise   to just above a reviewed false call, while (1) the choice's defects, the escapes and the reviewed defects
    that would be lost still carry the promise of every class, and (2) no defect of the locked set that is caught now
    would be lost lower   as soon as the choice's defects and the escapes no longer carry the promise; no limit

Reviewers err. A wrong "false call" can only ask for a raise, which (1) and (2) decide without it. Of the reviewed
defects of a class, and of its escapes, up to WRONG_FRAC may be wrong, rounded down: the lowest so many are set aside,
so that a good joint taken for an escape does not drag the threshold down for ever, and twenty reviews are needed
before one is doubted. See docs/decisions/0005.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.faults import CalibrationFault
from calibration.lot import GOOD, Lot
from calibration.tolerance import ROUNDING_FRAC, count_allowed, highest_below, lowest_above
from edge.board import Floats
from edge.thresholds import Choice, Promise

WRONG_FRAC = 0.05
Said = Literal["defect", "false_call", "escape"]


class ReviewFault(CalibrationFault):
    """Reviews that cannot move this threshold: what came, what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person said of one place, and the score the station gave it. `label` is the defect's class, empty where
    the reviewer did not say: it then counts against every class."""

    said: Said
    score: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From one threshold to another, with the reason; `stopped_by` says what keeps it from going further."""

    before: float
    after: float
    why: str
    stopped_by: str

    @property
    def direction(self) -> Literal["raise", "lower", "stay"]:
        """Which way."""
        if self.after == self.before:
            return "stay"
        return "raise" if self.after > self.before else "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEvidence:
    """One class's promise with the scores it rests on, each (n,) float32: the choice's defects (places), escapes, and
    reviewed defects, the latter two without those that may be wrong."""

    promise: Promise
    target_frac: float
    choice: Floats
    escapes: Floats
    reviewed: Floats

    @property
    def defects(self) -> Floats:
        """The sample that may speak for the promise: choice and escapes."""
        return np.concatenate([self.choice, self.escapes])

    def highest(self, margin_frac: float) -> float:
        """The highest threshold that keeps the promise, whatever reviewed defects say."""
        return float(highest_below(self.defects, self.misses_allowed(len(self.defects)), margin_frac))

    def misses_allowed(self, n: int) -> int:
        """How many of `n` may be missed. More than in the choice only where `n` is larger."""
        return max(count_allowed(n, 1.0 - self.target_frac, self.promise.confidence) or 0, 0)

    def carries(self, threshold: float, before: float) -> bool:
        """Whether the promise stands at `threshold`, with the reviewed defects between `before` and it as misses."""
        lost = int(((self.reviewed > before) & (self.reviewed <= threshold)).sum())
        missed = int((self.defects <= threshold).sum()) + lost
        return missed <= self.misses_allowed(len(self.defects) + lost)


def class_evidence(
    choice: Choice, lot: Lot, reviews: Sequence[Review], wrong_frac: float = WRONG_FRAC
) -> list[ClassEvidence]:
    """The evidence of every class that was promised. Raises ReviewFault where no recall was, or by part number."""
    if choice.method not in {"recall", "both"} or choice.target_recall_frac is None:
        raise ReviewFault(f"the threshold was chosen by {choice.method!r} and promises no recall: calibrate it first")
    if any(promise.part_number for promise in choice.promises):
        raise ReviewFault("the thresholds are by part number: reviews do not name parts, calibrate again instead")
    known = {promise.label for promise in choice.promises if promise.recall_lower is not None}
    made = []
    for promise in choice.promises:
        if promise.recall_lower is None:
            continue
        own = [r for r in reviews if r.label == promise.label or r.label not in known]
        carried = promise.needs_units is None
        made.append(
            ClassEvidence(
                promise=promise,
                # a weaker promise is its own target; a hair below, so that its own counts still carry it
                target_frac=choice.target_recall_frac if carried else promise.recall_lower * (1.0 - 1e-12),
                choice=lot.defects(promise.label).score,
                escapes=_without_doubtful([r.score for r in own if r.said == "escape"], wrong_frac),
                reviewed=_without_doubtful([r.score for r in own if r.said == "defect"], wrong_frac),
            )
        )
    return made


def propose(
    before: float,
    evidence: Sequence[ClassEvidence],
    reviews: Sequence[Review],
    locked: Lot | None = None,
    margin_frac: float = ROUNDING_FRAC,
) -> Move:
    """The threshold that the reviews lead to. `locked` is the regression set, scored; every picture of it counts."""
    highest = {one.promise.label: one.highest(margin_frac) for one in evidence}
    if not highest:
        raise ReviewFault("no class of defects has a promise: there is nothing to keep")
    tightest = min(highest, key=lambda label: highest[label])
    if not all(one.carries(before, before) for one in evidence):
        why = f"with the escapes counted, {tightest} no longer carries its promise"
        return Move(before=before, after=highest[tightest], why=why, stopped_by="")
    ceiling, stopped_by = highest[tightest], f"the promise of {tightest}"
    if locked is not None:
        caught = locked.score[(locked.label != GOOD) & (locked.score > before)]
        if len(caught) and (lowest := float(highest_below(caught, 0, margin_frac))) < ceiling:
            ceiling, stopped_by = lowest, "the locked regression set"
    false_calls = sorted({r.score for r in reviews if r.said == "false_call" and r.score > before}, reverse=True)
    for score in false_calls:
        after = float(lowest_above(np.array([score], np.float32), 0, margin_frac))
        if after > ceiling:
            continue
        if all(one.carries(after, before) for one in evidence):
            gone = sum(r.said == "false_call" and before < r.score <= after for r in reviews)
            reached = score == false_calls[0]
            why = f"removes {gone} of the reviewed false calls"
            return Move(before=before, after=after, why=why, stopped_by="" if reached else stopped_by)
        stopped_by = "reviewed defects that would be lost"
    return Move(before=before, after=before, why="nothing to gain", stopped_by=stopped_by if false_calls else "")


def _without_doubtful(scores: list[float], wrong_frac: float) -> Floats:
    ordered = np.sort(np.array(scores, np.float32))
    return ordered[math.floor(wrong_frac * len(ordered) + 1e-9) :]
