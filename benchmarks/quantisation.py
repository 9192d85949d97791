"""What smaller precisions do to verdicts: every range method, what is kept in float, what is refused; then once on
dev-test, which chose nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from calibration.thresholds import quantile_threshold
from edge.board import Floats
from edge.bundle import Bundle, Parity, read_bundle
from edge.families import FAMILIES
from edge.thresholds import Precision
from export.agreement import agreement
from export.datasets import TRAIN_SPLIT, VAL_SPLIT, read_data_set
from export.inputs import contract_inputs
from export.metrics import auroc
from export.onnx import operators
from export.quantize.build import GraphSet, graphs_of
from export.quantize.decisions import score_of
from export.quantize.graph import load_typed, quantisable_layers

DEV_TEST = "dev-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Graph inputs (N, C, h, w) with their labels (N,)."""

    inputs: Floats
    labels: NDArray[np.str_]
    is_good: NDArray[np.bool_]


def run(
    bundles: Sequence[Path],
    data: Path,
    *,
    table: str | None = "joints.csv",
    lane: Sequence[str] = ("view=closeup",),
    threads: int = 2,
    json_file: Path | None = None,
) -> dict[str, object]:
    """Measure every bundle's FP32 graph in every precision; `lane` filters validation and dev-test."""
    record = {
        "command": "boardgate bench quantisation " + " ".join(b.name for b in bundles) + f" --data {data.name}",
        "onnxruntime": ort.__version__,
        "threads": threads,
        "subjects": [_subject(read_bundle(b), data, table, lane, threads) for b in bundles],
    }
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return record


def _subject(bundle: Bundle, data: Path, table: str | None, lane: Sequence[str], threads: int) -> dict[str, object]:
    name = f"{bundle.manifest.preset} {bundle.manifest.variant}"
    train = _split(bundle, data, table, (), TRAIN_SPLIT, only_good=True)
    val = _split(bundle, data, table, lane, VAL_SPLIT)
    model = bundle.model("fp32")

    def threshold_of(scores: Floats) -> float:
        return quantile_threshold(scores[val.is_good])

    started = time.process_time()
    made = graphs_of(
        model,
        bundle.manifest.contract,
        calibration_inputs=train.inputs,
        val_inputs=val.inputs,
        val_is_good=val.is_good,
        threshold_of=threshold_of,
        threads=threads,
        say=lambda line: print(f"{name}: {line}", flush=True),
    )
    return {
        "name": name,
        "seed": bundle.manifest.seed,
        "bundle_sha256": bundle.sha256,
        "cpu_s": time.process_time() - started,
        "operators": operators(onnx.load_from_string(model)),
        "n_layers": len(quantisable_layers(load_typed(model))),
        "n_val_good": int(val.is_good.sum()),
        "n_val_defect": int((~val.is_good).sum()),
        **outcome(made),
        "dev_test": _dev_test(bundle, made, threshold_of(score_of(model, val.inputs, threads)), data, table, lane),
    }


def outcome(made: GraphSet) -> dict[str, object]:
    """What became of each precision, as plain values for JSON."""
    return {
        "trials": [{**asdict(trial), "parity": trial.parity.model_dump(mode="json")} for trial in made.trials],
        "ranges": None if made.ranges is None else made.ranges.model_dump(mode="json"),
        "graphs": {
            precision: {
                "bytes": len(graph.model),
                "threshold": graph.threshold,
                "kept_in_float": graph.kept_in_float,
                **graph.parity.model_dump(mode="json"),
            }
            for precision, graph in made.graphs.items()
        },
        "refused": dict(made.refused),
        "effects": {precision: [asdict(effect) for effect in found] for precision, found in made.effects.items()},
    }


def _dev_test(
    bundle: Bundle, made: GraphSet, threshold: float, data: Path, table: str | None, lane: Sequence[str]
) -> dict[str, object]:
    """FP32 and each graph that passed, every one at the threshold its validation scores set."""
    split = _split(bundle, data, table, lane, DEV_TEST)
    reference = score_of(bundle.model("fp32"), split.inputs)
    scores: Mapping[Precision, Floats] = {p: score_of(g.model, split.inputs) for p, g in made.graphs.items()}
    found: dict[str, object] = {
        "n_good": int(split.is_good.sum()),
        "n_defect": int((~split.is_good).sum()),
        "auroc": {p: _aurocs(s, split) for p, s in {"fp32": reference, **scores}.items()},
    }
    parities: dict[Precision, Parity] = {
        p: agreement(
            reference,
            score,
            thresholds=(threshold, made.graphs[p].threshold),
            is_defect=~split.is_good,
            compared_with=f"the FP32 graph on {DEV_TEST}",
        )
        for p, score in scores.items()
    }
    return {**found, "parity": {p: parity.model_dump(mode="json") for p, parity in parities.items()}}


def _aurocs(score: Floats, split: Split) -> dict[str, float]:
    kinds = sorted(set(split.labels[~split.is_good].tolist()))
    return {kind: float(auroc(score[split.is_good], score[split.labels == kind])) for kind in kinds}


def _split(
    bundle: Bundle, data: Path, table: str | None, where: Sequence[str], split: str, *, only_good: bool = False
) -> Split:
    read = read_data_set(data, table, where)
    rows = read.normals(split) if only_good else read.split(split)
    contract = bundle.manifest.contract
    graph_input = FAMILIES[bundle.manifest.family].graph_input
    return Split(
        inputs=graph_input(contract_inputs(data, rows, contract), contract),
        labels=np.array([row.label for row in rows]),
        is_good=np.array([row.is_good for row in rows]),
    )
