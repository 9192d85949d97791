"""One training, or one fitting of rules, of the study: what it scores on validation and test, kept in a folder so that
it is never done twice.

Every method learns from the same training joints, sees the same validation joints, and is judged on the same test
joints. Nothing of the test split is looked at before a network's weights are written.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.board import Image
from edge.bundle import Contract
from edge.scorers.slice_features import measured
from export.datasets import TRAIN_SPLIT, VAL_SPLIT, DataSet, Row, read_data_set
from export.families.axi_joint.best_training import Judged as JudgedCrops
from export.families.axi_joint.best_training import Lesson, fit_best
from export.families.axi_joint.canvases import read_canvases
from export.families.axi_joint.contract import contract
from export.families.axi_joint.labels import ROI_OK, balanced, defective, roi_faults
from export.families.axi_joint.paper_training import LabelledCrops, fit_paper, probabilities
from export.families.axi_joint.presets import PRESETS
from export.families.axi_joint.score import SCORES
from export.families.axi_joint.wrong_regions import with_wrong_regions
from export.inputs import contract_inputs
from export.slice_rules import fit_slice_rules, judged
from export.slice_rules_tuning import GOOD, LabelledJoints
from export.training_record import EpochReport, FitReport
from export.workshop import seeded

TEST_SPLIT = "dev-test"
TABLE = "joints.csv"
NETWORKS = {"cnn3d": ("paper", "cnn3d"), "lstm": ("paper", "lstm"), "best": ("best", "joint")}
RULES = {"rules": "weighted", "rules-tuned": "tuned"}
METHODS = (*NETWORKS, *RULES)

Scores = dict[str, NDArray[np.float32]]
OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True)
class StudyData:
    """A data set folder of joints and its crops, each split's read once."""

    folder: Path

    @cached_property
    def table(self) -> DataSet:
        """All rows."""
        return read_data_set(self.folder, TABLE)

    @cached_property
    def contract(self) -> Contract:
        """How crops are cut: the same for every method."""
        return contract(channels="slices", normalisation="frac", places=True)

    def rows(self, split: str) -> tuple[Row, ...]:
        """The rows of a split. Raises DataFault."""
        return self.table.split(split)

    def crops(self, rows: tuple[Row, ...]) -> Image:
        """(N, 128, 128, 6) uint8."""
        return np.asarray(contract_inputs(self.folder, rows, self.contract), np.uint8)

    @cached_property
    def val(self) -> Image:
        """Crops of validation."""
        return self.crops(self.rows(VAL_SPLIT))

    @property
    def test(self) -> Image:
        """Crops of the test split."""
        return self.judged["test"]

    @cached_property
    def lesson(self) -> Lesson:
        """What `best` is taught from."""
        rows = self.rows(TRAIN_SPLIT)
        return Lesson.of(rows, read_canvases(self.folder, rows, self.contract))

    @cached_property
    def measured(self) -> LabelledJoints:
        """What rules are fitted to: measures of the training joints, and their labels."""
        rows = self.rows(TRAIN_SPLIT)
        labels = np.array([GOOD if row.is_good else row.label for row in rows])
        return LabelledJoints(*measured(self.crops(rows)), labels)

    @cached_property
    def wrong_rows(self) -> tuple[Row, ...]:
        """Some of the test joints again, with wrong regions."""
        return with_wrong_regions(self.rows(TEST_SPLIT))

    @cached_property
    def judged(self) -> dict[str, Image]:
        """What every method scores: validation, test, and test joints in wrong regions."""
        return {"val": self.val, "test": self.crops(self.rows(TEST_SPLIT)), "wrong": self.crops(self.wrong_rows)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may take; None: as the preset says. Epochs are the schedule's, seconds stop it after an epoch."""

    epochs: int | None = None
    seconds: float = math.inf


def run(method: str, seed: int, data: StudyData, folder: Path, limits: Limits, on_epoch: OnEpoch) -> Path:
    """The folder of one method and seed, made where it is not there yet: `run.json`, `scores.npz` and, of a network,
    `weights.pt`."""
    place = folder / f"{method}-{seed}"
    if (place / "run.json").is_file():
        return place
    place.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if method in RULES:
        record, scores = _rules(RULES[method], data)
    else:
        record, scores = _network(method, seed, data, place, limits, on_epoch)
    np.savez(place / "scores.npz", **scores)
    record |= {"method": method, "seed": seed, "data": data.folder.resolve().name}
    record["total_s"] = time.monotonic() - started
    (place / "run.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return place


def read_run(place: Path) -> tuple[dict[str, Any], Scores]:
    """What `run` wrote. Raises OSError, ValueError."""
    with np.load(place / "scores.npz", allow_pickle=False) as file:
        scores = {name: np.asarray(file[name], np.float32) for name in file.files}
    return json.loads((place / "run.json").read_text("utf-8")), scores


def trained_network(method: str, place: Path) -> nn.Module:
    """The network of a run, with its score. Raises OSError."""
    preset, variant = NETWORKS[method]
    made = PRESETS[preset].variants[variant]
    network = made.build()
    network.load_state_dict(torch.load(place / "weights.pt", weights_only=True))
    return SCORES[made.scores[0]](network).eval()


def fit(
    preset: str, network: nn.Module, data: StudyData, seed: int, limits: Limits, on_epoch: OnEpoch
) -> tuple[FitReport, int]:
    """Train on the training split; the report, and from how many joints. Raises TrainingFault, DataFault."""
    rows, val_rows = data.rows(TRAIN_SPLIT), data.rows(VAL_SPLIT)
    settings: Any = replace(PRESETS[preset].training, bfloat16=True)
    if limits.epochs is not None:
        settings = replace(settings, epochs=limits.epochs)
    if preset == "best":
        val_wrong = np.array([fault != ROI_OK for fault in roi_faults(val_rows)])
        val_joints = JudgedCrops(slices=data.val, defective=defective(val_rows), wrong=val_wrong)
        return fit_best(network, data.lesson, val_joints, settings, seed, on_epoch), len(rows)
    kept = tuple(rows[i] for i in balanced(defective(rows), seed))
    train = LabelledCrops(slices=data.crops(kept), defective=defective(kept))
    val = LabelledCrops(slices=data.val, defective=defective(val_rows))
    return fit_paper(network, train, val, settings, seed, on_epoch, limits.seconds), len(kept)


def _network(
    method: str, seed: int, data: StudyData, place: Path, limits: Limits, on_epoch: OnEpoch
) -> tuple[dict[str, Any], Scores]:
    preset, variant = NETWORKS[method]
    network = seeded(PRESETS[preset].variants[variant].build, seed)
    if (place / "weights.pt").is_file() and (place / "fit.json").is_file():  # trained, but not scored yet
        record = json.loads((place / "fit.json").read_text("utf-8"))
    else:
        report, n_train = fit(preset, network, data, seed, limits, on_epoch)
        record = {
            "preset": preset,
            "variant": variant,
            "n_train": n_train,
            "epochs": report.epochs,
            "best_epoch": report.best_epoch,
            "val_auroc": [1.0 - one.val_loss for one in report.history],
            "fit_s": report.seconds,
        }
        torch.save(network.state_dict(), place / "weights.pt")
        (place / "fit.json").write_text(json.dumps(record) + "\n", "utf-8")
    scored = trained_network(method, place)
    return record, {
        f"{split}_{name}": values
        for split, crops in data.judged.items()
        for name, values in zip(("score", "kind", "roi"), probabilities(scored, crops), strict=False)
    }


def _rules(variant: str, data: StudyData) -> tuple[dict[str, Any], Scores]:
    """Fitted on the training split alone, so that validation is as unseen as it is for networks."""
    rules = fit_slice_rules(variant, [data.measured])
    scores: Scores = {}
    for split, crops in data.judged.items():
        batch = judged(rules, crops)
        answers = {"score": batch.score, "kind": batch.kind, "roi": batch.roi}
        scores |= {f"{split}_{name}": np.asarray(v, np.float32) for name, v in answers.items() if v is not None}
    return {"preset": "rules", "variant": variant, "n_train": len(data.rows(TRAIN_SPLIT))}, scores
