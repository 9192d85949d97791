"""What ranks the defects of ready-cut crops, as Markdown: rows of `results/sjd.json`, good ways first."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown_table


def ready_cut_table(data: dict[str, Any]) -> str:
    """AUROC with its 95 % interval by physical unit: one table a split, ways at both resolutions."""
    parts = []
    for split, counts in data["counts"].items():
        rows = [row for row in data["rows"] if row["split"] == split]
        labels = sorted({label for row in rows for label in row["auroc"]})
        behind = ", ".join(f"{n} {label} of {units} units" for label, (n, units) in counts.items())
        head = ["way", "crops", *(f"AUROC {label}" for label in labels)]
        parts.append(f"**{split}** ({behind})\n\n{markdown_table(head, [_cells(row, labels) for row in rows])}")
    return "\n\n".join(parts)


def _cells(row: dict[str, Any], labels: list[str]) -> list[str]:
    name = row["way"] if row["knows_solder"] else f"*yardstick:* {row['way']}"
    return [name, row["resolution"], *(_figure(row, label) for label in labels)]


def _figure(row: dict[str, Any], label: str) -> str:
    lower, upper = row["interval"][label]
    return f"{row['auroc'][label]:.3f} [{lower:.3f}, {upper:.3f}]"
