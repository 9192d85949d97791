"""One honest example: what the real solder joints can promise, what they cannot, and how many more it would take."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from calibration.bounds import DEFAULT_CONFIDENCE
from calibration.choice import measure
from edge.bundle import read_bundle
from edge.scorers import EngineChoice, load_scorer
from edge.thresholds import Promise, Threshold
from export.calibrate import calibrate
from export.calibrate_tables import tables
from export.calibration_rows import rows_of
from export.datasets import read_data_set
from export.scoring import scores_of

RECALL_FRAC, FALSE_CALL_PPM = 0.99, 1_000.0
TABLE, CHECK_SPLIT = "joints.csv", "dev-test"
LANES = {"close-ups": ("view=closeup",), "all views": ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class of defects on the choosing boards."""

    label: str
    places: int
    pictures: int
    boards: int | None
    recall_promised: float | None
    places_needed: int  # for RECALL_FRAC; those there are where they suffice


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRow:
    """One way to choose, and what it does on boards that had no say."""

    asked: str
    kept: bool
    threshold: float
    good_places: int
    false_call_ppm_promised: float
    check_good: int
    check_defects: int
    recall: float | None
    recall_lower: float | None
    false_call_ppm: float
    false_call_ppm_upper: float


def run(bundle: Path, data: Path, out: Path, json_file: Path | None = None) -> dict[str, Any]:
    """Calibrate for recall and for false calls, on close-ups and on all views; print and write the record. The bundles
    with those thresholds are written into `out`."""
    lanes = {name: _lane(bundle, data, where, out / name.replace(" ", "-")) for name, where in LANES.items()}
    result: dict[str, Any] = {
        "command": f"boardgate bench promise-example --bundle BUNDLE --data {data.name}",
        "data": data.resolve().name,
        "recall": RECALL_FRAC,
        "false_call_ppm": FALSE_CALL_PPM,
        "confidence": DEFAULT_CONFIDENCE,
        "check_split": CHECK_SPLIT,
        "lanes": lanes,
    }
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result


def _lane(bundle: Path, data: Path, where: tuple[str, ...], out: Path) -> dict[str, Any]:
    common: dict[str, Any] = {"table": TABLE, "where": where, "check_split": CHECK_SPLIT, "accept_weaker": True}
    by_recall = calibrate(bundle, data, out / "recall", recall=RECALL_FRAC, **common)
    by_calls = calibrate(bundle, data, out / "false-calls", recall=None, false_call_ppm=FALSE_CALL_PPM, **common)
    for report in (by_recall, by_calls):
        Console().print(tables(report))
    asked = {f"recall ≥ {RECALL_FRAC:g}": by_recall, f"false calls ≤ {FALSE_CALL_PPM:,.0f} ppm": by_calls}
    choice = by_recall.precisions["fp32"].threshold.choice
    own = _own_threshold(bundle, data, where)
    return {
        "classes": [asdict(_class_row(promise)) for promise in choice.promises],
        "thresholds": [
            *(asdict(_threshold_row(name, report.precisions["fp32"].threshold)) for name, report in asked.items()),
            asdict(_threshold_row("as trained, 99th percentile of good pictures", own)),
        ],
    }


def _class_row(promise: Promise) -> ClassRow:
    return ClassRow(
        label=promise.label,
        places=promise.n_units,
        pictures=promise.n_rows,
        boards=promise.n_boards,
        recall_promised=promise.recall_lower,
        places_needed=promise.n_units if promise.needs_units is None else promise.needs_units,
    )


def _own_threshold(folder: Path, data: Path, where: tuple[str, ...]) -> Threshold:
    """The threshold the bundle was trained with, measured like the others."""
    bundle = read_bundle(folder)
    rows = read_data_set(data, TABLE, where)
    checking = rows_of(CHECK_SPLIT, rows, rows.split(CHECK_SPLIT), bundle)
    scorer = load_scorer(bundle, EngineChoice())
    lot = checking.lot(scores_of(scorer, checking.inputs(scorer)))
    own = bundle.threshold()
    measured = measure(own, lot, split=CHECK_SPLIT, data_sha256=checking.sha256)
    return Threshold(value=own.value, choice=own.choice, measured=measured)


def _threshold_row(asked: str, threshold: Threshold) -> ThresholdRow:
    choice, measured = threshold.choice, threshold.measured
    if measured is None:
        raise ValueError(f"nothing was measured on {CHECK_SPLIT}")
    return ThresholdRow(
        asked=asked,
        kept=choice.kept,
        threshold=threshold.value,
        good_places=choice.n_good_units,
        false_call_ppm_promised=choice.false_call_ppm_upper,
        check_good=measured.n_good,
        check_defects=measured.n_defect,
        recall=measured.recall,
        recall_lower=measured.recall_lower,
        false_call_ppm=measured.false_call_ppm,
        false_call_ppm_upper=measured.false_call_ppm_upper,
    )
