"""Data set folders of BGA packages, split by package type as the paper's: training sees good packages only.

The set is its arguments, byte for byte. `dev-test` holds packages of types known and of types that training never saw;
defects come evenly over kinds and strengths, each with its box. `reference` holds a few good packages of every type, as
a person approved them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from export.simulator.components.errors import Severity
from export.simulator.datasets import DEV_TEST, TRAIN, VAL, check_fraction, write_picture, write_table
from export.simulator.xray.packages.defects import DEFECTS_OF, PackageDefect
from export.simulator.xray.packages.grid import OPTICAL_TYPES, XRAY_TYPES, Look, package_type
from export.simulator.xray.packages.package import PackagePicture, draw_package

REFERENCE = "reference"
REFERENCES_PER_TYPE = 3
UNSEEN_TYPES = 2  # of each set, kept for dev-test; of the pictures of dev-test, half are of them
_COLUMNS = (
    *("path", "label", "split", "source", "package", "package_type", "look", "severity", "decidable"),
    *("defect_x0", "defect_y0", "defect_x1", "defect_y1"),  # not x0...: a row is the whole picture, not a region
)
_TYPES_OF = {Look.OPTICAL: OPTICAL_TYPES, Look.XRAY: XRAY_TYPES}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """What `write_package_set` wrote: rows of index.csv by (split, label), and the types training never saw."""

    folder: Path
    pictures: Mapping[tuple[str, str], int]
    unseen_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    number: int
    split: str
    type_name: str
    defect: PackageDefect | None
    severity: Severity


def write_package_set(
    out_dir: Path,
    n_packages: int,
    seed: int,
    look: Look | str,
    defect_rate: float = 0.5,
    *,
    types: Sequence[str] | None = None,
    defects: Sequence[PackageDefect] | None = None,
) -> PackageSet:
    """Write a data set folder: `images/` and `index.csv`, one row a picture. Of `n_packages`, six tenths are `train`
    (all good), two `val`, two `dev-test`; `defect_rate` of the latter two are defective. Beside them `reference`.
    Raises FileExistsError if the folder already holds a set, ValueError for arguments out of range."""
    look = Look(look)
    check_fraction("defect_rate", defect_rate)
    names = tuple(types or _TYPES_OF[look])
    kinds = tuple(defects or DEFECTS_OF[look])
    if len(names) <= UNSEEN_TYPES or any(package_type(name).look is not look for name in names):
        raise ValueError(f"types {names}: more than {UNSEEN_TYPES} of the {look.value} look")
    if n_packages < 5 or any(kind not in DEFECTS_OF[look] for kind in kinds):
        raise ValueError(f"n_packages is {n_packages}, at least 5; defects {[kind.value for kind in kinds]}")
    if (out_dir / "index.csv").exists():
        raise FileExistsError(f"{out_dir} already holds a data set: give another folder or remove it first")
    (out_dir / "images").mkdir(parents=True, exist_ok=True)

    source = f"boardgate line twin packages, seed {seed}, look {look.value}"
    rows = []
    for plan in _plans(n_packages, seed, names, kinds, defect_rate):
        picture = draw_package(package_type(plan.type_name), (seed, plan.number), plan.defect, plan.severity)
        package = f"K{seed:04d}-{plan.number:05d}"
        path = f"images/{package}.png"
        write_picture(out_dir / path, picture.image)
        common = {"path": path, "split": plan.split, "source": source, "package": package}
        rows.append(_picture_columns(picture) | common | {"package_type": plan.type_name, "look": look.value})
    write_table(out_dir / "index.csv", _COLUMNS, rows)
    counts = Counter((str(row["split"]), str(row["label"])) for row in rows)
    return PackageSet(folder=out_dir, pictures=MappingProxyType(dict(counts)), unseen_types=names[-UNSEEN_TYPES:])


def _plans(
    n_packages: int, seed: int, names: tuple[str, ...], kinds: tuple[PackageDefect, ...], defect_rate: float
) -> Iterator[_Planned]:
    known, unseen = names[:-UNSEEN_TYPES], names[-UNSEEN_TYPES:]
    n_train, n_val = round(0.6 * n_packages), max(1, round(0.2 * n_packages))
    severities = tuple(Severity)
    turn = 0  # kinds and strengths come in turn, so that every pair is there as often
    for number in range(n_packages):
        split = TRAIN if number < n_train else VAL if number < n_train + n_val else DEV_TEST
        among = unseen if split == DEV_TEST and number % 2 else known
        lot = float(np.random.default_rng([seed, number, 1]).random())
        defect = None
        if split != TRAIN and lot < defect_rate:
            defect, turn = kinds[turn % len(kinds)], turn + 1
        severity = severities[(turn // len(kinds)) % 3]
        type_name = among[(number // 2) % len(among)]
        yield _Planned(number=number, split=split, type_name=type_name, defect=defect, severity=severity)
    for k in range(REFERENCES_PER_TYPE * len(names)):
        yield _Planned(
            number=n_packages + k,
            split=REFERENCE,
            type_name=names[k % len(names)],
            defect=None,
            severity=Severity.PLAIN,
        )


def _picture_columns(picture: PackagePicture) -> dict[str, object]:
    x0, y0, x1, y1 = picture.box_px
    return {
        "label": picture.label,
        "severity": "" if picture.severity is None else picture.severity.value,
        "decidable": int(picture.decidable),
        **{"defect_x0": x0, "defect_y0": y0, "defect_x1": x1, "defect_y1": y1},
    }
