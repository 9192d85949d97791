"""One matplotlib figure as an SVG data URI: no file beside the page, no state between figures, the same bytes twice."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.report.palette import INK, MUTED, RULE

STYLE = {
    "svg.hashsalt": "boardgate",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceff2",
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def drawn(width_in: float, height_in: float, draw: Callable[[Axes], None]) -> str:
    """A figure of one pair of axes, as `data:image/svg+xml;base64,…`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw(figure.subplots())
        return _uri(figure)


def drawn_rows(width_in: float, height_in: float, n: int, draw: Callable[[list[Axes]], None]) -> str:
    """A figure of `n` pairs of axes above one another that share their x axis, as a data URI."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw([row[0] for row in figure.subplots(n, 1, sharex=True, squeeze=False)])
        return _uri(figure)


def drawn_columns(width_in: float, height_in: float, widths: list[float], draw: Callable[[list[Axes]], None]) -> str:
    """A figure of pairs of axes beside one another, as wide to each other as `widths`, as a data URI."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw([*figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]])
        return _uri(figure)


def drawn_mosaic(
    width_in: float, height_in: float, rows: list[list[str]], draw: Callable[[dict[str, Axes]], None]
) -> str:
    """A figure of named pairs of axes laid out like `rows`, as a data URI; a name may fill several cells."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw(figure.subplot_mosaic(rows))  # type: ignore[arg-type]  # its stub wants hashables of one kind
        return _uri(figure)


def _uri(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
