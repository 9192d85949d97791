"""What reviewed calls would change, for people."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from export.recalibrate import RecalibrationReport


def tables(report: RecalibrationReport) -> Group:
    """What would change, for people."""
    table = Table(title=f"Reviewed calls, {report.precision}", title_justify="left")
    for column in ("", "no longer called", "newly called"):
        table.add_column(column, justify="right" if column else "left")
    for kind in sorted({*report.reviewed_lost, *report.reviewed_gained}):
        lost, gained = report.reviewed_lost.get(kind, 0), report.reviewed_gained.get(kind, 0)
        table.add_row(f"reviewed as {kind}", str(lost), str(gained))
    table.add_row(f"all {report.places:,} places in the journal", str(report.places_lost), str(report.places_gained))
    return Group(table, *(Text(line) for line in _lines(report)))


def _lines(report: RecalibrationReport) -> list[str]:
    move, choice = report.move, report.threshold.choice
    lines = [f"threshold {move.before:.6g}: {move.direction}, {move.after:.6g}: {move.why}"]
    if move.stopped_by:
        lines.append(f"no higher because of {move.stopped_by}")
    for promise in choice.promises:
        lower = "nothing" if promise.recall_lower is None else f"recall ≥ {promise.recall_lower:.4f}"
        lines.append(f"{promise.name}: {lower} promised from {promise.n_units} defects, as before the move or better")
    lines.append(f"false calls at most {choice.false_call_ppm_upper:,.0f} ppm")
    if report.locked_caught is not None:
        before, after = report.locked_caught
        lines.append(f"locked set: {after} of {report.locked_defects} caught, {before} before")
    lines.append(
        f"{report.reviews} reviews used; {report.not_in_journal} of places the journal does not have, "
        f"{report.overruled} overruled by later ones; {report.of_other_bundles} boards of other bundles passed over"
    )
    lines.append(f"written: bundle {report.identity}" if report.identity else "nothing was written")
    return lines
