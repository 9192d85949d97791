"""Fitting the limits of the classical inspector: from good joints alone, or with the help of the few known defects.

`good_only` does what a process engineer does with good boards on the table: typical values, and limits that almost all
good joints keep, on the sides that solder faults are known to break. `tuned` looks at labelled defects as well and
keeps the limits, and how tight each is, that tell them apart best. Give it `train` and `val`, never the split it is
judged on, and mind that few defects fit their own board: on other boards `good_only` was the better of the two.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge.board import Floats, Image
from edge.scorers.rules import (
    FEATURES,
    Gauge,
    Limit,
    RulesFile,
    exceedance,
    template_source,
    template_window,
)
from export.faults import WorkshopFault

N_TEMPLATES = 12  # means of alike good joints; 24 gave the same ranks at twice the time
GOOD_QUANTILE = 0.995  # of good joints keep each limit; a calibrated threshold absorbs what some 20 limits add up to
TUNED_QUANTILES = (0.90, 0.97, 0.995)  # how tight a chosen limit is beside the others
MAX_ROUNDS = 5
MIN_GAIN = 0.002  # of mean AUROC; less is noise of a few pins
MIN_GOOD = 50
KMEANS_SEED = 7

# Sides on which a limit means a fault; what an engineer would write down. A rounder or less reaching joint is none.
SIDES: dict[str, str] = {
    "brightness": "both",
    "contrast": "high",
    "highlight": "high",
    "metal_range": "both",
    "centre_metal": "low",
    "ring_metal": "both",
    "dome": "low",
    "centre_darkest": "low",
    "solder_area": "both",
    "solder_outside": "high",
    "gap_fill": "high",
    "gap_metal": "high",
    "gap_imbalance": "high",
    "reach": "high",
    "own_area": "both",
    "offset": "high",
    "elongation": "high",
    "solidity": "low",
    "edges": "high",
    "colour": "low",
    "template": "high",
}


class RulesFault(WorkshopFault):
    """Limits cannot be fitted to these crops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCrops:
    """Crops of one lane, e.g. one split: what a choice of limits is tried on. `labels` say `good` or the defect."""

    crops: Image  # (N, h, w, 3) uint8 BGR
    labels: NDArray[np.str_]  # (N,)


def fit_rules(good: Image, region_scale: float, tune_on: Sequence[LabelledCrops] = ()) -> RulesFile:
    """Rules from good crops (N, h, w, 3) uint8 BGR; `tuned` where `tune_on` has defects, else `good_only`.

    `region_scale` is the contract's crop side / pitch. Limits are quantiles of `good`; `tune_on` only chooses which
    limits are active and how tight each is. Raises RulesFault when there are too few crops.
    """
    if len(good) < MIN_GOOD:
        raise RulesFault(f"{len(good)} good crops, at least {MIN_GOOD} needed to set limits by")
    pitch_frac = 1.0 / region_scale
    templates = _templates(good)
    gauge = Gauge(pitch_frac, good.shape[1], templates)
    measured = gauge.measure(good)
    if tune_on:
        lanes = [(gauge.measure(lane.crops), lane.labels) for lane in tune_on]
        limits = _chosen_limits(measured, lanes)
    else:
        limits = [limit for name in FEATURES if (limit := _limit(measured, name, SIDES[name], GOOD_QUANTILE))]
    return RulesFile(
        pitch_frac=pitch_frac,
        limits=tuple(limits),
        templates=tuple(base64.b64encode(t.tobytes()).decode("ascii") for t in templates),
    )


def rules_json_bytes(good: Image, region_scale: float, tune_on: Sequence[LabelledCrops] = ()) -> bytes:
    """`fit_rules` as the bytes of `rules.json`."""
    return (fit_rules(good, region_scale, tune_on).model_dump_json(indent=2) + "\n").encode()


def score(rules: RulesFile, crops: Image) -> Floats:
    """Scores (N,) float32 of crops (N, h, w, 3) uint8 BGR, as the station's `RulesScorer` gives them."""
    gauge = Gauge(rules.pitch_frac, crops.shape[1], rules.template_pixels())
    return exceedance(gauge.measure(crops), rules.limits)


def _limit(measured: Floats, name: str, side: str, quantile: float) -> Limit | None:
    """The feature's limit from good crops, None where the good ones do not vary on the asked side."""
    values = measured[:, list(FEATURES).index(name)].astype(np.float64)
    typical = float(np.median(values))
    # Half a thousandth of the typical value apart at least: a limit on top of it would make any change a defect.
    room = max(5e-4 * abs(typical), 1e-3)
    low, high = (float(q) for q in np.quantile(values, (1 - quantile, quantile)))
    bounds = {
        "low": min(low, typical - room) if side in ("low", "both") else None,
        "high": max(high, typical + room) if side in ("high", "both") else None,
    }
    if float(values.max() - values.min()) < room:
        return None
    return Limit(feature=name, unit=FEATURES[name], typical=typical, **bounds)


def _chosen_limits(measured: Floats, lanes: list[tuple[Floats, NDArray[np.str_]]]) -> list[Limit]:
    """Choice by coordinates: each side of each feature in turn gets the tightness, or none, that adds most to the mean
    AUROC over kinds of defect and lanes, from the engineer's limits on, until a whole round changes nothing."""
    options = {
        (name, side): [limit for q in TUNED_QUANTILES if (limit := _limit(measured, name, side, q))]
        for name in FEATURES
        for side in ("low", "high")
    }
    alone = {key: [[exceedance(lane, (o,)) for lane, _ in lanes] for o in limits] for key, limits in options.items()}
    chosen: dict[tuple[str, str], int | None] = {
        key: len(limits) - 1 if limits and SIDES[key[0]] in (key[1], "both") else None
        for key, limits in options.items()
    }

    def merit(choice: dict[tuple[str, str], int | None]) -> float:
        active = [alone[key][i] for key, i in choice.items() if i is not None]
        if not active:
            return 0.5
        return _merit([np.max([a[k] for a in active], axis=0) for k in range(len(lanes))], lanes)

    reached = merit(chosen)
    for _ in range(MAX_ROUNDS):
        before = reached
        for key, limits in options.items():
            trials = [{**chosen, key: i} for i in (None, *range(len(limits))) if i != chosen[key]]
            if not trials:  # a feature that does not vary has no limit to choose
                continue
            merits = [merit(trial) for trial in trials]
            best = int(np.argmax(merits))
            # Doing without a limit need not gain anything: fewer limits are easier to believe.
            needed = 0.0 if trials[best][key] is None else MIN_GAIN
            if merits[best] >= reached + needed:
                chosen, reached = trials[best], merits[best]
        if reached - before < MIN_GAIN:
            break
    found = [options[key][i] for key, i in chosen.items() if i is not None]
    return _merged(found)


def _merged(limits: list[Limit]) -> list[Limit]:
    """A low and a high limit of one feature as one."""
    by_feature: dict[str, Limit] = {}
    for limit in limits:
        other = by_feature.get(limit.feature)
        update = {side: value for side in ("low", "high") if (value := getattr(limit, side)) is not None}
        by_feature[limit.feature] = limit if other is None else other.model_copy(update=update)
    return list(by_feature.values())


def _merit(scores: list[Floats], lanes: list[tuple[Floats, NDArray[np.str_]]]) -> float:
    """Mean over kinds of defect of the mean over lanes that have it: a rare kind counts as much as a common one."""
    by_kind: dict[str, list[float]] = {}
    for lane_scores, (_, labels) in zip(scores, lanes, strict=True):
        good = lane_scores[labels == "good"]
        for kind in sorted(set(labels.tolist()) - {"good"}):
            defect = lane_scores[labels == kind]
            truth = np.r_[np.zeros(len(good)), np.ones(len(defect))]
            by_kind.setdefault(kind, []).append(float(roc_auc_score(truth, np.r_[good, defect])))
    if not by_kind:
        raise RulesFault("the crops to tune on hold no defect")
    return float(np.mean([np.mean(v) for v in by_kind.values()]))


def _templates(good: Image) -> Image:
    """Means of groups of alike good joints (k-means on standardised grey), as 8-bit pictures."""
    n, height, width, _ = good.shape
    grey = cv2.cvtColor(good.reshape(n * height, width, 3), cv2.COLOR_BGR2GRAY).reshape(n, height, width)
    small = template_window(template_source(grey.astype(np.uint8, copy=False))).astype(np.float32)
    vectors = small.reshape(n, -1)
    vectors = (vectors - vectors.mean(axis=1, keepdims=True)) / np.maximum(vectors.std(axis=1, keepdims=True), 1.0)
    cv2.setRNGSeed(KMEANS_SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
    groups = min(N_TEMPLATES, n)
    _, _, means = cv2.kmeans(vectors, groups, None, stop, 2, cv2.KMEANS_PP_CENTERS)
    scaled = np.clip(128 + 48 * means, 0, 255)  # +-2.6 standard deviations fit into 8 bits
    return scaled.reshape(groups, *small.shape[1:]).round().astype(np.uint8)
