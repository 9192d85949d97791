"""Boards by the dozen: a stream for demos, benches and tests, and whole data set folders in the project's form.

A set is its arguments: the same part number, number of boards, seed, difficulty and rates give the same files
again, byte for byte with the same NumPy and OpenCV. Nothing is kept between boards, so board 17 is the same whether
or not the first sixteen were drawn.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from export.simulator.board import RenderedBoard, reference_board, render_board
from export.simulator.camera import Image
from export.simulator.imaging import DIFFICULTIES, Imaging
from export.simulator.joints import JointState
from export.simulator.layout import BoardLayout, header_board, neighbours

PART_NUMBER = "BG-2041"
DEFECTS = ("bridge", "missing", "insufficient")  # a good board and these: what the public sets and the lines name

TRAIN, VAL, DEV_TEST = "train", "val", "dev-test"

_OPEN_HOLE_FRAC = 0.15  # of missing joints, those without even a pin
_JPEG_QUALITY = 95  # the picture has been through the camera's own JPEG already; this one should not show
_DEFECTIVE_TRAIN_BOARD_EVERY = 10  # real training folders are never quite clean

_INDEX_COLUMNS = ("path", "label", "split", "source", "board")
_JOINT_COLUMNS = ("path", "label", "split", "source", "site", "x", "y", "pitch", "board")
_PLACE_COLUMNS = ("refdes", "pin", "x", "y", "pitch")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSet:
    """What `write_header_set` wrote: the folder, and how many joints of each label in each split."""

    folder: Path
    boards: int
    joints: Mapping[tuple[str, str], int]  # (split, label) -> rows of joints.csv


def imaging_named(difficulty: str) -> Imaging:
    """The imaging of that name. Raises ValueError naming the allowed ones."""
    if difficulty not in DIFFICULTIES:
        raise ValueError(f"difficulty {difficulty!r} is unknown: choose {', '.join(DIFFICULTIES)}")
    return DIFFICULTIES[difficulty]


def draw_boards(
    seed: int,
    n: int,
    difficulty: str = "line",
    defects: Sequence[str] = DEFECTS,
    *,
    defect_rate: float = 0.1,
    defective_boards_frac: float = 1.0,
    part_number: str = PART_NUMBER,
) -> Iterator[tuple[str, RenderedBoard]]:
    """`n` boards of one part number as (board id, picture with its truth), drawn as they are asked for.

    `defective_boards_frac` of the boards, drawn by lot, carry defects; on those `defect_rate` of the pins are defective
    (rounded up or down by lot), of the kinds in `defects` (labels; 'excessive' may be added). Raises ValueError for an
    unknown name or a fraction outside 0..1.
    """
    imaging = imaging_named(difficulty)
    kinds = _checked_defects(defects)
    check_fraction("defect_rate", defect_rate)
    check_fraction("defective_boards_frac", defective_boards_frac)
    layout = header_board(part_number)
    return (
        _draw_board(layout, seed, number, imaging, kinds, defect_rate, defective_boards_frac) for number in range(n)
    )


def write_header_set(
    out_dir: Path,
    n_boards: int,
    seed: int,
    difficulty: str = "line",
    defect_rate: float = 0.1,
    *,
    defects: Sequence[str] = DEFECTS,
    part_number: str = PART_NUMBER,
    suffix: str = ".jpg",
) -> HeaderSet:
    """Write a data set folder: `images/`, `index.csv`, `joints.csv`, `reference.png`, `places.csv`.

    The first half of the boards is `train` (good but for every tenth board), then a fifth `val`, the rest `dev-test`;
    there `defect_rate` of the pins are defective. `places.csv` holds every pin in pixels of `reference.png`.
    `index.csv` is written last, so a folder without it is an unfinished set. Raises FileExistsError if the folder
    already holds a set, ValueError for arguments out of range.
    """
    if n_boards < 3:
        raise ValueError(f"n_boards is {n_boards}: a set needs at least 3 boards, one for each split")
    if suffix not in (".jpg", ".png"):
        raise ValueError(f"suffix is {suffix!r}: pictures are written as .jpg or .png")
    imaging = imaging_named(difficulty)
    kinds = _checked_defects(defects)
    check_fraction("defect_rate", defect_rate)
    if (out_dir / "index.csv").exists():
        raise FileExistsError(f"{out_dir} already holds a data set: give another folder or remove it first")
    (out_dir / "images").mkdir(parents=True, exist_ok=True)

    layout = header_board(part_number)
    source = f"boardgate line twin, seed {seed}, difficulty {difficulty}"
    pictures: list[dict[str, object]] = []
    joints: list[dict[str, object]] = []
    for number, split in enumerate(_splits(n_boards)):
        clean = split == TRAIN and (number + 1) % _DEFECTIVE_TRAIN_BOARD_EVERY != 0
        board, rendered = _draw_board(layout, seed, number, imaging, kinds, 0.0 if clean else defect_rate, 1.0)
        path = f"images/{board}{suffix}"
        write_picture(out_dir / path, rendered.image)
        common = {"path": path, "split": split, "source": source, "board": board}
        rows = [
            {"label": p.label, "site": p.site, "x": _px(p.x_px), "y": _px(p.y_px), "pitch": _px(p.pitch_px)} | common
            for p in rendered.places
        ]
        good = all(row["label"] == "good" for row in rows)
        pictures.append({"label": "good" if good else "defective"} | common)
        joints.extend(rows)

    _write_reference(out_dir, layout)
    write_table(out_dir / "joints.csv", _JOINT_COLUMNS, joints)
    write_table(out_dir / "index.csv", _INDEX_COLUMNS, pictures)
    counts = Counter((str(row["split"]), str(row["label"])) for row in joints)
    return HeaderSet(folder=out_dir, boards=n_boards, joints=MappingProxyType(dict(counts)))


def draw_defects(
    layout: BoardLayout, defects: Sequence[str], defect_rate: float, rng: np.random.Generator
) -> dict[str, JointState]:
    """States of the defective pins of one board, by site: `defect_rate` of its pins, kinds drawn evenly by event.

    A bridge takes two neighbouring pins, and no two bridges touch, so that every bridge is one body of two pins.
    """
    pins = list(layout.pins)
    wanted = int(np.floor(defect_rate * len(pins) + rng.random()))
    states: dict[str, JointState] = {}
    for index in rng.permutation(len(pins)):
        pin = pins[index]
        left = wanted - len(states)
        kinds = [kind for kind in defects if left >= (2 if kind == "bridge" else 1)]
        if not kinds:
            break
        if pin.site in states:
            continue
        kind = kinds[rng.integers(len(kinds))]
        if kind != "bridge":
            states[pin.site] = _state_of(kind, rng)
            continue
        near = [other for other in neighbours(layout, pin) if other.site not in states]
        other = near[rng.integers(len(near))] if near else None
        around = {*neighbours(layout, pin), *(neighbours(layout, other) if other else ())}
        if other is not None and all(states.get(p.site) is not JointState.BRIDGE for p in around):
            states[pin.site] = states[other.site] = JointState.BRIDGE
    return states


def _state_of(kind: str, rng: np.random.Generator) -> JointState:
    if kind == "missing" and rng.random() < _OPEN_HOLE_FRAC:
        return JointState.OPEN_HOLE
    return JointState(kind)


def _draw_board(
    layout: BoardLayout,
    seed: int,
    number: int,
    imaging: Imaging,
    defects: Sequence[str],
    defect_rate: float,
    defective_boards_frac: float,
) -> tuple[str, RenderedBoard]:
    rng = np.random.default_rng([seed, number])
    defective = rng.random() < defective_boards_frac
    states = draw_defects(layout, defects, defect_rate if defective else 0.0, rng)
    return f"B{seed:04d}-{number:04d}", render_board(layout, states, imaging, seed=int(rng.integers(2**31)))


def _checked_defects(defects: Sequence[str]) -> tuple[str, ...]:
    allowed = (*DEFECTS, JointState.EXCESSIVE.value)
    unknown = [kind for kind in defects if kind not in allowed]
    if unknown or not defects:
        raise ValueError(f"defects {list(defects)}: choose at least one of {', '.join(allowed)}")
    return tuple(defects)


def check_fraction(name: str, value: float) -> None:
    """Raises ValueError for a value outside 0..1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value}: must be from 0 to 1")


def _splits(n_boards: int) -> list[str]:
    """The split of each board: half train, a fifth val, the rest dev-test, at least one of each."""
    train = max(1, n_boards // 2)
    val = max(1, round(n_boards / 5))
    return [TRAIN] * train + [VAL] * val + [DEV_TEST] * (n_boards - train - val)


def _px(value: float) -> str:
    return f"{value:.2f}"


def write_picture(path: Path, image: Image) -> None:
    """Write an HxWx3 uint8 BGR picture as its suffix says. Raises OSError when the disk refuses it."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), image, options):
        raise OSError(f"{path}: the picture could not be written; check free space and permissions")


def _write_reference(out_dir: Path, layout: BoardLayout) -> None:
    reference = reference_board(layout)
    write_picture(out_dir / "reference.png", reference.image)
    rows = [
        {"refdes": p.refdes, "pin": p.pin, "x": _px(p.x_px), "y": _px(p.y_px), "pitch": _px(p.pitch_px)}
        for p in reference.places
    ]
    write_table(out_dir / "places.csv", _PLACE_COLUMNS, rows)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV with these columns. Raises ValueError for a row with a field the columns lack."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
