"""Control charts of runs with a cause, as a picture: what the station measured, the sums, the limit, the alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from calibration.drift_simulation import chart_path
from edge.drift import FLOORS, WATCHED
from edge.drift_chart import LIMIT, REFERENCE_BOARDS

mpl.use("Agg")  # no display is needed
import matplotlib.pyplot as plt


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedRun:
    """One run: `numbers` (N, S) float64, a cause from board `cause_at` on, and the word in WATCHED that shows it."""

    title: str
    word: str
    numbers: NDArray[np.float64]
    cause_at: int


def draw_runs(path: Path, runs: Sequence[PicturedRun]) -> list[int | None]:
    """Draw the runs side by side; the boards from each cause to the alarm, None where there was none."""
    figure, axes = plt.subplots(2, len(runs), figsize=(11, 5.2), sharex=True, layout="constrained", squeeze=False)
    delays = [_draw_run(axes[0, i], axes[1, i], run) for i, run in enumerate(runs)]
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return delays


def _draw_run(above: plt.Axes, below: plt.Axes, run: PicturedRun) -> int | None:
    number = [w.word for w in WATCHED].index(run.word)
    reference, totals, alarms = chart_path(run.numbers, FLOORS)
    after = np.flatnonzero(alarms[run.cause_at - REFERENCE_BOARDS :])
    delay = int(after[0]) + 1 if len(after) else None
    boards = np.arange(1, len(run.numbers) + 1)
    above.plot(boards, 100 * np.expm1(run.numbers[:, number] - reference.centre[number]), ".", ms=3, color="0.4")
    above.set_ylabel(f"{run.word}, % off the reference")
    above.set_title(f"{run.title}: alarm {delay} boards later" if delay else f"{run.title}: no alarm")
    charted = boards[REFERENCE_BOARDS:]
    below.plot(charted, totals[:, 0, number], color="tab:orange", label="sum of what is too high")
    below.plot(charted, totals[:, 1, number], color="tab:blue", label="sum of what is too low")
    below.axhline(LIMIT, color="tab:red", linewidth=1, label=f"limit, {LIMIT:g}")
    below.set_ylabel("CUSUM, spreads")
    below.set_xlabel("board")
    below.text(REFERENCE_BOARDS / 2, LIMIT / 2, f"learning,\n{REFERENCE_BOARDS} boards", ha="center", color="0.4")
    below.legend(loc="upper left", fontsize=8)
    for axis in (above, below):
        axis.axvspan(1, REFERENCE_BOARDS, color="0.94")
        axis.axvline(run.cause_at, color="tab:green", linewidth=1.2, linestyle="--")
        if delay is not None:
            axis.axvline(run.cause_at + delay, color="tab:red", linewidth=1.2)
    return delay
