"""`benchmarks/results/quantisation.json`, `quantisation_speed.json` and `precisions.json` as the tables of
`docs/quantisation.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.markdown import markdown_table
from edge.thresholds import Precision

INT8 = ("int8", "int8-cpu")
PRECISIONS: tuple[Precision, ...] = ("fp16", "int8", "int8-cpu")
PRECISIONS_HEAD = (
    *("family", "bundle", "network", "precision", "ranges", "layers in float", "Spearman"),
    *("verdicts the same, defects lost", "judged on", "said by"),
)


def decisions(data: dict[str, Any]) -> str:
    """What passed, every range method and dev-test, each under its heading."""
    subjects = data["subjects"]
    blocks = [
        ("What passed the gate, on validation", _passed(subjects)),
        ("Range methods, all layers in INT8, on validation", _methods(subjects)),
        ("What was chosen, on dev-test", _dev_test(subjects)),
    ]
    return "\n\n".join(f"**{title}**\n\n{table}" for title, table in blocks)


def speed(data: dict[str, Any]) -> str:
    """Every preset and batch size, how many times faster than FP32: processor time on one thread, fastest rounds on
    the most threads."""
    rows: dict[tuple[str, int, str], dict[int, dict[str, Any]]] = {}
    for row in data["speeds"]:
        rows.setdefault((row["preset"], row["batch"], row["graph"]), {})[row["threads"]] = row
    most = max(row["threads"] for row in data["speeds"])
    head = ["preset", "batch", "graph", "CPU ms, 1 thread", "times FP32", f"fastest ms, {most} threads", "times FP32"]
    cells = [
        [
            preset,
            str(batch),
            graph,
            f"{by[1]['cpu_ms_p50']:.2f}",
            f"{by[1]['times_by_cpu']:.2f}",
            f"{by[most]['ms_min']:.2f}",
            f"{by[most]['times_by_min']:.2f}",
        ]
        for (preset, batch, graph), by in rows.items()
    ]
    return markdown_table(head, cells)


def precisions(data: dict[str, Any]) -> str:
    """What became of every precision of the bundles, a row each."""
    return markdown_table(PRECISIONS_HEAD, list(precision_cells(data)))


def precision_cells(data: dict[str, Any]) -> Iterator[list[str]]:
    """The rows of that table."""
    for bundle in data["bundles"]:
        for precision, row in bundle["precisions"].items():
            names = [f"`{bundle['family']}`", bundle["folder"], bundle["network"], precision]
            if "parity" not in row:
                told = f"refused: {row['refused']}" if "refused" in row else "FP32 alone was asked for"
                yield [*names, told, "", "", "", bundle["data"], row["source"]]
                continue
            in_float = f"{len(row['kept_in_float'])} of {bundle['n_layers']}" if precision in INT8 else ""
            parity = row["parity"]
            on = parity["compared_with"].rpartition(", on ")[2].removesuffix(" crops")
            yield [
                *names,
                row.get("method", ""),
                in_float,
                *_parity(parity),
                f"{bundle['data']}, {on}",
                row["source"],
            ]


def _passed(subjects: list[dict[str, Any]]) -> str:
    rows = []
    for subject in subjects:
        for precision in PRECISIONS:
            graph = subject["graphs"].get(precision)
            if graph is None:
                rows.append([subject["name"], precision, f"refused: {subject['refused'][precision]}", "", "", ""])
                continue
            kept = f"{len(graph['kept_in_float'])} of {subject['n_layers']}" if precision in INT8 else ""
            method = subject["ranges"]["method"] if precision in INT8 else ""
            rows.append([subject["name"], precision, method, kept, *_parity(graph)])
    return markdown_table(
        ["network", "precision", "ranges", "layers in float", "Spearman", "verdicts the same, defects lost"], rows
    )


def _methods(subjects: list[dict[str, Any]]) -> str:
    rows = []
    for subject in subjects:
        for method in dict.fromkeys(trial["method"] for trial in subject["trials"]):
            cells = {t["precision"]: t for t in subject["trials"] if t["method"] == method}
            told = [" / ".join(_parity(cells[p]["parity"])) if p in cells else "" for p in INT8]
            rows.append([subject["name"], method, *told])
    return markdown_table(["network", "ranges", *(f"{p}: Spearman / verdicts" for p in INT8)], rows)


def _dev_test(subjects: list[dict[str, Any]]) -> str:
    rows = []
    for subject in subjects:
        found = subject["dev_test"]
        for precision, aurocs in found["auroc"].items():
            told = ", ".join(f"{kind} {value:.4f}" for kind, value in aurocs.items())
            parity = _parity(found["parity"][precision]) if precision in found["parity"] else ["", ""]
            rows.append([subject["name"], precision, told, *parity])
    return markdown_table(["network", "precision", "AUROC", "Spearman", "verdicts the same, defects lost"], rows)


def _parity(parity: dict[str, Any]) -> list[str]:
    agreed = f"{100 * parity['verdict_agreement_frac']:.2f} % of {parity['n']}, {parity['lost_defects']} lost"
    return [f"{parity['spearman']:.5f}", agreed]
