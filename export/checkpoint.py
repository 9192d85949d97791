"""A checkpoint: the weights of a trained network and what it was trained as, so that it can be exported again.

    checkpoint.json    family, preset, variant, seed, contract, fingerprint of the data it learned from, file hash
    weights.npz        the network's state, one array a name

Data, never pickle. A checkpoint stays in the workshop; stations get bundles.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from edge.bundle import Contract, DataFingerprint
from edge.durable import replace_folder, sync
from edge.settings import Name, Settings, SettingsFault, Sha256, read_json
from export.faults import WorkshopFault

RECORD, WEIGHTS = "checkpoint.json", "weights.npz"
State = dict[str, torch.Tensor]


class CheckpointFault(WorkshopFault):
    """A checkpoint that cannot be used: which file, what came, what was expected."""


class CheckpointRecord(Settings):
    """`checkpoint.json`. `where` and `val_where` are the filters the data set was read with."""

    schema_version: Literal[1]
    family: Name
    preset: str
    variant: str
    seed: int
    table: str | None
    where: tuple[str, ...]
    val_where: tuple[str, ...]
    contract: Contract
    data: DataFingerprint
    weights_sha256: Sha256


def write_checkpoint(folder: Path, record: CheckpointRecord, state: State) -> None:
    """Write aside, then take the name. Raises CheckpointFault when something other than a checkpoint is there."""
    if folder.exists() and not (folder / RECORD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointFault(f"{folder}: exists and is no checkpoint; choose another folder or remove it")
    aside = folder.parent / f".{folder.name}.writing"
    aside.mkdir(parents=True, exist_ok=True)
    with (aside / WEIGHTS).open("wb") as file:
        np.savez(file, **{name: tensor.detach().cpu().numpy() for name, tensor in state.items()})
    digest = hashlib.sha256((aside / WEIGHTS).read_bytes()).hexdigest()
    content = record.model_copy(update={"weights_sha256": digest}).model_dump(mode="json")
    (aside / RECORD).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    for name in (WEIGHTS, RECORD):
        sync(aside / name)
    replace_folder(aside, folder)


def read_checkpoint(folder: Path) -> tuple[CheckpointRecord, State]:
    """Read and check. Raises CheckpointFault naming the file."""
    try:
        record = read_json(folder / RECORD, CheckpointRecord)
        data = (folder / WEIGHTS).read_bytes()
    except (SettingsFault, OSError) as err:
        raise CheckpointFault(f"{folder}: is no checkpoint: {err}") from None
    if (got := hashlib.sha256(data).hexdigest()) != record.weights_sha256:
        raise CheckpointFault(f"{folder / WEIGHTS}: hash {got[:12]}…, {RECORD} says {record.weights_sha256[:12]}…")
    with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
        return record, {name: torch.from_numpy(arrays[name]) for name in arrays.files}
