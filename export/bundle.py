"""Writing a bundle, so that a station finds all of it or none: aside first, every file synced, then one rename."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from edge.board import Floats, Image
from edge.bundle import (
    GOLDEN_APPROVED,
    GOLDEN_BATCH,
    GOLDEN_COMPARED,
    NAMER_GRAPH,
    NAMER_SETTINGS,
    Bundle,
    Contract,
    GoldenApproved,
    Manifest,
    golden_score_file,
    read_bundle,
)
from edge.durable import replace_folder, sync
from edge.thresholds import Precision, Thresholds
from export.faults import WorkshopFault

MIN_GOLDEN, MAX_GOLDEN = 8, 16


class BundleWriteFault(WorkshopFault):
    """A bundle could not be written there: what is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParts:
    """Everything a bundle is made of. `manifest.files` is filled in when it is written, whatever it held."""

    manifest: Manifest
    models: Mapping[Precision, bytes]
    thresholds: Thresholds
    golden_batch: Image | Floats  # (N, h, w, 3) uint8 BGR, or (N, T, C, S, S) float32 windows
    golden_scores: Mapping[Precision, Floats]  # (N,) float32 each
    golden_approved: GoldenApproved | None = None  # where the family compares
    namer: tuple[bytes, bytes] | None = None  # what names the printer's fault: graph and settings


def parts_of(bundle: Bundle) -> BundleParts:
    """What an existing bundle is made of, to write it again with something replaced (`dataclasses.replace`)."""
    return BundleParts(
        manifest=bundle.manifest,
        models=bundle.models,
        thresholds=bundle.thresholds,
        golden_batch=bundle.golden_batch,
        golden_scores=bundle.golden_scores,
        golden_approved=bundle.golden_approved,
        namer=bundle.namer,
    )


def write_bundle(out: Path, parts: BundleParts) -> str:
    """Write a bundle folder and return its identity. Replaces an older bundle at `out`, refuses anything else there.

    What was written is read back through the station's own reader before it takes its name.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.parent / f".{out.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _write_files(aside, parts)
        identity = read_bundle(aside).sha256
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return identity


def check_target(out: Path) -> None:
    """Raise BundleWriteFault when `out` is something other than a bundle or an empty folder. Ask before training."""
    if out.exists() and not (out / "manifest.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BundleWriteFault(f"{out}: exists and is no bundle; choose another --out or remove it")


def most_golden(contract: Contract) -> int:
    """How many golden inputs a bundle may have: 16 crops, or 8 windows, each of which is some 0.8 MB."""
    return MAX_GOLDEN if contract.window is None else MIN_GOLDEN


def golden_choice(labels: list[str], scores: Floats, good: frozenset[str], most: int = MAX_GOLDEN) -> list[int]:
    """Which of the validation rows become golden: 8 to `most`, evenly through the range of scores of the good ones and
    of each defect, so that a drift anywhere in the range is seen. Fewer only where there are fewer rows."""
    kinds = ["good" if label in good else label for label in labels]
    names = sorted(set(kinds), key=lambda k: (k != "good", k))[:MIN_GOLDEN]
    share = max(1, most // len(names))
    chosen: list[int] = []
    for name in names:
        members = sorted((i for i, k in enumerate(kinds) if k == name), key=lambda i: float(scores[i]))
        places = np.unique(np.linspace(0, len(members) - 1, min(share, len(members))).round().astype(int))
        chosen += [members[p] for p in places]
    return chosen


def _write_files(folder: Path, parts: BundleParts) -> None:
    (folder / "golden").mkdir(parents=True)
    for precision, graph in parts.manifest.graphs.items():
        (folder / graph.file).write_bytes(parts.models[precision])
        np.save(folder / golden_score_file(precision), parts.golden_scores[precision], allow_pickle=False)
    np.save(folder / GOLDEN_BATCH, parts.golden_batch, allow_pickle=False)
    if parts.golden_approved is not None:
        np.save(folder / GOLDEN_APPROVED, parts.golden_approved.pictures, allow_pickle=False)
        np.save(folder / GOLDEN_COMPARED, parts.golden_approved.compared, allow_pickle=False)
    for name, data in zip((NAMER_GRAPH, NAMER_SETTINGS), parts.namer or (), strict=False):
        (folder / name).write_bytes(data)
    (folder / "thresholds.json").write_bytes(_json(parts.thresholds))
    written = sorted(p for p in folder.rglob("*") if p.is_file())
    files = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in written}
    manifest = _json(parts.manifest.model_copy(update={"files": files}))
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "bundle.sha256").write_text(hashlib.sha256(manifest).hexdigest() + "\n", "ascii")
    for path in (*written, folder / "manifest.json", folder / "bundle.sha256"):
        sync(path)
    sync(folder / "golden")
    sync(folder)


def _json(model: BaseModel) -> bytes:
    content: Mapping[str, object] = model.model_dump(mode="json")
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
