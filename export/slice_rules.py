"""The rules of joints in X-ray slices, fitted from a data set's rows: what `export.rules_bundle` asks of a family.

`good_only` does what a process engineer does with good boards: limits that almost all good joints keep, on the sides
that faults are known to break, for each number of slices. `tuned` looks at labelled defects as well, and keeps the
limits, and how tight each is, that tell them apart best. `weighted` holds every side of every measure against its limit
and weighs the exceedances by a linear discriminant for each kind of defect, as machines allow their user to. Regions
are doubted by what is unusual among all good joints: nobody need have said which regions are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats, Image
from edge.bundle import KIND, ROI_LIMIT, Contract, TensorSpec
from edge.references import Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.slice_features import FEATURES, measured
from edge.scorers.slice_polar import CROP_PX, REGION_SCALE
from edge.scorers.slice_rules import KINDS, MAX_SLICES, SliceJudge, SliceRulesFile
from export.datasets import Row
from export.rules import RulesFault
from export.slice_rules_limits import ALL_SIDES, ENGINEERS_SIDES, GoodJoints
from export.slice_rules_tuning import GOOD, LabelledJoints, chosen_limits, weightings

VARIANTS = ("good_only", "tuned", "weighted")
WHOLE_SCALE = 1.0  # data sets that hold ready-cut crops: the crop is the region
MIN_GOOD = 50
LEAST_CONTRAST_FRAC = 1 / 3  # of good joints' median: what is fainter is no joint to doubt the region by


def rules_contract(*, places: bool, variant: str) -> Contract:
    """What the classical inspector takes: slices as they are; `places` where the data gave boxes."""
    score = "worst exceedance of a limit" if variant != "weighted" else "share of all kinds of defect, 0 to 1"
    return Contract(
        crop_px=CROP_PX,
        region_scale=REGION_SCALE if places else WHOLE_SCALE,
        channels="slices",
        normalisation="frac",
        n_slices=MAX_SLICES,
        kinds=KINDS,
        inputs=(
            TensorSpec(
                name="slices",
                shape=("N", CROP_PX, CROP_PX, MAX_SLICES),
                dtype="uint8",
                meaning="grey, as cut, slice 00 first, a missing slice all 0",
            ),
        ),
        outputs=(
            TensorSpec(name="score", shape=("N",), dtype="float32", meaning=score),
            TensorSpec(name=KIND, shape=("N", len(KINDS)), dtype="float32", meaning="the same of each kind's limits"),
            TensorSpec(name="roi", shape=("N",), dtype="float32", meaning="above 0.5 the region is doubted"),
        ),
    )


def embed(crops: Image) -> Floats:
    """Rules of joints compare nothing: raises RulesFault."""
    raise RulesFault(f"rules of joints compare nothing; {len(crops)} pictures were given to compare with")


def score(rules: SliceRulesFile, inputs: Scorable) -> Floats:
    """Scores (N,) float32 as the station's scorer gives them."""
    return judged(rules, crops_of(inputs)).score


def judged(rules: SliceRulesFile, crops: Image | Floats) -> ScoreBatch:
    """Scores, kinds and doubts of crops (N, CROP_PX, CROP_PX, MAX_SLICES) uint8."""
    return SliceJudge(rules).judged(*measured(np.asarray(crops, np.uint8)))


def fitted(
    train_rows: Sequence[Row],
    train_inputs: Scorable,
    val_rows: Sequence[Row],
    val_inputs: Scorable,
    contract: Contract,
    variant: str,
) -> SliceRulesFile:
    """`good_only` from good training joints; `tuned` and `weighted` from the defects of both splits as well. Raises
    RulesFault for too few good joints, or no defects."""
    train = _measured(train_rows, train_inputs)
    if variant == "good_only":
        return fit_slice_rules(variant, [train])
    return fit_slice_rules(variant, [train, _measured(val_rows, val_inputs)])


def fit_slice_rules(variant: str, lanes: Sequence[LabelledJoints]) -> SliceRulesFile:
    """Rules of a variant from labelled joints, in lanes such as splits. Raises RulesFault."""
    joints = LabelledJoints(
        np.concatenate([lane.features for lane in lanes]),
        np.concatenate([lane.counts for lane in lanes]),
        np.concatenate([lane.labels for lane in lanes]),
    )
    good = joints.good
    if len(good.counts) < MIN_GOOD:
        raise RulesFault(f"{len(good.counts)} good joints, at least {MIN_GOOD} needed to set limits by")
    roi_limits = tuple(good.roi_limits())
    least_contrast = LEAST_CONTRAST_FRAC * float(np.median(good.features[:, list(FEATURES).index("contrast")]))
    good = _in_their_region(good, SliceRulesFile(limits=roi_limits, roi_limits=roi_limits))
    if variant == "tuned":
        limits = chosen_limits(good, lanes)
    else:
        limits = good.limits(ALL_SIDES if variant == "weighted" else tuple(ENGINEERS_SIDES))
    return SliceRulesFile(
        limits=tuple(limits),
        roi_limits=roi_limits,
        least_contrast=round(least_contrast, 4),
        weightings=tuple(weightings(limits, joints)) if variant == "weighted" else (),
    )


def _in_their_region(good: GoodJoints, roi_rules: SliceRulesFile) -> GoodJoints:
    """The good joints whose region is not doubted: one in a wrong region says nothing about what is typical."""
    rows = SliceJudge(roi_rules).doubts(good.features, good.counts) <= ROI_LIMIT
    return GoodJoints(good.features[rows], good.counts[rows])


def _measured(rows: Sequence[Row], inputs: Scorable) -> LabelledJoints:
    features, counts = measured(np.asarray(crops_of(inputs), np.uint8))
    return LabelledJoints(features, counts, _labels(rows))


def _labels(rows: Sequence[Row]) -> NDArray[np.str_]:
    """A label of several kinds joined by "+" counts as the first of them that is one of KINDS."""
    return np.array([GOOD if row.is_good else _kind(row.label) for row in rows])


def _kind(label: str) -> str:
    return next((name for name in label.split("+") if name in KINDS), label)
