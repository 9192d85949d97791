"""The tables of `boardgate bench promise` and `promise-example` for a page, from their records alone."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown_table

TOGETHER = "at once"  # ends the name of the row that promises several classes


def promise_table(result: dict[str, Any]) -> str:
    """The table for a page: kinds down, sizes across, share of lots that break the promise, the quantile's in
    brackets."""
    alone = [r for r in result["rows"] if not r["kind"].endswith(TOGETHER)]
    together = next(r for r in result["rows"] if r["kind"].endswith(TOGETHER))
    cells = {(r["kind"], (r["n"], r["promise"], r["promised_frac"])): r for r in alone}
    columns = list(dict.fromkeys(column for _, column in cells))
    head = ["scores", *(_column(n, promise, p) for n, promise, p in columns)]
    body = []
    for kind in dict.fromkeys(r["kind"] for r in alone):
        row = [cells[kind, column] for column in columns]
        body.append([kind, *(f"{100 * r['broken_frac']:.1f} ({100 * r['naive_broken_frac']:.0f})" for r in row)])
    note = (
        f"Share of {result['lots']:,} simulated lots that break their promise, in %; at most "
        f"{100 * (1 - result['confidence']):g} + noise = {100 * result['allowed_broken_frac']:.2f} allowed, worst "
        f"{100 * result['worst_broken_frac']:.2f}; in brackets, the lot's own empirical quantile. "
        f"{together['kind']}, {together['n']} defects each, recall ≥ {together['promised_frac']:g}: "
        f"{100 * together['broken_frac']:.1f} ({100 * together['naive_broken_frac']:.0f}). "
        f"{result['cpu_seconds']:.0f} CPU-s on one core."
    )
    moved = "; ".join(
        f"{r['reviews']}: {100 * r['broken_frac']:.1f} % broken, "
        f"{100 * r['false_calls_removed_frac']:.0f} % of false calls gone"
        for r in result["reviews"]
    )
    note += f"\n\nAfter `recalibrate` with a month of reviewed calls: {moved}."
    return f"{note}\n\n{markdown_table(head, body)}"


def _column(n: int, promise: str, promised: float) -> str:
    if promise == "recall":
        return f"{n:,} defects, recall ≥ {promised:.3g}"
    return f"{n:,} good, false calls ≤ {1e6 * promised:,.0f} ppm"


def promise_example_table(result: dict[str, Any]) -> str:
    """Two tables for a page: what the defects carry, and what the thresholds do elsewhere."""
    classes = [
        [
            f"{lane}: {row['label']}",
            str(row["places"]),
            str(row["pictures"]),
            str(row["boards"]),
            "nothing" if row["recall_promised"] is None else f"{row['recall_promised']:.3f}",
            str(row["places_needed"]),
            str(max(0, row["places_needed"] - row["places"])),
        ]
        for lane, one in result["lanes"].items()
        for row in one["classes"]
    ]
    thresholds = [
        [
            f"{lane}: {row['asked']}",
            "" if row["asked"].startswith("as trained") else "yes" if row["kept"] else "no",
            f"{row['threshold']:.3g}",
            f"{row['false_call_ppm_promised']:,.0f}",
            ""
            if row["recall"] is None
            else f"{row['recall']:.3f} (≥ {row['recall_lower']:.3f}) of {row['check_defects']}",
            f"{row['false_call_ppm']:,.0f} (≤ {row['false_call_ppm_upper']:,.0f}) of {row['check_good']}",
        ]
        for lane, one in result["lanes"].items()
        for row in one["thresholds"]
    ]
    target, percent = result["recall"], 100 * result["confidence"]
    carried = markdown_table(
        [
            "defect",
            "places",
            "pictures",
            "boards",
            f"recall promised at {percent:g} %",
            f"places {target:g} takes",
            "more to find",
        ],
        classes,
    )
    done = markdown_table(
        [
            "asked for",
            "carried",
            "threshold",
            "false calls promised, ppm at most",
            f"recall on {result['check_split']}, places",
            f"false calls on {result['check_split']}, ppm",
        ],
        thresholds,
    )
    return f"{carried}\n\n{done}"
