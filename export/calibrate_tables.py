"""The calibration report for people: promises by class, thresholds by precision, figures from other data."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from edge.thresholds import PPM, Promise
from export.calibrate import CalibrationReport


def tables(report: CalibrationReport) -> Group:
    """The report for people."""
    return Group(
        _promises(report),
        *(Text(line) for line in _thresholds(report)),
        *(Text(line, style="dim") for line in (*_short(report), *report.notes)),
    )


def _promises(report: CalibrationReport) -> Table:
    table = Table(title=f"What {report.bundle} can promise from {report.data}", title_justify="left")
    by_part = ("threshold",) if report.ask.per_part else ()
    for column in ("defect", *by_part, "places", "pictures", "boards", "caught", "recall ≥", "at", "takes"):
        table.add_column(column, justify="left" if column == "defect" else "right")
    for precision, one in report.precisions.items():
        for promise in one.threshold.choice.promises:
            name = f"{promise.name}, {precision}" if len(report.precisions) > 1 else promise.name
            own = (f"{one.threshold.of_part(promise.part_number):.4g}",) if by_part else ()
            table.add_row(name, *own, *_cells(promise))
    return table


def _cells(promise: Promise) -> list[str]:
    lower = "nothing" if promise.recall_lower is None else f"{promise.recall_lower:.4f}"
    return [
        str(promise.n_units),
        str(promise.n_rows),
        "?" if promise.n_boards is None else str(promise.n_boards),
        str(promise.caught_units),
        lower if promise.needs_units is None else f"[yellow]{lower}[/yellow]",
        f"{100 * promise.confidence:.4g} %",
        "" if promise.needs_units is None else f"≥ {promise.needs_units:,}",
    ]


def _thresholds(report: CalibrationReport) -> list[str]:
    lines = []
    for precision, one in report.precisions.items():
        choice, measured = one.threshold.choice, one.threshold.measured
        lines.append(
            f"{precision}: threshold {one.before:.6g} → {one.threshold.value:.6g}, "
            f"false calls at most {choice.false_call_ppm_upper:,.0f} ppm"
        )
        if measured is not None and one.figures is not None:
            lines.append(
                f"  on {measured.split}: recall {_share(measured.recall)} of {measured.n_defect} places "
                f"(at least {_share(measured.recall_lower)}), false calls {measured.false_call_ppm:,.0f} ppm of "
                f"{measured.n_good} (at most {measured.false_call_ppm_upper:,.0f})"
            )
            if one.figures.escape_ppm_upper is not None:
                lines.append(
                    f"  escapes at most {one.figures.escape_ppm_upper:,.1f} ppm of places, and at most "
                    f"{one.figures.false_calls_per_defect_upper or 0.0:,.1f} false calls for each defect, where "
                    f"{report.prevalence_ppm:g} ppm are defective"
                )
    return lines


def _short(report: CalibrationReport) -> list[str]:
    lines = []
    for precision, one in report.precisions.items():
        choice = one.threshold.choice
        if not choice.kept:
            lines += [f"weaker than asked, {precision}: {part}" for part in choice.shortfall.splitlines()]
    worst = _worst_recall(report)
    if worst is not None:
        promised = (1.0 - worst) * report.prevalence_ppm
        lines.append(
            f"promised escapes: at most {promised:,.1f} ppm of places where {report.prevalence_ppm:g} of "
            f"{PPM:,.0f} are defective ({100 * report.ask.confidence:g} % confidence, all classes at once)"
        )
    return lines


def _worst_recall(report: CalibrationReport) -> float | None:
    """The least recall promised; None where some class has no promise at all."""
    promised = [p.recall_lower for one in report.precisions.values() for p in one.threshold.choice.promises]
    stated = [lower for lower in promised if lower is not None]
    return min(stated) if promised and len(stated) == len(promised) else None


def _share(value: float | None) -> str:
    return "no defects" if value is None else f"{value:.3f}"
