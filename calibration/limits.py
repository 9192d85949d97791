"""The limits a threshold must keep to: for each class of defects the highest it may be, for good places the lowest,
each with what it promises and what is missing where the data is too small."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.bounds import DEFAULT_CONFIDENCE, lower_bound_frac, upper_bound_frac
from calibration.faults import CalibrationFault
from calibration.lot import Lot, Sample
from calibration.tolerance import ROUNDING_FRAC, count_allowed, highest_below, lowest_above, trials_needed
from edge.thresholds import PPM, Method


class PromiseFault(CalibrationFault):
    """The data at hand cannot carry the promise: what is missing, how much it would take, what can be promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be promised; at least one of `recall_frac` and `false_call_ppm`. `per_part`: every part number gets a
    threshold of its own, and every class of every part number a promise. `margin_frac`: see `calibration.tolerance`."""

    recall_frac: float | None = None
    false_call_ppm: float | None = None
    confidence: float = DEFAULT_CONFIDENCE
    per_part: bool = False
    margin_frac: float = ROUNDING_FRAC

    def __post_init__(self) -> None:
        if self.recall_frac is None and self.false_call_ppm is None:
            raise PromiseFault("nothing is asked for: name a recall, a false-call rate, or both")
        if self.recall_frac is not None and not 0.0 < self.recall_frac < 1.0:
            raise PromiseFault(f"recall {self.recall_frac}: allowed is above 0 and below 1")
        if self.false_call_ppm is not None and not 0.0 < self.false_call_ppm < PPM:
            raise PromiseFault(f"false calls {self.false_call_ppm} ppm: allowed is above 0 and below {PPM:,.0f}")
        if not 0.5 < self.confidence < 1.0:
            raise PromiseFault(f"confidence {self.confidence}: allowed is above 0.5 and below 1")
        if self.per_part and self.recall_frac is None:
            raise PromiseFault("thresholds by part number come from a recall: name one")

    @property
    def method(self) -> Method:
        """Which limit decides."""
        if self.false_call_ppm is None:
            return "recall"
        return "false_calls" if self.recall_frac is None else "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One class of defects, of one part number where those are told apart, at its share of the confidence."""

    label: str
    part: str
    sample: Sample
    confidence: float

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.label} of {self.part}" if self.part else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A group's limit: the highest threshold that keeps `recall_lower`, with `misses` of its defects below it. None
    where the group is empty. `needed` caught defects would carry the target; None where the group does."""

    group: Group
    threshold: float | None
    misses: int
    recall_lower: float | None
    needed: int | None


def recall_limit(group: Group, recall_frac: float, margin_frac: float = ROUNDING_FRAC) -> Limit:
    """The highest threshold of which `recall_frac` can be promised; where the group is too small for that, the one just
    below all its defects, with the recall that this promises: (1 - confidence) ** (1 / n)."""
    n = len(group.sample)
    misses = count_allowed(n, 1.0 - recall_frac, group.confidence)
    needed = None if misses is not None else trials_needed(1.0 - recall_frac, group.confidence)
    if n == 0:
        return Limit(group=group, threshold=None, misses=0, recall_lower=None, needed=needed)
    missed = misses or 0
    return Limit(
        group=group,
        threshold=float(highest_below(group.sample.score, missed, margin_frac)),
        misses=missed,
        recall_lower=lower_bound_frac(n - missed, n, group.confidence),
        needed=needed,
    )


def groups_of(lot: Lot, ask: Ask, labels: tuple[str, ...]) -> list[Group]:
    parts: tuple[str | None, ...] = lot.parts if ask.per_part else (None,)
    names = sorted({*lot.defect_labels, *labels})
    samples = {(name, part): lot.defects(name, part) for part in parts for name in names}
    sharing = max(1, sum(len(sample) > 0 for sample in samples.values()))
    confidence = 1.0 - (1.0 - ask.confidence) / sharing
    return [
        Group(label=name, part=part or "", sample=sample, confidence=confidence)
        for (name, part), sample in samples.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseCallLimit:
    """The lowest threshold good places allow, how many of them its bound counts, and what is in the way."""

    threshold: float
    counted: int
    problems: list[str]


def false_call_limit(recall_value: float, good: Sample, ask: Ask) -> FalseCallLimit:
    target_frac = (ask.false_call_ppm or 0.0) / PPM
    allowed = count_allowed(len(good), target_frac, ask.confidence)
    lowest = float(lowest_above(good.score, allowed or 0, ask.margin_frac))
    problems = []
    if allowed is None:
        problems.append(
            f"false calls: needs ≥ {trials_needed(target_frac, ask.confidence)} good places without a call for "
            f"{ask.false_call_ppm:g} ppm; has {len(good)}, can promise {_upper_ppm(0, good, ask):,.0f} ppm"
        )
    if lowest > recall_value:
        called = int((good.score > recall_value).sum())
        problems.append(
            f"recall {ask.recall_frac:g} takes a threshold of {recall_value:.6g} at most, which can promise "
            f"{_upper_ppm(called, good, ask):,.0f} ppm of false calls; {ask.false_call_ppm:g} ppm takes {lowest:.6g} "
            "at least"
        )
    return FalseCallLimit(threshold=lowest, counted=allowed or 0, problems=problems)


def _upper_ppm(called: int, good: Sample, ask: Ask) -> float:
    return PPM * upper_bound_frac(called, len(good), ask.confidence)


def shortfall(limit: Limit, recall_frac: float | None) -> str:
    n = len(limit.group.sample)
    can = "nothing can be promised" if limit.recall_lower is None else f"can promise {limit.recall_lower:.4f}"
    return f"{limit.group.name}: needs ≥ {limit.needed} caught defects for {recall_frac:g}; has {n}, {can}"


def correction(groups: list[Group]) -> str:
    sharing = [group for group in groups if len(group.sample)]
    if len(sharing) < 2:
        return ""
    return f"Bonferroni over {len(sharing)} promises, {sharing[0].confidence:.6g} each"
