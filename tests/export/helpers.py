"""Small drawn joints: bright domes on a dark board, with defects, as pictures of many joints or as single crops."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from edge.board import Floats, Image

PITCH_PX = 24.0
COLUMNS = 5
JOINTS_PER_PICTURE = 2 * COLUMNS


def write_joint_set(folder: Path, seed: int = 0) -> Path:
    """A data set folder in the project's form: pictures of ten joints, `index.csv` and `joints.csv`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    index, joints = [], []
    for split, boards, defect_every in (("train", 8, 0), ("val", 4, 5), ("dev-test", 3, 5)):
        for k in range(boards):
            path = f"{split}_{k}.png"
            labels = [_label(i + k, defect_every) for i in range(JOINTS_PER_PICTURE)]
            cv2.imwrite(str(folder / path), _picture(rng, labels))
            view = "closeup" if k % 2 == 0 else "whole_board"
            index.append({"path": path, "label": "good", "split": split, "view": view})
            joints += [_joint_row(path, label, split, i, f"{split}{k}") for i, label in enumerate(labels)]
    _write_csv(folder / "index.csv", index)
    _write_csv(folder / "joints.csv", joints)
    return folder


def good_inputs(n: int, seed: int = 0) -> Floats:
    """(n, 3, 64, 64) float32 in [-1, 1]: smooth random bumps that two or three numbers describe."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:64].astype(np.float32) / 32.0 - 1.0
    centre = rng.uniform(-0.3, 0.3, (n, 2, 1, 1)).astype(np.float32)
    size = rng.uniform(0.2, 0.6, (n, 1, 1)).astype(np.float32)
    bump = np.exp(-((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2) / size)
    return np.repeat((2.0 * bump - 1.0)[:, None], 3, axis=1).astype(np.float32)


def _label(i: int, defect_every: int) -> str:
    if not defect_every or i % defect_every:
        return "normal"
    return ("missing", "bridge", "near_defect")[(i // defect_every) % 3]


def _joint_row(path: str, label: str, split: str, i: int, board: str) -> dict[str, object]:
    x, y = _centre(i)
    return {
        "path": path,
        "label": label,
        "split": split,
        "site": f"P{i}",
        "x": x,
        "y": y,
        "pitch": PITCH_PX,
        "board": board,
    }


def _centre(i: int) -> tuple[float, float]:
    return PITCH_PX * (i % COLUMNS + 1), PITCH_PX * (i // COLUMNS + 1)


def _picture(rng: np.random.Generator, labels: list[str]) -> Image:
    image = rng.normal(60, 6, (int(3 * PITCH_PX), int((COLUMNS + 1) * PITCH_PX), 3)).clip(0, 255).astype(np.uint8)
    for i, label in enumerate(labels):
        x, y = (round(v) for v in _centre(i))
        if label == "bridge":
            cv2.rectangle(image, (x - 11, y - 5), (x + 11, y + 5), (230, 230, 230), -1)
        elif label != "missing":
            dx, dy = (int(v) for v in rng.integers(-2, 3, 2))  # so that no one picture describes them all
            cv2.circle(image, (x + dx, y + dy), int(rng.integers(5, 10)), (int(rng.integers(170, 220)),) * 3, -1)
    return cv2.GaussianBlur(image, (5, 5), 0)


def _write_csv(file: Path, rows: list[dict[str, object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
