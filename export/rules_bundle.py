"""`boardgate train … --preset rules`: a bundle of the classical inspector, from the same folder and splits."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from pydantic import BaseModel

from calibration.thresholds import quantile_choice
from edge import __version__
from edge.board import Floats, Image
from edge.bundle import Contract, DataFingerprint, GraphRecord, Manifest, Parity, model_file
from edge.references import Scorable, crops_of
from edge.thresholds import Thresholds
from export import component_rules, joint_rules, package_rules, paste_rules_bundle, slice_rules
from export.agreement import agreement
from export.approved import approved_of, scorable
from export.bundle import BundleParts, golden_choice, most_golden, write_bundle
from export.datasets import (
    GOOD_LABELS,
    TRAIN_SPLIT,
    VAL_SPLIT,
    Row,
    fingerprint,
    has_places,
    read_data_set,
)
from export.families import one_of
from export.inputs import contract_inputs
from export.rules import RulesFault

TOOL = f"boardgate train --preset rules {__version__}"
PRESET = "rules"
# Features count pixels above a level, so a resize that rounds otherwise on another device may move one by a few pixels
# of some hundred. A wrong channel order or a shifted crop moves scores by a tenth and more.
GOLDEN_FRAC = 0.02


class RulesFamily(Protocol):
    """What a family's module of rules offers."""

    VARIANTS: tuple[str, ...]  # the first is the default

    def rules_contract(self, *, places: bool, variant: str) -> Contract:
        """What its inspector takes; `places` where the data gave centres or boxes."""
        ...

    def embed(self, crops: Image) -> Floats:
        """What is kept of an approved picture, (N, E), where the family compares."""
        ...

    def fitted(
        self,
        train_rows: Sequence[Row],
        train: Scorable,
        val_rows: Sequence[Row],
        val: Scorable,
        contract: Contract,
        variant: str,
    ) -> BaseModel:
        """What becomes `rules.json`. Raises RulesFault."""
        ...

    def score(self, rules: Any, inputs: Scorable) -> Floats:
        """Scores (N,) as the station's scorer gives them."""
        ...


RULES: dict[str, Any] = {
    "solder_joint": joint_rules,
    "pth_component": component_rules,
    "paste_print": paste_rules_bundle,
    "axi_joint": slice_rules,
    "bga_package": package_rules,
}


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
    family: str = "solder_joint",
    table: str | None = None,
    where: tuple[str, ...] = (),
    val_where: tuple[str, ...] = (),
    variant: str | None = None,
) -> RulesReport:
    """Fit on `train` (and choose limits on `train` and `val` for `tuned`), take the threshold from good `val` rows.

    Raises UnknownName, DataFault, RulesFault, ThresholdFault, BundleWriteFault.
    """
    kind: RulesFamily = one_of(RULES, family, "rules of family")
    variant = variant or kind.VARIANTS[0]
    if variant not in kind.VARIANTS:
        raise RulesFault(f"preset rules has no variant {variant!r}: one of {list(kind.VARIANTS)}")
    whole, lane = read_data_set(data, table, where), read_data_set(data, table, (*where, *val_where))
    train_rows, val_rows = whole.split(TRAIN_SPLIT), lane.split(VAL_SPLIT)
    lane.normals(VAL_SPLIT)  # raises where there is no good place to take a threshold from
    contract = kind.rules_contract(places=has_places((*train_rows, *val_rows)), variant=variant)
    approved = approved_of(whole, contract)
    train, val = (
        scorable(approved, contract_inputs(data, rows, contract), rows, kind) for rows in (train_rows, val_rows)
    )
    rules = kind.fitted(train_rows, train, val_rows, val, contract, variant)
    model = (rules.model_dump_json(indent=2) + "\n").encode()
    scores = kind.score(type(rules).model_validate_json(model), val)
    good = np.array([row.is_good for row in val_rows])
    used = fingerprint(whole, train_rows if variant == "tuned" else whole.normals(TRAIN_SPLIT), val_rows)
    threshold = quantile_choice(good=scores[good], defect=scores[~good], split=VAL_SPLIT, data_sha256=used.sha256)
    parity = agreement(
        kind.score(rules, val),
        scores,
        thresholds=(threshold.value, threshold.value),
        is_defect=~good,
        compared_with="rules as fitted",
    )
    golden = golden_choice([row.label for row in val_rows], scores, GOOD_LABELS, most_golden(contract))
    identity = write_bundle(
        out,
        BundleParts(
            manifest=_manifest(family, variant, contract, used, parity),
            models={"fp32": model},
            thresholds=Thresholds(schema_version=2, tool=TOOL, precisions={"fp32": threshold}),
            golden_batch=crops_of(val)[golden],
            golden_scores={"fp32": scores[golden]},
            golden_approved=None if approved is None else approved.golden([val_rows[i] for i in golden]),
        ),
    )
    return RulesReport(
        identity=identity,
        n_limits=len(rules.limits),
        n_templates=len(getattr(rules, "templates", ())),
        threshold=threshold.value,
    )


def _manifest(family: str, variant: str, contract: Contract, used: DataFingerprint, parity: Parity) -> Manifest:
    return Manifest(
        schema_version=2,
        family=family,
        engine="rules",
        variant=f"rules/{variant}",
        preset=PRESET,
        seed=0,
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        contract=contract,
        data=used,
        graphs={
            "fp32": GraphRecord(file=model_file("rules", "fp32"), parity=parity, golden_tolerance=GOLDEN_FRAC),
        },
        tools={"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__},
        files={},
    )
