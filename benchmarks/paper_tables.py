"""Tables II and III of the solder-joint paper as Markdown: the printed figures beside ours.

Ours come from `python -m export.families.solder_joint.paper_tables`, the printed ones from the family's `paper.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.markdown import markdown_table
from export.families.solder_joint.paper import PAPER, TABLE_III

METRICS = ("precision", "recall", "f1")
NAMES = {"cae": "CAE", "vae": "VAE", "beta_vae": "β-VAE"}
SCORES = {"recon": "Recon", "elbo": "ELBO"}
OF_BETA = {"1 (VAE)": "vae_gradcon", "3": "beta_vae_gradcon"}  # Table III's head; the others by their figure

Row = dict[str, Any]


def paper_tables_table(data: dict[str, Any]) -> str:
    """Both tables of a study's file, under one line that says what stands behind the figures."""
    rows = {(row["variant"], row["score"]): row for row in data["rows"]}
    parts = [
        _note(data, rows.values()),
        f"**Table II: networks and scores**\n\n{_table_ii(rows)}",
        f"**Table III: β with the gradient constraint**\n\n{_table_iii(rows)}",
    ]
    return "\n\n".join(parts)


def _note(data: dict[str, Any], rows: Any) -> str:
    study, counts = data["study"], data["counts"]
    seeds = sorted({len(row["seeds"]) for row in rows})
    seeds_text = f"{seeds[0]} to {seeds[-1]} seeds" if len(seeds) > 1 else f"seeds: {seeds[0]}"
    behind = ", ".join(f"{n} {label}" for label, n in sorted(counts.items()))
    refused = sum(bool(entry["refused"]) for entry in data["entries"])
    refusal = f"; {refused} of {len(data['entries'])} networks would be refused as collapsed" if refused else ""
    return (
        f"`{study['preset']}` widths, {study['epochs']} epochs, {seeds_text}{refusal}; {data['split']} "
        f"({' '.join(study['lane'])}): {behind}. Ours: mean ± deviation over seeds [95 % t-interval of the mean], at "
        "the 99th percentile of good validation joints. Paper: mean ± deviation of 50 runs on its own joints."
    )


def _head(first: str, labels: Sequence[str]) -> list[str]:
    pairs = [f"{metric}, {whose}" for metric in ("precision", "recall", "F1") for whose in ("paper", "ours")]
    return [first, *pairs, "false calls", *(f"AUROC {label}" for label in labels)]


def _table_ii(rows: dict[tuple[str, str], Row]) -> str:
    labels = _labels(rows)
    body = []
    for row in PAPER.rows:
        body.append(_cells(f"{row.name}", row.figures, rows.get(_key(row.ours)), labels))
    for kind, name in NAMES.items():  # what the constraint alone does: the same scores, of the constrained networks
        for score, score_name in SCORES.items():
            if found := rows.get((f"{kind}_gradcon", score)):
                body.append(_cells(f"{name} constrained, {score_name}", {}, found, labels))
    return markdown_table(_head("network and score", labels), body)


def _table_iii(rows: dict[tuple[str, str], Row]) -> str:
    labels = _labels(rows)
    printed = {row[0]: row[1:] for row in TABLE_III.rows}
    body = []
    for k, beta in enumerate(TABLE_III.head[1:]):
        figures = {metric: cells[k] for metric, cells in zip(METRICS, printed.values(), strict=True)}
        variant = OF_BETA.get(beta, f"beta_vae_{beta}_gradcon")
        body.append(_cells(f"β = {beta}, GradCon", figures, rows.get((variant, "gradcon")), labels))
        for score, score_name in SCORES.items():
            if found := rows.get((variant, score)):
                body.append(_cells(f"β = {beta}, {score_name}", {}, found, labels))
    return markdown_table(_head("β and score", labels), body)


def _cells(name: str, printed: dict[str, str], ours: Row | None, labels: Sequence[str]) -> list[str]:
    cells = [name]
    for metric in METRICS:
        cells += [printed.get(metric, ""), _mean(ours, metric)]
    return [*cells, _mean(ours, "false_call_frac"), *(_mean(ours, f"auroc {label}") for label in labels)]


def _mean(row: Row | None, name: str) -> str:
    """`0.742 ± 0.010 [0.717, 0.767]`; the mean alone for one seed; `not trained` without."""
    if row is None:
        return "not trained"
    figure = row["figures"][name]
    if figure["deviation"] is None:
        return f"{figure['mean']:.3f}"
    lower, upper = max(figure["lower"], 0.0), min(figure["upper"], 1.0)  # these are shares
    return f"{figure['mean']:.3f} ± {figure['deviation']:.3f} [{lower:.3f}, {upper:.3f}]"


def _labels(rows: dict[tuple[str, str], Row]) -> list[str]:
    names = {name for row in rows.values() for name in row["figures"]}
    return sorted(name.removeprefix("auroc ") for name in names if name.startswith("auroc "))


def _key(ours: str) -> tuple[str, str]:
    variant, _, score = ours.partition("/")
    return variant, score
