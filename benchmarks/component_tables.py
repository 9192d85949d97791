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
    return "\n\n".join([f"On {data['data']['name']}, backbone `{backbone}`, splits train and val.", *parts])
