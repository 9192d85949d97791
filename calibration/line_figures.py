"""What a threshold means for a line, from counts alone: recall, false calls, escapes, boards, each with its bound.

Denominators are class-conditional: recall over defective places, false calls over good ones, so that neither moves
with the mix of a test set. Escapes and false calls per defect need a mix, and take it from a stated prevalence. A
figure with no trials behind it is None, and `unsaid` says why; nothing is divided by zero and nothing is left out.

How bounds travel to the derived figures:

- `escape_ppm` depends on recall alone and falls with it, so its bound is recall's bound put through, at the same
  confidence. `false_calls_per_defect` depends on the false-call rate alone and grows with it: likewise.
- `false_calls_per_caught_defect` depends on both. Each rate is bounded at 1 - (1 - confidence) / 2, and both bounds
  hold together with at least `confidence` (Bonferroni), whatever binds the two counts to each other.

Every trial counts as independent (see `calibration.bounds`); give counts of places, not of pictures of places, where
pictures repeat.
"""

from __future__ import annotations

from dataclasses import dataclass

from calibration.bounds import DEFAULT_CONFIDENCE, lower_bound_frac, upper_bound_frac

PPM = 1e6
DEFAULT_PREVALENCE_PPM = 1000.0  # stated, not measured: one place in a thousand is defective


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a threshold did: `caught` of `n_defect` defective places, `false_calls` on `n_good` good ones."""

    n_good: int
    false_calls: int
    n_defect: int
    caught: int

    def __post_init__(self) -> None:
        for events, trials, name in (
            (self.false_calls, self.n_good, "false calls of good places"),
            (self.caught, self.n_defect, "caught of defective places"),
        ):
            if not 0 <= events <= trials:
                raise ValueError(f"{events} of {trials} {name}: allowed are 0 to {trials}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFigures:
    """The figures of one threshold; each bound is one-sided at `confidence`. None: nothing at hand to say it from."""

    counts: Counts
    confidence: float
    prevalence_ppm: float
    recall: float | None
    recall_lower: float | None
    f1: float | None
    false_call_ppm: float | None  # of good places
    false_call_ppm_upper: float | None
    escape_ppm: float | None  # defective places passed, of all places inspected, at the prevalence
    escape_ppm_upper: float | None
    false_calls_per_defect: float | None  # for each defective place that comes down the line
    false_calls_per_defect_upper: float | None
    false_calls_per_caught_defect: float | None  # for each true call at the review station
    false_calls_per_caught_defect_upper: float | None
    unsaid: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFigures:
    """Whole boards. `boards` have at least one good place; a defect-free board with a call was held for nothing.

    The interval of the share without a false call is two-sided at `confidence`, the bound on boards held for nothing
    one-sided.
    """

    boards: int
    boards_without_false_call: int
    confidence: float
    without_false_call_frac: float | None
    without_false_call_frac_lower: float | None
    without_false_call_frac_upper: float | None
    defect_free_boards: int
    held_for_nothing: int
    held_for_nothing_frac_upper: float | None
    unsaid: tuple[str, ...]


def line_figures(
    counts: Counts, *, prevalence_ppm: float = DEFAULT_PREVALENCE_PPM, confidence: float = DEFAULT_CONFIDENCE
) -> LineFigures:
    """The figures of `counts` at a stated prevalence (defective places per million inspected).

    Raises ValueError on a prevalence outside 0 to 1,000,000 ppm (both excluded).
    """
    if not 0.0 < prevalence_ppm < PPM:
        raise ValueError(f"prevalence_ppm is {prevalence_ppm}: allowed is above 0 and below {PPM:,.0f}")
    defective = prevalence_ppm / PPM
    good_per_defect = (1.0 - defective) / defective
    recall, recall_lower = _recall(counts, confidence)
    false_frac, false_upper = _false_calls(counts, confidence)
    return LineFigures(
        counts=counts,
        confidence=confidence,
        prevalence_ppm=prevalence_ppm,
        recall=recall,
        recall_lower=recall_lower,
        f1=2 * counts.caught / (counts.caught + counts.false_calls + counts.n_defect) if counts.n_defect else None,
        false_call_ppm=_times(PPM, false_frac),
        false_call_ppm_upper=_times(PPM, false_upper),
        escape_ppm=_times(prevalence_ppm, _missed(recall)),
        escape_ppm_upper=_times(prevalence_ppm, _missed(recall_lower)),
        false_calls_per_defect=_times(good_per_defect, false_frac),
        false_calls_per_defect_upper=_times(good_per_defect, false_upper),
        false_calls_per_caught_defect=_ratio(_times(good_per_defect, false_frac), recall),
        false_calls_per_caught_defect_upper=_per_caught_upper(counts, good_per_defect, confidence),
        unsaid=_unsaid(counts),
    )


def board_figures(
    *,
    boards: int,
    without_false_call: int,
    defect_free_boards: int,
    held_for_nothing: int,
    confidence: float = DEFAULT_CONFIDENCE,
) -> BoardFigures:
    """The figures of whole boards. Raises ValueError on impossible counts."""
    if not (0 <= without_false_call <= boards and 0 <= held_for_nothing <= defect_free_boards <= boards):
        raise ValueError(
            f"{without_false_call} of {boards} boards without a false call, {held_for_nothing} held for nothing of "
            f"{defect_free_boards} without a defect: cannot be"
        )
    both_sides = 1.0 - (1.0 - confidence) / 2.0
    unsaid = [] if boards else ["no board with a good place at hand: nothing can be said about false calls"]
    if not defect_free_boards:
        unsaid.append("no board without a defect at hand: nothing can be said about boards held for nothing")
    return BoardFigures(
        boards=boards,
        boards_without_false_call=without_false_call,
        confidence=confidence,
        without_false_call_frac=without_false_call / boards if boards else None,
        without_false_call_frac_lower=lower_bound_frac(without_false_call, boards, both_sides) if boards else None,
        without_false_call_frac_upper=upper_bound_frac(without_false_call, boards, both_sides) if boards else None,
        defect_free_boards=defect_free_boards,
        held_for_nothing=held_for_nothing,
        held_for_nothing_frac_upper=(
            upper_bound_frac(held_for_nothing, defect_free_boards, confidence) if defect_free_boards else None
        ),
        unsaid=tuple(unsaid),
    )


def nothing_to_say(label: str) -> str:
    """What a report writes beside a class that has no defect at hand."""
    return f"no defects of class {label!r} at hand: nothing can be said"


def _recall(counts: Counts, confidence: float) -> tuple[float | None, float | None]:
    if not counts.n_defect:
        return None, None
    return counts.caught / counts.n_defect, lower_bound_frac(counts.caught, counts.n_defect, confidence)


def _false_calls(counts: Counts, confidence: float) -> tuple[float | None, float | None]:
    if not counts.n_good:
        return None, None
    return counts.false_calls / counts.n_good, upper_bound_frac(counts.false_calls, counts.n_good, confidence)


def _per_caught_upper(counts: Counts, good_per_defect: float, confidence: float) -> float | None:
    """None also where no defect was caught: a recall of 0 cannot be excluded, so there is no bound."""
    shared = 1.0 - (1.0 - confidence) / 2.0
    return _ratio(_times(good_per_defect, _false_calls(counts, shared)[1]), _recall(counts, shared)[1])


def _unsaid(counts: Counts) -> tuple[str, ...]:
    said = []
    if not counts.n_defect:
        said.append("no defects at hand: nothing can be said about recall and escapes")
    elif not counts.caught:
        said.append("no defect was caught: false calls per caught defect have no bound")
    if not counts.n_good:
        said.append("no good places at hand: nothing can be said about false calls")
    return tuple(said)


def _missed(recall: float | None) -> float | None:
    return None if recall is None else 1.0 - recall


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _ratio(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else value / by
