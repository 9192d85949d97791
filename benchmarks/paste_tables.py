"""The figures of `paste_print` beside its experiments, as Markdown: naming the printer's fault, files of machines."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np

from benchmarks.markdown import markdown_table


def namer_table(data: dict[str, Any]) -> str:
    """Networks and pictures side by side: macro-F1, boards until named, false alarms; mean and range over seeds."""
    by_row: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for entry in data["entries"]:
        by_row[entry["row"]].append(entry)
    head = [
        "network, picture",
        "weights",
        "seeds",
        "macro-F1 by window",
        "macro-F1 by run",
        "boards until named, median / p90",
        "named within 5 / 2",
        "false alarms of 1,000 clean boards (95 % bound)",
    ]
    rows = []
    for name, entries in by_row.items():
        tests = [entry["test"] for entry in entries]
        clean = [test["false_alarms"]["clean"] for test in tests]
        rows.append(
            [
                name,
                f"{entries[0]['weights']:,}",
                str(len(entries)),
                _range([test["macro_f1_windows"]["value"] for test in tests]),
                _range([test["macro_f1_runs"]["value"] for test in tests]),
                " / ".join(_boards(tests, key) for key in ("median_boards", "p90_boards")),
                " / ".join(_share(tests, f"within_{n}_boards_frac") for n in (5, 2)),
                f"{max(c['per_1000'] for c in clean):.2f} ({max(c['per_1000_upper'] for c in clean):.2f})",
            ]
        )
    return f"{markdown_table(head, rows)}\n\n{data['data']}. {data['note']}"


def training_table(data: dict[str, Any]) -> str:
    """What the paper's networks leave of good validation boards, with their boards in order and shuffled."""
    by_name: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in data["networks"]:
        by_name[f"`{row['variant']}`, {row['width']} channels"].append(row)
    head = ["network", "seeds", "weights", "residual, sigmas", "boards shuffled", "of a raised pad copied"]
    rows = [
        [
            name,
            str(len(own)),
            f"{own[0]['parameters']:,}",
            _range([row["residual_sigma"] for row in own]),
            _range([row["residual_sigma_shuffled"] for row in own]),
            f"{np.mean([row['copied_frac'] for row in own]):.0%}",
        ]
        for name, own in by_name.items()
    ]
    repeat = " and ".join(f"{value:.3f}" for value in data["repeat_sigma_by_channel"])
    alone = f"{data['networks'][0]['plain_sigma']:.3f}"
    said = f"Each pad's mean alone leaves {alone}; repeat noise is {repeat} (volume, area)."
    return f"{markdown_table(head, rows)}\n\n{said}"


def files_table(data: dict[str, Any]) -> str:
    """One panel of 100,000 pads read, and a table of six million rows summarised."""
    panel, table = data["panel"], data["table"]
    rows = [
        [
            f"a panel of {panel['pads']:,} pads, {panel['mib']:.1f} MiB, to numbers",
            f"{panel['median_s']:.2f}",
            f"{panel['median_cpu_s']:.2f}",
            f"{panel['peak_mib']:.0f}",
        ],
        [
            f"a table of {table['rows']:,} rows, {table['mib']:.0f} MiB, summarised",
            f"{table['wall_s']:.1f}",
            f"{table['cpu_s']:.1f}",
            f"{table['peak_mib']:.0f}",
        ],
    ]
    load = data["machine"]["load_1_min"]
    head = ["what", "seconds", "of them processor", "peak memory, MiB"]
    return f"{markdown_table(head, rows)}\n\nOn {data['machine']['cpus']} processors with a load of {load:.1f} before."


def _range(values: list[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def _boards(tests: list[dict[str, Any]], key: str) -> str:
    values = [test["delay"][key] for test in tests]
    return "never" if None in values else f"{np.mean(values):.1f}"


def _share(tests: list[dict[str, Any]], key: str) -> str:
    return f"{np.mean([test['delay'][key] for test in tests]):.1%}"
