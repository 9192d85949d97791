"""A picture of the paste twin, to look at: a board, a run over time, and where each fault shows.

python -m export.simulator.paste.picture OUT.png
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from edge.paste.panel import Numbers
from export.simulator.paste.faults import FAULT_KINDS, PrintFault, printer_fault
from export.simulator.paste.prints import PrintRun, print_run
from export.simulator.paste.product import PasteProduct, paste_product

_SEED = 7
_BOARDS = 60
_AMPLITUDE = 3.0
_DOT = 6


def draw(out: Path) -> None:
    """Write the picture as the file's ending says. Raises OSError where it cannot."""
    product = paste_product("PP-1")
    run = print_run(product, 4 * _BOARDS, _SEED, "line")
    figure = Figure(figsize=(16, 15), layout="constrained")
    figure.suptitle("Paste prints of the line twin: simulated, calibrated on real boards")
    grid = figure.add_gridspec(4, 4)
    _one_board([figure.add_subplot(grid[0, k]) for k in range(4)], product, run)
    _over_time(figure.add_subplot(grid[1, :]), product, run)
    faults = [printer_fault(np.random.default_rng(_SEED), product, kind, _BOARDS, _AMPLITUDE) for kind in FAULT_KINDS]
    for k, fault in enumerate(faults):
        _fault(figure.add_subplot(grid[2 + k // 4, k % 4]), product, fault)
    figure.savefig(out, dpi=90)


def _one_board(axes: Sequence[Axes], product: PasteProduct, run: PrintRun) -> None:
    shown = (
        ("aperture, mm2 (log)", np.log10(product.aperture_mm2), "viridis"),
        ("volume of one board, %", run.volume_pct[0], "viridis"),
        ("wipe gain", product.wipe_gain, "magma"),
        ("stroke gain", product.stroke_gain, "coolwarm"),
    )
    for axis, (title, values, colours) in zip(axes, shown, strict=True):
        _pads(axis, product, values, title, colours)


def _over_time(axis: Axes, product: PasteProduct, run: PrintRun) -> None:
    """Mean volume of three sizes of apertures; each run of the line by itself."""
    sizes = (("below 0.1 mm2", 0.0, 0.1), ("0.1 to 3 mm2", 0.1, 3.0), ("above 3 mm2", 3.0, np.inf))
    for colour, (name, low, high) in zip(("C0", "C1", "C2"), sizes, strict=True):
        pads = (product.aperture_mm2 >= low) & (product.aperture_mm2 < high)
        mean = run.volume_pct[:, pads].mean(axis=1)
        for k, own in enumerate(np.unique(run.run)):
            of_run = run.run == own
            axis.plot(run.counter[of_run], mean[of_run], label=name if k == 0 else None, lw=1, color=colour)
    pad = int(np.argmax(np.abs(product.stroke_gain) + product.wipe_gain))
    axis.plot(run.counter, run.volume_pct[:, pad], ".", ms=3, c="0.5", label=f"pad {product.pad[pad]}")
    axis.set(xlabel="counter (gaps: the line stood still, or a new day)", ylabel="volume, %")
    axis.legend(ncols=4, loc="upper right")


def _fault(axis: Axes, product: PasteProduct, fault: PrintFault) -> None:
    most = fault.delta_z[np.argmax(np.abs(fault.strength))]
    channel = int(np.argmax(np.abs(most).sum(axis=0))) if fault.kind == "smear" else 0
    title = f"{fault.kind}: {('volume', 'area')[channel]}, pad sigmas"
    _pads(axis, product, most[:, channel], title, "coolwarm", reach=max(_AMPLITUDE, float(np.abs(most).max())))
    inset = axis.inset_axes((0.0, -0.2, 1.0, 0.16))
    inset.plot(fault.strength, c="k", lw=1)
    inset.axhline(0, c="0.6", lw=0.5)
    inset.set(xticks=[], yticks=[], xlabel=f"A f(t) over {_BOARDS} boards")


def _pads(
    axis: Axes, product: PasteProduct, values: Numbers, title: str, colours: str, reach: float | None = None
) -> None:
    span = None if reach is None else Normalize(-reach, reach)
    dots = axis.scatter(product.x_mm, product.y_mm, c=values, s=_DOT, cmap=colours, marker="s", norm=span)
    axis.set_aspect("equal")
    axis.set(title=title, xticks=[], yticks=[])
    axis.invert_yaxis()
    figure = axis.figure
    figure.colorbar(dots, ax=axis, shrink=0.8)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m export.simulator.paste.picture OUT.png")
    draw(Path(sys.argv[1]))
