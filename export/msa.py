"""`boardgate msa …`: studies from tables, their analysis, and what is printed, drawn and written of it.

Tables are CSV, one judgement or measurement a row, columns named on the command line. The arithmetic is
`calibration.msa`'s; a station as an appraiser is `export.msa_station`'s.
"""

from __future__ import annotations

import csv
import dataclasses
import enum
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.msa.attribute import AttributeResult, analyse_attribute
from calibration.msa.gauge import GaugeResult, analyse_gauge
from calibration.msa.study import GOOD_WORDS, AttributeStudy, Cell, GaugeStudy, attribute_study, gauge_study
from export.faults import WorkshopFault

MAX_ROWS = 1_000_000  # far above any study; a larger table is a mistake


class TableFault(WorkshopFault):
    """A study table cannot be used: which file, line and column, what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a table's columns are called. Without `trial`, repeats count in the order of their lines."""

    part: str = "part"
    appraiser: str = "appraiser"
    value: str = "decision"
    trial: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    line: int
    trial: str
    text: str


def attribute_from_table(
    table: Path, columns: Columns, *, good: Sequence[str] = (), pass_or_reject: bool = False
) -> tuple[AttributeStudy, AttributeResult]:
    """Read and analyse an attribute study. Raises TableFault, StudyFault."""
    entries, reference = _read(table, columns)
    cells = {cell: [e.text for e in found] for cell, found in entries.items()}
    study = attribute_study(cells, reference, good or GOOD_WORDS, pass_or_reject=pass_or_reject)
    return study, analyse_attribute(study)


def gauge_from_table(
    table: Path, columns: Columns, *, tolerance: float | None, unit: str, pool_above_p: float
) -> tuple[GaugeStudy, GaugeResult]:
    """Read and analyse a gauge study. Raises TableFault, StudyFault."""
    entries, _ = _read(table, columns)
    cells = {cell: [_number(table, columns.value, e) for e in found] for cell, found in entries.items()}
    study = gauge_study(cells, unit)
    return study, analyse_gauge(study, tolerance, pool_above_p)


def to_json(result: object, **more: object) -> str:
    """A result record as one JSON object, enums by value, `more` beside it. Infinite F values become null."""
    plain = dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
    whole = {**plain, **more} if isinstance(plain, dict) else plain
    return json.dumps(_plain(whole), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _read(table: Path, columns: Columns) -> tuple[dict[Cell, list[_Entry]], dict[str, str] | None]:
    """Entries by (part, appraiser) in trial order, and each part's reference where a column holds it."""
    wanted = [columns.part, columns.appraiser, columns.value]
    wanted += [c for c in (columns.trial, columns.reference) if c is not None]
    entries: dict[Cell, list[_Entry]] = {}
    reference: dict[str, str] = {}
    for line, row in read_rows(table, wanted):
        part, text = row[columns.part], row[columns.value]
        trial = "" if columns.trial is None else row[columns.trial]
        found = entries.setdefault((part, row[columns.appraiser]), [])
        if columns.trial is not None and (twice := [e for e in found if e.trial == trial]):
            what = f"part {part}, appraiser {row[columns.appraiser]}, trial {trial}"
            raise TableFault(f"{table} line {line}: {what} was already in line {twice[0].line}")
        found.append(_Entry(line=line, trial=trial, text=text))
        if columns.reference is not None:
            said = row[columns.reference]
            if reference.setdefault(part, said) != said:
                raise TableFault(
                    f"{table} line {line}, {columns.reference}: {said!r} for part {part}, {reference[part]!r} before"
                )
    if columns.trial is not None:
        for found in entries.values():
            found.sort(key=lambda e: _trial_order(e.trial))
    return entries, reference if columns.reference is not None else None


def read_rows(table: Path, wanted: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The lines of a CSV with their numbers, stripped. Raises TableFault for a missing column or an empty cell."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = [(reader.line_num, row) for row, _ in zip(reader, range(MAX_ROWS + 1), strict=False)]
            names = list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise TableFault(f"{table}: cannot be read: {err}") from None
    if missing := [c for c in wanted if c not in names]:
        raise TableFault(f"{table}: no column {missing}; it has {names}")
    if not rows or len(rows) > MAX_ROWS:
        raise TableFault(f"{table}: {len(rows)} rows, allowed are 1 to {MAX_ROWS}")
    checked = []
    for line, row in rows:
        if empty := [c for c in wanted if not (row[c] or "").strip()]:
            raise TableFault(f"{table} line {line}: nothing in column {empty[0]!r}; every cell needs a value")
        checked.append((line, {c: row[c].strip() for c in wanted}))
    return checked


def _number(table: Path, column: str, entry: _Entry) -> float:
    try:
        value = float(entry.text)
    except ValueError:
        raise TableFault(f"{table} line {entry.line}, {column}: {entry.text!r} is not a number") from None
    if not math.isfinite(value):
        raise TableFault(f"{table} line {entry.line}, {column}: {entry.text!r} is not finite")
    return value


def _trial_order(trial: str) -> tuple[int, float, str]:
    """Numbers by size, before names by letter."""
    return (0, float(trial), "") if trial.replace(".", "", 1).isdigit() else (1, 0.0, trial)
