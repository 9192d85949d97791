"""What was measured of `pth_component`, as Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown_table
from export.families.pth_component.paper_rows import TITLES, table_rows


def paper_tables(data: dict[str, Any]) -> str:
    """The paper's tables made again, those there are."""
    there = {entry["experiment"]["table"] for entry in data["entries"]}
    parts = [f"**{TITLES[name]}**\n\n{markdown_table(*table_rows(data, name))}" for name in TITLES if name in there]
    backbone = data["entries"][0]["experiment"]["backbone"]
    return "\n\n".join([f"On {data['data']['name']}, backbone {backbone}, splits train and val.", *parts])


def component_boards(data: dict[str, Any]) -> str:
    """Real boards: components by how they are mounted, whole boards, chips turned round."""
    rows = []
    for n, figures in data["references"].items():
        for mount, m in figures["mounts"].items():
            area = f"{m['auroc']:.3f} ({m['auroc_lower']:.3f} to {m['auroc_upper']:.3f})"
            kinds = ", ".join(f"{label} {_of(count)}" for label, count in m["by_label"].items())
            rows.append([f"{mount}, {n} approved", area, _of(m["defects"]), kinds, _of(m["good"])])
        boards = figures["boards"]
        areas = [boards["auroc"], boards["auroc_without_scratches"]]
        area = " / ".join("" if value is None else f"{value:.3f}" for value in areas)
        kinds = f"only scratched {_of(boards['only_scratched'])}"
        rows.append(
            [f"boards, {n} approved: all / not scratches", area, _of(boards["damaged"]), kinds, _of(boards["good"])]
        )
        turned = figures["turned_parts"]
        called = f"{turned['called_turned']} of {turned['n']}"
        rows.append([f"chips turned by 180°, {n} approved", "", "", "", called])
    head = ["what, approved pictures a part", "AUROC (95 %)", "defects called", "of which", "good called"]
    note = f"ir-sensor-board, {data['split']}, at the bundle's own threshold; a board's score is its worst component's."
    missed = data["references"][max(data["references"], key=int)]["boards"]["missed"]
    told = f"\n\nBoards missed: {'; '.join(missed)}." if missed else ""
    return f"{note}\n\n{markdown_table(head, rows)}{told}"


def _of(count: dict[str, int]) -> str:
    return f"{count['called']} of {count['n']}"


def verification(data: dict[str, Any]) -> str:
    """Same code or not, on chip resistors, by whether the code was in training."""
    rows = [
        [
            name,
            f"{f['like']} / {f['unlike']}",
            f"{f['auroc']:.3f} ({f['auroc_lower']:.3f} to {f['auroc_upper']:.3f})",
            f"{f['equal_error_frac']:.3f}",
            f"{f['recall_at_1_percent']:.3f}",
        ]
        for name, f in data["figures"].items()
    ]
    head = ["codes", "equal / unequal pairs", "AUROC (95 %)", "equal error rate", "recall at 1 % false calls"]
    return f"smd-resistor-markings, {data['split']}, one approved picture.\n\n{markdown_table(head, rows)}"
