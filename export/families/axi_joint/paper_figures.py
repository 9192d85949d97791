"""The ROC of every method on the same test joints, and contact sheets of what `best` got most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge.board import Image
from export.datasets import Row
from export.families.axi_joint.labels import ROI_OK, column, defective, roi_faults
from export.families.axi_joint.paper_names import NAMES
from export.families.axi_joint.paper_runs import TEST_SPLIT, StudyData, read_run

ROC_FILE, MISSES_FILE, CALLS_FILE = "axi_joint_roc.png", "axi_joint_misses.png", "axi_joint_false_calls.png"
SHEET_JOINTS = 8
LINE_STYLES = ("-", "--", "-", "-.", ":")
_PAPER_POINTS = {"3D-CNN": ((0.3349, 0.90), (0.6040, 0.95)), "LSTM": ((0.3637, 0.90), (0.5872, 0.95))}


def write_figures(folder: Path, data: StudyData, runs: Sequence[dict[str, Any]], checkpoints: Path) -> None:
    """`ROC_FILE`, and for the first seed of `best`, if there is one, the two contact sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "axi_joint"
    roc_figure(runs).savefig(folder / ROC_FILE, dpi=110, metadata={"Software": None})
    if not any(run["method"] == "best" and run["seed"] == 0 for run in runs):
        return
    rows = data.rows(TEST_SPLIT)
    score = read_run(checkpoints / "best-0")[1]["test_score"]
    bad, right = defective(rows), np.array(roi_faults(rows)) == ROI_OK
    misses = _first(np.argsort(score), bad & right)
    calls = _first(np.argsort(-score), ~bad & right)
    for name, chosen in ((MISSES_FILE, misses), (CALLS_FILE, calls)):
        sheet = contact_sheet([rows[i] for i in chosen], data.test[chosen], score[chosen])
        if not cv2.imwrite(str(folder / name), sheet):
            raise OSError(f"{folder / name}: the picture could not be written; check free space and permissions")


def roc_figure(runs: Sequence[dict[str, Any]]) -> Figure:
    """Mean of a method's seeds, recall by false-call rate, with the paper's printed points; right: the strict end."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = np.linspace(0.0, 1.0, 401)
    for (method, name), style in zip(NAMES.items(), LINE_STYLES, strict=True):
        of = [run for run in runs if run["method"] == method]
        if not of:
            continue
        curves = [np.interp(at, *np.array(run["roc"]).T) for run in of]
        auroc = float(np.mean([run["test"]["auroc"] for run in of]))
        for axes in (left, right):
            axes.plot(at, np.mean(curves, axis=0), style, label=f"{name}, AUROC {auroc:.3f}, n = {len(of)}")
    for (name, points), marker in zip(_PAPER_POINTS.items(), "x+", strict=True):
        right.plot(*np.array(points).T, marker, color="0.35", label=f"as printed, {name}, other joints")
    for axes in (left, right):
        axes.set(xlabel="good joints called", ylabel="defective joints caught", xlim=(0, 1))
        axes.grid(alpha=0.3)
    left.set(ylim=(0, 1), title="ROC on the twin's test joints")
    right.set(ylim=(0.8, 1), title="the strict end")
    right.legend(fontsize=8, loc="lower right")
    return figure


def contact_sheet(rows: Sequence[Row], crops: Image, score: NDArray[np.floating]) -> Image:
    """A row a joint: its slices, lowest first, and what it is; (h, w, 3) uint8. Missing slices stay black."""
    bands = []
    for row, crop, value in zip(rows, crops, score, strict=True):
        strip = np.concatenate([crop[:, :, k] for k in range(crop.shape[2])], axis=1)
        words = [row.label, column(row, "severity"), "barely good" * (column(row, "marginal") == "1")]
        seen = column(row, "visible_in")
        words += [f"seen in {seen}" if seen else "", _slip(row), f"p {value:.3f}"]
        bands.append(np.concatenate([_caption(words, strip.shape[1]), strip]))
    half = (len(bands) + 1) // 2
    bands += [np.zeros_like(bands[0])] * (2 * half - len(bands))
    sheet = np.concatenate([np.concatenate(bands[:half]), np.concatenate(bands[half:])], axis=1)
    return np.asarray(cv2.cvtColor(sheet, cv2.COLOR_GRAY2BGR), np.uint8)


def _caption(words: Sequence[str], width: int) -> NDArray[np.uint8]:
    band = np.full((20, width), 255, np.uint8)
    text = ", ".join(word for word in dict.fromkeys(words) if word)
    cv2.putText(band, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
    return band


def _first(order: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    return order[among[order]][:SHEET_JOINTS]


def _slip(row: Row) -> str:
    """Where the twin's specialist wrote something else than what was drawn."""
    truth = column(row, "truth")
    return "" if truth in ("", row.label) else f"truly {truth}"
