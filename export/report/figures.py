"""The page's figures: ROC and precision-recall with exact bands, scores by class, and a map of the crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from export.curves import WorkingPoints, roc_band, working_points
from export.report.palette import GOOD, INK, MUTED, SUBJECTS, THRESHOLD, class_colours
from export.report.subjects import Subject
from export.report.svg import drawn, drawn_rows
from export.scoring import ScoredSplit

ALL_DEFECTS = "all defects"
MAX_CLASSES = 8  # with curves of their own; the table names every class
BINS = 60
CURVE_IN = (4.1, 3.25)
GRID_POINTS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in the page: a data URI and what it shows in words."""

    uri: str
    alt: str


def curve_classes(scored: ScoredSplit) -> list[str]:
    """What has curves of its own: all defects, then each class where there are several."""
    kinds = scored.defect_kinds
    return ([ALL_DEFECTS] if kinds else []) + (kinds[:MAX_CLASSES] if len(kinds) > 1 else [])


def roc_picture(subjects: Sequence[Subject], kind: str) -> Picture:
    """Recall over false calls of every bundle, from one false call in the test set upwards."""

    def draw(axes: Axes) -> None:
        smallest = _one_false_call(subjects[0].scored)
        grid = np.concatenate([[0.0], np.geomspace(smallest / 10, 1.0, GRID_POINTS)])
        for n, subject in reversed(list(enumerate(subjects))):
            points, colour = _points(subject.scored, kind), SUBJECTS[n]
            _band(axes, grid, roc_band(points, grid), colour, filled=n == 0)
            axes.step(points.false_call_frac, points.recall, where="post", color=colour, lw=1.9 if n == 0 else 1.2)
            at = _working_point(subject.scored, kind)
            axes.plot(*at, "o", color=colour, ms=6, mec="white", mew=1.2, clip_on=False, zorder=5)
        axes.set_xscale("symlog", linthresh=smallest, linscale=0.35)
        axes.xaxis.set_major_locator(FixedLocator([0.0, *[10.0**-k for k in range(6) if 10.0**-k > 1.5 * smallest]]))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g} %"))
        axes.set(xlim=(0, 1), ylim=(0, 1.02), title=kind, xlabel="false calls, of good places", ylabel="recall")
        _percent_y(axes)

    return Picture(uri=drawn(*CURVE_IN, draw), alt=f"ROC curves with bands: {kind}")


def precision_picture(subjects: Sequence[Subject], kind: str) -> Picture:
    """Precision over recall of every bundle, at the test set's own mix of good and defective places."""

    def draw(axes: Axes) -> None:
        for n, subject in reversed(list(enumerate(subjects))):
            points, colour = _points(subject.scored, kind), SUBJECTS[n]
            _band(axes, points.recall, (points.precision_lower, points.precision_upper), colour, filled=n == 0)
            axes.step(points.recall, points.precision, where="pre", color=colour, lw=1.9 if n == 0 else 1.2)
        mix = _points(subjects[0].scored, kind).defect_frac
        axes.axhline(mix, color=MUTED, lw=0.8, ls=(0, (4, 3)))
        axes.annotate(
            f"calling everything: {100 * mix:.0f} %",
            (0.02, mix),
            xytext=(0, 3),
            textcoords="offset points",
            color=MUTED,
            fontsize=7.5,
        )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), title=kind, xlabel="recall", ylabel="precision")
        _percent_y(axes)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))

    return Picture(uri=drawn(*CURVE_IN, draw), alt=f"precision-recall curves with bands: {kind}")


def score_picture(subject: Subject) -> Picture:
    """Histograms of the scores of good places and of each class of defects, one above the other, with the threshold."""
    scored = subject.scored
    kinds = scored.defect_kinds[:MAX_CLASSES]
    colours = {"good": GOOD} | class_colours(scored.defect_kinds)
    edges, is_log = score_bins(scored.score, scored.threshold.value)

    def draw(rows: list[Axes]) -> None:
        for axes, kind in zip(rows, ["good", *kinds], strict=True):
            values = scored.score[scored.is_good if kind == "good" else scored.labels == kind]
            axes.hist(np.clip(values, edges[0], edges[-1]), edges, color=colours[kind], alpha=0.9)
            axes.axvline(scored.threshold.value, color=THRESHOLD, lw=1.3)
            axes.set_ylabel(f"{kind}\n{len(values)}", rotation=0, ha="right", va="center", color=INK, labelpad=12)
            axes.tick_params(axis="y", labelsize=7)
            axes.yaxis.get_major_locator().set_params(nbins=3, integer=True)
            axes.grid(axis="y", visible=False)
        if is_log:
            _log_axis(rows[-1], edges)
        rows[-1].set_xlim(edges[0], edges[-1])
        rows[-1].set_xlabel("score (higher is worse); the outer bins hold what lies beyond")
        place = (scored.threshold.value, 1.0)
        text = f" threshold {scored.threshold.value:.4g}"
        rows[0].annotate(text, place, xycoords=("data", "axes fraction"), color=THRESHOLD, fontsize=8, va="top")

    picture = drawn_rows(7.4, 0.75 + 0.8 * (1 + len(kinds)), 1 + len(kinds), draw)
    return Picture(uri=picture, alt=f"histograms of the scores of {subject.name} by class, with its threshold")


def score_bins(score: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.float64], bool]:
    """Edges of the bins and whether they are logarithmic, so that the threshold and 99 % of the scores are within."""
    low, high = (float(v) for v in np.quantile(score.astype(np.float64), [0.005, 0.995]))
    low, high = min(low, threshold), max(high, threshold)
    if low > 0.0 and high > 30.0 * low:
        return np.geomspace(low / 1.15, high * 1.15, BINS), True
    margin = 0.06 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, BINS), False


def _band(
    axes: Axes,
    at: NDArray[np.float64],
    band: tuple[NDArray[np.float64], NDArray[np.float64]],
    colour: str,
    *,
    filled: bool,
) -> None:
    """The first bundle's band is filled; the others' have edges only, since fills on fills say nothing."""
    if filled:
        axes.fill_between(at, *band, step="pre", color=colour, alpha=0.15, linewidth=0)
        return
    for edge in band:
        axes.step(at, edge, where="pre", color=colour, lw=0.8, ls=(0, (1.2, 1.8)))


def _points(scored: ScoredSplit, kind: str) -> WorkingPoints:
    good, chosen = scored.is_good, _chosen(scored, kind)
    n_good, n_defect = (len(np.unique(scored.units[of])) for of in (good, chosen))
    return working_points(scored.score[good], scored.score[chosen], n_good, n_defect)


def _chosen(scored: ScoredSplit, kind: str) -> NDArray[np.bool_]:
    return ~scored.is_good if kind == ALL_DEFECTS else scored.labels == kind


def _working_point(scored: ScoredSplit, kind: str) -> tuple[float, float]:
    called = scored.called
    return float(called[scored.is_good].mean()), float(called[_chosen(scored, kind)].mean())


def _one_false_call(scored: ScoredSplit) -> float:
    """The decade of the smallest false-call rate that this many good rows can show."""
    return float(min(0.01, 10.0 ** np.floor(np.log10(1.0 / scored.is_good.sum()))))


def _log_axis(axes: Axes, edges: NDArray[np.float64]) -> None:
    """Plain numbers, and more of them where the scores span only a few decades."""
    axes.set_xscale("log")
    few = edges[-1] < 300.0 * edges[0]
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _percent_y(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.0f} %"))
