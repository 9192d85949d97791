"""What `paper_tables` measured, as rows: mean ± deviation over seeds. Needs no torch, so that any page can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TITLES = {
    "4": "Table 4: layers trained, BatchNorm, normalisation",
    "5": "Table 5: one more class at a time",
    "backbones": "Backbones",
    "strategies": "How negatives are made",
}
FIGURES: dict[str, tuple[str, ...]] = {  # a column, and where it stands in a run
    "train accuracy": ("train", "accuracy"),
    "train precision": ("train", "precision"),
    "train recall": ("train", "recall"),
    "val accuracy": ("val", "accuracy"),
    "val precision": ("val", "precision"),
    "val recall": ("val", "recall"),
    "val AUROC": ("val", "auroc"),
    "val escapes": ("val", "escape_frac"),
    "painted errors, AUROC": ("errors_auroc",),
}


def table_rows(content: dict[str, Any], name: str) -> tuple[list[str], list[list[str]]]:
    """One table of a result file, its head and its cells: mean ± deviation over seeds."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for entry in content["entries"]:
        if entry["experiment"]["table"] == name:
            runs.setdefault(_named(entry["experiment"]), []).append(entry["run"])
    rows = [
        [label, str(len(of)), *(_spread([_figure(run, where) for run in of]) for where in FIGURES.values())]
        for label, of in runs.items()
    ]
    return ["network", "seeds", *FIGURES], rows


def _figure(run: dict[str, Any], where: tuple[str, ...]) -> float:
    value: Any = run
    for key in where:
        value = value[key]
    return float(value)


def _named(experiment: dict[str, Any]) -> str:
    if experiment["classes"] is not None:
        return ", ".join(experiment["classes"])
    if experiment["table"] == "strategies":
        return str(experiment["strategy"])
    if experiment["trainable_layers"] is None:
        return str(experiment["backbone"])
    norm, length = (("no", "yes")[experiment[key]] for key in ("batch_norm", "normalise"))
    return f"{experiment['trainable_layers']} layers, BatchNorm {norm}, normalised {length}"


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else mean
