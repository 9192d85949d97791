"""The shown regions as a picture: the crop, both sides' maps on one scale, where they differ, scores and thresholds."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from export.parity.report import Comparison

CELL_INCH = 1.7
DPI = 110


def picture(found: Comparison) -> bytes:
    """A PNG with one row a region."""
    columns = 4 if found.maps[0] is not None and found.maps[1] is not None else 1
    n = max(1, len(found.verdicts.shown))
    figure = Figure(figsize=(CELL_INCH * (columns + 1.8), CELL_INCH * n + 0.9), layout="constrained")
    axes = figure.subplots(n, columns + 1, squeeze=False, width_ratios=[1.8, *[1.0] * columns])
    for row, flip in enumerate(found.verdicts.shown):
        _words(axes[row][0], found, row)
        _image(axes[row][1], found.crops[row][:, :, ::-1], flip.label if row else f"crop\n{flip.label}")
        if columns > 1:
            _maps(axes[row][2:], found, row)
    figure.suptitle(_title(found), fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def _title(found: Comparison) -> str:
    first = found.layers.first
    where = "no layer apart" if first is None else f"first layer apart: {first.layer.text()}, {first.relative_rms:.2g}"
    flips = len(found.verdicts.flips)
    what = f"{flips} verdicts flipped" if flips else "nothing flipped; the widest apart"
    return f"{found.sides[1].label} against {found.sides[0].label}: {what} of {found.verdicts.agreement.n}\n{where}"


def _words(axis: Any, found: Comparison, row: int) -> None:
    flip = found.verdicts.shown[row]
    lines = [f"{flip.region[-30:]}"]
    for side, score, called in zip(found.sides, flip.scores, flip.called, strict=True):
        sign = ">" if called else "≤"
        lines += [side.label, f"  {score:.4g} {sign} {side.threshold:.4g}: {'defect' if called else 'good'}"]
    axis.text(0.0, 0.5, "\n".join(lines), fontsize=7, va="center", color="firebrick" if flip.is_flip else "black")
    axis.set_axis_off()


def _maps(axes: Any, found: Comparison, row: int) -> None:
    """Both maps on the reference's scale, so that what looks different is different."""
    ours, theirs = (np.asarray(m[row], np.float32) for m in found.maps if m is not None)
    top = float(max(ours.max(), theirs.max(), 1e-12))
    apart = np.abs(ours - theirs)
    titles = (found.sides[0].label, found.sides[1].label, f"|difference|\nup to {apart.max():.2g}")
    for axis, heat, title, limit in zip(axes, (ours, theirs, apart), titles, (top, top, None), strict=True):
        _image(axis, heat, title if row == 0 or heat is apart else "", cmap="inferno", vmin=0.0, vmax=limit)


def _image(axis: Any, pixels: Any, title: str, **options: Any) -> None:
    axis.imshow(pixels, **options)
    axis.set_title(title, fontsize=6)
    axis.set_axis_off()
