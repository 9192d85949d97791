"""A bundle: all that crosses from the workshop to a station. Data, never pickle, never code.

    manifest.json      family, contract, tool versions, data fingerprint, and the SHA-256 of every other file
    thresholds.json    the threshold with its evidence
    model.onnx         the graph, score inside (engine `onnx`), or rules.json (engine `rules`)
    golden/            batch.npy (N,h,w,3) uint8 BGR crops and score.npy (N,) float32, checked before the first board
    bundle.sha256      SHA-256 of manifest.json, so that one flipped bit anywhere is seen

The bundle's identity is the hash of its manifest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge.board import Floats
from edge.recipe import Name, Sha256
from edge.settings import Settings, SettingsFault, read_json

MAX_BUNDLE_FILE_BYTES = 1024 * 1024 * 1024
MODEL_FILE = {"onnx": "model.onnx", "rules": "rules.json"}


class BundleFault(Exception):
    """A bundle that must not judge a board: which file, what came, what was expected."""


class TensorSpec(Settings):
    """One input or output of the graph. `shape` has "N" for the batch."""

    name: str
    shape: tuple[int | Literal["N"], ...]
    dtype: Literal["float32", "uint8"]
    meaning: str


class Contract(Settings):
    """What the graph takes and gives; compared at load with what the engine reports, never guessed or transposed."""

    crop_px: Annotated[int, Field(ge=8, le=1024)]  # regions are resampled to crop_px x crop_px
    region_scale: Annotated[float, Field(gt=0.0, le=10.0)]  # crop side / pitch (or box side) of a place
    channels: Literal["bgr", "grey"]  # grey is repeated over the graph's channels
    normalisation: Literal["unit", "standardised"]  # unit: x/127.5 - 1; standardised: per crop, see the family
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class DataFingerprint(Settings):
    """Which pictures a bundle was made from: SHA-256 over the sorted rows used and their files."""

    name: str
    sha256: Sha256
    n_train: Annotated[int, Field(ge=0)]
    n_val: Annotated[int, Field(ge=0)]


class Parity(Settings):
    """Measured agreement of the exported model with the one that was trained, on validation data."""

    compared_with: str
    n: Annotated[int, Field(ge=1)]
    max_abs_score_difference: Annotated[float, Field(ge=0.0)]
    verdict_agreement_frac: Annotated[float, Field(ge=0.0, le=1.0)]


class Manifest(Settings):
    """`manifest.json`."""

    schema_version: Literal[1]
    family: Name
    engine: Literal["onnx", "rules"]
    variant: str  # e.g. "beta_vae/elbo", for people and reports
    preset: str
    seed: int
    created_utc: str
    contract: Contract
    data: DataFingerprint
    parity: Parity
    golden_tolerance: Annotated[float, Field(gt=0.0, le=0.1)]  # relative to the threshold, see tolerances.py
    tools: dict[str, str]
    files: dict[str, Sha256]


class Evidence(Settings):
    """Why the threshold may be believed. Splits are by board; the data judged here chose nothing else."""

    split: str
    n_good: Annotated[int, Field(ge=1)]
    n_defect: Annotated[int, Field(ge=0)]
    data_sha256: Sha256
    false_call_ppm: Annotated[float, Field(ge=0.0, le=1e6)]
    false_call_ppm_upper: Annotated[float, Field(ge=0.0, le=1e6)]
    recall: Annotated[float, Field(ge=0.0, le=1.0)] | None  # None where no defects were at hand
    recall_lower: Annotated[float, Field(ge=0.0, le=1.0)] | None
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)]
    tool: str


class Thresholds(Settings):
    """`thresholds.json`. No evidence, no load."""

    schema_version: Literal[1]
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    method: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle: every hash matched, contract and thresholds parsed. `sha256` is its identity."""

    folder: Path
    sha256: str
    manifest: Manifest
    thresholds: Thresholds
    model: bytes  # the graph, or the rules' parameters, exactly the bytes that were verified
    golden_batch: NDArray[np.uint8]  # (N, h, w, 3) uint8 BGR
    golden_score: Floats  # (N,) float32


def bundle_identity(folder: Path) -> str:
    """SHA-256 of the manifest, hex. Raises BundleFault when there is none."""
    return _sha256(folder / "manifest.json")


def read_bundle(folder: Path, expected_sha256: str | None = None) -> Bundle:
    """Read and verify a bundle. Raises BundleFault naming the file, what came and what was expected."""
    identity = bundle_identity(folder)
    recorded = _read_text(folder / "bundle.sha256").strip()
    if recorded != identity:
        raise BundleFault(f"{folder}/manifest.json: hash {identity[:12]}…, bundle.sha256 says {recorded[:12]}…")
    if expected_sha256 is not None and identity != expected_sha256:
        raise BundleFault(f"{folder}: is bundle {identity[:12]}…, the recipe was approved with {expected_sha256[:12]}…")
    try:
        manifest = read_json(folder / "manifest.json", Manifest)
        _check_files(folder, manifest)
        thresholds = read_json(folder / "thresholds.json", Thresholds)
    except SettingsFault as fault:
        raise BundleFault(str(fault)) from None
    batch, score = _read_golden(folder, manifest.contract)
    return Bundle(
        folder=folder,
        sha256=identity,
        manifest=manifest,
        thresholds=thresholds,
        model=_read_model(folder, manifest),
        golden_batch=batch,
        golden_score=score,
    )


def _check_files(folder: Path, manifest: Manifest) -> None:
    needed = {MODEL_FILE[manifest.engine], "thresholds.json", "golden/batch.npy", "golden/score.npy"}
    if missing := needed - manifest.files.keys():
        raise BundleFault(f"{folder}/manifest.json files: lacks {sorted(missing)}")
    own = {"manifest.json", "bundle.sha256"}
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    if strangers := found - manifest.files.keys() - own:
        raise BundleFault(f"{folder}: holds files the manifest does not name: {sorted(strangers)}")
    for name, expected in manifest.files.items():
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise BundleFault(f"{folder}/manifest.json files: {name!r} points outside the bundle")
        if (got := _sha256(folder / name)) != expected:
            raise BundleFault(f"{folder}/{name}: hash {got[:12]}…, the manifest says {expected[:12]}…")


def _read_model(folder: Path, manifest: Manifest) -> bytes:
    name = MODEL_FILE[manifest.engine]
    model = (folder / name).read_bytes()
    if hashlib.sha256(model).hexdigest() != manifest.files[name]:
        raise BundleFault(f"{folder}/{name}: changed while it was being read")
    return model


def _read_golden(folder: Path, contract: Contract) -> tuple[NDArray[np.uint8], Floats]:
    try:
        batch = np.load(folder / "golden/batch.npy", allow_pickle=False)
        score = np.load(folder / "golden/score.npy", allow_pickle=False)
    except (OSError, ValueError) as err:
        raise BundleFault(f"{folder}/golden: {err}") from None
    side = contract.crop_px
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (side, side, 3) or not len(batch):
        raise BundleFault(
            f"{folder}/golden/batch.npy: {batch.dtype} {batch.shape}, expected uint8 (N, {side}, {side}, 3)"
        )
    if score.dtype != np.float32 or score.shape != (len(batch),) or not np.isfinite(score).all():
        raise BundleFault(
            f"{folder}/golden/score.npy: {score.dtype} {score.shape}, expected {len(batch)} finite float32"
        )
    return batch, score


def _sha256(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BUNDLE_FILE_BYTES:
            raise BundleFault(f"{path}: larger than {MAX_BUNDLE_FILE_BYTES} bytes")
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as err:
        raise BundleFault(f"{path}: cannot be read: {err.strerror}") from None
    return digest.hexdigest()


def _read_text(path: Path) -> str:
    try:
        return path.read_text("ascii")[:200]
    except (OSError, UnicodeDecodeError) as err:
        raise BundleFault(f"{path}: cannot be read: {err}") from None
