"""False calls on real balls: laminography of a BGA corner, `axi_laminography_bga`. Read, never copied.

All its joints are good or have voids that nobody rejected, so every call is a false call or a void found. A network
that judges them is taught on the twin's BGA types, by `python -m export.families.axi_joint.real_balls`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge.board import Image
from edge.crop import crop_slices
from export.datasets import DataFault
from export.families.axi_joint.contract import PLACE_SCALE
from export.families.axi_joint.net import INPUT_PX, N_SLICES
from export.families.axi_joint.painted_balls import PAINTS
from export.families.axi_joint.paper_groups import judged_rows
from export.families.axi_joint.paper_metrics import RECALLS, Judged, auroc_by_board, rate, rounded, threshold_for
from export.families.axi_joint.paper_page import balls_table
from export.families.axi_joint.paper_runs import TEST_SPLIT, Limits, StudyData, read_run, run, trained_network
from export.families.axi_joint.paper_training import probabilities

FOLDER = "axi_laminography_bga"
HEIGHTS_T = {4: (-12, -4, 4, 12), 6: (-20, -12, -8, 0, 8, 12), 3: (-12, 0, 12)}  # the set's README
MAX_ROWS = 10_000


def ball_crops(data: Path, heights_t: Sequence[int]) -> tuple[Image, list[str], list[str]]:
    """(N, 128, 128, 6) uint8 of the balls at these heights, their labels and names. Raises DataFault."""
    rows = _ball_rows(data / FOLDER / "joints.csv")
    slices, (centres, sides) = _slices(data, heights_t), _places(rows)
    crops = np.zeros((len(rows), INPUT_PX, INPUT_PX, N_SLICES), np.uint8)
    crop_slices(slices, centres, PLACE_SCALE * sides, INPUT_PX, crops)
    return crops, [row["label"] for row in rows], [row["joint"] for row in rows]


def false_calls(data: Path, scored: torch.nn.Module, thresholds: dict[str, float]) -> dict[str, Any]:
    """By slices a ball, what share of the balls is called at each threshold, by label; and how many regions are called
    wrong."""
    made: dict[str, Any] = {}
    for n, heights_t in HEIGHTS_T.items():
        crops, labels, _ = ball_crops(data, heights_t)
        score, _, roi = probabilities(scored, crops)
        made[str(n)] = {
            "heights_t": list(heights_t),
            "n": len(labels),
            "called": {name: rate(score > value) for name, value in thresholds.items()},
            "called_by_label": {
                name: {label: rate((score > value)[np.array(labels) == label]) for label in sorted(set(labels))}
                for name, value in thresholds.items()
            },
            "regions_called_wrong": rate(roi > 0.5),
        }
    return made


def painted_calls(data: Path, scored: torch.nn.Module, thresholds: dict[str, float]) -> dict[str, Any]:
    """By fault painted on each ball in turn, what share is called at each threshold; four slices."""
    slices = _slices(data, HEIGHTS_T[4])
    centres, sides = _places(_ball_rows(data / FOLDER / "joints.csv"))
    made = {}
    for name, paint in PAINTS.items():
        crops = np.zeros((len(sides), INPUT_PX, INPUT_PX, N_SLICES), np.uint8)
        for n, (x, y) in enumerate(centres):
            one = slice(n, n + 1)
            painted = paint(slices, (round(x), round(y)))
            crop_slices(painted, centres[one], PLACE_SCALE * sides[one], INPUT_PX, crops[one])
        score = probabilities(scored, crops)[0]
        made[name] = {recall: rate(score > value) for recall, value in thresholds.items()}
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Teach `best` on a set of the twin's balls, judge the twin's and the real ones, write the figures."""
    parser = argparse.ArgumentParser(description="best taught on the twin's balls, judged on real ones")
    parser.add_argument("--twin", type=Path, required=True, help="a joint set of BGA types")
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {FOLDER}")
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    twin = StudyData(asked.twin)
    place = run("best", 0, twin, asked.checkpoints, Limits(epochs=asked.epochs), print)
    record, scores = read_run(place)
    val, test = (judged_rows(twin.rows(split), scores[f"{key}_score"]) for split, key in _SPLITS)
    thresholds = {f"{recall:.2f}": threshold_for(val, recall) for recall in RECALLS}
    scored = trained_network("best", place)
    result = {
        "run": record,
        "twin": {
            "val": auroc_by_board(val),
            "test": auroc_by_board(test),
            "test_called_good": {n: rate(_good(test) > t) for n, t in thresholds.items()},
        },
        "thresholds": thresholds,
        "real": false_calls(asked.data, scored, thresholds),
        "painted": painted_calls(asked.data, scored, thresholds),
    }
    asked.json.write_text(json.dumps(rounded(result), indent=1) + "\n", "utf-8")
    print(balls_table(result))


_SPLITS = (("val", "val"), (TEST_SPLIT, "test"))


def _good(judged: Judged) -> NDArray[np.floating]:
    return judged.score[~judged.defective]


def _slices(data: Path, heights_t: Sequence[int]) -> Image:
    return np.stack([_grey(data / FOLDER / "slices" / _slice_name(t)) for t in heights_t], axis=2)


def _places(rows: Sequence[dict[str, str]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (N, 2) and longer sides (N,) of the regions, px."""
    boxes = np.array([[float(row[c]) for c in ("x0", "y0", "x1", "y1")] for row in rows])
    return (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)


def _ball_rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [row for _, row in zip(range(MAX_ROWS), csv.DictReader(file), strict=False)]
    except OSError as err:
        raise DataFault(f"{table}: cannot be read: {err}") from None
    balls = [row for row in rows if row.get("kind") == "bga_ball"]
    if not balls:
        raise DataFault(f"{table}: no row of kind bga_ball")
    return balls


def _slice_name(t: int) -> str:
    return f"t{'m' if t < 0 else 'p'}{abs(t):02d}.png"


def _grey(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise DataFault(f"{path}: is missing, or not a picture OpenCV can read")
    return picture.astype(np.uint8, copy=False)


if __name__ == "__main__":
    main()
