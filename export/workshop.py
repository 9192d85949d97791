"""From a data set folder to a trained network: read, cut, train, check. One screen per step, in that order. What
becomes of the network is `export.to_bundle`'s; `export.checkpoint` keeps it for another day.

Nothing here looks at a split other than `train` and `val`, and only good places of those are trained on or set a
threshold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from edge.bundle import Contract
from edge.families import FAMILIES as STATION_FAMILIES
from export.approved import approved_of, as_compared
from export.checkpoint import CheckpointFault, CheckpointRecord, read_checkpoint, write_checkpoint
from export.datasets import (
    TRAIN_SPLIT,
    VAL_SPLIT,
    fingerprint,
    has_places,
    read_data_set,
)
from export.families import FamilyRecipe, Preset, Variant, load_family, one_of
from export.inputs import contract_inputs
from export.teaching import Check, Samples, TeachingJob
from export.training_record import EpochReport, FitReport, TrainingFault

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
    report: FitReport | None = None  # None when it came from a checkpoint
    check: Check | None = None


def train(request: TrainRequest, on_epoch: Callable[[EpochReport], None] = lambda report: None) -> Trained:
    """Train one network. Raises DataFault, UnknownName, or TrainingFault when it collapsed or never became finite."""
    recipe = load_family(request.family)
    preset = one_of(recipe.PRESETS, request.preset, "preset")
    name = request.variant or preset.default_variant
    variant = one_of(preset.variants, name, f"preset {request.preset!r}: variant")
    score_of(request.score, name, variant.scores)  # a wrong name is told now, not after the training
    contract, samples = read_samples(request, recipe, preset, variant)
    network = seeded(variant.build, request.seed)
    taught = preset.teach(
        TeachingJob(
            network=network,
            scored=recipe.scored(network, variant.scores[0]),
            samples=samples,
            folder=request.data,
            contract=contract,
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


def keep(trained: Trained, folder: Path) -> None:
    """Write the network as a checkpoint. Raises CheckpointFault when something else is there."""
    request = trained.request
    record = CheckpointRecord(
        schema_version=1,
        family=request.family,
        preset=request.preset,
        variant=trained.variant,
        seed=request.seed,
        table=request.table,
        where=request.where,
        val_where=request.val_where,
        contract=trained.contract,
        data=trained.samples.data,
        weights_sha256="0" * 64,
    )
    write_checkpoint(folder, record, trained.network.state_dict())


def trained_before(folder: Path, data: Path) -> Trained:
    """A checkpoint's network, with the data it was trained on read anew. Raises CheckpointFault when that data has
    changed or the weights are another network's, DataFault."""
    record, state = read_checkpoint(folder)
    recipe = load_family(record.family)
    preset = one_of(recipe.PRESETS, record.preset, "preset")
    variant = one_of(preset.variants, record.variant, f"preset {record.preset!r}: variant")
    request = TrainRequest(
        family=record.family,
        data=data,
        table=record.table,
        where=record.where,
        val_where=record.val_where,
        preset=record.preset,
        variant=record.variant,
        seed=record.seed,
        channels=record.contract.channels,
        normalisation=record.contract.normalisation,
    )
    contract, samples = read_samples(request, recipe, preset, variant)
    if samples.data.sha256 != record.data.sha256:
        raise CheckpointFault(
            f"{data}: its train and val rows are not those {folder} learned from "
            f"(fingerprint {samples.data.sha256[:12]}…, expected {record.data.sha256[:12]}…)"
        )
    network = variant.build()
    try:
        network.load_state_dict(state)
    except RuntimeError as err:
        raise CheckpointFault(f"{folder}: not the weights of {record.preset} {record.variant}: {err}") from None
    return Trained(
        request=request,
        recipe=recipe,
        variant=record.variant,
        scores=variant.scores,
        network=network.eval(),
        contract=contract,
        samples=samples,
    )


def score_of(asked: str | None, variant: str, scores: tuple[str, ...]) -> str:
    """The score asked for, or the variant's first. Raises UnknownName for one the variant does not have."""
    return one_of({s: s for s in scores}, asked or scores[0], f"variant {variant!r}: score")


def read_samples(
    request: TrainRequest, recipe: FamilyRecipe, preset: Preset, variant: Variant
) -> tuple[Contract, Samples]:
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
        variant=variant,
    )
    graph_input = partial(STATION_FAMILIES[request.family].graph_input, contract=contract)
    approved = approved_of(data, contract)
    good_rows = [row for row in train_rows if row.is_good]
    train_crops, val_crops = (
        as_compared(approved, contract_inputs(request.data, rows, contract), rows) for rows in (good_rows, val_rows)
    )
    return contract, Samples(
        train=graph_input(train_crops),
        train_rows=train_rows,
        val_rows=val_rows,
        val_crops=val_crops,
        val=graph_input(val_crops),
        all_rows=data.rows,
        data=fingerprint(data, train_rows, val_rows),
        graph_input=graph_input,
        approved=approved,
    )


def training_settings(request: TrainRequest, settings: Settings) -> Settings:
    """A preset's settings with what the request overrides."""
    epochs = settings.epochs if request.epochs is None else request.epochs
    return dataclasses.replace(settings, epochs=epochs, bfloat16=request.bfloat16)


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A fresh network whose first weights depend on the seed alone."""
    torch.manual_seed(seed)
    return build()
