"""What the project itself measured for a family: the committed result files of `benchmarks/results/`.

A result belongs to the family its name begins with (`solder_joint`, `solder_joint_gradcon`). Its tables are those that
`boardgate bench tables` writes into the pages, read back from their Markdown, so that page and README cannot differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.tables import RESULTS, TABLES

ASIDE = re.compile(r"\*([^*]+):\*\s*")  # "*knows nothing of solder:* PCA-8": a yardstick, not a result


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """The cells of one row; `aside` says why it is no result of ours, empty for one that is."""

    cells: tuple[str, ...]
    aside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTable:
    """One table: what it is about, what was said before it, its column heads, its rows."""

    caption: str
    note: str
    head: tuple[str, ...]
    rows: tuple[MeasuredRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One result file: its name, the command that made it, its tables, and the file itself."""

    name: str
    command: str
    tables: tuple[MeasuredTable, ...]
    content: dict[str, Any]


def measured(family: str) -> tuple[Measured, ...]:
    """The family's results, by name; empty where none are committed, or in an installation without the checkout."""
    names = sorted(n for n in TABLES if n == family or n.startswith(f"{family}_"))
    return tuple(_measured(name) for name in names if (RESULTS / f"{name}.json").is_file())


def _measured(name: str) -> Measured:
    data = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return Measured(name=name, command=data["command"], tables=tuple(tables_of(TABLES[name](data))), content=data)


def tables_of(markdown: str) -> Iterator[MeasuredTable]:
    """The tables of a page's block; a bold line before a table is its caption, other lines are its note."""
    caption, notes, lines = "", [], []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
            continue
        if lines:
            yield _table(caption, " ".join(notes), lines)
            caption, notes, lines = "", [], []
        if line.startswith("**"):
            caption = line.strip().strip("*")
        elif line.strip():
            notes.append(line.strip())


def _table(caption: str, note: str, lines: list[str]) -> MeasuredTable:
    head, _, *body = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    return MeasuredTable(caption=caption, note=note, head=tuple(head), rows=tuple(_row(cells) for cells in body))


def _row(cells: list[str]) -> MeasuredRow:
    found = ASIDE.match(cells[0])
    first = cells[0][found.end() :] if found else cells[0]
    return MeasuredRow(cells=(first, *cells[1:]), aside=found[1] if found else "")
