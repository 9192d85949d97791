"""Puts the measured figures into the README: one Markdown table a result file, between its two markers.

`boardgate bench tables` writes; a test calls `tables_in` and fails when a page and its figures differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_tables(page: Path) -> None:
    """Rewrite the page's tables from the result files."""
    page.write_text(tables_in(page.read_text("utf-8")), "utf-8")


def tables_in(text: str) -> str:
    """The page's text with every table made anew. Raises KeyError for a table nobody knows."""
    return BLOCK.sub(lambda m: m[1] + _block(m[2]) + m[3], text)


def _block(name: str) -> str:
    data = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return f"`{data['command']}`\n\n{TABLES[name](data)}\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    align = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, align, *rows])


def _registration(data: dict[str, Any]) -> str:
    head = ["set, split", "pictures", "registered", "centre error, median", "p95", "in view judged right", "CPU ms"]
    rows = []
    for name in ("tht-header-joints", "ir-sensor-board"):
        for split in ("dev-test", "all"):
            r = data[name][split]
            n = r["in_view_right"] + r["in_view_wrong"]
            rows.append(
                [
                    f"`{name}`, {split}",
                    str(r["pictures"]),
                    str(r["registered"]),
                    f"{r['centre_error_median_frac']:.3f} pitch",
                    f"{r['centre_error_p95_frac']:.3f} pitch",
                    f"{r['in_view_right']} of {n}",
                    f"{r['cpu_ms_p50']:.0f}",
                ]
            )
    return _table(head, rows)


def _latency(data: dict[str, Any]) -> str:
    stations = data["stations"]
    rows = [
        [stage, *(" / ".join(f"{v:.1f}" for v in s["ms_p50_p99_max"][stage]) for s in stations.values())]
        for stage in next(iter(stations.values()))["ms_p50_p99_max"]
    ]
    relay = [" / ".join(f"{v:.0f}" for v in s["board_to_relay_ms_p50_p99_max"]) for s in stations.values()]
    rows.append(["board clamped → relay", *relay])
    rows.append(["first board, to verdict", *(f"{s['first_board_ms']:.0f}" for s in stations.values())])
    rows.append(
        ["pass / fail / held", *(" / ".join(str(n) for n in s["outcomes"].values()) for s in stations.values())]
    )
    rows.append(["deadline misses", *(str(s["deadline_misses"]) for s in stations.values())])
    title = f"{data['boards']} boards of 50 joints, takt {data['takt_ms']} ms, on the line twin; ms p50 / p99 / max."
    return f"{title}\n\n{_table(['stage', *stations], rows)}"


def _boards(data: dict[str, Any]) -> str:
    recipes = data["recipes"]
    outcomes = sorted({key.split(" → ")[1] for r in recipes for key in r["boards"]})
    rows = []
    for r in recipes:
        for truth in ("good", "defective", "not in view"):
            counts = [r["boards"].get(f"{truth} → {o}", 0) for o in outcomes]
            if any(counts):
                rows.append([f"{r['recipe']} ({r['places']} places): {truth}", *map(str, counts)])
    joints = recipes[0]["joints"]
    labels = [label for label in ("normal", "bridge", "missing") if any(k.startswith(label) for k in joints)]
    joint_rows = [[label, *(str(joints.get(f"{label} → {c}", 0)) for c in ("good", "defect"))] for label in labels]
    return f"{_table(['board', *outcomes], rows)}\n\n{_table(['joint', 'called good', 'called defect'], joint_rows)}"


def _score_cost(data: dict[str, Any]) -> str:
    names = list(dict.fromkeys(c["graph"] for c in data["costs"]))
    of = {(c["graph"], c["batch"]): c for c in data["costs"]}
    batches = sorted({c["batch"] for c in data["costs"]})
    head = ["", *(f"ms a joint at batch {b}, p50 / p99" for b in batches), *(f"× naive, batch {b}" for b in batches)]
    rows = [
        [
            name,
            *(f"{of[name, b]['p50_ms']:.2f} / {of[name, b]['p99_ms']:.2f}" for b in batches),
            *(f"{of[name, b]['times_naive']:.1f}" for b in batches),
        ]
        for name in names
    ]
    share = data["naive_resize_share_frac"]
    note = f"{data['threads']} threads (rules: one); the cubic Resize takes {share:.0%} of the naive export's time."
    return f"{note}\n\n{_table(head, rows)}"


def _solder_joint(data: dict[str, Any]) -> str:
    parts = []
    for title, lane in LANES.items():
        rows = [r for r in data["rows"] if (r["data"], r["lane"], r["split"]) == lane]
        if not rows:
            continue
        labels = list(rows[0]["auroc"])
        head = [
            "preset, variant / score",
            "input",
            "seeds",
            *(f"AUROC {label}" for label in labels),
            "F1",
            "recall",
            "false calls, ppm",
        ]
        body = [
            [
                f"{r['preset']}, {r['variant']}",
                r["input"],
                str(len(r["seeds"])),
                *(_spread(r["auroc"][label], 3) for label in labels),
                _spread(r["f1"], 3),
                _spread(r["recall"], 3),
                _spread(r["false_call_ppm"], 0),
            ]
            for r in rows
        ]
        cues = data["yardsticks"].get(", ".join(lane), {})
        # PCA on a bundle's own input sees the same colour and brightness: the yardstick such a bundle must clear
        same_input = sorted(cue for cue in cues if cue.startswith("PCA-8 on "))
        for cue in ("PCA-8", *same_input, "grey deviation", "mean colour", "sharpness", "aspect", "file size"):
            if cue in cues:
                values = [f"{cues[cue].get(label, float('nan')):.3f}" for label in labels]
                body.append([f"*knows nothing of solder:* {cue}", "", "", *values, "", "", ""])
        parts.append(f"**{title}**\n\n{_table(head, body)}")
    return "\n\n".join(parts)


def _spread(figure: dict[str, float], digits: int) -> str:
    mean = f"{figure['mean']:,.{digits}f}"
    return f"{mean} ± {figure['deviation']:,.{digits}f}" if figure["n"] > 1 else mean


LANES = {
    "tht-header-joints, close-ups, dev-test": ("tht-header-joints", "view=closeup", "dev-test"),
    "tht-header-joints, whole-board views, dev-test": ("tht-header-joints", "view=whole_board", "dev-test"),
    "sjd-solder-joints, dev-test (other camera for the defects: the honest input is grey, standardised)": (
        "sjd-solder-joints",
        "all",
        "dev-test",
    ),
}

TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "solder_joint": _solder_joint,
    "score_cost": _score_cost,
    "registration": _registration,
    "latency": _latency,
    "boards": _boards,
}
