"""Fitting the control charts of `edge.scorers.paste_rules`: how far good pads wander on each chart.

Which charts the EWMA comparators have was chosen on runs of the line twin, good and injected, that are no test runs
(`python -m export.families.paste_print.experiment_charts`): best mean F1 had the last board alone and an EWMA of 0.2
together, the textbook's Shewhart-EWMA, with an EWMA of 0.2 over the boards of one stroke for a worn blade. In what is
smoothed a board counts 2.5 sigma at most; else one bad board has its pads called on the ten after it. That this happens
was seen in a first run of experiment 1 on seeds 301 to 303; how much a board may count was chosen on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from edge.board import Floats
from edge.scorers.paste_rules import Chart, Comparator, PasteRulesFile, comparator_values, smoothed
from export.rules import RulesFault

MIN_WINDOWS = 20
SIGMA_FLOOR = 1e-3


@dataclass(frozen=True, slots=True)
class ChartKind:
    """A chart before it is fitted: see `edge.scorers.paste_rules.Chart`."""

    weight: float
    every: int = 1
    clip_sigma: float | None = None  # of a single board


LAST_BOARD = (ChartKind(1.0),)
CLIP_SIGMA = 2.5
EWMA_CHARTS = (ChartKind(1.0), ChartKind(0.2, 1, CLIP_SIGMA), ChartKind(0.2, 2, CLIP_SIGMA))


def charts_of(comparator: Comparator) -> tuple[ChartKind, ...]:
    """What a comparator smooths by."""
    return EWMA_CHARTS if comparator in ("ewma", "ewma_group") else LAST_BOARD


def fit_paste_rules(
    comparator: Comparator,
    clean_windows: Floats,
    planes: tuple[str, ...],
    charts: Sequence[ChartKind] | None = None,
) -> PasteRulesFile:
    """From windows (N, T, C, S, S) of good boards with these planes. Raises RulesFault for too few of them.

    A chart's sigma is set where limits lie: the worst pad of a typical good board stands as far out as the worst of so
    many Gaussian values would. Charts with other tails then call equally many good boards at one limit, and boards with
    a bad pad among the good ones move nothing while they are fewer than half.
    """
    if len(clean_windows) < MIN_WINDOWS:
        raise RulesFault(f"{len(clean_windows)} windows of good boards, at least {MIN_WINDOWS} needed to set limits by")
    values, measured = comparator_values(comparator, clean_windows, planes)
    if not measured[:, -1].any():
        raise RulesFault("no window has a pad that was measured on its last board")
    one_board = _sigmas(values, measured, LAST_BOARD[0], None)
    fitted = []
    for kind in charts_of(comparator) if charts is None else charts:
        clips = None if kind.clip_sigma is None else tuple(kind.clip_sigma * sigma for sigma in one_board)
        sigmas = _sigmas(values, measured, kind, clips)
        fitted.append(Chart(weight=kind.weight, every=kind.every, sigmas=sigmas, clips=clips))
    return PasteRulesFile(comparator=comparator, charts=tuple(fitted))


def _sigmas(
    values: Floats, measured: NDArray[np.bool_], kind: ChartKind, clips: tuple[float, ...] | None
) -> tuple[float, ...]:
    last = measured[:, -1]
    worst_of_gaussian = gaussian_worst(int(np.median(last.sum(axis=(1, 2)))))
    sigmas = []
    for k in range(values.shape[2]):
        clip = np.float32(np.inf if clips is None else clips[k])
        chart = smoothed(np.clip(values[:, :, k], -clip, clip), measured, kind.weight, kind.every)
        worst = float(np.median(np.where(last, np.abs(chart), 0).max(axis=(1, 2))))
        sigmas.append(max(SIGMA_FLOOR, worst / worst_of_gaussian))
    return tuple(sigmas)


def gaussian_worst(n_pads: int) -> float:
    """What the worst of so many Gaussian values is on every second board, in sigmas."""
    return float(norm.ppf((1 + 0.5 ** (1 / max(1, n_pads))) / 2))
