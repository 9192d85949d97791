"""What the threshold promised beside what was measured here, like for like: each place once, by its worst picture."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from calibration.bounds import lower_bound_frac, upper_bound_frac
from calibration.line_figures import PPM
from edge.thresholds import Choice, Promise
from export.evaluation_groups import ANY_DEFECT
from export.metrics import place_counts
from export.report.wording import counted, number_up, percent, percent_down
from export.scoring import ScoredSplit

METHODS = {
    "quantile": "quantile of the scores of good places; no defect was looked at",
    "false_calls": "from good places alone, for a bound on false calls",
    "recall": "for a recall, whatever the distribution of scores (exact binomial tolerance limit)",
    "both": "for a recall and a bound on false calls together",
}


class Standing(enum.Enum):
    """What the rows measured here say about a promise."""

    CONFIRMED = "confirmed here"
    OPEN = "not contradicted; too few here to confirm"
    BROKEN = "broken here"
    UNTESTED = "nothing to test it on here"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseRow:
    """One line of the table: what, how much, on which evidence, and what this data says."""

    what: str
    promised: str
    evidence: str
    measured: str
    standing: Standing


def promise_rows(scored: ScoredSplit) -> list[PromiseRow]:
    """Every promise of the threshold in use, then its bound on false calls."""
    choice = scored.threshold.choice
    return [*(_recall_row(scored, promise) for promise in choice.promises), _false_call_row(scored, choice)]


def method_line(choice: Choice) -> str:
    """How the threshold was chosen, in one sentence."""
    targets = []
    if choice.target_recall_frac is not None:
        targets.append(f"target recall {percent(choice.target_recall_frac)}")
    if choice.target_false_call_ppm is not None:
        targets.append(f"target {choice.target_false_call_ppm:,.0f} ppm false calls")
    return (
        f"{METHODS[choice.method]}: {', '.join(targets)}; chosen on “{choice.split}” "
        f"({counted(choice.n_good_units, 'good place')}, {counted(choice.n_defect, 'defect row')}), "
        f"confidence {percent(choice.confidence, 0)}"
    )


def _recall_row(scored: ScoredSplit, promise: Promise) -> PromiseRow:
    chosen = ~scored.is_good
    if promise.label in {row.label for row in scored.data.rows}:
        chosen &= scored.labels == promise.label
    elif promise.label != ANY_DEFECT:
        chosen &= False
    if promise.part_number:
        chosen &= scored.parts == promise.part_number
    counts = place_counts(scored.called[chosen], scored.is_good[chosen], scored.units[chosen])
    confidence = promise.confidence
    return PromiseRow(
        what=f"recall, {promise.name}",
        promised="no promise" if promise.recall_lower is None else f"at least {percent_down(promise.recall_lower)}",
        evidence=f"{promise.caught_units} of {counted(promise.n_units, 'place')} caught",
        measured=_caught_line(counts.caught, counts.n_defect, confidence),
        standing=standing(promise.recall_lower, counts.caught, counts.n_defect, confidence),
    )


def _false_call_row(scored: ScoredSplit, choice: Choice) -> PromiseRow:
    counts = place_counts(scored.called, scored.is_good, scored.units)
    quiet, n = counts.n_good - counts.false_calls, counts.n_good
    upper = PPM * upper_bound_frac(counts.false_calls, n, choice.confidence)
    return PromiseRow(
        what="false calls",
        promised=f"at most {number_up(choice.false_call_ppm_upper)} ppm",
        evidence=f"{choice.false_call_units} of {counted(choice.n_good_units, 'good place')} called",
        measured=f"{counts.false_calls} of {counted(n, 'good place')} called: at most {number_up(upper)} ppm",
        standing=standing(1.0 - choice.false_call_ppm_upper / PPM, quiet, n, choice.confidence),
    )


def standing(promised_lower_frac: float | None, right: int, n: int, confidence: float) -> Standing:
    """Where a promised lower bound on a rate stands after `right` of `n` more places."""
    if promised_lower_frac is None or not n:
        return Standing.UNTESTED
    if upper_bound_frac(right, n, confidence) < promised_lower_frac:
        return Standing.BROKEN
    return Standing.CONFIRMED if lower_bound_frac(right, n, confidence) >= promised_lower_frac else Standing.OPEN


def _caught_line(caught: int, n: int, confidence: float) -> str:
    if not n:
        return "no defects of this class at hand"
    lower = percent_down(lower_bound_frac(caught, n, confidence))
    return f"{caught} of {counted(n, 'place')} caught: at least {lower}"
