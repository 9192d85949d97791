"""The paper's Tables V to VIII and its ROC, made again on a data set of joints, with `best` and rules beside it.

    python -m export.families.axi_joint.paper_tables --data DIR --checkpoints DIR --seeds 3 --json FILE
        [--methods cnn3d lstm best rules rules-tuned] [--epochs N] [--max-seconds S] [--times]
        [--figures DIR] [--write-readme FILE]

A run that is in the folder of checkpoints already is not made again. `--fewer cnn3d=1` gives a method fewer seeds.
Thresholds are chosen on validation alone; only the figures called "read off the ROC" are not.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.datasets import TRAIN_SPLIT, VAL_SPLIT
from export.families.axi_joint.fewer_slices import fewer_slices_figures, fewer_slices_scores
from export.families.axi_joint.paper_figures import write_figures
from export.families.axi_joint.paper_groups import group_figures, judged_rows, roi_figures
from export.families.axi_joint.paper_metrics import (
    PAPER_THRESHOLDS,
    RECALLS,
    Judged,
    at_threshold,
    auroc_by_board,
    fpr_at_recall,
    roc_points,
    rounded,
    threshold_for,
)
from export.families.axi_joint.paper_page import write_page
from export.families.axi_joint.paper_runs import (
    METHODS,
    RULES,
    TEST_SPLIT,
    Limits,
    Scores,
    StudyData,
    read_run,
    run,
    trained_network,
)
from export.families.axi_joint.paper_times import times
from export.families.axi_joint.paper_yardsticks import yardsticks
from export.onnx import tool_versions
from export.training_record import EpochReport

FLOOR = "0.90"  # the recall on validation whose threshold groups are sorted by
DEFAULT_SEEDS = 3


def figures_of(data: StudyData, scores: Scores) -> dict[str, Any]:
    """All figures of one run."""
    val_rows, test_rows = data.rows(VAL_SPLIT), data.rows(TEST_SPLIT)
    val, test = judged_rows(val_rows, scores["val_score"]), judged_rows(test_rows, scores["test_score"])
    spoilt = judged_rows(data.wrong_rows, scores["wrong_score"])
    thresholds = {f"{recall:.2f}": threshold_for(val, recall) for recall in RECALLS}
    made: dict[str, Any] = {
        "fixed": [
            {"threshold": t, "val": at_threshold(val, t), "test": at_threshold(test, t)} for t in PAPER_THRESHOLDS
        ],
        "chosen": {
            name: {"val": at_threshold(val, value), "test": at_threshold(test, value)}
            for name, value in thresholds.items()
        },
        "val": _ranked(val),
        "test": _ranked(test),
        "groups": group_figures(test_rows, test, spoilt, thresholds, FLOOR),
        "roc": roc_points(test),
    }
    if "test_roi" in scores:
        made["roi"] = roi_figures(test_rows, scores["test_roi"], data.wrong_rows, scores["wrong_roi"])
        made["gated"] = _gated(val, test, scores)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs that are missing, then all figures anew."""
    asked = _parsed(arguments)
    torch.set_num_threads(asked.threads)
    data = StudyData(asked.data)
    fewer = {name: int(count) for name, count in (one.split("=") for one in asked.fewer)}
    limits = Limits(epochs=asked.epochs, seconds=asked.max_seconds)
    wanted = [
        (method, seed)
        for method in asked.methods
        for seed in range(1 if method in RULES else fewer.get(method, asked.seeds))
    ]
    runs = []
    for method, seed in wanted:
        place = run(method, seed, data, asked.checkpoints, limits, partial(_say, method, seed))
        record, scores = read_run(place)
        runs.append(record | figures_of(data, scores))
        if method == "best":
            runs[-1]["fewer_slices"] = _fewer(data, place, scores, runs[-1]["chosen"])
        print(f"{method} {seed}: AUROC {runs[-1]['test']['auroc']:.4f}", flush=True)
    result: dict[str, Any] = {
        "data": _described(data),
        "tools": tool_versions() | {"machine": platform.machine()},
        "runs": runs,
    }
    result["yardsticks"] = yardsticks(data.rows(TEST_SPLIT), data.test)
    if asked.times:
        result["times"] = times()
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(rounded(result), indent=1) + "\n", "utf-8")
    if asked.figures is not None:
        write_figures(asked.figures, data, runs, asked.checkpoints)
    if asked.write_readme is not None:
        write_page(asked.write_readme, asked.json)


def _say(method: str, seed: int, report: EpochReport) -> None:
    line = f"epoch {report.epoch}: loss {report.train_loss:.4f}, validation AUROC {1 - report.val_loss:.4f}"
    print(f"{method} {seed} {line}", flush=True)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the paper's Tables V to VIII and its ROC, made again")
    parser.add_argument("--data", type=Path, required=True, help="folder of a joint set, with joints.csv")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder that keeps every run")
    parser.add_argument("--json", type=Path, required=True, help="where all figures go")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS)
    parser.add_argument("--fewer", nargs="*", default=[], metavar="METHOD=N", help="other counts of seeds")
    parser.add_argument("--epochs", type=int, help="of every network; without, as its preset says")
    parser.add_argument("--max-seconds", type=float, default=float("inf"), help="of one training of the paper's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--figures", type=Path, help="folder for the ROC and the worst joints")
    parser.add_argument("--times", action="store_true", help="measure what a joint costs, on this machine")
    parser.add_argument("--write-readme", type=Path, help="a page whose tables are written from the figures")
    return parser.parse_args(arguments)


def _ranked(judged: Judged) -> dict[str, Any]:
    """AUROC, and false calls read off these joints' own ROC."""
    read_off = {f"{recall:.2f}": fpr_at_recall(judged, recall) for recall in RECALLS}
    return auroc_by_board(judged) | {"fpr_at_recall": read_off}


def _gated(val: Judged, test: Judged, scores: Scores) -> dict[str, Any]:
    """Only joints whose region is not called wrong are judged; the others' boards are held."""
    passed, val_passed = scores["test_roi"] <= 0.5, scores["val_roi"] <= 0.5
    kept, val_kept = test.of(passed), val.of(val_passed)
    chosen = {f"{r:.2f}": at_threshold(kept, threshold_for(val_kept, r)) for r in RECALLS}
    return {"held_frac": float((~passed).mean()), "test": _ranked(kept), "chosen": chosen}


def _fewer(data: StudyData, place: Path, scores: Scores, chosen: dict[str, Any]) -> dict[str, Any]:
    """What `best` does with fewer slices, at the same thresholds."""
    thresholds = {name: cell["test"]["threshold"] for name, cell in chosen.items()}
    test = judged_rows(data.rows(TEST_SPLIT), scores["test_score"])
    return fewer_slices_figures(fewer_slices_scores(place, trained_network("best", place), data.test), test, thresholds)


def _described(data: StudyData) -> dict[str, Any]:
    splits = {}
    for split in (TRAIN_SPLIT, VAL_SPLIT, TEST_SPLIT):
        rows = data.rows(split)
        labels, counts = np.unique([row.label for row in rows], return_counts=True)
        slices, joints = np.unique([row.n_slices for row in rows], return_counts=True)
        splits[split] = {
            "joints": len(rows),
            "labels": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
            "slices": {str(n): count for n, count in zip(slices.tolist(), joints.tolist(), strict=True)},
        }
    source = re.search(r"(?:^|,)source=(.*?),split=", data.rows(TEST_SPLIT)[0].line)
    return {"name": data.folder.resolve().name, "source": source.group(1) if source else "", "splits": splits}


if __name__ == "__main__":
    main()
