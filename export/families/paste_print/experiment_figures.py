"""Pictures of the experiments on paste, from their result files, and anomaly maps drawn anew.

    python -m export.families.paste_print.experiment_figures --results benchmarks/results --out docs/figures
        [--maps ewma crrn_0.pt ...]

Comparators are dashed, networks drawn whole. Everything is simulated, calibrated on real boards.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from export.families.paste_print.experiment_faults import CLEAN_BEFORE, CURVE_AMPLITUDE, RUN_BOARDS
from export.families.paste_print.experiment_file import methods_of
from export.families.paste_print.experiment_methods import LETTERS
from export.families.paste_print.experiment_metrics import RECALL_GRID
from export.families.paste_print.experiment_runs import (
    DAY_BOARDS,
    TEST_SEEDS,
    VALIDATION_SEED,
    clean_scores,
    days,
    line_of,
    pad_scores,
    thresholds_of,
)
from export.families.paste_print.experiment_tables import in_order, label
from export.simulator.paste import injected, printer_fault
from export.simulator.paste.faults import time_course

DPI = 90
MAP_KINDS = ("squeegee", "support", "removed", "kneading", "clamp_excess")
MAP_BOARD = 45  # of the injected run of 60; kneading fades and is shown on board 10
FADING_BOARD = 10
MAP_SEED = 8
MAP_SIGMA = 3.0  # colours end at so many thresholds


def pr_curves(data: dict[str, Any], mu: float) -> Figure:
    """Precision over recall, rows excess and insufficient, columns the ratio (the paper's Fig. 8)."""
    rows = data["found"]["rows"]
    ratios = sorted({r["ratio"] for r in rows if r["mu"] == mu})
    figure = Figure(figsize=(2.6 * len(ratios), 5))
    axes = figure.subplots(2, len(ratios), sharex=True, sharey=True, squeeze=False)
    for row, sign in enumerate((1, -1)):
        for axis, ratio in zip(axes[row], ratios, strict=True):
            own = {r["method"]: r for r in rows if (r["mu"], r["ratio"], r["variant"]) == (sign * mu, ratio, "fixed")}
            for method in in_order(list(own)):
                axis.plot(RECALL_GRID, own[method]["precision_at_recall"], **_look(method, list(own)))
            axis.set_title(f"{'excess' if sign > 0 else 'insufficient'}, {ratio:.0%}", fontsize=9)
            axis.set_ylim(0, 1.02)
    return _labelled(figure, axes, "recall", "precision", f"Random pads, μ {mu:g}, same pads on all boards")


def auprc_by_ratio(data: dict[str, Any]) -> Figure:
    """AUPRC over the ratio of moved pads, for the paper's mu and a smaller one, same pads and redrawn."""
    rows = data["found"]["rows"]
    columns = [(mu, variant) for variant in ("fixed", "redrawn") for mu in (5.0, 2.0)]
    figure = Figure(figsize=(12, 5))
    axes = figure.subplots(2, 4, sharex=True, sharey=True, squeeze=False)
    for row, sign in enumerate((1, -1)):
        for axis, (mu, variant) in zip(axes[row], columns, strict=True):
            own = [r for r in rows if (r["mu"], r["variant"]) == (sign * mu, variant)]
            methods = in_order([r["method"] for r in own])
            for method in methods:
                curve = sorted((r["ratio"], r["auprc"][0]) for r in own if r["method"] == method)
                axis.plot(*zip(*curve, strict=True), marker=".", **_look(method, methods))
            axis.set_title(f"{'excess' if sign > 0 else 'insufficient'}, μ {mu:g}, {variant}", fontsize=9)
    return _labelled(figure, axes, "ratio of moved pads", "AUPRC", "Random pads")


def recall_over_boards(data: dict[str, Any]) -> Figure:
    """Recall on each board of the run by fault, its strength above (the paper's Fig. 12)."""
    rows = [r for r in data["found"]["rows"] if "recall_by_board" in r and r["kind"] != "drift"]
    kinds = list(dict.fromkeys(r["kind"] for r in rows))
    figure = Figure(figsize=(2.4 * len(kinds), 4.6))
    axes = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False, height_ratios=[1, 2])
    boards = np.arange(RUN_BOARDS)
    for (above, below), kind in zip(axes.T, kinds, strict=True):
        strength = np.ones(RUN_BOARDS) if kind == "smear" else CURVE_AMPLITUDE * time_course(kind, boards, RUN_BOARDS)
        above.plot(boards, strength, color="black", linewidth=1)
        above.set_title(kind, fontsize=9)
        own = {r["method"]: r["recall_by_board"] for r in rows if r["kind"] == kind}
        for method in in_order(list(own)):
            curve = np.array([np.nan if v is None else v for v in own[method]], np.float64)
            judged = np.flatnonzero(np.isfinite(curve))
            below.plot(judged, curve[judged], **_look(method, list(own)))
        below.set_ylim(-0.02, 1.02)
    title = f"Recall by board at A = {CURVE_AMPLITUDE:g}; above, the fault's strength in sigmas (smear: present or not)"
    _labelled(figure, axes, "board", "recall", title)
    axes[0, 0].set_ylabel("sigmas", fontsize=8)
    return figure


def sweep_curves(data: dict[str, Any]) -> Figure:
    """Recall by the amplitude of wipe and stroke."""
    rows = [r for r in data["found"]["sweep"] if r["mu"] > 0]
    figure = Figure(figsize=(8, 3.6))
    axes = figure.subplots(1, 2, sharey=True, squeeze=False)
    for axis, variant in zip(axes[0], ("fixed", "redrawn"), strict=True):
        own = [r for r in rows if r["variant"] == variant]
        methods = in_order([r["method"] for r in own])
        for method in methods:
            curve = sorted((r["amplitude"], *r["recall"]) for r in own if r["method"] == method)
            x, y, low, high = np.array(curve, np.float64).T
            axis.plot(x, y, marker=".", **_look(method, methods))
            axis.fill_between(x, low, high, alpha=0.12, color=_look(method, methods)["color"])
        axis.set_title(f"μ 2, 10 % of pads, {variant}", fontsize=9)
    return _labelled(figure, axes, "wipe and stroke, repeat sigmas", "recall", "Nobody has measured wipe and stroke")


def anomaly_maps(names: Sequence[str]) -> Figure:
    """One fault of each kind: pads in sigmas, and each method's map over its threshold (the paper's Fig. 13)."""
    line = line_of()
    methods = methods_of(line, names)
    thresholds = thresholds_of(clean_scores(line, methods, VALIDATION_SEED, 2))
    figure = Figure(figsize=(2.1 * len(MAP_KINDS), 0.4 + 2.2 * (1 + len(methods))))
    axes = figure.subplots(1 + len(methods), len(MAP_KINDS), squeeze=False)
    day = days(line, TEST_SEEDS[0], 1)[0]
    table = line.table
    for column, kind in enumerate(MAP_KINDS):
        fault = printer_fault(np.random.default_rng(MAP_SEED), line.product, kind, RUN_BOARDS, CURVE_AMPLITUDE, table)
        board = FADING_BOARD if kind == "kneading" else MAP_BOARD
        board += int(kind == "squeegee" and fault.strength[board] == 0)  # the other blade printed that one
        delta = np.concatenate([np.zeros((DAY_BOARDS - RUN_BOARDS, *fault.delta_z.shape[1:])), fault.delta_z])
        run = injected(table, day, delta)
        at = CLEAN_BEFORE + board
        volume_z = (run.volume_pct[at] - table.mean_pct[:, 0]) / table.sigma_pct[:, 0]
        _map(axes[0, column], table.x_mm, table.y_mm, volume_z, 6.0)
        axes[0, column].set_title(f"{kind}, board {board}", fontsize=9)
        for row, (name, scores) in enumerate(pad_scores(line, run, methods, np.array([at])).items(), start=1):
            _map(axes[row, column], table.x_mm, table.y_mm, scores[0] / thresholds[name], MAP_SIGMA)
    for axis, title in zip(axes[:, 0], ["volume, sigmas", *(label(m.name) for m in methods)], strict=True):
        axis.set_ylabel(title, fontsize=9)
    figure.suptitle("Pads as printed, and maps over the threshold (red excess, blue insufficient, grey not called)")
    figure.tight_layout()
    return figure


def _map(axis: Axes, x_mm: Any, y_mm: Any, values: Any, most: float) -> None:
    quiet = np.abs(values) <= (1 if most == MAP_SIGMA else 0)
    axis.scatter(x_mm[quiet], y_mm[quiet], c="0.85", s=4, marker="s", linewidths=0)
    shown: dict[str, Any] = {"s": 5, "marker": "s", "linewidths": 0, "cmap": "coolwarm", "vmin": -most, "vmax": most}
    axis.scatter(x_mm[~quiet], y_mm[~quiet], c=values[~quiet], **shown)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.invert_yaxis()


def _look(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Comparators dashed, networks whole."""
    return {
        "label": label(method),
        "color": colormaps["tab10" if len(set(methods)) <= 10 else "tab20"](in_order(methods).index(method) % 20),
        "linewidth": 1.2,
        "linestyle": "--" if method in LETTERS else "-",
    }


def _labelled(figure: Figure, axes: Any, across: str, upwards: str, title: str) -> Figure:
    for axis in axes[-1]:
        axis.set_xlabel(across, fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel(upwards if axis in axes[-1] or (axes.shape[0] == 2 and upwards != "recall") else "", fontsize=8)
    for axis in axes.ravel():
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=7)
    handles, names = axes[-1, 0].get_legend_handles_labels()
    figure.suptitle(title, fontsize=10)
    columns = min(len(names), int(figure.get_figwidth() / 1.45))
    lines = -(-len(names) // columns)
    figure.tight_layout(rect=(0, (0.1 + 0.2 * lines) / figure.get_figheight(), 1, 1))
    figure.legend(handles, names, loc="lower center", ncols=columns, fontsize=8)
    return figure


def main() -> None:
    """Every picture there is a result file for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--maps", nargs="*", default=["ewma"], help="methods whose maps are drawn")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pads = json.loads((options.results / "paste_pads.json").read_text("utf-8"))
    faults = json.loads((options.results / "paste_faults.json").read_text("utf-8"))
    pictures = {
        "paste_pr": pr_curves(pads, 5.0),
        "paste_pr_small": pr_curves(pads, 2.0),
        "paste_auprc": auprc_by_ratio(pads),
        "paste_recall": recall_over_boards(faults),
        "paste_sweep": sweep_curves(pads),
    }
    if options.maps:
        pictures["paste_maps"] = anomaly_maps(options.maps)
    for name, figure in pictures.items():
        figure.savefig(options.out / f"{name}.png", dpi=DPI)


if __name__ == "__main__":
    main()
