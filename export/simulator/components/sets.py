"""Data set folders of component boards, in the project's form, with parts and boards that training never saw.

A set is its arguments, byte for byte with the same NumPy and OpenCV. Which board part numbers a split holds is settled
before anything is drawn: half of them are known (`train`, and some boards of them in every split), a quarter appear in
`val` only, the rest in `dev-test` only. The part numbers those new boards bring along are what "unseen" means: nothing
of them is in `train`. Every part of the set has five approved rows in the split `reference`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from export.simulator.components.board import ComponentPlace, reference_component_board
from export.simulator.components.errors import COMPONENT_ERRORS
from export.simulator.components.layout import component_board
from export.simulator.components.stream import board_id, checked_kinds, draw_board
from export.simulator.datasets import DEV_TEST, TRAIN, VAL, check_fraction, imaging_named, write_picture, write_table

# Six known, three new in val, three new in dev-test; the last are such that no part that is new in val is on them.
COMPONENT_BOARDS = tuple(f"CB-{number}" for number in (*range(101, 110), 114, 126, 145))
REFERENCE_SPLIT = "reference"
REFERENCES_PER_PART = 5

_NEW_BOARDS_FRAC = 0.5  # of the boards of val and dev-test, those of part numbers that train lacks
_SPLITS = (TRAIN, VAL, DEV_TEST, REFERENCE_SPLIT)
_INDEX_COLUMNS = ("path", "label", "split", "source", "board", "board_type")
_PLACE_COLUMNS = ("component", "class", "mount", "turns_deg", "x0", "y0", "x1", "y1")
_COMPONENT_COLUMNS = (
    *("path", "label", "split", "source", "board", "site", "component", "class", "mount", "turns_deg", "severity"),
    *("x0", "y0", "x1", "y1"),
)

Record = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSplit:
    """Which board part numbers are known (seen in train), and which are new in val and in dev-test."""

    known: tuple[str, ...]
    val_new: tuple[str, ...]
    dev_test_new: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        return (*self.known, *self.val_new, *self.dev_test_new)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSet:
    """What `write_component_set` wrote: the folder, rows of components.csv by (split, label), and which part numbers
    are in train and which are not."""

    folder: Path
    boards: int
    components: Mapping[tuple[str, str], int]
    known_parts: tuple[str, ...]
    unseen_parts: tuple[str, ...]


def split_boards(boards: Sequence[str]) -> BoardSplit:
    """Half known, then a quarter new in val, the rest new in dev-test. Raises ValueError below three or for repeats."""
    if len(boards) < 3 or len(set(boards)) != len(boards):
        raise ValueError(f"boards {list(boards)}: at least three different ones: known, new in val, new in dev-test")
    known = len(boards) // 2
    val_new = max(1, (len(boards) - known) // 2)
    return BoardSplit(
        known=tuple(boards[:known]),
        val_new=tuple(boards[known : known + val_new]),
        dev_test_new=tuple(boards[known + val_new :]),
    )


def parts_on(boards: Sequence[str]) -> frozenset[str]:
    """The part numbers mounted on any of these boards."""
    return frozenset(site.part.name for board in boards for site in component_board(board).sites)


def write_component_set(
    out_dir: Path,
    n_boards: int,
    seed: int,
    difficulty: str = "line",
    defect_rate: float = 0.1,
    *,
    boards: Sequence[str] = COMPONENT_BOARDS,
    defects: Sequence[str] = COMPONENT_ERRORS,
    references_per_part: int = REFERENCES_PER_PART,
    suffix: str = ".jpg",
) -> ComponentSet:
    """Write a data set folder: `images/`, `index.csv`, `components.csv`, and under `boards/NAME/` each board part
    number's clean `reference.png` with its `places.csv`.

    Of `n_boards`, half are `train` (good only), a fifth `val`, the rest `dev-test`; there `defect_rate` of the
    components are wrong, and half of the boards are new ones. `references_per_part` good boards of each board part
    number come on top, for as many rows of every part in `reference`. `index.csv` is written last, so a folder
    without it is an unfinished set. Raises FileExistsError if the folder already holds a set, ValueError for
    arguments out of range.
    """
    kinds = checked_kinds(defects)
    check_fraction("defect_rate", defect_rate)
    imaging = imaging_named(difficulty)
    groups = split_boards(boards)
    plan = _plan(n_boards, groups, references_per_part)
    if references_per_part < 1:
        raise ValueError(f"references_per_part is {references_per_part}: a part needs at least one approved picture")
    if suffix not in (".jpg", ".png"):
        raise ValueError(f"suffix is {suffix!r}: pictures are written as .jpg or .png")
    if (out_dir / "index.csv").exists():
        raise FileExistsError(f"{out_dir} already holds a data set: give another folder or remove it first")
    (out_dir / "images").mkdir(parents=True, exist_ok=True)

    source = f"boardgate line twin components, seed {seed}, difficulty {difficulty}"
    pictures: dict[int, Record] = {}
    components: dict[int, list[Record]] = {}
    for number in sorted(range(len(plan)), key=lambda n: plan[n][1]):  # a board part number's artwork is kept a while
        split, board_type = plan[number]
        rate = defect_rate if split in (VAL, DEV_TEST) else 0.0
        picture = draw_board(component_board(board_type), seed, number, imaging, kinds, rate)
        board = board_id(seed, number)
        path = f"images/{board}{suffix}"
        write_picture(out_dir / path, picture.image)
        common: Record = {"path": path, "split": split, "source": source, "board": board}
        components[number] = [_component(place) | common for place in picture.places]
        good = all(row["label"] == "good" for row in components[number])
        pictures[number] = {"label": "good" if good else "defective", "board_type": board_type} | common

    numbers = range(len(plan))
    rows = [row for n in numbers if plan[n][0] != REFERENCE_SPLIT for row in components[n]]
    rows += _few_of_each_part([components[n] for n in numbers if plan[n][0] == REFERENCE_SPLIT], references_per_part)
    _write_reference_boards(out_dir / "boards", groups.every)
    write_table(out_dir / "components.csv", _COMPONENT_COLUMNS, rows)
    write_table(out_dir / "index.csv", _INDEX_COLUMNS, [pictures[n] for n in numbers])
    known = parts_on(groups.known)
    return ComponentSet(
        folder=out_dir,
        boards=n_boards,
        components=MappingProxyType(Counter((str(row["split"]), str(row["label"])) for row in rows)),
        known_parts=tuple(sorted(known)),
        unseen_parts=tuple(sorted(parts_on(boards) - known)),
    )


def _plan(n_boards: int, groups: BoardSplit, references: int) -> list[tuple[str, str]]:
    """Split and board part number of every board; boards of one part number follow one another within a split."""
    n_train, n_val = n_boards // 2, round(n_boards / 5)
    n_dev_test = n_boards - n_train - n_val
    if n_train < len(groups.known) or n_val < 2 * len(groups.val_new) or n_dev_test < 2 * len(groups.dev_test_new):
        raise ValueError(
            f"n_boards is {n_boards}: too few for {len(groups.every)} board part numbers; "
            f"{10 * max(len(groups.val_new), len(groups.dev_test_new), 1)} are enough"
        )
    plan = [(TRAIN, groups.known[i % len(groups.known)]) for i in range(n_train)]
    for split, new, n in ((VAL, groups.val_new, n_val), (DEV_TEST, groups.dev_test_new, n_dev_test)):
        n_new = round(_NEW_BOARDS_FRAC * n)
        plan += [(split, new[i % len(new)]) for i in range(n_new)]
        plan += [(split, groups.known[i % len(groups.known)]) for i in range(n - n_new)]
    plan += [(REFERENCE_SPLIT, board) for board in groups.every for _ in range(references)]
    return sorted(plan, key=lambda entry: (_SPLITS.index(entry[0]), groups.every.index(entry[1])))


def _few_of_each_part(boards: Sequence[list[Record]], wanted: int) -> list[Record]:
    """`wanted` rows of each part number, taken in turn from all the sites it stands at, each from another picture.

    `boards` are the rows of the pictures, `wanted` pictures of each board part number one after the other.
    """
    by_part: dict[object, list[list[Record]]] = defaultdict(list)
    for start in range(0, len(boards), wanted):
        for site_rows in zip(*boards[start : start + wanted], strict=True):
            by_part[site_rows[0]["component"]].append(list(site_rows))
    return [sites[turn % len(sites)][turn % wanted] for sites in by_part.values() for turn in range(wanted)]


def _component(place: ComponentPlace) -> Record:
    return {"label": place.label, "site": place.refdes, "severity": place.severity} | place_columns(place)


def place_columns(place: ComponentPlace) -> Record:
    """A component's part number, class, mount, allowed turns and box as tables write them."""
    return {
        "component": place.part_number,
        "class": place.part_class,
        "mount": place.mount,
        "turns_deg": " ".join(str(turn) for turn in place.turns_deg),
        "x0": f"{place.x0_px:.2f}",
        "y0": f"{place.y0_px:.2f}",
        "x1": f"{place.x1_px:.2f}",
        "y1": f"{place.y1_px:.2f}",
    }


def _write_reference_boards(out_dir: Path, boards: Sequence[str]) -> None:
    for board in boards:
        (out_dir / board).mkdir(parents=True, exist_ok=True)
        reference = reference_component_board(board)
        write_picture(out_dir / board / "reference.png", reference.image)
        rows = [{"refdes": place.refdes} | place_columns(place) for place in reference.places]
        write_table(out_dir / board / "places.csv", ("refdes", *_PLACE_COLUMNS), rows)
