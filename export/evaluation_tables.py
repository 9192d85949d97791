"""An evaluation as tables for a terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from calibration.line_figures import nothing_to_say
from export.evaluation import Evaluation, PartReport
from export.scoring import TIMING_BATCH


def tables(report: Evaluation) -> Group:
    """The evaluation for people."""
    parts: list[Table | Text] = []
    if report.shared_with_threshold:
        parts.append(Text(f"NO EVIDENCE: {report.shared_with_threshold}", style="bold red"))
    parts += [_model_table(report), _line_table(report)]
    if report.per_part:
        parts.append(_part_table(report))
    if report.yardsticks:
        parts.append(_yardstick_table(report))
    return Group(*parts, *(Text(line, style="dim") for line in _notes(report)))


def _model_table(report: Evaluation) -> Table:
    table = Table(title=f"{report.preset} {report.variant} on {report.data} {report.split}", title_justify="left")
    columns = ("label", "rows", "places", "AUROC", "95 % interval", "recall", "at least", "of places", "at 1 / 5 %")
    for column in columns:
        table.add_column(column, justify="left" if column == "label" else "right")
    for label, row in report.per_label.items():
        table.add_row(
            label,
            str(row.n),
            str(row.n_units),
            f"{row.auroc:.3f}",
            f"{row.auroc_lower:.3f} to {row.auroc_upper:.3f}",
            f"{row.recall:.3f}",
            f"{row.recall_lower:.3f}",
            f"{row.recall_lower_places:.3f}",
            f"{row.recall_at_1_percent_false_calls:.2f} / {row.recall_at_5_percent_false_calls:.2f}",
        )
    for label in report.labels_without_defects:
        table.add_row(label, "0", "0", *[""] * 5, "nothing can be said", style="yellow")
    if report.auroc is not None:
        table.add_row(
            "all defects",
            str(report.n_defect),
            str(report.n_defect_units),
            f"{report.auroc:.3f}",
            f"{report.auroc_lower:.3f} to {report.auroc_upper:.3f}",
            f"{report.recall:.3f}",
            f"{report.recall_lower:.3f}",
            f"{report.recall_lower_places:.3f}",
            "",
            style="bold",
        )
    return table


def _line_table(report: Evaluation) -> Table:
    prevalence, percent = f"at {report.prevalence_ppm:,.0f} ppm defective", f"at {100 * report.confidence:g} %"
    table = Table(title="What a line would see", title_justify="left")
    table.add_column("figure")
    for column in ("measured", f"bound {percent}", "bound, each place once"):
        table.add_column(column, justify="right")
    table.add_row(
        "false calls, ppm of good places",
        _number(report.false_call_ppm, 0),
        _number(report.false_call_ppm_upper, 0),
        _number(report.false_call_ppm_upper_places, 0),
    )
    table.add_row(
        f"escapes, ppm of places, {prevalence}",
        _number(report.escape_ppm, 1),
        _number(report.escape_ppm_upper, 1),
        _number(report.escape_ppm_upper_places, 1),
    )
    table.add_row(
        f"false calls per true defect, {prevalence}",
        _number(report.false_calls_per_defect, 2),
        _number(report.false_calls_per_defect_upper, 2),
        _number(report.false_calls_per_defect_upper_places, 2),
    )
    table.add_row(
        f"false calls per caught defect, {prevalence}",
        _number(report.false_calls_per_caught_defect, 2),
        _number(report.false_calls_per_caught_defect_upper, 2),
        "",
    )
    return table


def _part_table(report: Evaluation) -> Table:
    table = Table(title="Part numbers", title_justify="left")
    for column in ("part number", "good", "false calls ppm", "at most", "defects", "recall", "at least"):
        table.add_column(column, justify="left" if column == "part number" else "right")
    for name, part in report.per_part.items():
        table.add_row(name, *_part_cells(part))
    return table


def _part_cells(part: PartReport) -> list[str]:
    return [
        str(part.n_good),
        _number(part.false_call_ppm, 0),
        _number(part.false_call_ppm_upper_places, 0),
        str(part.n_defect),
        _number(part.recall, 3),
        _number(part.recall_lower_places, 3),
    ]


def _yardstick_table(report: Evaluation) -> Table:
    table = Table(title="What knows nothing about solder reaches (AUROC)", title_justify="left")
    table.add_column("yardstick")
    for label in report.per_label:
        table.add_column(label, justify="right")
    for name, values in report.yardsticks.items():
        cells = []
        for label, row in report.per_label.items():
            beaten = row.auroc > values[label]
            cells.append(f"{values[label]:.3f}" if beaten else f"[red]{values[label]:.3f} not cleared[/red]")
        table.add_row(name, *cells)
    return table


def _notes(report: Evaluation) -> list[str]:
    left_out = ", ".join(f"{n} {label}" for label, n in sorted(report.n_left_out.items())) or "none"
    percent = f"{100 * report.confidence:g} %"
    f1 = "no defects" if report.f1 is None else f"F1 {report.f1:.3f}"
    share = 100 * report.boards_without_false_call_frac
    lower, upper = 100 * report.boards_without_false_call_frac_lower, 100 * report.boards_without_false_call_frac_upper
    notes = [
        f"{report.n_good} good rows of {report.n_good_units} places; left out: {left_out}",
        f"{report.precision} on {report.engine}, threshold {report.threshold:.6g} (the bundle's own): {f1}, "
        f"{report.false_calls} false calls",
        f"{report.boards_without_false_call} of {report.boards} {report.board_is}s without a false call: {share:.0f} % "
        f"({percent} interval {lower:.0f} to {upper:.0f} %); {report.boards_held_for_nothing} of "
        f"{report.defect_free_boards} defect-free {report.board_is}s held for nothing",
        f"{report.ms_per_region:.2f} ms per region in batches of {TIMING_BATCH}, pre-processing included",
        "AUROC intervals draw physical places anew; bounds take rows as independent, or each place once by its worst "
        "picture",
    ]
    return notes + [f"nothing to say: {line}" for line in report.unsaid if line not in _shown(report)]


def _shown(report: Evaluation) -> set[str]:
    """What the table of labels says already."""
    return {nothing_to_say(label) for label in report.labels_without_defects}


def _number(value: float | None, digits: int) -> str:
    return "nothing can be said" if value is None else f"{value:,.{digits}f}"
