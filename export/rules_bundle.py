"""`boardgate train … --preset rules`: a bundle of the classical inspector, from the same folder and splits."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.thresholds import quantile_choice
from edge import __version__
from edge.board import Image
from edge.bundle import Contract, GraphRecord, Manifest, TensorSpec, model_file
from edge.scorers.rules import RulesFile
from edge.thresholds import Thresholds
from export.agreement import agreement
from export.bundle import BundleParts, golden_choice, write_bundle
from export.datasets import (
    GOOD_LABELS,
    TRAIN_SPLIT,
    VAL_SPLIT,
    Row,
    contract_crops,
    fingerprint,
    has_places,
    read_data_set,
)
from export.rules import LabelledCrops, RulesFault, fit_rules, score

TOOL = f"boardgate train --preset rules {__version__}"
PRESET = "rules"
VARIANTS = ("good_only", "tuned")
FAMILY = "solder_joint"
CROP_PX = 64
PLACE_SCALE, WHOLE_SCALE = 1.5, 1.0  # as the learned presets have it: what is compared sees the same pixels
# Features count pixels above a level, so a resize that rounds otherwise on another device may move one by a few pixels
# of some hundred. A wrong channel order or a shifted crop moves scores by a tenth and more.
GOLDEN_FRAC = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesReport:
    """What was written: the bundle's identity, and how many limits and templates it holds."""

    identity: str
    n_limits: int
    n_templates: int
    threshold: float


def write_rules_bundle(
    data: Path,
    out: Path,
    *,
    table: str | None = None,
    where: tuple[str, ...] = (),
    val_where: tuple[str, ...] = (),
    variant: str = "good_only",
) -> RulesReport:
    """Fit on `train` (and choose limits on `train` and `val` for `tuned`), take the threshold from good `val` rows.

    Raises DataFault, RulesFault, ThresholdFault, BundleWriteFault.
    """
    if variant not in VARIANTS:
        raise RulesFault(f"preset rules has no variant {variant!r}: one of {list(VARIANTS)}")
    whole, lane = read_data_set(data, table, where), read_data_set(data, table, (*where, *val_where))
    train_rows, val_rows = whole.split(TRAIN_SPLIT), lane.split(VAL_SPLIT)
    lane.normals(VAL_SPLIT)  # raises where there is no good place to take a threshold from
    contract = rules_contract(places=has_places((*train_rows, *val_rows)))
    train, val = (contract_crops(data, rows, contract) for rows in (train_rows, val_rows))
    rules = _fitted(train_rows, train, val_rows, val, contract, variant)
    model = (rules.model_dump_json(indent=2) + "\n").encode()
    scores = score(RulesFile.model_validate_json(model), val)
    good = np.array([row.is_good for row in val_rows])
    used = fingerprint(whole, train_rows if variant == "tuned" else whole.normals(TRAIN_SPLIT), val_rows)
    threshold = quantile_choice(good=scores[good], defect=scores[~good], split=VAL_SPLIT, data_sha256=used.sha256)
    parity = agreement(
        score(rules, val),
        scores,
        thresholds=(threshold.value, threshold.value),
        is_defect=~good,
        compared_with="rules as fitted",
    )
    golden = golden_choice([row.label for row in val_rows], scores, GOOD_LABELS)
    manifest = Manifest(
        schema_version=2,
        family=FAMILY,
        engine="rules",
        variant=f"rules/{variant}",
        preset=PRESET,
        seed=0,
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        contract=contract,
        data=used,
        graphs={
            "fp32": GraphRecord(
                file=model_file("rules", "fp32"),
                parity=parity,
                golden_tolerance=GOLDEN_FRAC,
            )
        },
        tools={"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__},
        files={},
    )
    identity = write_bundle(
        out,
        BundleParts(
            manifest=manifest,
            models={"fp32": model},
            thresholds=Thresholds(schema_version=2, tool=TOOL, precisions={"fp32": threshold}),
            golden_batch=val[golden],
            golden_scores={"fp32": scores[golden]},
        ),
    )
    return RulesReport(
        identity=identity,
        n_limits=len(rules.limits),
        n_templates=len(rules.templates),
        threshold=threshold.value,
    )


def rules_contract(*, places: bool) -> Contract:
    """What the classical inspector takes: colour crops as they are; `places` where the data gave centres or boxes."""
    shape = ("N", CROP_PX, CROP_PX, 3)
    return Contract(
        crop_px=CROP_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels="bgr",
        normalisation="unit",
        inputs=(TensorSpec(name="crops", shape=shape, dtype="uint8", meaning="bgr crops, as cut"),),
        outputs=(TensorSpec(name="score", shape=("N",), dtype="float32", meaning="worst exceedance of a limit"),),
    )


def _fitted(
    train_rows: tuple[Row, ...], train: Image, val_rows: tuple[Row, ...], val: Image, contract: Contract, variant: str
) -> RulesFile:
    good = train[[row.is_good for row in train_rows]]
    if variant == "good_only":
        return fit_rules(good, contract.region_scale)
    lanes = (LabelledCrops(crops=train, labels=_kinds(train_rows)), LabelledCrops(crops=val, labels=_kinds(val_rows)))
    return fit_rules(np.concatenate([good, val[[row.is_good for row in val_rows]]]), contract.region_scale, lanes)


def _kinds(rows: tuple[Row, ...]) -> NDArray[np.str_]:
    return np.array(["good" if row.is_good else row.label for row in rows])
