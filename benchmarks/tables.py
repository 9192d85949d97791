"""Puts the measured figures into the README: one Markdown table a result file, between its two markers.

`boardgate bench tables` writes; a test calls `tables_in` and fails when a page and its figures differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import component_tables, flips_table, quantisation_tables
from benchmarks.markdown import markdown_table, or_nothing
from benchmarks.paper_tables import paper_tables_table
from benchmarks.paste_panels import paste_panels_table
from benchmarks.paste_tables import files_table, namer_table, training_table
from benchmarks.promise_tables import promise_example_table, promise_table
from benchmarks.ready_cut_table import ready_cut_table
from benchmarks.scoring_table import scoring_table
from edge.families import FAMILIES
from export.families.paste_print.experiment_tables import whole_table

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/**/*.md", "*/README.md", "export/**/*.md")
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The checkout's pages, in which tables may stand."""
    return sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})


def write_tables(page: Path) -> None:
    """Rewrite the page's tables from the result files."""
    page.write_text(tables_in(page.read_text("utf-8")), "utf-8")


def tables_in(text: str) -> str:
    """The page's text with every table made anew. Raises KeyError for a table nobody knows."""
    return BLOCK.sub(lambda m: m[1] + _block(m[2]) + m[3], text)


def _block(name: str) -> str:
    data = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return f"`{data['command']}`\n\n{TABLES[name](data)}\n"


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
    return markdown_table(head, rows)


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
    return f"{title}\n\n{markdown_table(['stage', *stations], rows)}"


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
    boards = markdown_table(["board", *outcomes], rows)
    return f"{boards}\n\n{markdown_table(['joint', 'called good', 'called defect'], joint_rows)}"


def _gradcon(data: dict[str, Any]) -> str:
    parity = [
        [
            f"{p['preset']}, {p['variant']}",
            str(p["n"]),
            f"{p['max_relative']:.1e}",
            f"{p['max_cosine_difference']:.1e}",
            f"{p['max_relative_literal']:.1e}",
        ]
        for p in data["parity"]
    ]
    cost = [
        [
            f"{c['preset']}, batch {c['batch']}",
            str(c["nodes"]),
            str(c["operators"]),
            f"{c['recon_ms']:.2f}",
            f"{c['gradcon_ms']:.2f}",
            f"{c['ratio']:.1f}",
        ]
        for c in data["cost"]
    ]
    head = ["network", "crops", "score, relative", "cosine", "score without the added γ, relative"]
    cost_head = ["graph", "nodes", "operators", "ms a joint, reconstruction", "ms a joint, GradCon", "ratio"]
    return (
        f"The graph in ONNX Runtime against torch's autograd, worst of all crops:\n\n{markdown_table(head, parity)}\n\n"
        f"Processor time of one thread, both graphs in turn:\n\n{markdown_table(cost_head, cost)}"
    )


def _board_scale(data: dict[str, Any]) -> str:
    rows = [
        [name, *(f"{q[k]:.0f}" for k in ("p50", "p99", "max"))]
        for name, q in (
            *data["stages_ms"].items(),
            ("decoded picture to verdict", data["total_ms"]),
            ("processor time of it, all threads", data["processor_ms"]),
        )
    ]
    note = (
        f"{data['places']:,} joints, {data['megapixels']} megapixels, {data['boards']} boards, {data['engine']}, "
        f"{data['threads']} threads, on the line twin."
    )
    return f"{note}\n\n{markdown_table(['stage', 'ms p50', 'p99', 'max'], rows)}"


def _jitter(data: dict[str, Any]) -> str:
    rows = [
        [f["name"], or_nothing(f["value"], ".2f", f" {f['unit']}"), f"≤ {f['target']:g}", _yes(f["reached"])]
        for f in data["figures"]
    ]
    first, settled, last = (f"{mb:.1f} MB" for mb in data["rss_mb_first_settled_last"])
    note = (
        f"{data['boards']:,} boards of 50 joints, {data['engine']['engine']}, on the line twin; "
        f"load {data['load_1_min']:.1f}. "
        f"Resident memory after the first board {first}, settled {settled}, at the end {last}."
    )
    return f"{note}\n\n{markdown_table(['figure', 'measured', 'to reach', 'reached'], rows)}"


def _yes(reached: bool | None) -> str:
    return {True: "yes", False: "no", None: "not measured"}[reached]


def _family(data: dict[str, Any]) -> str:
    """A table for each lane: those with a title of their own first, in that order."""
    parts = []
    found = dict.fromkeys((r["data"], r["lane"], r["split"]) for r in data["rows"])
    for lane in sorted(found, key=lambda lane: (list(LANES).index(lane) if lane in LANES else len(LANES), lane)):
        title = LANES.get(lane, ", ".join(lane))
        rows = [r for r in data["rows"] if (r["data"], r["lane"], r["split"]) == lane]
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
                body.append([f"*knows nothing of it:* {cue}", "", "", *values, "", "", ""])
        parts.append(f"**{title}**\n\n{markdown_table(head, body)}")
    return "\n\n".join(parts)


def _spread(figure: dict[str, float], digits: int) -> str:
    mean = f"{figure['mean']:,.{digits}f}"
    return f"{mean} ± {figure['deviation']:,.{digits}f}" if figure["n"] > 1 else mean


LANES = {
    ("tht-header-joints", "view=closeup", "dev-test"): "tht-header-joints, close-ups, dev-test",
    ("tht-header-joints", "view=whole_board", "dev-test"): "tht-header-joints, whole-board views, dev-test",
    ("sjd-solder-joints", "all", "dev-test"): "sjd-solder-joints, dev-test (other camera for the defects: the honest "
    "input is grey, standardised)",
    ("twin-parts", "all", "dev-test"): "twin-parts, dev-test, on the line twin",
    ("ir-sensor-board", "all", "dev-test"): "ir-sensor-board, dev-test, real boards",
}

TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "solder_joint": _family,
    "solder_joint_gradcon": _family,
    "solder_joint_paper_tables": paper_tables_table,
    "sjd": ready_cut_table,
    "pth_component": _family,
    "pth_component_paper_tables": component_tables.paper_tables,
    "component_boards": component_tables.component_boards,
    "component_verification": component_tables.verification,
    "paste_pads": whole_table("paste_pads"),
    "paste_faults": whole_table("paste_faults"),
    "paste_charts": whole_table("paste_charts"),
    "paste_real_board": whole_table("paste_real_board"),
    "paste_namer": namer_table,
    "paste_training": training_table,
    "paste_files": files_table,
    "paste_panels": paste_panels_table,
    "gradcon": _gradcon,
    "scoring": scoring_table,
    **{f"scoring_{family}": scoring_table for family in FAMILIES},
    "board_scale": _board_scale,
    "jitter": _jitter,
    "jitter_hour": _jitter,
    "registration": _registration,
    "latency": _latency,
    "boards": _boards,
    "quantisation": quantisation_tables.decisions,
    "quantisation_speed": quantisation_tables.speed,
    "precisions": quantisation_tables.precisions,
    "promise": promise_table,
    "promise_example": promise_example_table,
    "flips": lambda data: markdown_table(flips_table.HEAD, flips_table.rows(data)),
}
