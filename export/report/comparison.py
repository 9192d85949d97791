"""The paper's figures and ours on the same axes: one line a method, one column a metric, with deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from export.report.figures import Picture
from export.report.palette import INK, MUTED
from export.report.published import Paper, value_of
from export.report.svg import drawn_columns

METRICS = {  # as result rows have them
    "f1": "F1",
    "recall": "recall",
    "precision": "precision",
    "pair_accuracy": "pairs: accuracy",
    "pair_precision": "pairs: precision",
    "pair_recall": "pairs: recall",
}
MS = "ms_per_region"
MARKS = ("o", "s", "^", "v", "P", "X", "<", ">", "p")
COLOURS = ("#0f7b7b", "#d55e00", "#0072b2", "#a8842c", "#9b3d8f", "#009e73", "#56b4e9", "#7a4fbf", "#16324f")
LINE_IN, FRAME_IN, WIDTH_IN = 0.235, 1.05, 10.4
PAPER = "the paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One figure on the chart: whose it is, on which line, its value and deviation (None where not known)."""

    series: str
    line: str
    value: float
    deviation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One lane of our data beside the paper: the chart, its gist in words, and how many lines have figures of both."""

    lane: str
    picture: Picture
    headline: str
    n_shared: int


def comparisons(paper: Paper, rows: Sequence[dict[str, Any]]) -> list[Comparison]:
    """A chart for each lane of our data that has a metric of the paper; the lane with most of its methods first.

    `rows` have `data`, `lane`, `split`, `preset`, `variant`, and figures as {mean, deviation, n} by metric.
    """
    lanes = dict.fromkeys((row["data"], row["lane"], row["split"]) for row in rows)
    found = [
        _comparison(paper, lane, [r for r in rows if (r["data"], r["lane"], r["split"]) == lane]) for lane in lanes
    ]
    return sorted((one for one in found if one is not None), key=lambda one: -one.n_shared)


def marks(paper: Paper, rows: Sequence[dict[str, Any]], metric: str) -> list[Mark]:
    """Every figure of a metric: the paper's as printed, ours by preset; a variant that the paper has is on its line."""
    line_of = {row.ours: row.name for row in paper.rows if row.ours}
    found = []
    for row in paper.rows:
        if metric in row.figures:
            value, deviation = value_of(row.figures[metric])
            found.append(Mark(series=PAPER, line=row.name, value=value, deviation=deviation))
    for row in rows:
        if isinstance(figure := row.get(metric), dict):
            line = line_of.get(row["variant"]) or _own_line(row)
            known = figure["deviation"] if figure["n"] > 1 else None
            found.append(Mark(series=_series(row), line=line, value=figure["mean"], deviation=known))
    return found


def _comparison(paper: Paper, lane: tuple[str, str, str], rows: Sequence[dict[str, Any]]) -> Comparison | None:
    by_metric = {name: marks(paper, rows, name) for name in METRICS}
    both = {name: of for name, of in by_metric.items() if {m.series == PAPER for m in of} == {True, False}}
    if not both:
        return None
    columns = {METRICS[name]: of for name, of in both.items()}
    if time := [mark for mark in marks(paper, rows, MS) if mark.series != PAPER]:
        columns["ms a region"] = time
    shown = [mark for of in both.values() for mark in of]
    ours = {mark.line for mark in shown if mark.series != PAPER}
    lines = [row.name for row in paper.rows] + sorted(ours - {row.name for row in paper.rows})
    series = [PAPER, *sorted({mark.series for mark in shown} - {PAPER})]
    name = f"{lane[0]}, {lane[1]}, {lane[2]}"

    def draw(axes: list[Axes]) -> None:
        for one, (title, of) in zip(axes, columns.items(), strict=True):
            _column(one, title, of, lines, series)
        axes[0].set_yticks(range(len(lines)), lines)
        for one in axes:
            one.axhline(len(paper.rows) - 0.5, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        handles, labels = axes[0].get_legend_handles_labels()
        axes[0].get_figure().legend(handles, labels, loc="outside upper center", ncols=min(7, len(series)))

    uri = drawn_columns(WIDTH_IN, FRAME_IN + LINE_IN * len(lines), [1.0] * (len(columns) - 1) + [0.8], draw)
    alt = f"{', '.join(columns)} by method on {name}: {'; '.join(_said(by_metric, lines))}"
    n_shared = len(ours & {row.name for row in paper.rows})
    headline = _headline(name, *next(iter(both.items())), frozenset(row.name for row in paper.rows))
    return Comparison(lane=name, picture=Picture(uri=uri, alt=alt), headline=headline, n_shared=n_shared)


def _headline(lane: str, metric: str, of: Sequence[Mark], published: frozenset[str]) -> str:
    """The highest figure of each kind: the paper's, its methods rebuilt, and what it does not have."""
    groups = {
        "the methods of the paper, rebuilt, reach at most": [
            m for m in of if m.series != PAPER and m.line in published
        ],
        "the project's own reach at most": [m for m in of if m.series != PAPER and m.line not in published],
    }
    said = [f"{words} {_highest(marks)}" for words, marks in groups.items() if marks]
    paper = _highest([m for m in of if m.series == PAPER])
    return f"The paper's highest {METRICS[metric]} is {paper}. On other joints or parts ({lane}) {' and '.join(said)}."


def _highest(of: Sequence[Mark]) -> str:
    best = max(of, key=lambda mark: mark.value)
    where = best.line if best.series == PAPER else f"{best.line}, preset {best.series}"
    return f"{best.value:.3f} ({where})"


def _column(axes: Axes, title: str, of: Sequence[Mark], lines: list[str], series: list[str]) -> None:
    for n, name in enumerate(series):
        mine = [mark for mark in of if mark.series == name]
        at = [
            lines.index(mark.line) + 0.17 * (n - (len(series) - 1) / 2) / max(1, (len(series) - 1) / 2) for mark in mine
        ]
        colour, sign = (INK, "D") if name == PAPER else (COLOURS[(n - 1) % len(COLOURS)], MARKS[(n - 1) % len(MARKS)])
        axes.errorbar(
            [mark.value for mark in mine],
            at,
            xerr=[mark.deviation or 0.0 for mark in mine],
            fmt=sign,
            ms=5.5,
            color=colour,
            elinewidth=1.2,
            markerfacecolor="white" if name == PAPER else colour,
            label=name if name == PAPER else f"ours, preset {name}",
        )
    axes.set_title(title)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_yticks(range(len(lines)), [""] * len(lines))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    for k in range(0, len(lines), 2):
        axes.axhspan(k - 0.5, k + 0.5, color="#f5f7f9", zorder=0)
    if title == "ms a region":
        axes.set_xlim(left=0.0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.set_xlabel("on the machine that made the results", color=MUTED)
        return
    axes.set_xlim(-0.02, 1.02)


def _series(row: dict[str, Any]) -> str:
    """The preset, and the input where it takes colour and brightness away: that is another experiment."""
    kind = str(row.get("input", ""))
    return f"{row['preset']}, grey" if kind.startswith("grey") else str(row["preset"])


def _own_line(row: dict[str, Any]) -> str:
    return str(row["variant"])


def _said(by_metric: dict[str, list[Mark]], lines: list[str]) -> list[str]:
    """The first metric's figures in words, for whoever does not see the chart."""
    of = next(found for found in by_metric.values() if {m.series == PAPER for m in found} == {True, False})
    said = []
    for line in lines:
        mine = [mark for mark in of if mark.line == line]
        figures = [f"{'' if mark.series == PAPER else 'ours '}{mark.series} {mark.value:.3f}" for mark in mine]
        if figures:
            said.append(f"{line} {', '.join(figures)}")
    return said
