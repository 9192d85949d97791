"""The map of the latent as a picture: crops at their places, and the same points asked three things: which class, what
score, which board or part."""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm, to_hex
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from export.report.figures import Picture
from export.report.latent import LatentMap
from export.report.palette import GOOD, INK, MUTED, SUBJECTS, class_colours
from export.report.svg import drawn_mosaic

SIZE_IN = (10.4, 9.6)
MAX_THUMBNAILS = 40
THUMBNAIL_PX = 48
THUMBNAIL_ZOOM = 0.52
APART = 0.085  # of the map's side, between two thumbnails
SCORE_MAP = "RdBu_r"  # blue below the threshold, red above; told apart by colour-blind eyes
SCORE_QUANTILE = 0.95  # of the scores lie within the colours' range; beyond it the colour says no more
LEAST_RELATIVE = 0.03  # of score over threshold; below it a crop is as good as any
MAX_GROUPS = 20  # colours that matplotlib's largest table has


def latent_picture(found: LatentMap, kinds: list[str], split: str) -> Picture:
    """The crops where the latent has them, by class, by score and by board or part; mistakes ringed, `val` hollow."""
    colours = _colours(found, kinds)

    def draw(axes: dict[str, Axes]) -> None:
        _by_class(axes["class"], found, colours, split)
        _by_score(axes["score"], found, split)
        _by_group(axes["group"], found)
        for one in axes.values():
            _bare(one)

    uri = drawn_mosaic(*SIZE_IN, [["class", "class", "score"], ["class", "class", "group"]], draw)
    shown = f"{found.n_split} crops of {split} and {int(found.is_val.sum())} of val"
    classes = ", ".join(f"{label} {int((found.labels == label).sum())}" for label in colours)
    return Picture(
        uri=uri,
        alt=f"t-SNE map of {found.what}: {shown} ({classes}), coloured by class with some crops drawn at their places, "
        f"then by score and by {found.group_is}; {int(found.is_wrong.sum())} mistakes ringed",
    )


def thumbnails(found: LatentMap) -> NDArray[np.int64]:
    """Which crops are drawn: mistakes first, then the classes in turn, none nearer to another than APART."""
    rng = np.random.default_rng(0)
    wrong = set(np.flatnonzero(found.is_wrong).tolist())
    queues = [rng.permutation(np.flatnonzero(found.labels == label)).tolist() for label in sorted(set(found.labels))]
    for queue in queues:
        queue.sort(key=lambda i: i not in wrong)
    chosen: list[int] = []
    while any(queues) and len(chosen) < MAX_THUMBNAILS:
        for queue in queues:
            while queue:
                i = queue.pop(0)
                if all(np.abs(found.at[i] - found.at[j]).max() >= APART for j in chosen):
                    chosen.append(i)
                    break
    return np.array(chosen[:MAX_THUMBNAILS], np.int64)


def _by_class(axes: Axes, found: LatentMap, colours: dict[str, str], split: str) -> None:
    for label, colour in colours.items():
        _points(axes, found, found.labels == label, colour, size=17)
    _rings(axes, found, size=70)
    for i in thumbnails(found):
        axes.add_artist(_thumbnail(found, int(i), colours[str(found.labels[i])]))
    axes.set_title("by class, some crops at their places")
    handles = [_handle(colour, label) for label, colour in colours.items()]
    handles.append(_handle(MUTED, split))
    if found.is_val.any():
        handles.append(_handle(MUTED, "val", hollow=True))
    handles.append(_handle(INK, "missed, or false call", hollow=True, size=9))
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=min(len(handles), 6))


def _by_score(axes: Axes, found: LatentMap, split: str) -> None:
    """Scores of the split alone: only they are held against the threshold here."""
    axes.scatter(*found.at[found.is_val].T, s=5, color="#e3e7eb", linewidths=0)
    decades = np.log10(np.maximum(found.relative, LEAST_RELATIVE))
    most = max(float(np.quantile(np.abs(decades), SCORE_QUANTILE)), 0.05)
    drawn = axes.scatter(
        *found.at[: found.n_split].T,
        c=decades.clip(-most, most),
        s=12,
        cmap=SCORE_MAP,
        norm=TwoSlopeNorm(0.0, -most, most),
        edgecolors=MUTED,
        linewidths=0.25,
    )
    axes.set_title(f"by score ({split})")
    bar = axes.get_figure().colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02, aspect=28)
    bar.set_ticks([-most, 0.0, most], labels=[f"× {10**-most:.2g}", "threshold", f"× {10**most:.2g}"])
    bar.outline.set_visible(False)


def _by_group(axes: Axes, found: LatentMap) -> None:
    """The groups with most crops have colours of their own."""
    names, counts = np.unique(found.group, return_counts=True)
    most = [str(names[i]) for i in np.argsort(-counts, kind="stable")]
    kept = most if len(most) <= MAX_GROUPS else most[: MAX_GROUPS - 1]
    groups = {name: found.group == name for name in sorted(kept)}
    if len(kept) < len(most):
        groups[f"other {found.group_is}s"] = ~np.isin(found.group, kept)
    colours = SUBJECTS if len(groups) <= len(SUBJECTS) else [to_hex(c) for c in colormaps["tab20"].colors]
    handles = []
    for colour, (name, chosen) in zip(colours, groups.items(), strict=False):
        _points(axes, found, chosen, colour, size=10)
        handles.append(_handle(colour, name))
    axes.set_title(f"by {found.group_is}")
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, columnspacing=1.0)


def _points(axes: Axes, found: LatentMap, chosen: NDArray[np.bool_], colour: str, *, size: float) -> None:
    """Filled for the split, hollow for `val`."""
    inside, beside = chosen & ~found.is_val, chosen & found.is_val
    axes.scatter(*found.at[inside].T, s=size, color=colour, alpha=0.8, linewidths=0)
    axes.scatter(*found.at[beside].T, s=size, facecolors="none", edgecolors=colour, linewidths=0.7, alpha=0.8)


def _rings(axes: Axes, found: LatentMap, *, size: float) -> None:
    wrong = found.at[: found.n_split][found.is_wrong]
    axes.scatter(*wrong.T, s=size, facecolors="none", edgecolors=INK, linewidths=1.0, zorder=4)


def _thumbnail(found: LatentMap, i: int, colour: str) -> AnnotationBbox:
    small = cv2.resize(found.crops[i], (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    frame = {
        "edgecolor": colour,
        "linewidth": 2.0 if found.is_val[i] or not found.is_wrong[i] else 3.4,
        "linestyle": (0, (1.2, 0.8)) if found.is_val[i] else "solid",
        "boxstyle": "square,pad=0.06",
    }
    picture = OffsetImage(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), zoom=THUMBNAIL_ZOOM)
    return AnnotationBbox(picture, tuple(found.at[i]), frameon=True, bboxprops=frame, pad=0.0, zorder=5)


def _handle(colour: str, label: str, *, hollow: bool = False, size: float = 6) -> Line2D:
    face = "none" if hollow else colour
    return Line2D([], [], marker="o", ls="", ms=size, color=colour, markerfacecolor=face, label=label)


def _bare(axes: Axes) -> None:
    """No scales: places and distances of a t-SNE mean nothing."""
    axes.set(xticks=[], yticks=[], xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)


def _colours(found: LatentMap, kinds: list[str]) -> dict[str, str]:
    """Good ones grey whatever a set calls them, then the split's classes in the page's colours, then val's own."""
    good = sorted({str(label) for label in found.labels[found.is_good]})
    known = [*kinds, *sorted({str(label) for label in found.labels[~found.is_good]} - set(kinds))]
    return dict.fromkeys(good, GOOD) | class_colours(known)
