"""The table of places a recipe is made from, read and checked: all faults at once, each with its line and column.

The table is CSV. A row names its place by `refdes` and, where it has one, `pin`; or by `site`, split at its last `-`
or `_` (`J1-3`, `J40_00L`); or by `component`. It says where by centre and size `x,y,pitch`, or by a box `x0,y0,x1,y1`,
whose size is its longer side. `part_number`, or else `component`, is the part mounted there; `turns_deg` says how it
may be turned (`0 180`). Where there is a `path`, only rows of the chosen picture count. Other columns are ignored.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge.recipe import MAX_REGIONS, Place
from edge.references import parsed_turns
from edge.settings import SettingsFault

MAX_TABLE_BYTES = 64 * 1024 * 1024  # a table of all pictures of a data set; one picture's rows are what is kept
MAX_FAULTS = 20  # a table with a wrong column would report every row
CENTRE, BOX = ("x", "y", "pitch"), ("x0", "y0", "x1", "y1")
Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row that is a place, and how the part there may be turned, () where the table does not say."""

    line: int
    place: Place
    turns_deg: tuple[int, ...]


def places_of_table(
    file: Path, picture: str, name: str, region_scale: float, margin_frac: float = 0.0
) -> list[TableRow]:
    """The places of one picture: `picture` chooses rows by their path, else those whose path ends in `name`. The
    square is `region_scale` times the size, `margin_frac` of it at each edge is board round the part. Raises
    SettingsFault with all faults."""
    return _places(file, _rows_of_picture(file, _read_table(file), picture, name), region_scale, margin_frac)


def _read_table(file: Path) -> list[tuple[int, Row]]:
    """The rows with their line numbers. Raises SettingsFault."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_TABLE_BYTES + 1)
        if len(data) > MAX_TABLE_BYTES:
            raise SettingsFault([f"{file}: larger than {MAX_TABLE_BYTES} bytes"])
        reader = csv.DictReader(data.decode("utf-8-sig").splitlines(), strict=True, restkey="")
        rows = [(reader.line_num, row) for row in reader]
    except OSError as err:
        raise SettingsFault([f"{file}: cannot be read: {err.strerror}"]) from None
    except (UnicodeDecodeError, csv.Error) as err:
        raise SettingsFault([f"{file}: is not a CSV table in UTF-8: {err}"]) from None
    if not rows:
        raise SettingsFault([f"{file}: has no rows"])
    ragged = [line for line, row in rows if "" in row or None in row.values()]
    if ragged:
        raise SettingsFault([f"{file} line {ragged[0]}: has another number of fields than the first line"])
    return rows


def _rows_of_picture(file: Path, rows: list[tuple[int, Row]], picture: str, name: str) -> list[tuple[int, Row]]:
    if "path" not in rows[0][1]:
        if picture:
            raise SettingsFault([f"{file}: has no column `path` to find picture {picture!r} by"])
        return rows
    wanted = picture or name
    chosen = [(line, row) for line, row in rows if wanted in (row["path"], Path(row["path"]).name)]
    paths = sorted({row["path"] for _, row in chosen})
    if not chosen:
        known = sorted({row["path"] for _, row in rows})[:5]
        raise SettingsFault([f"{file} path: no row of picture {wanted!r}; there are {known} …: say --picture"])
    if len(paths) > 1:
        raise SettingsFault([f"{file} path: {wanted!r} could be any of {paths[:5]}: say --picture with its folder"])
    return chosen


def _places(file: Path, rows: list[tuple[int, Row]], region_scale: float, margin_frac: float) -> list[TableRow]:
    """Every row as a place. Raises SettingsFault naming row and column of each that cannot be one."""
    if len(rows) > MAX_REGIONS:
        raise SettingsFault([f"{file}: {len(rows)} places, at most {MAX_REGIONS} allowed"])
    columns = rows[0][1].keys()
    if not columns & {"refdes", "site", "component"}:
        raise SettingsFault([f"{file}: no column refdes, site or component; it has {sorted(columns)}"])
    if not (columns >= set(CENTRE) or columns >= set(BOX)):
        raise SettingsFault([f"{file}: neither columns x, y, pitch nor x0, y0, x1, y1; it has {sorted(columns)}"])
    found: list[TableRow] = []
    faults: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    for line, row in rows:
        place, fault = _place(row, region_scale, margin_frac)
        if place is None:
            faults.append(f"{file} line {line} {fault}")
            continue
        known = first_line.setdefault((place.refdes, place.pin), line)
        if known != line:
            faults.append(f"{file} line {line}: {place.refdes} {place.pin} is on line {known} already")
        turns_deg, fault = _turns(row)
        if fault:
            faults.append(f"{file} line {line} {fault}")
        found.append(TableRow(line=line, place=place, turns_deg=turns_deg))
    raise_if_any(faults)
    return found


def _place(row: Row, region_scale: float, margin_frac: float) -> tuple[Place | None, str]:
    """The row's place, or what is wrong with it, the column first."""
    numbers: dict[str, float] = {}
    for column in CENTRE if row.keys() >= set(CENTRE) else BOX:
        try:
            numbers[column] = float(row[column])
        except ValueError:
            return None, f"{column}: {row[column]!r} is not a number"
        if not math.isfinite(numbers[column]):
            return None, f"{column}: {row[column]!r} is not finite"
    if "pitch" in numbers:
        x_px, y_px, size_px = numbers["x"], numbers["y"], numbers["pitch"]
    else:
        width, height = numbers["x1"] - numbers["x0"], numbers["y1"] - numbers["y0"]
        if min(width, height) <= 0:
            return None, f"x0, y0, x1, y1: the box is {width:g} x {height:g} px; its second corner comes first"
        x_px, y_px, size_px = numbers["x0"] + width / 2, numbers["y0"] + height / 2, max(width, height)
    refdes, pin = _name(row)
    try:
        return (
            Place(
                refdes=refdes,
                pin=pin,
                x_px=round(x_px, 3),
                y_px=round(y_px, 3),
                side_px=round(size_px * region_scale, 3),
                margin_frac=round(margin_frac, 4),
                part_number=(row.get("part_number") or row.get("component") or "").strip(),
            ),
            "",
        )
    except ValidationError as err:
        return None, "; ".join(f"{e['loc'][0]}: {e['msg']} (got {e['input']!r:.60})" for e in err.errors())


def _turns(row: Row) -> tuple[tuple[int, ...], str]:
    try:
        return parsed_turns(row.get("turns_deg", "")), ""
    except ValueError as err:
        return (), f"turns_deg: {err}"


def _name(row: Row) -> tuple[str, str]:
    if "refdes" in row:
        return row["refdes"].strip(), row.get("pin", "").strip()
    if "site" in row:
        parts = re.fullmatch(r"(.+)[-_](.+)", row["site"].strip())  # greedy: the last separator
        return (parts[1], parts[2]) if parts else (row["site"].strip(), "")
    return row["component"].strip(), ""


def raise_if_any(faults: list[str]) -> None:
    """Raise SettingsFault with them, the first MAX_FAULTS; nothing where there are none."""
    if len(faults) > MAX_FAULTS:
        faults = [*faults[:MAX_FAULTS], f"… and {len(faults) - MAX_FAULTS} more"]
    if faults:
        raise SettingsFault(faults)
