"""What the GPU check builds: every family's presets with every score as seeded, untrained networks, and whole bundles.

An untrained network has the shapes, operators and speed of a trained one. Its scores say whether engines agree, nothing
else; verdicts are compared on bundles alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import read_bundle
from edge.families import FAMILIES as STATION_FAMILIES
from edge.references import Compared, crops_of
from edge.scorers import EngineChoice, golden_inputs, load_scorer
from edge.thresholds import Precision
from export.graph_inputs import Fed, Feedable, random_feeds

ON_GPU: tuple[Precision, ...] = ("fp32", "fp16", "int8")
N_INPUTS = 64
RANGE_INPUTS = 16  # untrained networks' ranges are noise's; the widest network's tensors of 64 inputs are gigabytes
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Graphs by precision, inputs (N, …) for them, and where verdicts turn (None for an untrained network). `missing`
    says why a precision is not there; `network` is torch's module where there is one."""

    name: str
    models: Mapping[Precision, bytes]
    missing: Mapping[Precision, str]
    inputs: Feedable
    thresholds: Mapping[Precision, float] | None = None
    network: Any = None


def family_subjects() -> Iterator[Subject]:
    """One subject a family, preset and score of its default network. Needs torch."""
    from export.families import FAMILIES, load_family  # noqa: PLC0415 - torch comes with a family

    for family in FAMILIES:
        recipe = load_family(family)
        for preset_name, preset in recipe.PRESETS.items():
            for score in preset.variants[preset.default_variant].scores:
                yield _seeded(family, recipe, preset_name, score)


def bundle_subject(folder: Path) -> Subject:
    """A bundle with its golden crops. Raises BundleFault."""
    bundle = read_bundle(folder)
    family = STATION_FAMILIES[bundle.manifest.family]
    golden = golden_inputs(bundle, load_scorer(bundle, EngineChoice()))
    board = golden[np.arange(N_INPUTS) % len(golden)]
    crops = family.graph_input(crops_of(board), bundle.manifest.contract)
    return Subject(
        name=f"bundle {bundle.manifest.family} {bundle.manifest.variant} {bundle.sha256[:8]}",
        models={p: bundle.model(p) for p in ON_GPU if p in bundle.precisions},
        missing={p: bundle.manifest.refused.get(p, "not in the bundle") for p in ON_GPU if p not in bundle.precisions},
        inputs=Fed(crops, board.references) if isinstance(board, Compared) else crops,
        thresholds={p: bundle.threshold(p).value for p in bundle.precisions},
    )


def _seeded(family: str, recipe: Any, preset_name: str, score: str) -> Subject:
    from export.onnx import onnx_from_torch  # noqa: PLC0415
    from export.workshop import seeded  # noqa: PLC0415

    preset = recipe.PRESETS[preset_name]
    variant = preset.variants[preset.default_variant]
    contract = recipe.contract(
        channels=preset.channels, normalisation=preset.normalisation, places=True, variant=variant
    )
    network = recipe.scored(seeded(variant.build, SEED), score)
    model = onnx_from_torch(network, contract)
    inputs = random_feeds(contract, N_INPUTS, SEED)
    models, missing = _other_precisions(model, inputs, recipe.float_scopes(score))
    return Subject(
        name=f"{family} {preset_name} {score}",
        models={"fp32": model, **models},
        missing=missing,
        inputs=inputs,
        network=network,
    )


def _other_precisions(
    model: bytes, inputs: Feedable, float_scopes: tuple[str, ...]
) -> tuple[dict[Precision, bytes], dict[Precision, str]]:
    from export.quantize.faults import QuantizeFault  # noqa: PLC0415
    from export.quantize.fp16 import fp16_graph  # noqa: PLC0415
    from export.quantize.graph import load_typed, quantisable_layers  # noqa: PLC0415
    from export.quantize.qdq import int8_graph  # noqa: PLC0415
    from export.quantize.ranges import measure, ranges_by  # noqa: PLC0415

    models: dict[Precision, bytes] = {}
    missing: dict[Precision, str] = {}
    try:
        models["fp16"] = fp16_graph(model, float_scopes)
    except QuantizeFault as fault:
        missing["fp16"] = str(fault)
    try:
        layers = quantisable_layers(load_typed(model), float_scopes)
        models["int8"] = int8_graph(model, ranges_by("mse", measure(model, inputs[:RANGE_INPUTS])), layers)
    except QuantizeFault as fault:
        missing["int8"] = str(fault)
    return models, missing
