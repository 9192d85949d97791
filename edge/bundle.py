"""A bundle: all that crosses from the workshop to a station. Data, never pickle, never code.

    manifest.json      family, contract, tool versions, data fingerprint, and the SHA-256 of every other file
    thresholds.json    a threshold for each precision, with its evidence
    model.onnx         the graph, score inside (engine `onnx`), or rules.json (engine `rules`)
    model.fp16.onnx, model.int8.onnx, model.int8-cpu.onnx    the same graph at other precisions, where it may be
    golden/            batch.npy (N,h,w,C) uint8 crops, C = 3 BGR or one grey slice a channel, or (N,T,C,S,S) float32
                       windows; for a family that compares
                       also approved.npy (M,h,w,3) uint8, pictures of parts, and compared.npy (N,K) int64, which of them
                       each crop is held against; score.npy (N,) float32 and score.<precision>.npy, checked before the
                       first board
    namer.onnx, namer.json    what names the printer's fault, for a family of windows that has it
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
from pydantic import Field, model_validator

from edge.board import Floats
from edge.settings import Name, Settings, SettingsFault, Sha256, read_json
from edge.thresholds import PRECISIONS, Precision, Threshold, Thresholds

MAX_BUNDLE_FILE_BYTES = 1024 * 1024 * 1024
GOLDEN_BATCH = "golden/batch.npy"
GOLDEN_APPROVED, GOLDEN_COMPARED = "golden/approved.npy", "golden/compared.npy"
REFERENCES = "references"  # the graph's second input, where the family compares
EMBEDDING = "embedding"  # and the output that its references are made from
KIND = "kind"  # the output that says how strongly each of a contract's kinds of defect shows
ROI_LIMIT = 0.5  # output `roi` above it: the region does not show what it should; the graph scales it so
NAMER_GRAPH, NAMER_SETTINGS = "namer.onnx", "namer.json"
Engine = Literal["onnx", "rules"]


class BundleFault(Exception):
    """A bundle that must not judge a board: which file, what came, what was expected."""


class TensorSpec(Settings):
    """One input or output of the graph. `shape` has "N" for the batch."""

    name: str
    shape: tuple[int | Literal["N"], ...]
    dtype: Literal["float32", "uint8"]
    meaning: str


class WindowSpec(Settings):
    """What a family of windows takes instead of pictures: planes of the last boards, by name (`edge.paste.planes`)."""

    boards: Annotated[int, Field(ge=1, le=64)]
    planes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=32)]


class Contract(Settings):
    """What the graph takes and gives; compared at load with what the engine reports, never guessed or transposed."""

    crop_px: Annotated[int, Field(ge=8, le=1024)]  # regions are resampled to crop_px x crop_px; a window's cells a side
    region_scale: Annotated[float, Field(gt=0.0, le=10.0)]  # crop side / pitch (or box side) of a place
    channels: Literal["bgr", "grey", "planes", "slices"]  # grey is repeated over the graph's channels
    # unit: x/127.5 - 1; frac: x/255, a missing slice is 0; standardised: per crop, see the family; per_pad: sigmas of
    # each pad over good boards
    normalisation: Literal["unit", "frac", "standardised", "per_pad"]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    window: WindowSpec | None = None  # where the family judges windows of boards
    n_slices: Annotated[int, Field(ge=1, le=16)] | None = None  # where it judges pictures of several heights
    kinds: Annotated[tuple[Name, ...], Field(max_length=32)] = ()  # of defect, in the order of the output `kind`
    onto_approved: bool = False  # crops are turned and moved to lie as the approved picture they are compared with

    @model_validator(mode="after")
    def _window_or_picture(self) -> Contract:
        if not (self.window is not None) == (self.channels == "planes") == (self.normalisation == "per_pad"):
            raise ValueError(
                f"window {self.window}, channels {self.channels!r}, normalisation {self.normalisation!r}: a window has "
                "'planes' and 'per_pad', and nothing else has them"
            )
        return self

    @model_validator(mode="after")
    def _slices_and_kinds(self) -> Contract:
        if (self.n_slices is not None) != (self.channels == "slices"):
            raise ValueError(f"n_slices {self.n_slices}, channels {self.channels!r}: 'slices' has them, nothing else")
        kind = [spec.shape for spec in self.outputs if spec.name == KIND]
        if kind != ([("N", len(self.kinds))] if self.kinds else []):
            raise ValueError(f"kinds {self.kinds} and outputs {KIND!r} {kind}: expected one a kind, (N, K), or neither")
        return self

    @model_validator(mode="after")
    def _references_can_be_made(self) -> Contract:
        references = [spec for spec in self.inputs[1:] if spec.name == REFERENCES]
        embeddings = [spec for spec in self.outputs if spec.name == EMBEDDING]
        if len(references) != len(self.inputs[1:]) or len(references) > 1:
            raise ValueError(f"inputs: {[s.name for s in self.inputs]}, expected crops and at most {REFERENCES!r}")
        if len(embeddings) != len(references):
            raise ValueError(f"a graph with {REFERENCES!r} gives an {EMBEDDING!r}, and no other does")
        if references and (len(references[0].shape) != 3 or references[0].shape[2:] != embeddings[0].shape[1:]):
            shapes = f"{references[0].shape} and {embeddings[0].shape}"
            raise ValueError(f"shapes of {REFERENCES!r} and {EMBEDDING!r}: {shapes}, expected (N, K, E) and (N, E)")
        if self.onto_approved and not references:
            raise ValueError(f"onto_approved: the graph has no {REFERENCES!r}, so nothing is approved")
        return self

    @property
    def crop_channels(self) -> int:
        """Channels of a crop (h, w, C) uint8: colours, or slices."""
        return 3 if self.n_slices is None else self.n_slices

    @property
    def scored(self) -> tuple[TensorSpec, ...]:
        """The outputs that judge: the score, and what says where, which kind and whether it is the right place."""
        return tuple(spec for spec in self.outputs if spec.name != EMBEDDING)


class DataFingerprint(Settings):
    """Which pictures a bundle was made from: SHA-256 over the sorted rows used and their files."""

    name: str
    sha256: Sha256
    n_train: Annotated[int, Field(ge=0)]
    n_val: Annotated[int, Field(ge=0)]


class Parity(Settings):
    """Measured agreement of a graph's scores with those it stands for, on validation data. Verdicts are each at the
    graph's own threshold; a lost defect is one that `compared_with` caught and this graph does not."""

    compared_with: str
    n: Annotated[int, Field(ge=1)]
    max_abs_score_difference: Annotated[float, Field(ge=0.0)]
    spearman: Annotated[float, Field(ge=-1.0, le=1.0)]
    verdict_agreement_frac: Annotated[float, Field(ge=0.0, le=1.0)]
    lost_defects: Annotated[int, Field(ge=0)]


class GraphRecord(Settings):
    """One graph of a bundle. `golden_tolerance` is relative to its threshold, see the family's tolerances."""

    file: str
    parity: Parity
    golden_tolerance: Annotated[float, Field(gt=0.0, le=0.1)]


class RangesRecord(Settings):
    """Where the INT8 scales came from: `n` crops with this fingerprint; layers that stayed in floating point."""

    method: str
    n: Annotated[int, Field(ge=1)]
    data_sha256: Sha256
    kept_in_float: tuple[str, ...] = ()


class Manifest(Settings):
    """`manifest.json`."""

    schema_version: Literal[2]
    family: Name
    engine: Engine
    variant: str  # e.g. "beta_vae/elbo", for people and reports
    preset: str
    seed: int
    created_utc: str
    contract: Contract
    data: DataFingerprint
    graphs: dict[Precision, GraphRecord]
    refused: dict[Precision, str] = Field(default_factory=dict)  # why a precision is not in the bundle
    int8_ranges: RangesRecord | None = None
    tools: dict[str, str]
    files: dict[str, Sha256]

    @model_validator(mode="after")
    def _has_the_plain_graph(self) -> Manifest:
        if "fp32" not in self.graphs:
            raise ValueError("graphs: lacks fp32, which every bundle has")
        for precision, graph in self.graphs.items():
            if graph.file != (expected := model_file(self.engine, precision)):
                raise ValueError(f"graphs.{precision}.file: {graph.file!r}, expected {expected!r}")
        return self


def model_file(engine: Engine, precision: Precision) -> str:
    """What a bundle calls the graph of a precision."""
    if engine == "rules":
        return "rules.json"
    return "model.onnx" if precision == "fp32" else f"model.{precision}.onnx"


def golden_score_file(precision: Precision) -> str:
    """What a bundle calls the golden scores of a precision."""
    return "golden/score.npy" if precision == "fp32" else f"golden/score.{precision}.npy"


@dataclass(frozen=True, slots=True)
class GoldenApproved:
    """Approved pictures (M, h, w, 3) uint8 BGR, and which of them each golden crop is held against, (N, K)."""

    pictures: NDArray[np.uint8]
    compared: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle: every hash matched, contract and thresholds parsed. `sha256` is its identity."""

    folder: Path
    sha256: str
    manifest: Manifest
    thresholds: Thresholds
    models: dict[Precision, bytes]  # the graphs, or the rules' parameters, exactly the bytes that were verified
    golden_batch: NDArray[np.uint8] | Floats  # (N, h, w, C) uint8 crops, or (N, T, C, S, S) float32 windows
    golden_scores: dict[Precision, Floats]  # (N,) float32 each
    golden_approved: GoldenApproved | None = None  # where the family compares
    namer: tuple[bytes, bytes] | None = None  # the namer's graph and settings, where there is one

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions there are."""
        return tuple(p for p in PRECISIONS if p in self.models)

    def has(self, precision: Precision) -> Precision:
        """The precision again. Raises BundleFault when the bundle lacks it, with the workshop's reason."""
        if precision not in self.models:
            why = self.manifest.refused.get(precision, "it was never made")
            raise BundleFault(f"{self.folder}: has no {precision} graph: {why}; it has {list(self.precisions)}")
        return precision

    def threshold(self, precision: Precision = "fp32") -> Threshold:
        """The threshold of a precision, with its evidence. Raises BundleFault when the bundle lacks it."""
        return self.thresholds.precisions[self.has(precision)]

    def model(self, precision: Precision = "fp32") -> bytes:
        """The graph of a precision. Raises BundleFault when the bundle lacks it."""
        return self.models[self.has(precision)]

    def golden_score(self, precision: Precision = "fp32") -> Floats:
        """What the golden crops score at a precision, (N,). Raises BundleFault when the bundle lacks it."""
        return self.golden_scores[self.has(precision)]


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
    if thresholds.precisions.keys() != manifest.graphs.keys():
        got, expected = sorted(thresholds.precisions), sorted(manifest.graphs)
        raise BundleFault(f"{folder}/thresholds.json precisions: {got}, the manifest has graphs {expected}")
    batch, scores = _read_golden(folder, manifest)
    approved = _read_approved(folder, manifest, len(batch))
    return Bundle(
        folder=folder,
        sha256=identity,
        manifest=manifest,
        thresholds=thresholds,
        models={precision: _read_model(folder, manifest, graph.file) for precision, graph in manifest.graphs.items()},
        golden_batch=batch,
        golden_scores=scores,
        golden_approved=approved,
        namer=_read_namer(folder, manifest),
    )


def _check_files(folder: Path, manifest: Manifest) -> None:
    needed = {"thresholds.json", GOLDEN_BATCH}
    needed |= {graph.file for graph in manifest.graphs.values()} | {golden_score_file(p) for p in manifest.graphs}
    if len(manifest.contract.inputs) > 1:
        needed |= {GOLDEN_APPROVED, GOLDEN_COMPARED}
    if NAMER_GRAPH in manifest.files:
        needed.add(NAMER_SETTINGS)
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


def _read_model(folder: Path, manifest: Manifest, name: str) -> bytes:
    model = (folder / name).read_bytes()
    if hashlib.sha256(model).hexdigest() != manifest.files[name]:
        raise BundleFault(f"{folder}/{name}: changed while it was being read")
    return model


def _read_namer(folder: Path, manifest: Manifest) -> tuple[bytes, bytes] | None:
    if NAMER_GRAPH not in manifest.files:
        return None
    return _read_model(folder, manifest, NAMER_GRAPH), _read_model(folder, manifest, NAMER_SETTINGS)


def _read_golden(folder: Path, manifest: Manifest) -> tuple[NDArray[np.uint8] | Floats, dict[Precision, Floats]]:
    batch = _read_array(folder / GOLDEN_BATCH)
    dtype, row = _golden_row(manifest.contract)
    if batch.dtype != dtype or batch.shape[1:] != row or not len(batch):
        got = f"{batch.dtype} {batch.shape}"
        raise BundleFault(f"{folder}/{GOLDEN_BATCH}: {got}, expected {dtype} (N, {', '.join(map(str, row))})")
    scores: dict[Precision, Floats] = {}
    for precision in manifest.graphs:
        name = golden_score_file(precision)
        score = _read_array(folder / name)
        if score.dtype != np.float32 or score.shape != (len(batch),) or not np.isfinite(score).all():
            raise BundleFault(f"{folder}/{name}: {score.dtype} {score.shape}, expected {len(batch)} finite float32")
        scores[precision] = np.asarray(score, np.float32)
    return np.asarray(batch, dtype), scores


def _golden_row(contract: Contract) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    """What one golden input is: a crop, or a window."""
    if contract.window is not None:
        return np.dtype(np.float32), tuple(int(d) for d in contract.inputs[0].shape[1:])
    return np.dtype(np.uint8), (contract.crop_px, contract.crop_px, contract.crop_channels)


def _read_approved(folder: Path, manifest: Manifest, n: int) -> GoldenApproved | None:
    contract = manifest.contract
    if len(contract.inputs) < 2:
        return None
    side, expected = contract.crop_px, (n, contract.inputs[1].shape[1])
    pictures, compared = _read_array(folder / GOLDEN_APPROVED), _read_array(folder / GOLDEN_COMPARED)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (side, side, 3) or not len(pictures):
        got = f"{pictures.dtype} {pictures.shape}"
        raise BundleFault(f"{folder}/{GOLDEN_APPROVED}: {got}, expected uint8 (M, {side}, {side}, 3)")
    known = np.arange(len(pictures))
    if compared.dtype != np.int64 or compared.shape != expected or not np.isin(compared, known).all():
        got = f"{compared.dtype} {compared.shape}"
        raise BundleFault(f"{folder}/{GOLDEN_COMPARED}: {got}, expected {expected} indices below {len(pictures)}")
    return GoldenApproved(np.asarray(pictures, np.uint8), np.asarray(compared, np.int64))


def _read_array(path: Path) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as err:
        raise BundleFault(f"{path}: {err}") from None
    return array


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
