"""From a data set folder to bundles: read, cut, train, check, export, measure, write. One screen per step, in that
order.

Nothing here looks at a split other than `train` and `val`, and only good places of those are trained on or set a
threshold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from calibration.thresholds import quantile_choice
from edge.bundle import Contract, GraphRecord, Manifest, Parity, model_file
from edge.families import FAMILIES as STATION_FAMILIES
from edge.thresholds import Thresholds
from export.agreement import agreement
from export.bundle import BundleParts, golden_choice, write_bundle
from export.datasets import (
    GOOD_LABELS,
    TRAIN_SPLIT,
    VAL_SPLIT,
    contract_crops,
    fingerprint,
    has_places,
    read_data_set,
)
from export.families import FamilyRecipe, Preset, load_family, one_of
from export.onnx import ExportFault, onnx_from_torch, run_onnx, run_torch, tool_versions
from export.teaching import Check, Samples, TeachingJob
from export.train import EpochReport, FitReport, TrainingFault

TOOL = "boardgate train"

Settings = TypeVar("Settings")  # a preset's own dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What `boardgate train` was asked for. `where` filters all rows, `val_where` those of validation alone (the lane
    that the station will see). What is None is the preset's own."""

    family: str
    data: Path
    table: str | None = None
    where: tuple[str, ...] = ()
    val_where: tuple[str, ...] = ()
    preset: str = "paper"
    variant: str | None = None
    score: str | None = None
    seed: int = 0
    channels: str | None = None
    normalisation: str | None = None
    epochs: int | None = None
    bfloat16: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained network that passed the check against collapse, with what is needed to export it with any of its
    scores."""

    request: TrainRequest
    recipe: FamilyRecipe
    variant: str
    scores: tuple[str, ...]
    network: nn.Module
    contract: Contract
    samples: Samples
    report: FitReport
    check: Check


def train(request: TrainRequest, on_epoch: Callable[[EpochReport], None] = lambda report: None) -> Trained:
    """Train one network. Raises DataFault, UnknownName, or TrainingFault when it collapsed or never became finite."""
    recipe = load_family(request.family)
    preset = one_of(recipe.PRESETS, request.preset, "preset")
    name = request.variant or preset.default_variant
    variant = one_of(preset.variants, name, f"preset {request.preset!r}: variant")
    score_of(request.score, name, variant.scores)  # a wrong name is told now, not after the training
    contract, samples = read_samples(request, recipe, preset)
    network = seeded(variant.build, request.seed)
    taught = preset.teach(
        TeachingJob(
            network=network,
            scored=recipe.scored(network, variant.scores[0]),
            samples=samples,
            folder=request.data,
            contract=contract,
            graph_input=STATION_FAMILIES[request.family].graph_input,
            settings=training_settings(request, preset.training),
            seed=request.seed,
            on_epoch=on_epoch,
        )
    )
    if taught.check.faults:
        raise TrainingFault("; ".join(taught.check.faults))
    return Trained(
        request=request,
        recipe=recipe,
        variant=name,
        scores=variant.scores,
        network=network,
        contract=contract,
        samples=samples,
        report=taught.report,
        check=taught.check,
    )


def write(trained: Trained, out: Path, score: str | None = None) -> str:
    """Export a trained network with one of its scores and write the bundle; returns the bundle's identity.

    The threshold is taken from the exported graph's own scores, the ones a station will see. Raises UnknownName,
    ExportFault when the graph is wrong or disagrees with the network, BundleWriteFault.
    """
    name = score_of(score or trained.request.score, trained.variant, trained.scores)
    samples, recipe = trained.samples, trained.recipe
    module = recipe.scored(trained.network, name)
    model = onnx_from_torch(module, trained.contract)
    scores = run_onnx(model, samples.val).score
    threshold = quantile_choice(
        good=scores[samples.val_good],
        defect=scores[~samples.val_good],
        split=VAL_SPLIT,
        data_sha256=samples.data.sha256,
    )
    parity = agreement(
        run_torch(module, samples.val).score,
        scores,
        thresholds=(threshold.value, threshold.value),
        is_defect=~samples.val_good,
        compared_with=f"torch {torch.__version__}, FP32, CPU, on validation crops",
    )
    check_parity(parity, recipe.TORCH_ONNX_FRAC * abs(threshold.value))
    golden = golden_choice([row.label for row in samples.val_rows], scores, GOOD_LABELS)
    parts = BundleParts(
        manifest=manifest_of(trained, name, parity),
        models={"fp32": model},
        thresholds=Thresholds(schema_version=2, tool=TOOL, precisions={"fp32": threshold}),
        golden_batch=samples.val_crops[golden],
        golden_scores={"fp32": scores[golden]},
    )
    return write_bundle(out, parts)


def check_parity(parity: Parity, allowed: float) -> None:
    """Raise ExportFault when exported and trained scores differ by more than `allowed`."""
    if parity.max_abs_score_difference > allowed:
        raise ExportFault(
            f"exported scores differ from torch's by {parity.max_abs_score_difference:.3g}, allowed {allowed:.3g}"
        )


def manifest_of(trained: Trained, score: str, parity: Parity) -> Manifest:
    """The manifest of a trained network exported with `score`; its files are filled in when it is written."""
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
            "fp32": GraphRecord(
                file=model_file("onnx", "fp32"), parity=parity, golden_tolerance=trained.recipe.GOLDEN_FRAC
            )
        },
        tools=tool_versions(),
        files={},
    )


def score_of(asked: str | None, variant: str, scores: tuple[str, ...]) -> str:
    """The score asked for, or the variant's first. Raises UnknownName for one the variant does not have."""
    return one_of({s: s for s in scores}, asked or scores[0], f"variant {variant!r}: score")


def read_samples(request: TrainRequest, recipe: FamilyRecipe, preset: Preset) -> tuple[Contract, Samples]:
    """The training and validation crops of a request, and the contract they were cut and scaled by."""
    data = read_data_set(request.data, request.table, request.where)
    lane = read_data_set(request.data, request.table, (*request.where, *request.val_where))
    train_rows, val_rows = data.normals(TRAIN_SPLIT), lane.split(VAL_SPLIT)
    if preset.share_rows is not None:
        train_rows, val_rows = preset.share_rows(data.split(TRAIN_SPLIT), val_rows)
    lane.normals(VAL_SPLIT)  # raises where there is no good place to take a threshold from
    contract = recipe.contract(
        channels=request.channels or preset.channels,
        normalisation=request.normalisation or preset.normalisation,
        places=has_places((*train_rows, *val_rows)),
    )
    graph_input = STATION_FAMILIES[request.family].graph_input
    val_crops = contract_crops(request.data, val_rows, contract)
    return contract, Samples(
        train=graph_input(contract_crops(request.data, [r for r in train_rows if r.is_good], contract), contract),
        train_rows=train_rows,
        val_rows=val_rows,
        val_crops=val_crops,
        val=graph_input(val_crops, contract),
        all_rows=data.rows,
        data=fingerprint(data, train_rows, val_rows),
    )


def training_settings(request: TrainRequest, settings: Settings) -> Settings:
    """A preset's settings with what the request overrides."""
    epochs = settings.epochs if request.epochs is None else request.epochs
    return dataclasses.replace(settings, epochs=epochs, bfloat16=request.bfloat16)


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A fresh network whose first weights depend on the seed alone."""
    torch.manual_seed(seed)
    return build()
