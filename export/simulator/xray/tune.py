"""How hard is a setting? Classifiers taught and judged on different board types.

    python -m export.simulator.xray.tune --difficulty line --boards 4 [--networks] [--json xray_twin_tuning.json]

Prints what the paper reports of its 3D-CNN: AUROC, false positive rate at recall 0.90, 0.95 and 0.99. Always by
gradient boosting on 156 simple numbers; with `--networks` (needs torch) also by the paper's 3D-CNN on smaller crops
and by a small residual network, which says what a better network can reach on the same joints.
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
from export.simulator.xray.checks.features import MAX_SLICES, joint_crop, joint_features
from export.simulator.xray.difficulty import Difficulty, difficulty_of
from export.simulator.xray.joints import NEAR_DEFECT, NORMAL
from export.simulator.xray.physics import look_through
from export.simulator.xray.sets import draw_views, split_types
from export.simulator.xray.view import Look

PUBLISHED = {"auroc": 0.9005, "fpr_at_recall_90": 0.3349, "fpr_at_recall_95": 0.6040}  # Table VIII, 3D CNN
WANTED = {"fpr_at_recall_90": 0.10, "fpr_at_recall_95": 0.20, "fpr_at_recall_99": 0.40}  # of a better network
TAUGHT_RATE, JUDGED_RATE = 0.45, 0.30  # of joints, defective: more than on a line, for figures from fewer joints
NETWORK_PX = 48  # a seventh of the work of the paper's 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`features` (n, 156) float32, `crops` (n, 6, side, side) uint8 with zeros for missing slices, `is_defect` as the
    specialist wrote and `is_true` as the twin drew, (n,) bool."""

    features: NDArray[np.float32]
    crops: NDArray[np.uint8]
    is_defect: NDArray[np.bool_]
    is_true: NDArray[np.bool_]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardness:
    """Of a classifier on board types it was not taught on, against what the specialist wrote."""

    auroc: float
    fpr_at_recall_90: float
    fpr_at_recall_95: float
    fpr_at_recall_99: float
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
    crop_px: int = 1,
) -> Rows:
    """Features and crops of every joint that is good or bad."""
    features, crops, written, truth = [], [], [], []
    for drawn in draw_views(types, boards, seed, difficulty, defect_rate, slices=slices, look=look):
        for joint in drawn.view.joints:
            if joint.label != NEAR_DEFECT:
                features.append(joint_features(drawn.view.slices, joint.roi))
                crops.append(_six(joint_crop(drawn.view.slices, joint.roi, crop_px)))
                written.append(joint.label != NORMAL)
                truth.append(joint.truth)
    return Rows(
        features=np.array(features),
        crops=np.array(crops),
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
    """What the paper reports, of a classifier on the features."""
    return hardness_of(np.asarray(model.predict_proba(rows.features)[:, 1]), rows)


def hardness_of(score: NDArray[np.floating], rows: Rows) -> Hardness:
    """The same of scores, (n,), higher is worse."""
    fpr, tpr, _ = roc_curve(rows.is_defect, score)
    return Hardness(
        auroc=float(roc_auc_score(rows.is_defect, score)),
        fpr_at_recall_90=float(fpr[np.argmax(tpr >= 0.90)]),
        fpr_at_recall_95=float(fpr[np.argmax(tpr >= 0.95)]),
        fpr_at_recall_99=float(fpr[np.argmax(tpr >= 0.99)]),
        auroc_against_truth=float(roc_auc_score(rows.is_true, score)),
        n_good=int((~rows.is_defect).sum()),
        n_defect=int(rows.is_defect.sum()),
    )


def _command(options: argparse.Namespace) -> str:
    networks = " --networks" if options.networks else ""
    kind = f"--kind {options.kind} --boards {options.boards} --judged-boards {options.judged_boards}"
    return (
        f"python -m export.simulator.xray.tune --difficulty {options.difficulty} {kind} --seed {options.seed}{networks}"
    )


def _six(crop: NDArray[np.float32]) -> NDArray[np.uint8]:
    found = np.zeros((MAX_SLICES, *crop.shape[1:]), np.uint8)
    found[: len(crop)] = np.rint(crop)
    return found


def _by_networks(train: Rows, judged: Rows, seed: int) -> dict[str, object]:
    from export.simulator.xray.checks import networks  # noqa: PLC0415 - torch: nothing else here needs it

    rows = [networks.Crops(slices=each.crops, is_defect=each.is_defect) for each in (train, judged)]
    return {
        "paper_3d_cnn_small": asdict(networks.PAPER)
        | asdict(hardness_of(networks.scores_of_paper(rows[0], rows[1], seed), judged)),
        "small_residual": asdict(networks.SMALL)
        | asdict(hardness_of(networks.scores_of_small(rows[0], rows[1], seed), judged)),
    }


def main() -> None:
    """Print the figures as JSON, and keep them in a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--difficulty", default="line")
    parser.add_argument("--kind", choices=("pth", "bga"), default="pth")
    parser.add_argument("--boards", type=int, default=6, help="boards of each type to teach")
    parser.add_argument("--judged-boards", type=int, default=1, help="boards of each type not seen in teaching")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--networks", action="store_true", help="teach networks too: many minutes of one core")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    groups = split_types(PTH_TYPES if options.kind == "pth" else BGA_TYPES)
    setting, px = options.difficulty, NETWORK_PX if options.networks else 1
    taught_types = (*groups["train"], *groups["val"])
    train = joint_rows(taught_types, options.boards, options.seed, setting, defect_rate=TAUGHT_RATE, crop_px=px)
    judged = joint_rows(groups["dev-test"], options.judged_boards, options.seed + 1, setting, JUDGED_RATE, crop_px=px)
    found = {
        "command": _command(options),
        "what": "on the line twin: taught on some board types, judged on others",
        "difficulty": options.difficulty,
        "knobs": asdict(difficulty_of(options.difficulty)),
        "kind": options.kind,
        "published_3d_cnn": PUBLISHED,
        "wanted_of_a_better_network": WANTED,
        "crop_px": px,
        "n_train": len(train.is_defect),
        "boosting_on_features": asdict(hardness(taught(train), judged)),
    }
    if options.networks:
        found |= _by_networks(train, judged, options.seed)
    print(json.dumps(found, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
