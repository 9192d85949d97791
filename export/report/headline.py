"""The first screen: one sentence that can be read aloud in a meeting, and the figures behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.evaluation import Evaluation
from export.report.subjects import Subject
from export.report.wording import NOTHING, counted, number, number_up, percent, percent_down, percent_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure: `bound` is what may be relied on, `measured` what was seen. `key` names it in the page's JSON."""

    title: str
    key: str
    lead: str  # "at least", "at most"
    bound: str
    measured: str
    note: str


def summary(e: Evaluation) -> str:
    """What was judged and what came of it."""
    repeated = e.n_good_units < e.n_good or e.n_defect_units < e.n_defect
    good, defects = ("pictures of good places", "pictures of defects") if repeated else ("good places", "defects")
    caught = f"{e.caught} of {e.n_defect:,} {defects} were caught" if e.n_defect else "There were no defects to catch"
    called = f"{e.false_calls} of {e.n_good:,} {good} {'was' if e.false_calls == 1 else 'were'} called defective"
    behind = f"Behind them stand {counted(e.n_defect_units, 'defective place')} and {e.n_good_units:,} good ones"
    on = f" on {counted(e.boards, e.board_is)}" if e.board_is == "board" else ""
    return f"{caught}; {called}. {behind}{on}." if repeated else f"{caught}; {called}{',' if on else ''}{on}."


def weakest(e: Evaluation) -> str:
    """The class with the lowest bound on recall; empty where there is only one class."""
    if len(e.per_label) < 2:
        return ""
    label, row = min(e.per_label.items(), key=lambda item: (item[1].recall_lower_places, item[1].recall))
    return (
        f"Weakest class: {label}. {row.caught} of {row.n} caught, recall at least "
        f"{percent_down(row.recall_lower_places)}. Recall over all classes depends on their mix in this test."
    )


def uncleared(e: Evaluation) -> list[str]:
    """Classes in which something that knows nothing about solder does as well, the best of it named."""
    lines = []
    for label, row in e.per_label.items() if e.yardsticks else ():
        best, value = max(((name, of[label]) for name, of in e.yardsticks.items()), key=lambda item: item[1])
        if value >= row.auroc:
            lines.append(f"{label}: {best} alone reaches AUROC {value:.3f}, this bundle {row.auroc:.3f}")
    return lines


def cards(e: Evaluation) -> list[Card]:
    """The figures a quality engineer asks for, bounds first."""
    prevalence = f"at a stated {number(e.prevalence_ppm)} ppm defective"
    return [
        Card(
            title="Recall",
            key="recall_lower_places",
            lead="at least",
            bound=percent_down(e.recall_lower_places),
            measured=f"{percent(e.recall)} measured" if e.n_defect else NOTHING,
            note=f"{e.caught} of {counted(e.n_defect, 'defect')}, {counted(e.n_defect_units, 'place')}",
        ),
        Card(
            title="False calls",
            key="false_call_ppm_upper_places",
            lead="at most",
            bound=f"{number_up(e.false_call_ppm_upper_places)} ppm",
            measured=f"{number(e.false_call_ppm)} ppm measured",
            note=f"{e.false_calls} of {e.n_good:,} good rows, {counted(e.n_good_units, 'place')}",
        ),
        Card(
            title="Escapes",
            key="escape_ppm_upper_places",
            lead="at most",
            bound=NOTHING if e.escape_ppm_upper_places is None else f"{number_up(e.escape_ppm_upper_places)} ppm",
            measured=NOTHING if e.escape_ppm is None else f"{number(e.escape_ppm)} ppm measured",
            note=f"of places, {prevalence}",
        ),
        Card(
            title="False calls per true defect",
            key="false_calls_per_defect_upper_places",
            lead="at most",
            bound=number_up(e.false_calls_per_defect_upper_places, 1),
            measured=f"{number(e.false_calls_per_defect, 1)} measured",
            note=prevalence,
        ),
        Card(
            title=f"{e.board_is.capitalize()}s without a false call",
            key="boards_without_false_call",
            lead="",
            bound=f"{e.boards_without_false_call} of {e.boards}",
            measured=f"{percent_down(e.boards_without_false_call_frac_lower, 0)} to "
            f"{percent_up(e.boards_without_false_call_frac_upper, 0)}",
            note=f"share of {e.board_is}s, two-sided interval",
        ),
        _held_card(e),
    ]


def pairs(subjects: Sequence[Subject]) -> list[str]:
    """What the first bundle and each other one say differently about the same rows."""
    first, lines = subjects[0], []
    for other in subjects[1:]:
        mine, theirs, good = first.scored.called, other.scored.called, first.scored.is_good
        only_mine, only_theirs = mine & ~theirs, theirs & ~mine
        lines.append(
            f"{first.name} alone caught {counted(int((only_mine & ~good).sum()), 'defect')} and made "
            f"{counted(int((only_mine & good).sum()), 'false call')}; {other.name} alone caught "
            f"{counted(int((only_theirs & ~good).sum()), 'defect')} and made "
            f"{counted(int((only_theirs & good).sum()), 'false call')}."
        )
    return lines


def _held_card(e: Evaluation) -> Card:
    title = f"{e.board_is.capitalize()}s held for nothing"
    if e.boards_held_for_nothing_frac_upper is None:
        return Card(
            title=title,
            key="boards_held_for_nothing",
            lead="",
            bound=NOTHING,
            measured="",
            note=f"every {e.board_is} in this data has a defect",
        )
    return Card(
        title=title,
        key="boards_held_for_nothing",
        lead="",
        bound=f"{e.boards_held_for_nothing} of {e.defect_free_boards}",
        measured=f"at most {percent_up(e.boards_held_for_nothing_frac_upper)}",
        note=f"defect-free {e.board_is}s with a call",
    )
