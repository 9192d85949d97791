"""A trained network to a bundle: the graph with its score, the same at every precision that gives the same verdicts,
thresholds from each graph's own scores, golden crops.

Thresholds are taken from the exported graphs' scores, the ones a station will see. The choice made here is the data
sets' own protocol, a quantile of good places; `boardgate calibrate` makes one with a promise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

import torch

from calibration.thresholds import quantile_choice
from edge import __version__
from edge.board import Floats
from edge.bundle import GraphRecord, Manifest, Parity, RangesRecord, model_file
from edge.thresholds import Precision, Threshold, Thresholds
from export.agreement import agreement
from export.bundle import BundleParts, golden_choice, most_golden, write_bundle
from export.datasets import GOOD_LABELS, VAL_SPLIT
from export.onnx import ExportFault, onnx_from_torch, run_onnx, run_torch, tool_versions
from export.quantize.build import BuiltGraph, GraphSet, graphs_of
from export.teaching import Samples
from export.workshop import Trained, score_of

TOOL = f"boardgate train {__version__}"
Say = Callable[[str], None]


def write(
    trained: Trained,
    out: Path,
    score: str | None = None,
    *,
    all_precisions: bool = True,
    say: Say = lambda line: None,
) -> str:
    """Export a trained network with one of its scores and write the bundle; returns the bundle's identity.

    Without `all_precisions` the bundle has FP32 alone. Raises UnknownName, ExportFault when the graph is wrong or
    disagrees with the network, QuantizeFault, BundleWriteFault.
    """
    name = score_of(score or trained.request.score, trained.variant, trained.scores)
    samples = trained.samples
    say("FP32: export and parity")
    plain = _fp32(trained, name)
    made = GraphSet(graphs={}, refused={}, ranges=None, trials=(), effects={})
    if all_precisions:
        made = graphs_of(
            plain.model,
            trained.contract,
            calibration_inputs=samples.train_inputs,
            val_inputs=samples.val_inputs,
            val_is_good=samples.val_good,
            threshold_of=lambda scores: _threshold(samples, scores).value,
            float_scopes=trained.recipe.float_scopes(name),
            say=say,
        )
    graphs: dict[Precision, BuiltGraph] = {"fp32": plain, **made.graphs}
    golden = golden_choice(
        [row.label for row in samples.val_rows], plain.score, GOOD_LABELS, most_golden(trained.contract)
    )
    thresholds = {precision: _threshold(samples, graph.score) for precision, graph in graphs.items()}
    approved = samples.approved
    parts = BundleParts(
        manifest=_manifest(trained, name, graphs, made.refused, made.ranges),
        models={precision: graph.model for precision, graph in graphs.items()},
        thresholds=Thresholds(schema_version=2, tool=TOOL, precisions=thresholds),
        golden_batch=samples.val_crops[golden],
        golden_scores={precision: graph.score[golden] for precision, graph in graphs.items()},
        golden_approved=None if approved is None else approved.golden([samples.val_rows[i] for i in golden]),
    )
    return write_bundle(out, parts)


def _fp32(trained: Trained, score: str) -> BuiltGraph:
    """The plain graph, held against the network it came from."""
    samples = trained.samples
    module = trained.recipe.scored(trained.network, score)
    model = onnx_from_torch(module, trained.contract)
    scores = run_onnx(model, samples.val_inputs).score
    threshold = _threshold(samples, scores).value
    parity = agreement(
        run_torch(module, samples.val_inputs, [spec.name for spec in trained.contract.scored]).score,
        scores,
        thresholds=(threshold, threshold),
        is_defect=~samples.val_good,
        compared_with=f"torch {torch.__version__}, FP32, CPU, on validation crops",
    )
    check_parity(parity, trained.recipe.TORCH_ONNX_FRAC * abs(threshold))
    return BuiltGraph(model=model, score=scores, threshold=threshold, parity=parity)


def check_parity(parity: Parity, allowed: float) -> None:
    """Raise ExportFault when exported and trained scores differ by more than `allowed`."""
    if parity.max_abs_score_difference > allowed:
        raise ExportFault(
            f"exported scores differ from torch's by {parity.max_abs_score_difference:.3g}, allowed {allowed:.3g}"
        )


def _threshold(samples: Samples, scores: Floats) -> Threshold:
    return quantile_choice(
        good=scores[samples.val_good],
        defect=scores[~samples.val_good],
        split=VAL_SPLIT,
        data_sha256=samples.data.sha256,
    )


def _manifest(
    trained: Trained,
    score: str,
    graphs: Mapping[Precision, BuiltGraph],
    refused: Mapping[Precision, str],
    ranges: RangesRecord | None,
) -> Manifest:
    tolerances = trained.recipe.GOLDEN_FRACS
    return Manifest(
        schema_version=2,
        family=trained.request.family,
        engine="onnx",
        variant=f"{trained.variant}/{score}",
        preset=trained.request.preset,
        seed=trained.request.seed,
        created_utc=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        contract=trained.contract,
        data=trained.samples.data,
        graphs={
            precision: GraphRecord(
                file=model_file("onnx", precision), parity=graph.parity, golden_tolerance=tolerances[precision]
            )
            for precision, graph in graphs.items()
        },
        refused=dict(refused),
        int8_ranges=ranges,
        tools=tool_versions(),
        files={},
    )
