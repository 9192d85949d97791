"""Results of measurement-system analysis as tables for people, each with the rule it is held against."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from calibration.msa import rates
from calibration.msa.agreement import Kappa
from calibration.msa.attribute import AgainstReference, AttributeResult
from calibration.msa.gauge import MIN_NDC, NDC_FACTOR, STUDY_SIGMAS, AnovaRow, Component, GaugeResult
from calibration.msa.gauge_intervals import Limits
from calibration.msa.rates import Rate, Rating, Rule
from export.msa_station import StationResult

COLOURS = {Rating.ACCEPTABLE: "green", Rating.MARGINAL: "yellow", Rating.UNACCEPTABLE: "red"}
NOT_THERE = "–"


def attribute_tables(result: AttributeResult) -> Group:
    """Each appraiser, then between appraisers, then what the figures mean."""
    parts = [_appraiser_table(result)]
    if result.between is not None:
        parts.append(_between_table(result))
    return Group(*parts, *(Text(line, style="dim") for line in _attribute_notes(result)))


def gauge_tables(result: GaugeResult) -> Group:
    """The analysis of variance, the components, and the verdict."""
    colour = COLOURS[result.rating]
    verdict = Text.from_markup(f"Measurement system: [bold {colour}]{result.rating.value}[/]")
    return Group(
        _anova_table(result),
        _component_table(result),
        verdict,
        *(Text(line, style="dim") for line in _gauge_notes(result)),
    )


def _appraiser_table(result: AttributeResult) -> Table:
    size = f"{result.n_parts} parts x {result.n_trials} trials"
    table = _table(f"Attribute agreement: {size} ({100 * result.confidence:g} % intervals)")
    table.add_column("")
    for appraiser in result.appraisers:
        table.add_column(appraiser.name, justify="right")
    table.add_column("rule", justify="right", style="dim")
    people = result.appraisers
    table.add_row("same call every trial, parts", *(_rate(a.within) for a in people), "")
    table.add_row("Fleiss' kappa over trials", *(_kappa(a.repeat_kappa) for a in people), "")
    against = [a.reference for a in people if a.reference is not None]
    if not against:
        return table
    table.add_section()
    judged = "of judgements"
    rows = (
        ("effectiveness, parts", [_rate(r.effectiveness, rates.EFFECTIVENESS) for r in against], "≥ 90 % (80 %)"),
        (f"miss rate, {judged}", [_rate(r.miss, rates.MISS) for r in against], "≤ 2 % (5 %)"),
        ("  ever missed, parts", [_rate(r.ever_missed) for r in against], ""),
        (f"false alarms, {judged}", [_rate(r.false_alarm, rates.FALSE_ALARM) for r in against], "≤ 5 % (10 %)"),
        ("  ever a false alarm, parts", [_rate(r.ever_false_alarm) for r in against], ""),
        ("Cohen's kappa to reference", [_kappa(r.kappa) for r in against], "> 0.75"),
        ("verdict", [_verdict(r) for r in against], ""),
        ("shown by the intervals", ["yes" if r.shown else "no" for r in against], ""),
    )
    for name, cells, rule in rows:
        table.add_row(name, *cells, rule)
    return table


def _between_table(result: AttributeResult) -> Table:
    table = _table("Between appraisers")
    table.add_column("")
    table.add_column("agreement", justify="right")
    for pair in result.pairs:
        table.add_row(f"Cohen's kappa {pair.first}, {pair.second}", _kappa(pair.kappa))
    table.add_row("Fleiss' kappa, all", _kappa(result.between_kappa))
    table.add_row("all alike in every trial, parts", _rate(result.between))
    if result.all_right is not None:
        table.add_row("all right in every trial, parts", _rate(result.all_right))
    return table


def _attribute_notes(result: AttributeResult) -> list[str]:
    notes = [
        "Intervals of rates: Clopper-Pearson. Of kappa: parts left out one at a time, so repeats do not narrow it."
    ]
    if result.n_good_parts is None or result.n_bad_parts is None:
        return [*notes, "No reference: nothing can be said of misses and false alarms."]
    notes.append(f"Reference: {result.n_good_parts} good parts, {result.n_bad_parts} bad ones.")
    for n, kind, figure in ((result.n_good_parts, "good", "false alarms"), (result.n_bad_parts, "bad", "misses")):
        if not n:
            notes.append(f"No {kind} part: nothing can be said of {figure}.")
    notes.append(
        "The verdict is by the figures themselves; `shown` asks that the intervals over parts keep the rule as well "
        f"(without a single miss that takes {_parts_for(rates.MISS.acceptable_frac, result.confidence)} bad parts)."
    )
    return notes


def _parts_for(frac: float, confidence: float) -> int:
    """How many parts without an event bring the exact upper limit to `frac`."""
    n = 1
    while rates.exact_interval_frac(0, n, confidence).upper > frac:
        n += 1
    return n


def _anova_table(result: GaugeResult) -> Table:
    shape = f"{result.n_parts} parts x {result.n_appraisers} appraisers x {result.n_trials} trials"
    table = _table(f"Analysis of variance: {shape}")
    table.add_column("source")
    unit = f" {result.unit}²" if result.unit else ""
    for column in ("df", f"sum of squares{unit}", "mean square", "F", "p"):
        table.add_column(column, justify="right")
    for row in result.anova:
        table.add_row(*_anova_cells(row))
    return table


def _anova_cells(row: AnovaRow) -> tuple[str, ...]:
    f = NOT_THERE if row.f is None else f"{row.f:.2f}"
    p = NOT_THERE if row.p is None else f"{row.p:.3f}"
    return row.source, str(row.df), f"{row.sum_of_squares:.5g}", f"{row.mean_square:.5g}", f, p


def _component_table(result: GaugeResult) -> Table:
    unit = f" {result.unit}" if result.unit else ""
    table = _table(f"Components of variation ({100 * result.confidence:g} % intervals)")
    table.add_column("")
    for column in (f"deviation{unit}", "% contribution", "% study variation"):
        table.add_column(column, justify="right")
    if result.tolerance is not None:
        table.add_column(f"% of tolerance {result.tolerance:g}{unit}", justify="right")
    for component in result.components:
        style = "bold" if component.name == "grr" else ""
        table.add_row(*_component_cells(component), style=style)
    return table


def _component_cells(c: Component) -> tuple[str, ...]:
    name = "gauge R&R" if c.name == "grr" else c.name
    cells = (name, _limits(c.deviation), f"{c.contribution_percent:.2f}")
    share = "100" if c.name == "total" else _limits(c.study_variation_percent)
    tolerance = () if c.tolerance_percent is None else (_limits(c.tolerance_percent),)
    return (*cells, share, *tolerance)


def _gauge_notes(result: GaugeResult) -> list[str]:
    basis = "tolerance" if result.tolerance is not None else "study variation"
    notes = [
        f"Rule: gauge R&R at most 10 % of {basis} acceptable, at most 30 % marginal; at least {MIN_NDC} categories."
    ]
    if result.ndc is None or result.ndc_limits is None:
        notes.append(
            "The gauge showed no variation at all: finer resolution, or truly repeated measurements, are needed."
        )
    else:
        lower, upper = result.ndc_limits
        notes.append(
            f"Distinct categories (ndc): {result.ndc}, {NDC_FACTOR} x part / gauge R&R before cutting off decimals "
            f"between {lower:.1f} and {upper:.1f}."
        )
    if result.n_appraisers == 1:
        notes.append("One appraiser: reproducibility was not studied, and is not 0.")
    else:
        kept = "kept" if result.interaction_kept else "pooled into repeatability"
        notes.append(f"Interaction {kept} (pooled when p is {result.pool_above_p:g} or more).")
    notes.append(f"Study variation and tolerance are compared over {STUDY_SIGMAS:g} deviations.")
    if result.n_appraisers in (2, 3):
        notes.append(f"{result.n_appraisers} appraisers: what lies between them is known badly, as its interval says.")
    return notes


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")


def _rate(rate: Rate | None, rule: Rule | None = None) -> str:
    if rate is None:
        return NOT_THERE
    text = f"{100 * rate.frac:.1f} % ({100 * rate.lower:.1f} to {100 * rate.upper:.1f}) {rate.count}/{rate.n}"
    return text if rule is None else f"[{COLOURS[rule.rating(rate.frac)]}]{text}[/]"


def _kappa(kappa: Kappa | None) -> str:
    if kappa is None or kappa.value is None:
        return NOT_THERE
    if kappa.lower is None or kappa.upper is None:
        return f"{kappa.value:.2f}"
    return f"{kappa.value:.2f} ({kappa.lower:.2f} to {kappa.upper:.2f})"


def _verdict(against: AgainstReference) -> str:
    return f"[bold {COLOURS[against.rating]}]{against.rating.value}[/]"


def _limits(limits: Limits) -> str:
    return "0" if limits.upper == 0 else f"{limits.value:.4g} ({limits.lower:.3g} to {limits.upper:.3g})"


def station_tables(result: StationResult) -> Group:
    """The station as an appraiser: what turned, its agreement, and how far its scores repeat."""
    table = _table(
        f"Station: {result.n_boards} boards, {result.n_pictures} pictures, each judged {result.repeats} times"
        + (f", repeats changed by up to {result.grey_levels} grey levels" if result.grey_levels else "")
    )
    table.add_column("")
    table.add_column("", justify="right")
    if result.same_input_flips is not None:
        table.add_row("identical picture, another verdict", _must_be_0(result.same_input_flips))
        table.add_row("identical picture, another score", _must_be_0(result.same_input_other_scores or 0))
    table.add_row("trials other than the part's first", _rate(result.flips))
    table.add_row("judgements lost to held boards", str(result.held))
    parts: list[Table | Group | Text] = [table, attribute_tables(result.agreement)]
    if result.scores is not None:
        parts.append(gauge_tables(result.scores))
    if result.n_pictures == result.n_boards:
        parts.append(
            Text("One picture a board: this shows that the station repeats itself, not how it bears camera and lamp.")
        )
    return Group(*parts)


def _must_be_0(count: int) -> str:
    return f"[bold {'red' if count else 'green'}]{count}[/]"
