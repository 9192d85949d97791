"""A table's summary as files (pads.csv, panels.csv, refused.csv), as one object of figures, and for people."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table

from edge.paste.panel import Numbers
from export.paste_files.statistics import CHANNELS
from export.paste_files.summary import TableSummary

MAX_TOLD = 10  # panels and faults on a screen; the files have all of them


def write_tables(summary: TableSummary, folder: Path, pads: int | None) -> None:
    """`pads.csv`, `panels.csv` and `refused.csv` in `folder`, older ones replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    statistics = [f"{channel}_{name}" for channel in CHANNELS for name in ("mean", "sigma", "min", "max")]
    stats = summary.pads
    _write(
        folder / "pads.csv",
        ["pad", *(f"{channel}_n" for channel in CHANNELS), *statistics],
        (
            [pad, *stats.n[k].tolist(), *_by_channel(stats.mean[k], stats.sigma[k], stats.lowest[k], stats.highest[k])]
            for k, pad in enumerate(stats.pads)
        ),
    )
    expected = summary.pads_usual if pads is None else pads
    words = sorted(summary.results)
    _write(
        folder / "panels.csv",
        ["panel", "printed", "pads", "as_expected", "doubted", *words, *statistics],
        (
            [p.panel, p.printed, p.n_pads, int(p.n_pads == expected), p.n_doubted]
            + [p.results.get(word, 0) for word in words]
            + _by_channel(p.mean, p.sigma, p.lowest, p.highest)
            for p in summary.panels
        ),
    )
    refused = ([p.panel, p.first_line, p.n_pads, p.fault] for p in summary.refused)
    _write(folder / "refused.csv", ["panel", "first_line", "pads", "fault"], refused)


def _by_channel(*statistics: Numbers) -> list[str]:
    return [f"{values[k]:.6g}" for k in range(len(CHANNELS)) for values in statistics]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def to_json(summary: TableSummary, pads: int | None) -> dict[str, object]:
    """The figures of the whole table."""
    return {
        "file": summary.file,
        "rows": summary.n_rows,
        "panels": len(summary.panels),
        "panels_refused": len(summary.refused),
        "pads": len(summary.pads.pads),
        "pads_expected": summary.pads_usual if pads is None else pads,
        "unexpected": [{"panel": panel, "pads": n} for panel, n in summary.unexpected(pads)],
        "results": dict(sorted(summary.results.items())),
        "mean_of_pads": _medians(summary.pads.mean),
        "sigma_of_pads": _medians(summary.pads.sigma),
    }


def _medians(values: Numbers) -> dict[str, float | None]:
    """The middle pad's, by channel; None where no pad has one."""
    known = [column[np.isfinite(column)] for column in values.T]
    return {c: float(np.median(k)) if len(k) else None for c, k in zip(CHANNELS, known, strict=True)}


def summary_tables(summary: TableSummary, pads: int | None) -> Group:
    """For people: the whole, then what is not whole."""
    whole = Table(title=f"{summary.file}: {summary.n_rows:,} rows", title_justify="left")
    for column in ("whole panels", "refused", "pads", "pads a panel", *sorted(summary.results)):
        whole.add_column(column, justify="right")
    expected = summary.pads_usual if pads is None else pads
    counts = (summary.results[word] for word in sorted(summary.results))
    figures = (len(summary.panels), len(summary.refused), len(summary.pads.pads), expected, *counts)
    whole.add_row(*(f"{figure:,}" for figure in figures))
    held = Table(title="Not to be judged by", title_justify="left")
    held.add_column("panel")
    held.add_column("pads", justify="right")
    held.add_column("why", overflow="fold")
    why = {panel.panel: panel.fault for panel in summary.refused}
    listed = dict(summary.unexpected(pads)) | {panel.panel: panel.n_pads for panel in summary.refused}
    for panel, n in list(listed.items())[:MAX_TOLD]:
        held.add_row(panel, f"{n:,}", why.get(panel, f"{n:,} pads, expected {expected:,}"))
    if len(listed) > MAX_TOLD:
        held.add_row(f"and {len(listed) - MAX_TOLD:,} more", "", "see refused.csv and panels.csv")
    return Group(whole, *([held] if listed else []))
