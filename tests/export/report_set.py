"""A drawn data set with boards, places, part numbers and a class that the test split lacks; for evaluate and report."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import cv2

from export.scoring import ScoredSplit
from tests.edge.drawn import drawn_joints

PARTS = ("PN-1", "PN-2")
UNSEEN_PART = "PN-3"
UNSEEN_LABEL = "lifted"  # in `val` alone
COLUMNS = ("path", "label", "split", "board", "site", "part_number")
N_GOOD, N_DEFECT = 24, 8  # in dev-test, of each kind of defect; the first two defects are one place seen twice


def write_report_set(folder: Path) -> Path:
    """Single crops as pictures: 60 good to train on, some of each kind in `val`, four boards in `dev-test`."""
    folder.mkdir(parents=True)
    rows: list[tuple[str, ...]] = []

    def add(split: str, label: str, kind: str, n: int, seed: int, first_part: int = 0) -> None:
        for k, crop in enumerate(drawn_joints(kind, n, seed=seed)):
            path, board = f"{split}-{label}-{k}.png", f"{split}-board-{k % 4}"
            site = "J1-0" if label == "bridge" and k in (0, 4) else f"{label}-{k}"
            part = UNSEEN_PART if split == "train" else PARTS[(k + first_part) % 2]
            cv2.imwrite(str(folder / path), crop)
            rows.append((path, label, split, board, site, part))

    add("train", "good", "good", 60, 1)
    add("val", "good", "good", 30, 2)
    for label, kind, seed in (("bridge", "bridge", 3), ("missing", "missing", 4), (UNSEEN_LABEL, "missing", 5)):
        add("val", label, kind, 6, seed)
    add("dev-test", "good", "good", N_GOOD, 6)
    add("dev-test", "bridge", "bridge", N_DEFECT, 7)
    add("dev-test", "missing", "missing", N_DEFECT, 8)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return folder


def with_threshold(scored: ScoredSplit, **changes: object) -> ScoredSplit:
    """The same scores under a threshold that is otherwise."""
    threshold = scored.threshold.model_copy(update=changes)
    thresholds = scored.bundle.thresholds.model_copy(update={"precisions": {"fp32": threshold}})
    return dataclasses.replace(scored, bundle=dataclasses.replace(scored.bundle, thresholds=thresholds))
