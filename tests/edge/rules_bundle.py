"""A small, valid rules bundle for tests, written without the workshop."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.scorers.rules import FEATURES, Gauge, Limit, RulesFile, exceedance
from tests.edge.drawn import drawn_joints

NO_TEMPLATES = np.zeros((0, 12, 12), np.uint8)
RULES = RulesFile(
    pitch_frac=1 / 1.5,
    limits=(
        Limit(feature="gap_fill", unit=FEATURES["gap_fill"], typical=0.0, high=0.3),
        Limit(feature="dome", unit=FEATURES["dome"], typical=0.4, low=0.0),
    ),
)


def write_rules_bundle(folder: Path, rules_json: bytes | None = None, golden_shift: float = 0.0) -> Path:
    """Write the bundle and return its folder; `golden_shift` makes the golden scores wrong by that much."""
    model = RULES.model_dump_json().encode() if rules_json is None else rules_json
    crops = np.concatenate([drawn_joints(kind, 3, seed=5) for kind in ("good", "bridge", "missing")])
    score = exceedance(Gauge(RULES.pitch_frac, 64, NO_TEMPLATES).measure(crops), RULES.limits)
    golden = {"batch": crops, "score": (score + np.float32(golden_shift)).astype(np.float32)}
    return write_files(folder, manifest_of_rules(), model, golden)


def write_files(
    folder: Path, manifest: dict[str, object], model: bytes, golden: dict[str, NDArray[np.generic]]
) -> Path:
    """A bundle of rules from its parts, hashes filled in."""
    (folder / "golden").mkdir(parents=True)
    (folder / "rules.json").write_bytes(model)
    for name, array in golden.items():
        np.save(folder / f"golden/{name}.npy", array)
    (folder / "thresholds.json").write_text(json.dumps(_thresholds()))
    names = ("rules.json", "thresholds.json", *(f"golden/{name}.npy" for name in golden))
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    written = json.dumps({**manifest, "files": files}).encode()
    (folder / "manifest.json").write_bytes(written)
    (folder / "bundle.sha256").write_text(hashlib.sha256(written).hexdigest())
    return folder


def _thresholds() -> dict[str, object]:
    counts = {"n_rows": 6, "n_units": 6, "caught_units": 6, "misses_units": 0}
    promise = {"label": "any defect", **counts, "confidence": 0.95, "recall_lower": 0.6}
    choice = {
        "method": "quantile",
        "target_false_call_ppm": 1e4,
        "confidence": 0.95,
        "kept": True,
        "split": "drawn",
        "data_sha256": "d" * 64,
        "n_good": 3,
        "n_good_units": 3,
        "n_defect": 6,
        "false_call_units": 0,
        "false_call_ppm": 0.0,
        "false_call_ppm_upper": 631_597.0,
        "promises": [promise],
    }
    return {"schema_version": 2, "tool": "tests", "precisions": {"fp32": {"value": 1.0, "choice": choice}}}


def manifest_of_rules() -> dict[str, object]:
    """All but the files."""
    return {
        "schema_version": 2,
        "family": "solder_joint",
        "engine": "rules",
        "variant": "rules/by_hand",
        "preset": "rules",
        "seed": 0,
        "created_utc": "2025-01-01T00:00:00Z",
        "contract": {
            "crop_px": 64,
            "region_scale": 1.5,
            "channels": "bgr",
            "normalisation": "unit",
            "inputs": [{"name": "crops", "shape": ["N", 64, 64, 3], "dtype": "uint8", "meaning": "bgr crops"}],
            "outputs": [{"name": "score", "shape": ["N"], "dtype": "float32", "meaning": "exceedance"}],
        },
        "data": {"name": "drawn", "sha256": "d" * 64, "n_train": 3, "n_val": 9},
        "graphs": {
            "fp32": {
                "file": "rules.json",
                "golden_tolerance": 0.02,
                "parity": {
                    "compared_with": "itself",
                    "n": 9,
                    "max_abs_score_difference": 0.0,
                    "spearman": 1.0,
                    "verdict_agreement_frac": 1.0,
                    "lost_defects": 0,
                },
            }
        },
        "tools": {},
    }
