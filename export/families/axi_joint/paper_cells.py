"""Cells of the study's tables: rates with their intervals, means over seeds, rows in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Runs = list[dict[str, Any]]


def titled(title: str, rows: Iterator[str]) -> list[str]:
    return [f"**{title}**", "", *rows, ""]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def over(runs: Runs, value: Callable[[dict[str, Any]], float | None]) -> str:
    """Mean ± standard deviation over seeds; of one seed the value; "none" where there is none."""
    values = [one for one in map(value, runs) if one is not None]
    if not values:
        return "none"
    spread = f" ± {three(float(np.std(values, ddof=1)))}" if len(values) > 1 else ""
    return f"{three(float(np.mean(values)))}{spread}"


def with_wilson(runs: Runs, value: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    """Of one seed a rate with its interval; of several mean ± deviation, and the first one's interval."""
    first = value(runs[0])
    if first["frac"] is None:
        return "none"
    seeds = over(runs, lambda run: value(run)["frac"])
    return f"{seeds} ({three(first['lower'])} to {three(first['upper'])})"


def rate(cell: dict[str, Any]) -> str:
    if cell["frac"] is None:
        return "none"
    return f"{cell['called']} of {cell['n']} ({three(cell['lower'])} to {three(cell['upper'])})"


def mean(values: Sequence[float | None]) -> str:
    kept = [value for value in values if value is not None]
    return three(float(np.mean(kept))) if kept else "none"


def three(value: float) -> str:
    """Three decimals, four where three would leave one digit."""
    return f"{value:.4f}" if 0.0 < value < 0.01 else f"{value:.3f}"
