"""A smoke test on bare boards: is a bundle's map where the marked defects are?

    python -m export.families.pth_component.bare_boards --data deeppcb-mini --bundle BUNDLE --split val

Template and test picture of `deeppcb-mini` are cut into overlapping tiles, each test tile compared with the template's
tile at the same place. Places above the threshold, joined into blobs, are counted against the marked boxes. A component
network was never taught bare copper, so this says that loader, graph and map work together, not how good it is there.
"""

from __future__ import annotations

import collections
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from edge.board import Floats, Image
from edge.bundle import read_bundle
from edge.references import Compared, approved_pictures, embedded
from edge.scorers import EngineChoice, Scorer, checked_scores, load_scorer
from export.datasets import read_picture
from export.families.pth_component.net import INPUT_PX

STEP_PX = INPUT_PX // 2  # the rim of a tile counts for little: each place is in the middle of one
REACH_PX = 16  # a place of the map; a blob this near to a box has found it

console = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One pair of pictures: marked boxes, how many of them a blob is at, and blobs that are at none."""

    boxes: int
    found: int
    false_blobs: int


def difference_map(scorer: Scorer, template: Image, test: Image) -> Floats:
    """Where `test` differs from `template`, both (h, w, 3): the greatest of all tiles' maps, one value a place of
    16 px. Raises ScorerFault."""
    corners = [
        (y, x)
        for y in range(0, template.shape[0] - INPUT_PX + 1, STEP_PX)
        for x in range(0, template.shape[1] - INPUT_PX + 1, STEP_PX)
    ]
    approved = embedded(scorer, np.stack([approved_pictures(_tile(template, c)[None], (0,)) for c in corners]))
    scored = checked_scores(scorer, Compared(np.stack([_tile(test, c) for c in corners]), approved))
    if scored.map is None:
        raise typer.BadParameter("this bundle's graph has no map")
    grid = scored.map.shape[1]
    place_px = INPUT_PX // grid
    whole = np.zeros((template.shape[0] // place_px, template.shape[1] // place_px), np.float32)
    for (y, x), local in zip(corners, scored.map, strict=True):
        part = whole[y // place_px : y // place_px + grid, x // place_px : x // place_px + grid]
        np.maximum(part, local, out=part)
    return whole


def compare_boxes(places: Floats, threshold: float, boxes: NDArray[np.int64], place_px: int) -> Found:
    """Blobs of `places` above the threshold against boxes (N, 4) x0 y0 x1 y1 in pixels."""
    n, _, stats, _ = cv2.connectedComponentsWithStats((places > threshold).astype(np.uint8), connectivity=8)
    blobs = stats[1:n, :4].astype(np.int64) * place_px
    blobs[:, 2:] += blobs[:, :2]
    near = _touching(boxes, blobs, REACH_PX)
    return Found(boxes=len(boxes), found=int(near.any(axis=1).sum()), false_blobs=int((~near.any(axis=0)).sum()))


def _touching(a: NDArray[np.int64], b: NDArray[np.int64], reach_px: int) -> NDArray[np.bool_]:
    """Which boxes of `a` (N, 4) and `b` (M, 4) overlap or are nearer than `reach_px`, (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2]) - reach_px
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return (low < high).all(axis=2)


def _tile(picture: Image, corner: tuple[int, int]) -> Image:
    y, x = corner
    return picture[y : y + INPUT_PX, x : x + INPUT_PX]


def main(
    data: Annotated[Path, typer.Option(help="The folder deeppcb-mini.")],
    bundle: Annotated[Path, typer.Option(help="A pth_component bundle whose graph has a map.")],
    split: str = "val",
    threshold: Annotated[float | None, typer.Option(help="Of a place; default: the bundle's own.")] = None,
) -> None:
    """Boxes found and false blobs on pairs of bare boards."""
    read = read_bundle(bundle)
    scorer = load_scorer(read, EngineChoice(engine="onnxruntime", precision="fp32", threads=2))
    boxes: dict[str, list[list[int]]] = collections.defaultdict(list)
    for row in csv.DictReader((data / "boxes.csv").open(encoding="utf-8")):
        boxes[row["path"]].append([int(row[k]) for k in ("x0", "y0", "x1", "y1")])
    found = []
    for row in csv.DictReader((data / "index.csv").open(encoding="utf-8")):
        if row["split"] != split or row["label"] != "defective":
            continue
        test = data / row["path"]
        template = read_picture(test.with_name(test.name.replace("_test", "_temp")))
        places = difference_map(scorer, template, read_picture(test))
        marked = np.array(boxes[row["path"]], np.int64).reshape(-1, 4)
        limit = read.threshold("fp32").value if threshold is None else threshold
        found.append(compare_boxes(places, limit, marked, template.shape[0] // len(places)))
    total = sum(f.boxes for f in found)
    console.print(
        f"{split}: {len(found)} pairs, {sum(f.found for f in found)} of {total} boxes found, "
        f"{sum(f.false_blobs for f in found) / max(1, len(found)):.1f} false blobs a picture"
    )


if __name__ == "__main__":
    typer.run(main)
