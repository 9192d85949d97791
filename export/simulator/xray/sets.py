"""Data set folders of X-rayed joints, split by board type: the types of `dev-test` are never seen in training, and some
of them ran on a machine of their own.

A set is its arguments, byte for byte with the same NumPy and OpenCV. One PNG a slice: `slices/BOARD_V1_00.png` is the
lowest, `_01` the next; `slice_paths` says where the others of a row are. All joints of a view share its slices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.datasets import DEV_TEST, TRAIN, VAL, check_fraction, write_table
from export.simulator.xray.board import BoardType, barcode
from export.simulator.xray.board_types import BOARD_TYPES, PTH_TYPES, board_type
from export.simulator.xray.difficulty import Difficulty, difficulty_of
from export.simulator.xray.joints import DEFECT_MIX
from export.simulator.xray.physics import look_through
from export.simulator.xray.view import JointView, Look, XrayView, draw_view, slice_count

SPLITS = (TRAIN, VAL, DEV_TEST)
SPLIT_FRACS = (0.55, 0.15)  # of the board types, train and val; the rest is dev-test
DEFECT_RATE = 0.15  # the paper's joints: 1 defective to 1/0.18 good ones
_INDEX_COLUMNS = ("path", "label", "split", "source", "board", "board_type", "machine", "view", "slices")
_JOINT_COLUMNS = (
    *("path", "label", "split", "source", "board", "board_type", "view", "slices", "site", "refdes", "pin"),
    *("x0", "y0", "x1", "y1", "truth", "severity", "marginal", "roi", "visible_in"),
)

Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSet:
    """What `write_joint_set` wrote: rows of joints.csv by (split, label), board types by split, joints by slices."""

    folder: Path
    joints: Mapping[tuple[str, str], int]
    types: Mapping[str, tuple[str, ...]]
    slices: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnView:
    """A view of a stream or set, with whose it is."""

    board: str
    board_type: BoardType
    number: int
    view: XrayView


def split_types(names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Board types by split, in order. Raises ValueError below three or for repeats."""
    if len(names) < 3 or len(set(names)) != len(names):
        raise ValueError(f"board types {list(names)}: at least three different ones, one for each split")
    n_train = max(1, round(SPLIT_FRACS[0] * len(names)))
    n_val = max(1, round(SPLIT_FRACS[1] * len(names)))
    n_train = min(n_train, len(names) - n_val - 1)
    parts = (names[:n_train], names[n_train : n_train + n_val], names[n_train + n_val :])
    return MappingProxyType({split: tuple(part) for split, part in zip(SPLITS, parts, strict=True)})


def draw_views(
    types: Sequence[str],
    boards_per_type: int,
    seed: int,
    difficulty: Difficulty | str = "line",
    defect_rate: float = DEFECT_RATE,
    *,
    defects: tuple[str, ...] | None = None,
    slices: int | None = None,
    look: Look = look_through,
) -> Iterator[DrawnView]:
    """Every view of `boards_per_type` boards of each type, drawn as they are asked for. Board 17 of a type is the same
    whether or not the others were drawn. Raises ValueError for arguments out of range."""
    setting = difficulty_of(difficulty)
    check_fraction("defect_rate", defect_rate)
    kinds = [board_type(name) for name in types]
    _check_defects(kinds, defects)
    if boards_per_type < 1 or (slices is not None and not 1 <= slices <= 6):
        raise ValueError(f"boards_per_type is {boards_per_type}, slices {slices}: at least 1, and 1 to 6")
    return (
        DrawnView(
            board=barcode(kind, seed, number),
            board_type=kind,
            number=view,
            view=draw_view(kind, view, (seed, number, _key(kind.name)), setting, defect_rate, defects, slices, look),
        )
        for kind in kinds
        for number in range(boards_per_type)
        for view in range(kind.views)
    )


def write_joint_set(
    out_dir: Path,
    boards_per_type: int,
    seed: int,
    difficulty: Difficulty | str = "line",
    defect_rate: float = DEFECT_RATE,
    *,
    types: Sequence[str] = PTH_TYPES,
    defects: tuple[str, ...] | None = None,
    slices: int | None = None,
) -> JointSet:
    """Write a data set folder: `slices/`, `index.csv` (a row a view), `joints.csv` (a row a joint with its ROI box).

    `label` is what the specialist wrote; `truth`, `severity`, `marginal`, `roi` and `visible_in` are the twin's own and
    no model may be given them. `index.csv` is written last, so a folder without it is an unfinished set. Raises
    FileExistsError if the folder already holds a set, ValueError for arguments out of range.
    """
    setting = difficulty_of(difficulty)
    groups = split_types(types)
    split_of = {name: split for split, names in groups.items() for name in names}
    if (out_dir / "index.csv").exists():
        raise FileExistsError(f"{out_dir} already holds a data set: give another folder or remove it first")
    stream = draw_views(types, boards_per_type, seed, setting, defect_rate, defects=defects, slices=slices)
    (out_dir / "slices").mkdir(parents=True, exist_ok=True)

    source = f"boardgate line twin X-ray joints, seed {seed}, difficulty {setting.name}"
    views: list[Record] = []
    joints: list[Record] = []
    for drawn in stream:
        path = f"slices/{drawn.board}_V{drawn.number + 1}_00.png"
        count = len(drawn.view.slices)
        for name, plane in zip(slice_paths(path, count), drawn.view.slices, strict=True):
            _write_slice(out_dir / name, plane)
        common: Record = {
            "path": path,
            "split": split_of[drawn.board_type.name],
            "source": source,
            "board": drawn.board,
            "board_type": drawn.board_type.name,
            "view": f"V{drawn.number + 1}",
            "slices": count,
        }
        rows = [_joint_columns(joint) | common for joint in drawn.view.joints]
        joints += rows
        good = all(row["truth"] == "normal" for row in rows)
        views.append(common | {"label": "good" if good else "defective", "machine": drawn.board_type.machine.name})

    write_table(out_dir / "joints.csv", _JOINT_COLUMNS, joints)
    write_table(out_dir / "index.csv", _INDEX_COLUMNS, views)
    return JointSet(
        folder=out_dir,
        joints=MappingProxyType(dict(Counter((str(row["split"]), str(row["label"])) for row in joints))),
        types=groups,
        slices=MappingProxyType(dict(Counter(int(str(row["slices"])) for row in joints))),
    )


def slice_paths(path: str, slices: int) -> tuple[str, ...]:
    """The paths of all slices of a row, from its `path` (of slice 00) and its `slices`. Raises ValueError for a path
    that is not one of a first slice, or for other than 1 to 6 slices."""
    if not path.endswith("_00.png") or not 1 <= slices <= 6:
        raise ValueError(f"path {path!r} with {slices} slices: expected ..._00.png and 1 to 6")
    return tuple(f"{path[: -len('00.png')]}{n:02d}.png" for n in range(slices))


def programmed_slices(types: Sequence[str], difficulty: Difficulty | str) -> Mapping[str, tuple[int, ...]]:
    """How many slices each view of each type takes."""
    kinds = [board_type(name) for name in types]
    return {kind.name: tuple(slice_count(kind, view, difficulty) for view in range(kind.views)) for kind in kinds}


def _joint_columns(joint: JointView) -> Record:
    return {
        "label": joint.label,
        "site": f"{joint.site.refdes}.{joint.site.pin}",
        "refdes": joint.site.refdes,
        "pin": joint.site.pin,
        "x0": joint.roi.x0,
        "y0": joint.roi.y0,
        "x1": joint.roi.x1,
        "y1": joint.roi.y1,
        "truth": joint.truth,
        "severity": "" if joint.severity is None else joint.severity.value,
        "marginal": int(joint.marginal),
        "roi": joint.roi.fault.value,
        "visible_in": " ".join(map(str, joint.visible_in)),
    }


def _check_defects(kinds: Sequence[BoardType], defects: tuple[str, ...] | None) -> None:
    for kind in kinds:
        unknown = [label for label in defects or () if label not in DEFECT_MIX[kind.kind]]
        if unknown or defects == ():
            raise ValueError(f"defects {defects}: {kind.kind.value} joints have {', '.join(DEFECT_MIX[kind.kind])}")


def _key(name: str) -> int:
    return BOARD_TYPES.index(name)


def _write_slice(path: Path, plane: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), plane):
        raise OSError(f"{path}: the picture could not be written; check free space and permissions")
