"""The picture of `boardgate bench scoring`: the processor time each way takes, and its share of the peak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def plot(path: Path, figures: dict[str, Any]) -> None:
    """Draw the medians at both batch sizes, a pair of bars a way, from what the benchmark wrote. Processor time is what
    a busy machine changes least."""
    names = list(dict.fromkeys(c["way"] for c in figures["costs"]))[::-1]
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.42 * len(names)), layout="constrained")
    batches = sorted({c["batch"] for c in figures["costs"]})
    for batch, offset, colour in zip(batches, (0.2, -0.2), ("#7fb3d5", "#1f4e79"), strict=True):
        of = {c["way"]: c for c in figures["costs"] if c["batch"] == batch}
        rows = [k + offset for k in range(len(names))]
        axes.barh(rows, [of[n]["cpu_us"] for n in names], height=0.38, color=colour, label=f"batch {batch}")
        for row, name in zip(rows, names, strict=True):
            share = of[name]["peak_cpu_frac"]
            text = f" {of[name]['cpu_us']:.0f} µs" + (f", {share:.0%} of peak" if share is not None else "")
            axes.text(of[name]["cpu_us"], row, text, va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.3)
    most = "one thread" if figures["threads"] == 1 else f"at most {figures['threads']} threads"
    axes.set_xlabel(f"processor time, µs a {figures['place']}, pixels to score, median\n{most}, {figures['processor']}")
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
