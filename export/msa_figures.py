"""Figures of measurement-system analysis, drawn to PNG without a screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from calibration.msa import rates
from calibration.msa.attribute import AttributeResult
from calibration.msa.gauge import ACCEPTABLE_GRR_PERCENT, MARGINAL_GRR_PERCENT, GaugeResult
from calibration.msa.rates import Rate, Rule
from calibration.msa.study import GaugeStudy

SIZE_IN, DPI = (11.0, 7.0), 110
NAMED_PARTS = 40  # more names than this along an axis cannot be read
GREEN, YELLOW, RED = "#c7e9c0", "#fee8a8", "#fcc5c0"


def draw_gauge(study: GaugeStudy, result: GaugeResult, file: Path) -> None:
    """Components of variation; every value by part, appraisers told apart; values by appraiser."""
    figure = _figure(f"Gauge R&R: {result.rating.value}")
    top, low = figure.subfigures(2, 1)
    _components(top.subplots(), result)
    by_part, by_who = low.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    _values_by_part(by_part, study)
    _values_by_appraiser(by_who, study)
    _save(figure, file)


def draw_attribute(result: AttributeResult, file: Path) -> None:
    """Repeatability and, with a reference, the three rates of the rule, with intervals on the rule's bands."""
    figure = _figure(f"Attribute agreement: {result.n_parts} parts, {result.n_trials} trials")
    names = [a.name for a in result.appraisers]
    against = [a.reference for a in result.appraisers if a.reference is not None]
    panels: list[tuple[str, list[Rate | None], Rule | None]] = [
        ("Same call every trial, % of parts", [a.within for a in result.appraisers], None)
    ]
    if against:
        panels += [
            ("Effectiveness, % of parts", [r.effectiveness for r in against], rates.EFFECTIVENESS),
            ("Miss rate, % of judgements of bad parts", [r.miss for r in against], rates.MISS),
            ("False alarms, % of judgements of good parts", [r.false_alarm for r in against], rates.FALSE_ALARM),
        ]
    grid = np.atleast_1d(figure.subplots(2 if against else 1, 2 if against else 1)).ravel()
    for axes, (title, found, rule) in zip(grid, panels, strict=True):
        _rates(axes, title, names, found, rule)
    _save(figure, file)


def _figure(title: str) -> Figure:
    figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontweight="bold")
    return figure


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def _components(axes: Axes, result: GaugeResult) -> None:
    shown = [c for c in result.components if c.name != "total"]
    series = {"% contribution": [c.contribution_percent for c in shown]}
    series["% study variation"] = [c.study_variation_percent.value for c in shown]
    tolerances = [c.tolerance_percent for c in shown]
    if result.tolerance is not None:
        series["% of tolerance"] = [t.value for t in tolerances if t is not None]
    width = 0.8 / len(series)
    for k, (name, values) in enumerate(series.items()):
        at = np.arange(len(shown)) + (k - (len(series) - 1) / 2) * width
        axes.bar(at, values, width, label=name)
    spread = [c.study_variation_percent for c in shown]
    at = np.arange(len(shown)) + (1 - (len(series) - 1) / 2) * width
    bars = [[s.value - min(s.lower, s.value) for s in spread], [max(s.upper, s.value) - s.value for s in spread]]
    label = f"{100 * result.confidence:g} % interval"
    axes.errorbar(at, series["% study variation"], bars, fmt="none", ecolor="black", capsize=3, label=label)
    beside = axes.get_yaxis_transform()  # x from 0 to 1 across the panel, y in percent
    for limit, text in ((ACCEPTABLE_GRR_PERCENT, "acceptable"), (MARGINAL_GRR_PERCENT, "marginal")):
        axes.axhline(limit, color="grey", linestyle=":", linewidth=1)
        axes.text(0.995, limit, f"{text} R&R", transform=beside, ha="right", va="bottom", fontsize=8, color="grey")
    axes.set_xticks(range(len(shown)), ["gauge R&R" if c.name == "grr" else c.name for c in shown])
    axes.set_xlim(-0.55, len(shown) + 0.2)  # room for the names of the limits
    axes.set(title="Components of variation", ylabel="%")
    axes.legend(fontsize=8)


def _values_by_part(axes: Axes, study: GaugeStudy) -> None:
    n_parts, n_appraisers, _ = study.values.shape
    markers = "osD^vP*X"
    for k, who in enumerate(study.appraisers):
        offset = (k - (n_appraisers - 1) / 2) * 0.6 / n_appraisers
        at = np.arange(n_parts) + offset
        colour = f"C{k % 10}"
        mean = study.values[:, k].mean(axis=1)
        axes.plot(at, mean, color=colour, linewidth=0.8, alpha=0.7)
        spots = np.repeat(at, study.values.shape[2])
        axes.plot(spots, study.values[:, k].ravel(), markers[k % len(markers)], color=colour, markersize=4, label=who)
    names = study.parts if n_parts <= NAMED_PARTS else [""] * n_parts
    axes.set_xticks(range(n_parts), names, rotation=90 if max(map(len, names)) > 4 else 0, fontsize=8)
    axes.set(title="By part and appraiser (lines: means)", xlabel="part", ylabel=study.unit or "value")
    axes.legend(fontsize=8, title="appraiser", title_fontsize=8)


def _values_by_appraiser(axes: Axes, study: GaugeStudy) -> None:
    values = [study.values[:, k].ravel() for k in range(len(study.appraisers))]
    axes.boxplot(values, tick_labels=list(study.appraisers))
    axes.plot(range(1, len(values) + 1), [v.mean() for v in values], "o-", color="black", markersize=4, linewidth=0.8)
    axes.set(title="By appraiser (dots: means)", xlabel="appraiser")


def _rates(axes: Axes, title: str, names: list[str], found: list[Rate | None], rule: Rule | None) -> None:
    if rule is not None:
        _bands(axes, rule)
    for k, rate in enumerate(found):
        if rate is None:
            axes.annotate("none in the study", (k, 50), ha="center", fontsize=8, color="grey")
            continue
        value, lower, upper = (100 * v for v in (rate.frac, rate.lower, rate.upper))
        axes.errorbar([k], [value], [[value - lower], [upper - value]], fmt="o", color="black", capsize=4)
        axes.annotate(f"{value:.1f}", (k, value), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    top = 100.0 if rule is None or rule.at_least else max([15.0, *(105 * r.upper for r in found if r is not None)])
    axes.set_ylim(0.0, 1.03 * top)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks(range(len(names)), names)
    axes.set(title=title, ylabel="%")


def _bands(axes: Axes, rule: Rule) -> None:
    good, middle = 100 * rule.acceptable_frac, 100 * rule.marginal_frac
    edges = (0, middle, good, 100) if rule.at_least else (0, good, middle, 100)
    colours = (RED, YELLOW, GREEN) if rule.at_least else (GREEN, YELLOW, RED)
    for low, high, colour in zip(edges[:-1], edges[1:], colours, strict=True):
        axes.axhspan(low, high, color=colour, zorder=0)
