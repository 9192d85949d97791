"""The rules of BGA packages, fitted from a data set's rows: what `export.rules_bundle` asks of a family's rules.

Of the 36 parameters those of the look are an engineer's for reflected light and for X-rays, chosen on packages of the
line twin (seed 901, its `train` and `val`); which of the two looks a data set has is found by trying both on good
packages. The limits are fitted (`export.package_rules_limits`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Floats, Image
from edge.bundle import KIND, Contract, TensorSpec
from edge.references import Scorable, crops_of
from edge.scorers.package_rules import MAP_CELL_PX, PICTURE_PX, exceedance, limits_of
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_kinds import KINDS
from edge.scorers.package_rules_measure import gauge
from export.datasets import Row, kinds_of
from export.package_rules_limits import (
    Measured,
    fitted_limits,
    shows_grid_frac,
    tuned_limits,
    unevenness,
    with_limits,
    with_outline,
)
from export.package_rules_looks import LOOKS
from export.rules import RulesFault

VARIANTS = ("good_only", "tuned")
MIN_GOOD = 50
LOOK_PICTURES = 40  # are enough to tell which look it is
MIN_GRIDS_FRAC = 0.8  # of good packages must show their grid


def rules_contract(*, places: bool, variant: str) -> Contract:
    """What the package inspector takes: the whole package as a colour picture, whether or not places are given."""
    side = PICTURE_PX // MAP_CELL_PX
    return Contract(
        crop_px=PICTURE_PX,
        region_scale=1.0,
        channels="bgr",
        normalisation="unit",
        inputs=(
            TensorSpec(name="crops", shape=("N", PICTURE_PX, PICTURE_PX, 3), dtype="uint8", meaning="bgr, as cut"),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning="worst value over its limit"),
            TensorSpec(name="map", shape=("N", side, side), dtype="float32", meaning="where, in limits"),
            TensorSpec(name=KIND, shape=("N", len(KINDS)), dtype="float32", meaning="each kind's worst, in limits"),
        ),
        kinds=KINDS,
    )


def embed(crops: Image) -> Floats:
    """Rules of packages compare nothing: raises RulesFault."""
    raise RulesFault("rules of packages compare nothing")


def score(rules: PackageRulesFile, inputs: Scorable) -> Floats:
    """Scores (N,) float32 as the station's scorer gives them."""
    return np.asarray(exceedance(measured(crops_of(inputs), rules), limits_of(rules)).max(1), np.float32)


def measured(pictures: Image | Floats, rules: PackageRulesFile) -> Floats:
    """Values (N, len(MEASURES)) float32 of pictures (N, 256, 256, 3) uint8 BGR."""
    return np.stack([gauge(np.asarray(picture, np.uint8), rules).values for picture in pictures])


def fitted(
    train_rows: Sequence[Row],
    train_inputs: Scorable,
    val_rows: Sequence[Row],
    val_inputs: Scorable,
    contract: Contract,
    variant: str,
) -> PackageRulesFile:
    """`good_only` from good training packages; `tuned` weighs the limits on the defects of both splits as well.

    Raises RulesFault for too few good packages, for pictures that show no grid, and for `tuned` without a defect.
    """
    train, val = crops_of(train_inputs), crops_of(val_inputs)
    labels = kinds_of(train_rows)
    good = train[labels == "good"]
    if len(good) < MIN_GOOD:
        raise RulesFault(f"{len(good)} good packages, at least {MIN_GOOD} needed to set limits by")
    rules = with_outline(_look(good), np.asarray(good, np.uint8))
    values = measured(train, rules)
    rules = with_limits(rules, fitted_limits(values[labels == "good"]))
    if variant == "good_only":
        return rules
    known = Measured(
        values=np.concatenate([values, measured(val, rules)]), labels=np.append(labels, kinds_of(val_rows))
    )
    return with_limits(rules, tuned_limits(known, limits_of(rules)))


def _look(good: Image | Floats) -> PackageRulesFile:
    """The look whose parameters find a grid on most good packages; of two that do, the one with the more even balls."""
    some = good[:: max(1, len(good) // LOOK_PICTURES)]
    values = {name: measured(some, look) for name, look in LOOKS.items()}
    found = {name: shows_grid_frac(look) for name, look in values.items()}
    shown = [name for name in LOOKS if found[name] >= MIN_GRIDS_FRAC]
    if not shown:
        raise RulesFault(f"a grid of balls is found on {found} of good packages, at least {MIN_GRIDS_FRAC} needed")
    return LOOKS[min(shown, key=lambda name: unevenness(values[name]))]
