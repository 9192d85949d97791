"""The Markdown table of `benchmarks/results/flips.json`: what turned, and by how much."""

from __future__ import annotations

from typing import Any

HEAD = [
    "bundle, set",
    "places",
    "identical input: verdicts turned",
    "other bits: same call / other batches",
    "one grey level: verdicts turned",
    "in the worst of 7 changes",
]


def rows(data: dict[str, Any]) -> list[list[str]]:
    """One row a result, in file order."""
    return [_row(result) for result in data["results"]]


def _row(result: dict[str, Any]) -> list[str]:
    again, *others = result["calls"]
    changes = result["changes"]
    n, turned = result["n"], sum(c["flips"] for c in changes)
    lane = " ".join([f"`{result['data']}`", *result["where"], result["split"]])
    difference = max(c["max_abs_difference"] for c in others)
    return [
        f"{result['bundle']}, {lane}",
        str(n),
        str(sum(c["flips"] for c in result["calls"])),
        f"{again['bits_differ']} / {max(c['bits_differ'] for c in others)}, at most {difference:.0e}",
        f"{turned} of {n * len(changes)}: {100 * result['flip_frac']:.2f} %",
        f"{max(c['flips'] for c in changes)} of {n}",
    ]
