"""Data set folders: `index.csv`, or a table of regions beside it, into crops with their labels.

Reads, checks and cuts; chooses nothing. Labels that nobody should be scored on are left out and counted. Crops come
from `edge.crop.crop_squares`, the same function the station uses.
"""

from __future__ import annotations

import collections
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from edge.bundle import Contract, DataFingerprint
from edge.crop import crop_squares
from export.faults import WorkshopFault

GOOD_LABELS = frozenset({"good", "normal", "ok"})
LEFT_OUT_LABELS = frozenset({"near_defect", "uncertain", "occluded", "ignore"})
INDEX = "index.csv"
FIRST_SLICE = "00.png"  # how the path of a joint's lowest slice ends
MAX_SLICES = 16
MAX_ROWS = 1_000_000  # about 300 MB of table; a larger one is a mistake or wants another reader
TRAIN_SPLIT = "train"
VAL_SPLIT = "val"


class DataFault(WorkshopFault):
    """A data set folder cannot be used: which file and line, what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a region lies in its picture: the centre and the size it is known by (pitch, or the longer box side)."""

    x_px: float
    y_px: float
    size_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One region, or one whole picture (`place` None). `unit` is what an interval resamples by: rows of one unit are
    pictures of the same physical thing."""

    path: str
    label: str
    split: str
    place: Place | None
    unit: str
    line: str  # the table's own line, for the fingerprint
    n_slices: int = 1  # pictures of as many heights; `path` is the lowest one's

    @property
    def is_good(self) -> bool:
        """Labelled good, by whichever word the set uses."""
        return self.label in GOOD_LABELS

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all its pictures: `X_00.png`, `X_01.png` and so on where there are slices."""
        stem, suffix = self.path[: -len(FIRST_SLICE)], Path(self.path).suffix
        if self.n_slices == 1:
            return (self.path,)
        return tuple(f"{stem}{k:02d}{suffix}" for k in range(self.n_slices))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The rows of a table that may be used, in table order, and how many were left out by label."""

    folder: Path
    rows: tuple[Row, ...]
    left_out: dict[str, dict[str, int]]  # split -> label -> count

    def split(self, name: str) -> tuple[Row, ...]:
        """The rows of one split. Raises DataFault when there is none."""
        rows = tuple(r for r in self.rows if r.split == name)
        if not rows:
            known = sorted({r.split for r in self.rows})
            raise DataFault(f"{self.folder}: no rows of split {name!r}; it has {known}")
        return rows

    def normals(self, split: str) -> tuple[Row, ...]:
        """The good rows of one split. Raises DataFault when there is none."""
        rows = tuple(r for r in self.split(split) if r.is_good)
        if not rows:
            raise DataFault(f"{self.folder}: split {split!r} has no good rows (labels {sorted(GOOD_LABELS)})")
        return rows


def read_data_set(folder: Path, table: str | None = None, where: Sequence[str] = ()) -> DataSet:
    """Read `index.csv`, or `table` beside it, keeping the rows that match every `column=value` of `where`.

    A column that the table lacks is looked up in `index.csv` by path (so `view=closeup` works on a table of joints).
    Raises DataFault naming file, line and field.
    """
    wanted = [_condition(w) for w in where]
    file = folder / (table or INDEX)
    records = _read_csv(file)
    if table is not None and (folder / INDEX).is_file():
        records = _joined(records, _read_csv(folder / INDEX))
    _check_columns(file, records, [column for column, _ in wanted])
    kept = [(n, r) for n, r in enumerate(records, start=2) if all(r[c] == v for c, v in wanted)]
    if not kept:
        raise DataFault(f"{file}: no row matches {' and '.join(where)}")
    left_out: dict[str, dict[str, int]] = collections.defaultdict(lambda: collections.defaultdict(int))
    rows = []
    for line, record in kept:
        if record["label"] in LEFT_OUT_LABELS:
            left_out[record["split"]][record["label"]] += 1
        else:
            rows.append(_row(file, line, record))
    return DataSet(folder=folder, rows=tuple(rows), left_out={s: dict(c) for s, c in left_out.items()})


def load_crops(folder: Path, rows: Sequence[Row], crop_px: int, region_scale: float) -> Image:
    """The rows' crops, (N, crop_px, crop_px, 3) uint8 BGR, in row order; each picture is read once.

    A place gives the square of `region_scale` times its size; a whole picture its centre square, cut from the short
    side.
    """
    crops = np.empty((len(rows), crop_px, crop_px, 3), np.uint8)
    by_path: dict[str, list[int]] = collections.defaultdict(list)
    for i, row in enumerate(rows):
        by_path[row.path].append(i)
    for path, indices in by_path.items():
        image = read_picture(folder / path)
        squares = np.array([_square(rows[i], image, region_scale) for i in indices], np.float64)
        crops[indices] = crop_squares(image, squares[:, :2], squares[:, 2], crop_px)
    return crops


def contract_crops(folder: Path, rows: Sequence[Row], contract: Contract) -> Image:
    """`load_crops` in the size and scale of a contract."""
    return load_crops(folder, rows, contract.crop_px, contract.region_scale)


def read_picture(path: Path) -> Image:
    """A picture as (h, w, 3) uint8 BGR. Raises DataFault when it is not one."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataFault(f"{path}: is missing, or not a picture OpenCV can read")
    return image.astype(np.uint8, copy=False)


def fingerprint(data: DataSet, train: Sequence[Row], val: Sequence[Row]) -> DataFingerprint:
    """Which rows and files a model came from: SHA-256 over the sorted table lines used and the files they name."""
    digest = hashlib.sha256()
    for line in sorted(row.line for row in (*train, *val)):
        digest.update(line.encode() + b"\n")
    for path in sorted({path for row in (*train, *val) for path in row.files}):
        digest.update(path.encode() + b"\0" + hashlib.sha256((data.folder / path).read_bytes()).digest())
    return DataFingerprint(
        name=data.folder.resolve().name, sha256=digest.hexdigest(), n_train=len(train), n_val=len(val)
    )


def kinds_of(rows: Sequence[Row]) -> NDArray[np.str_]:
    """What each row shows (N,): "good", or its label."""
    return np.array(["good" if row.is_good else row.label for row in rows])


def has_places(rows: Sequence[Row]) -> bool:
    """Whether rows are regions of pictures; a table that mixes them with whole pictures is refused."""
    kinds = {row.place is not None for row in rows}
    if len(kinds) > 1:
        raise DataFault("the table mixes rows with a place and rows without one")
    return kinds == {True}


def units_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """The rows' units as small integers, (N,)."""
    return np.unique([row.unit for row in rows], return_inverse=True)[1].astype(np.int64)


def _square(row: Row, image: Image, region_scale: float) -> tuple[float, float, float]:
    height, width = image.shape[:2]
    if row.place is None:
        return (width - 1) / 2.0, (height - 1) / 2.0, float(min(width, height))
    place = row.place
    if not (0 <= place.x_px < width and 0 <= place.y_px < height):
        raise DataFault(f"{row.path}: centre ({place.x_px}, {place.y_px}) outside the {width} x {height} picture")
    return place.x_px, place.y_px, region_scale * place.size_px


def _condition(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not (column and equals):
        raise DataFault(f"--where {text!r}: write it as column=value, for instance view=closeup")
    return column, value


def _read_csv(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            records = [r for r, _ in zip(csv.DictReader(stream), range(MAX_ROWS + 1), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise DataFault(f"{file}: cannot be read: {err}") from None
    if len(records) > MAX_ROWS:
        raise DataFault(f"{file}: more than {MAX_ROWS} rows")
    if not records:
        raise DataFault(f"{file}: has no rows")
    for number, record in enumerate(records, start=2):
        if None in record or None in record.values():
            raise DataFault(f"{file} line {number}: has another number of fields than the first line")
    return records


def _joined(records: list[dict[str, str]], index: list[dict[str, str]]) -> list[dict[str, str]]:
    pictures = {r["path"]: r for r in index if "path" in r}
    return [{**pictures.get(r.get("path", ""), {}), **r} for r in records]


def _check_columns(file: Path, records: list[dict[str, str]], filters: list[str]) -> None:
    common = set.intersection(*(set(r) for r in records))
    for column in ("path", "label", "split", *filters):
        if column not in common:
            raise DataFault(f"{file}: no column {column!r}; it has {sorted(common)}")


def _row(file: Path, line: int, record: dict[str, str]) -> Row:
    return Row(
        path=record["path"],
        label=record["label"],
        split=record["split"],
        place=_place(file, line, record),
        unit=_unit(line, record),
        line=",".join(f"{k}={record[k]}" for k in sorted(record)),
        n_slices=_n_slices(file, line, record),
    )


def _n_slices(file: Path, line: int, record: dict[str, str]) -> int:
    text = record.get("slices") or "1"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_SLICES):
        raise DataFault(f"{file} line {line}: slices {text!r}, expected 1 to {MAX_SLICES}")
    if int(text) > 1 and not record["path"].endswith(FIRST_SLICE):
        raise DataFault(f"{file} line {line}: path {record['path']!r} of {text} slices does not end in {FIRST_SLICE}")
    return int(text)


def _place(file: Path, line: int, record: dict[str, str]) -> Place | None:
    try:
        if record.keys() >= {"x", "y", "pitch"}:
            place = Place(x_px=float(record["x"]), y_px=float(record["y"]), size_px=float(record["pitch"]))
        elif record.keys() >= {"x0", "y0", "x1", "y1"}:
            x0, y0, x1, y1 = (float(record[k]) for k in ("x0", "y0", "x1", "y1"))
            place = Place(x_px=(x0 + x1) / 2, y_px=(y0 + y1) / 2, size_px=max(x1 - x0, y1 - y0))
        else:
            return None
    except ValueError as err:
        raise DataFault(f"{file} line {line}: {err}") from None
    if not (np.isfinite([place.x_px, place.y_px]).all() and 0 < place.size_px < 1e5):
        raise DataFault(f"{file} line {line}: place {place}: must be finite, its size above 0 px")
    return place


def _unit(line: int, record: dict[str, str]) -> str:
    """The same pin of the same board, else the set's own group of near-duplicates, else the row itself."""
    if record.get("site"):
        return f"{record.get('board', '')}/{record['site']}"
    return record.get("group") or f"line {line}"
