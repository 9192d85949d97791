"""What a paper reports, as data: its tables copied figure by figure, and which figures stand on one axis with ours.

A family keeps its paper in `export/families/<family>/paper.py`. Figures are texts as printed ("0.741 ± 0.01", without
a deviation where the paper prints none), so that nothing is rounded or filled in on the way to the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PRINTED = re.compile(r"(?P<value>\d+(?:\.\d+)?)(?: ± (?P<deviation>\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """One table of the paper. `head` names the columns; the first cell of a row names the row; cells are as printed.

    `groups` are headings over several columns, as (text, columns), in order, covering every column but the first; empty
    where the table has none.
    """

    number: str  # "II"
    where: str  # section, and page where the text at hand says it
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError when a row is not as long as the head, or groups do not cover the columns."""
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"table {self.number}, row {row[0]!r}: {len(row)} cells, expected {len(self.head)}")
        if self.groups and sum(n for _, n in self.groups) != len(self.head) - 1:
            raise ValueError(f"table {self.number}: groups cover {self.groups}, the table has {len(self.head) - 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One method of the paper on the axes shared with ours: figures as printed by metric ("f1", "recall", "precision").

    `ours` is the variant of our result rows that is the same method ("beta_vae/recon"); empty where there is none.
    """

    name: str
    ours: str
    figures: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One publication: who, where, on which data, its tables, and what may and may not be compared."""

    title: str
    authors: str
    source: str
    data: str  # what it was measured on, in words
    differs: str  # why its figures and ours are no race
    latent: str  # how it shows its latent space, if it does; empty where not
    tables: tuple[PublishedTable, ...]
    rows: tuple[PublishedRow, ...]


def value_of(text: str) -> tuple[float, float | None]:
    """A printed figure as value and deviation (None where none is printed). Raises ValueError on anything else."""
    found = PRINTED.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: is no printed figure, expected '0.741' or '0.741 ± 0.01'")
    return float(found["value"]), None if found["deviation"] is None else float(found["deviation"])
