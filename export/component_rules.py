"""Fitting the limits of the classical inspector of components: how far good parts are from their approved pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Floats, Image
from edge.bundle import EMBEDDING, REFERENCES, Contract, TensorSpec
from edge.references import MAX_APPROVED, Compared, Scorable
from edge.scorers.component_rules import (
    EMBEDDING_SIZE,
    FEATURES,
    ComponentLimit,
    ComponentRulesFile,
    exceedance,
    measured,
    reduced,
)
from export.datasets import Row
from export.rules import RulesFault

VARIANTS = ("good_only",)
CROP_PX = 128  # as the learned presets have it: what is compared sees the same pixels
PLACE_SCALE, WHOLE_SCALE = 1.25, 1.0
GOOD_QUANTILE = 0.995  # of good parts keep each limit
MIN_GOOD = 20
SAME = 1e-4  # 1 - correlation: a crop that is its own approved picture says nothing


def rules_contract(*, places: bool, variant: str) -> Contract:
    """What component rules take; `places` where the data gave boxes."""
    shape = ("N", CROP_PX, CROP_PX, 3)
    references = ("N", MAX_APPROVED, EMBEDDING_SIZE)
    return Contract(
        crop_px=CROP_PX,
        region_scale=PLACE_SCALE if places else WHOLE_SCALE,
        channels="bgr",
        normalisation="unit",
        inputs=(
            TensorSpec(name="crops", shape=shape, dtype="uint8", meaning="bgr crops, as cut"),
            TensorSpec(name=REFERENCES, shape=references, dtype="float32", meaning="approved pictures, reduced"),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="worst exceedance of a limit"),
            TensorSpec(
                name=EMBEDDING, shape=("N", EMBEDDING_SIZE), dtype="float32", meaning="small grey picture, colour cells"
            ),
        ),
    )


def embed(crops: Image) -> Floats:
    """What is kept of an approved picture: (N, h, w, 3) uint8 BGR to (N, EMBEDDING_SIZE) float32."""
    return reduced(crops)


def fitted(
    rows: Sequence[Row],
    train: Scorable,
    _val_rows: Sequence[Row],
    _val: Scorable,
    _contract: Contract,
    _variant: str,
) -> ComponentRulesFile:
    """Limits that all but half a per cent of good training parts keep. Raises RulesFault for too few of them."""
    if not isinstance(train, Compared):
        raise RulesFault("component rules compare: the table names no parts")
    features = measured(reduced(train.crops), train.references).astype(np.float64)
    good = features[np.array([row.is_good for row in rows]) & (features[:, 0] > SAME)]
    if len(good) < MIN_GOOD:
        raise RulesFault(
            f"{len(good)} good parts beside the approved ones, at least {MIN_GOOD} needed to set limits by"
        )
    typical, high = np.median(good, axis=0), np.quantile(good, GOOD_QUANTILE, axis=0)
    room = np.maximum(1e-3, 5e-4 * np.abs(typical))
    high = np.maximum(high, typical + room)
    return ComponentRulesFile(
        limits=tuple(
            ComponentLimit(feature=name, unit=unit, typical=float(typical[k]), high=float(high[k]))
            for k, (name, unit) in enumerate(FEATURES.items())
        )
    )


def score(rules: ComponentRulesFile, inputs: Scorable) -> Floats:
    """Scores (N,) float32 as the station's scorer gives them."""
    if not isinstance(inputs, Compared):
        raise RulesFault("component rules compare: the table names no parts")
    return exceedance(measured(reduced(inputs.crops), inputs.references), rules.limits)
