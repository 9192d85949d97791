"""A bundle with other thresholds: built, and written as a new bundle. The graphs and golden crops stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edge.board import Floats
from edge.bundle import Bundle, GraphRecord
from edge.thresholds import Precision, Threshold, Thresholds
from export.agreement import agreement
from export.bundle import parts_of, write_bundle
from export.calibration_rows import Rows


def write_thresholds(
    bundle: Bundle,
    chosen: Mapping[Precision, Threshold],
    out: Path,
    *,
    tool: str,
    rows: Rows,
    scores: Mapping[Precision, Floats],
) -> str:
    """The bundle with other thresholds, written to `out`; returns its identity. What the manifest says of verdicts
    that agree between precisions is measured anew at the new thresholds, on `rows`, where both were scored."""
    graphs: dict[Precision, GraphRecord] = {}
    for precision in chosen:
        if precision != "fp32" and "fp32" in chosen:
            graphs[precision] = _graph_at(bundle.manifest.graphs[precision], precision, chosen, rows, scores)
    changed = with_thresholds(bundle, chosen, graphs, tool=f"{tool} {version('boardgate')}")
    return write_bundle(out, parts_of(changed))


def with_thresholds(
    bundle: Bundle,
    chosen: Mapping[Precision, Threshold],
    graphs: Mapping[Precision, GraphRecord],
    tool: str | None = None,
) -> Bundle:
    """The bundle as it would be with other thresholds and records of some graphs; nothing is written."""
    thresholds = Thresholds(
        schema_version=2,
        tool=tool or bundle.thresholds.tool,
        precisions={**bundle.thresholds.precisions, **chosen},
    )
    manifest = bundle.manifest.model_copy(update={"graphs": {**bundle.manifest.graphs, **graphs}})
    return dataclasses.replace(bundle, thresholds=thresholds, manifest=manifest)


def _graph_at(
    graph: GraphRecord,
    precision: Precision,
    chosen: Mapping[Precision, Threshold],
    rows: Rows,
    scores: Mapping[Precision, Floats],
) -> GraphRecord:
    parity = agreement(
        scores["fp32"],
        scores[precision],
        thresholds=(chosen["fp32"].value, chosen[precision].value),
        is_defect=np.array([not row.is_good for row in rows.rows]),
        compared_with=f"fp32, both on the CPU at their calibrated thresholds, on {rows.name} crops",
    )
    return graph.model_copy(update={"parity": parity})
