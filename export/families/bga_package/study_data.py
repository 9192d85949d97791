"""The pictures of the study: the line twin's packages, the paper's way of making defects of good ones, and real tiles.

A set has good pictures to learn from, good ones to take the threshold from, and others to be judged. On the twin the
judged ones are drawn for the study beside the data set, so that every kind and strength is there as often; half of them
are of part numbers that training never saw. What a method that compares holds them against are the set's own approved
pictures, three good packages of every part number that are judged nowhere; as at a station, all are brought onto the
first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.datasets import TRAIN_SPLIT, VAL_SPLIT, Row, load_crops, read_data_set
from export.families.bga_package.contract import INPUT_PX
from export.simulator.components.errors import Severity
from export.simulator.xray.packages import (
    DEFECTS_OF,
    OPTICAL_TYPES,
    XRAY_TYPES,
    Look,
    PackageDefect,
    draw_package,
    package_type,
    place_balls,
    scratch,
    segment_balls,
    write_package_set,
)
from export.simulator.xray.packages.sets import UNSEEN_TYPES
from export.table_columns import parts_of

GOOD = "good"
REAL_TABLE = "tiles256.csv"
JUDGED_SEED = 2_000_003  # a stream that no data set shares
PAPER_WAYS = {  # probability that a ball is placed, share of bridges among them, scratched
    "all balls put back": (1.0, 0.0, False),
    "balls placed at 0.99": (0.99, 0.0, False),
    "balls placed at 0.9": (0.9, 0.0, False),
    "balls placed at 0.5": (0.5, 0.0, False),
    "bridges at 0.02": (1.0, 0.02, False),
    "scratch": (1.0, 0.0, True),
}
UNTOUCHED_WAY = "all balls put back"  # no defect: what the way of making itself does to a score

Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Pictures to judge: `crops` (N, 256, 256, 3) uint8 BGR and, a row each, `label` ("good" or the kind), `strength`
    ("" of good ones), `group` (of the twin "known" or "unseen", of real tiles the view), `part` number, `boxes` (N, 4)
    px."""

    crops: Image
    label: Labels
    strength: Labels
    group: Labels
    part: Labels
    boxes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySet:
    """One set: where it lies, good crops to learn from and to take the threshold from (with groups and part numbers),
    and what is judged. `paper` are the good judged ones made defective the paper's way, by the way's name; empty where
    that cannot be."""

    name: str
    folder: Path
    table: str | None
    train: Image
    val_good: Image
    val_group: Labels
    val_part: Labels
    judged: Judged
    paper: dict[str, Image]


def twin_set(work: Path, look: Look, n_packages: int, judged_good: int, judged_each: int, seed: int = 1) -> StudySet:
    """The twin's set of that look, drawn into `work` where it is not there yet."""
    folder = work / f"bga-{look.value}-{n_packages}-{seed}"
    if not (folder / "index.csv").exists():
        write_package_set(folder, n_packages, seed, look, defect_rate=0.0)  # defects are drawn beside it
    data = read_data_set(folder)
    judged = draw_judged(look, judged_good, judged_each)
    good = judged.crops[judged.label == GOOD]
    return StudySet(
        name=look.value,
        folder=folder,
        table=None,
        train=_crops(folder, data.normals(TRAIN_SPLIT)),
        val_good=_crops(folder, data.normals(VAL_SPLIT)),
        val_group=np.array(["known"] * len(data.normals(VAL_SPLIT))),
        val_part=parts_of(data.normals(VAL_SPLIT)),
        judged=judged,
        paper=paper_made(good) if look is Look.OPTICAL else {},
    )


def draw_judged(look: Look, n_good: int, n_each: int, seed: int = JUDGED_SEED) -> Judged:
    """`n_good` good packages and `n_each` of every kind and strength, in turn of part numbers known and unseen."""
    names = OPTICAL_TYPES if look is Look.OPTICAL else XRAY_TYPES
    halves = {"known": names[:-UNSEEN_TYPES], "unseen": names[-UNSEEN_TYPES:]}
    wanted: list[tuple[PackageDefect | None, Severity]] = [(None, Severity.PLAIN)] * n_good
    wanted += [(kind, severity) for kind in DEFECTS_OF[look] for severity in Severity for _ in range(n_each)]
    groups = [("known", "unseen")[k % 2] for k in range(len(wanted))]
    parts = [halves[group][k // 2 % len(halves[group])] for k, group in enumerate(groups)]
    drawn = [
        draw_package(package_type(part), (seed, k), kind, severity)
        for k, ((kind, severity), part) in enumerate(zip(wanted, parts, strict=True))
    ]
    return Judged(
        crops=np.stack([picture.image for picture in drawn]),
        label=np.array([picture.label for picture in drawn]),
        strength=np.array(["" if picture.severity is None else picture.severity.value for picture in drawn]),
        group=np.array(groups),
        part=np.array(parts),
        boxes=np.array([picture.box_px for picture in drawn], np.int64),
    )


def paper_made(good: Image, seed: int = JUDGED_SEED) -> dict[str, Image]:
    """Good optical packages (N, 256, 256, 3) made defective the paper's ways; a draw that drops no ball, or bridges
    none, is drawn again, since that would be a good package."""
    made: dict[str, list[Image]] = {name: [] for name in PAPER_WAYS}
    for k, image in enumerate(good):
        package = segment_balls(image)
        for number, (name, (probability, bridges_frac, scratched)) in enumerate(PAPER_WAYS.items()):
            rng = np.random.default_rng([seed, k, number])
            picture, placed = place_balls(package, probability, rng, bridges_frac)
            while probability < 1.0 and placed.all():
                picture, placed = place_balls(package, probability, rng, bridges_frac)
            untouched = made[UNTOUCHED_WAY][k] if bridges_frac else picture
            while bridges_frac and np.array_equal(picture, untouched):
                picture, placed = place_balls(package, probability, rng, bridges_frac)
            made[name].append(scratch(picture, rng) if scratched else picture)
    return {name: np.stack(pictures) for name, pictures in made.items()}


def real_set(folder: Path) -> StudySet:
    """Real X-ray tiles of one package on two boards. Raises DataFault."""
    data = read_data_set(folder, REAL_TABLE)
    judged = [row for row in data.rows if row.split == VAL_SPLIT or not row.is_good]
    views = [_view(row) for row in judged]
    threshold_half = _first_halves(judged)
    good_val = [row for row, first in zip(judged, threshold_half, strict=True) if row.is_good and first]
    kept = [k for k, (row, first) in enumerate(zip(judged, threshold_half, strict=True)) if not (row.is_good and first)]
    return StudySet(
        name="real",
        folder=folder,
        table=REAL_TABLE,
        train=_crops(folder, data.normals(TRAIN_SPLIT)),
        val_good=_crops(folder, good_val),
        val_group=np.array([_view(row) for row in good_val]),
        val_part=parts_of(good_val),
        judged=Judged(
            crops=_crops(folder, [judged[k] for k in kept]),
            label=np.array([GOOD if judged[k].is_good else judged[k].label for k in kept]),
            strength=np.array([""] * len(kept)),
            group=np.array([views[k] for k in kept]),
            part=parts_of([judged[k] for k in kept]),
            boxes=np.zeros((len(kept), 4), np.int64),
        ),
        paper={},
    )


def _first_halves(rows: list[Row]) -> list[bool]:
    """Whether a tile lies in the left half of its picture's validation tiles: thresholds come from there, false calls
    are counted on the right. Tiles overlap, so halves by lot would be the same places twice."""
    middles = {path: float(np.median([_x(r) for r in rows if r.path == path])) for path in {r.path for r in rows}}
    return [_x(row) < middles[row.path] for row in rows]


def _view(row: Row) -> str:
    """The column `view`, which a row keeps in its line alone."""
    return dict(part.partition("=")[::2] for part in row.line.split(","))["view"]


def _x(row: Row) -> float:
    if row.place is None:
        raise ValueError(f"{row.path}: a tile has a place")
    return row.place.x_px


def _crops(folder: Path, rows: tuple[Row, ...] | list[Row]) -> Image:
    return load_crops(folder, rows, INPUT_PX, 1.0)
