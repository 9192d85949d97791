"""How hard is a setting? A cheap classifier on simple features, taught and judged on different board types.

    python -m export.simulator.xray.tune --difficulty line --boards 4 [--json benchmarks/results/xray_twin.json]

Prints what the paper reports of its 3D-CNN: AUROC, false positive rate at recall 0.90 and 0.95. It is a first guess for
the knobs of `difficulty`: a network sees more than 156 numbers, so it will find the set easier or harder than this.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score, roc_curve

from export.simulator.xray.board_types import BGA_TYPES, PTH_TYPES
from export.simulator.xray.checks.features import joint_features
from export.simulator.xray.difficulty import Difficulty
from export.simulator.xray.joints import NEAR_DEFECT, NORMAL
from export.simulator.xray.physics import look_through
from export.simulator.xray.sets import draw_views, split_types
from export.simulator.xray.view import Look

PUBLISHED = {"auroc": 0.9005, "fpr_at_recall_90": 0.3349, "fpr_at_recall_95": 0.6040}  # Table VIII, 3D CNN


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`features` (n, 156) float32, `is_defect` as the specialist wrote and `is_true` as the twin drew, (n,) bool."""

    features: NDArray[np.float32]
    is_defect: NDArray[np.bool_]
    is_true: NDArray[np.bool_]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardness:
    """Of a classifier on board types it was not taught on, against what the specialist wrote."""

    auroc: float
    fpr_at_recall_90: float
    fpr_at_recall_95: float
    auroc_against_truth: float
    n_good: int
    n_defect: int


def joint_rows(
    types: Sequence[str],
    boards: int,
    seed: int,
    difficulty: Difficulty | str,
    defect_rate: float = 0.15,
    *,
    slices: int | None = None,
    look: Look = look_through,
) -> Rows:
    """Features of every joint that is good or bad."""
    features, written, truth = [], [], []
    for drawn in draw_views(types, boards, seed, difficulty, defect_rate, slices=slices, look=look):
        for joint in drawn.view.joints:
            if joint.label != NEAR_DEFECT:
                features.append(joint_features(drawn.view.slices, joint.roi))
                written.append(joint.label != NORMAL)
                truth.append(joint.truth)
    return Rows(
        features=np.array(features),
        is_defect=np.array(written),
        is_true=np.array([label not in (NORMAL, NEAR_DEFECT) for label in truth]),
        kinds=tuple(truth),
    )


def taught(rows: Rows, seed: int = 0) -> HistGradientBoostingClassifier:
    """Gradient boosting with both classes weighing the same."""
    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.06,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        class_weight="balanced",
        random_state=seed,
    )
    return model.fit(rows.features, rows.is_defect)


def hardness(model: HistGradientBoostingClassifier, rows: Rows) -> Hardness:
    """What the paper reports."""
    score = model.predict_proba(rows.features)[:, 1]
    fpr, tpr, _ = roc_curve(rows.is_defect, score)
    return Hardness(
        auroc=float(roc_auc_score(rows.is_defect, score)),
        fpr_at_recall_90=float(fpr[np.argmax(tpr >= 0.90)]),
        fpr_at_recall_95=float(fpr[np.argmax(tpr >= 0.95)]),
        auroc_against_truth=float(roc_auc_score(rows.is_true, score)),
        n_good=int((~rows.is_defect).sum()),
        n_defect=int(rows.is_defect.sum()),
    )


def main() -> None:
    """Print the figures as JSON, and add them to a file of acceptance figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--difficulty", default="line")
    parser.add_argument("--kind", choices=("pth", "bga"), default="pth")
    parser.add_argument("--boards", type=int, default=6, help="boards of each type")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="the acceptance's result, to which this is added as `first_guess`")
    options = parser.parse_args()
    groups = split_types(PTH_TYPES if options.kind == "pth" else BGA_TYPES)
    train = joint_rows(groups["train"], options.boards, options.seed, options.difficulty, defect_rate=0.3)
    judged = joint_rows(groups["dev-test"], options.boards, options.seed + 1, options.difficulty)
    result = hardness(taught(train), judged)
    found = {
        "difficulty": options.difficulty,
        "kind": options.kind,
        "boards_per_type": options.boards,
        "published_3d_cnn": PUBLISHED,
        "n_train": len(train.is_defect),
        **asdict(result),
    }
    print(json.dumps(found, indent=1))
    if options.json is not None:
        stored = json.loads(options.json.read_text("utf-8"))
        options.json.write_text(json.dumps(stored | {"first_guess": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
