"""The rules of joints, fitted from a data set's rows: what `export.rules_bundle` asks of a family's rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract, TensorSpec
from edge.references import Scorable, crops_of
from edge.scorers.rules import RulesFile
from export.datasets import Row, kinds_of
from export.rules import LabelledCrops, RulesFault, fit_rules
from export.rules import score as rules_score

VARIANTS = ("good_only", "tuned")
CROP_PX = 64
PLACE_SCALE, WHOLE_SCALE = 1.5, 1.0  # as the learned presets have it: what is compared sees the same pixels


def rules_contract(*, places: bool, variant: str) -> Contract:
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


def embed(crops: Image) -> Floats:
    """Rules of joints compare nothing: raises RulesFault."""
    raise RulesFault("rules of joints compare nothing")


def score(rules: RulesFile, inputs: Scorable) -> Floats:
    """Scores (N,) float32 as the station's scorer gives them."""
    return rules_score(rules, crops_of(inputs))


def fitted(
    train_rows: Sequence[Row],
    train_inputs: Scorable,
    val_rows: Sequence[Row],
    val_inputs: Scorable,
    contract: Contract,
    variant: str,
) -> RulesFile:
    """`good_only` from good training joints; `tuned` chooses limits on the defects of both splits as well."""
    train, val = crops_of(train_inputs), crops_of(val_inputs)
    good = train[[row.is_good for row in train_rows]]
    if variant == "good_only":
        return fit_rules(good, contract.region_scale)
    lanes = (
        LabelledCrops(crops=train, labels=kinds_of(train_rows)),
        LabelledCrops(crops=val, labels=kinds_of(val_rows)),
    )
    return fit_rules(np.concatenate([good, val[[row.is_good for row in val_rows]]]), contract.region_scale, lanes)
