"""Ready-cut crops whose good and defective joints come from different cameras: what ranks the defects, and what does so
without having looked at solder.

    python -m export.families.solder_joint.ready_cut_figures --data sjd-solder-joints --json benchmarks/results/sjd.json

All ways see grey crops standardised one by one. Each is shown at the crops' own resolution and once more with every
crop, good or bad, first shrunk to `LOW_PX`: what is gained by seeing another camera's sharpness is gone there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import track
from scipy.spatial.distance import cdist

from edge.board import Floats, Image
from edge.families import FAMILIES as STATION_FAMILIES
from export.datasets import Row, fingerprint, load_crops, read_data_set, units_of
from export.families.pth_component.backbones import Backbone, weights_file
from export.families.solder_joint.contract import contract
from export.families.solder_joint.nearest import NearestGood, NearestScore
from export.metrics import auroc, auroc_interval
from export.onnx import run_torch, tool_versions
from export.pca import fit_pca

LOW_PX = 24  # about the median of the good crops of sjd-solder-joints
SHARPNESS = "sharpness's distance from the mean good joint's"
BACKBONE = "tf_efficientnet_lite0"
BACKBONE_STAGES = (2, 3)  # of stride 8 and 16; chosen on validation, as the filters were
BACKBONE_CONTRAST = 1.25  # standardised grey to a deviation of 0.5, about that of photographs as x/127.5 - 1

Way = Callable[[Floats, Floats], Floats]  # good training inputs, inputs to judge (N, 3, 64, 64) to scores (N,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One way at one resolution on one split: AUROC of each label against all good rows, and its 95 % interval by
    physical unit."""

    way: str
    knows_solder: bool
    resolution: str
    split: str
    auroc: dict[str, float]
    interval: dict[str, tuple[float, float]]


def ways() -> dict[str, tuple[bool, Way]]:
    """Name to whether it was made to judge joints, and the way. The backbone's only where its weights are."""
    made: dict[str, tuple[bool, Way]] = {"preset nearest: fixed filters": (True, _filters)}
    if weights_file(BACKBONE) is not None:
        made["EfficientNet-Lite0's features (ImageNet), nearest good joint"] = (True, _backbone)
    made["pixels, nearest good joint"] = (False, lambda good, x: _nearest(_flat(good), _flat(x)))
    for n in (8, 32):
        made[f"PCA-{n}"] = (False, lambda good, x, n=n: fit_pca(good, n).reconstruction_error(x))
    made[SHARPNESS] = (False, _sharpness)
    return made


def measure(data: Path, table: str | None, splits: Sequence[str]) -> list[Ranked]:
    """All ways on all splits at both resolutions."""
    rows = read_data_set(data, table)
    train = rows.normals("train")
    found = []
    for resolution, low_px in (("as it is", None), (f"{LOW_PX} px", LOW_PX)):
        good = _inputs(data, train, low_px)
        judged = {split: (rows.split(split), _inputs(data, rows.split(split), low_px)) for split in splits}
        for name, (knows, way) in track(ways().items(), f"ways, crops {resolution}"):
            for split, (split_rows, inputs) in judged.items():
                found.append(_ranked(name, knows, resolution, split, split_rows, way(good, inputs)))
    return found


def _ranked(way: str, knows_solder: bool, resolution: str, split: str, rows: Sequence[Row], score: Floats) -> Ranked:
    labels, good, units = np.array([r.label for r in rows]), np.array([r.is_good for r in rows]), units_of(rows)
    aurocs, intervals = {}, {}
    for label in sorted(map(str, set(labels[~good]))):
        chosen = labels == label
        aurocs[label] = auroc(score[good], score[chosen])
        interval = auroc_interval(score[good], score[chosen], units[good], units[chosen])
        intervals[label] = (interval.lower, interval.upper)
    return Ranked(
        way=way, knows_solder=knows_solder, resolution=resolution, split=split, auroc=aurocs, interval=intervals
    )


def _inputs(data: Path, rows: Sequence[Row], low_px: int | None) -> Floats:
    """Grey standardised graph inputs (N, 3, 64, 64), all of one resolution where `low_px` says so."""
    shape = contract(channels="grey", normalisation="standardised", places=False)
    crops: Image = load_crops(data, rows, low_px or shape.crop_px, shape.region_scale)
    if low_px is not None:
        side = (shape.crop_px, shape.crop_px)
        crops = np.stack([cv2.resize(c, side, interpolation=cv2.INTER_LINEAR) for c in crops]).astype(np.uint8)
    return STATION_FAMILIES["solder_joint"].graph_input(crops, shape)


def _filters(good: Floats, x: Floats) -> Floats:
    torch.manual_seed(0)
    network = NearestGood().eval()
    network.learn(torch.from_numpy(good))
    return run_torch(NearestScore(network), x).score


def _backbone(good: Floats, x: Floats) -> Floats:
    body = Backbone(BACKBONE).eval().body
    stages = [_stages(body, crops) for crops in (good, x)]
    parts = []
    for here, there in zip(*stages, strict=True):
        mean, scale = here.mean(axis=0), 1.0 / ((here.std(axis=0) + 1e-6) * np.sqrt(here.shape[1]))
        parts.append(((here - mean) * scale, (there - mean) * scale))
    return _nearest(*(np.hstack(part) for part in zip(*parts, strict=True)))


@torch.no_grad()
def _stages(body: torch.nn.Module, crops: Floats) -> list[Floats]:
    """Means over places of each stage's features, (N, C) each."""
    taken = []
    for batch in torch.from_numpy(crops).split(64):
        _, features = body.forward_intermediates(batch * BACKBONE_CONTRAST)
        taken.append([features[k].mean(dim=(2, 3)) for k in BACKBONE_STAGES])
    return [torch.cat(stage).numpy() for stage in zip(*taken, strict=True)]


def _sharpness(good: Floats, x: Floats) -> Floats:
    here, there = (np.log([cv2.Laplacian(crop[0], cv2.CV_32F).std() + 1e-6 for crop in crops]) for crops in (good, x))
    return np.abs(there - here.mean()).astype(np.float32)


def _nearest(good: Floats, x: Floats) -> Floats:
    return cdist(x, good).min(axis=1).astype(np.float32)


def _flat(inputs: Floats) -> Floats:
    return inputs[:, 0].reshape(len(inputs), -1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures; write them with `--json`."""
    parser = argparse.ArgumentParser(description="what ranks the defects of ready-cut crops")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table")
    parser.add_argument("--split", action="append", help="val and dev-test if not said")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    splits = tuple(asked.split or ("val", "dev-test"))
    found = measure(asked.data, asked.table, splits)
    for row in found:
        figures = ", ".join(f"{label} {value:.3f}" for label, value in row.auroc.items())
        print(f"{row.split}, crops {row.resolution}, {row.way}: {figures}")
    if asked.json is not None:
        data = read_data_set(asked.data, asked.table)
        content = {
            "command": f"python -m export.families.solder_joint.ready_cut_figures --data {asked.data.resolve().name}",
            "tools": tool_versions(),
            "data_sha256": fingerprint(data, (), [r for r in data.rows if r.split in (*splits, "train")]).sha256,
            "counts": {s: _counts(data.split(s)) for s in splits},
            "rows": [asdict(row) for row in found],
        }
        asked.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _counts(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Label to rows and the physical units behind them."""
    units = units_of(rows)
    labels = np.array([row.label for row in rows])
    return {
        label: (int((labels == label).sum()), len(set(units[labels == label])))
        for label in sorted(map(str, set(labels)))
    }


if __name__ == "__main__":
    main()
