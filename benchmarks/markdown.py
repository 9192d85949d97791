"""Figures as a Markdown table, as every page has them."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table's text: names in the first column, figures to the right in the others."""
    align = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, align, *rows])


def or_nothing(value: float | None, form: str, unit: str = "") -> str:
    """A figure in a format, with its unit; an empty cell for what was not measured."""
    return "" if value is None else format(value, form) + unit
