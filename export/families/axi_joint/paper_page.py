"""The tables of the family's page, made from the stored figures and never typed.

python -m export.families.axi_joint.paper_page RESULT.json README.md [--balls BALLS.json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.families.axi_joint.paper_cells import markdown, rate, three
from export.families.axi_joint.paper_page_tables import RECALL_KEYS, tables

BEGIN, END = "<!-- {} -->", "<!-- /{} -->"

Result = dict[str, Any]


def write_page(page: Path, result: Path, balls: Path | None = None) -> None:
    """Write the tables between their marks. Raises ValueError for a page without them."""
    text = with_part(page.read_text("utf-8"), "tables", tables(json.loads(result.read_text("utf-8"))))
    if balls is not None:
        text = with_part(text, "balls", balls_table(json.loads(balls.read_text("utf-8"))))
    page.write_text(text, "utf-8")


def with_part(text: str, name: str, content: str) -> str:
    """The text with new content between the marks of a part. Raises ValueError without them."""
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in text or end not in text:
        raise ValueError(f"the page lacks {begin} ... {end}")
    head, rest = text.split(begin, 1)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end, 1)[1]}"


def balls_table(result: Result) -> str:
    """False calls on the real balls, and what is called of faults painted on them."""
    head = ("balls", "slices", *(f"called at recall {r} on the twin" for r in RECALL_KEYS), "regions called wrong")
    rows = [
        ("real, none a reject", n, *(rate(of["called"][r]) for r in RECALL_KEYS), rate(of["regions_called_wrong"]))
        for n, of in result["real"].items()
    ]
    rows += [(f"real, {name}", "4", *(rate(of[r]) for r in RECALL_KEYS), "") for name, of in result["painted"].items()]
    twin, run = result["twin"], result["run"]
    good = (rate(twin["test_called_good"][r]) for r in RECALL_KEYS)
    about = (
        f"Taught on {run['n_train']:,} of the twin's balls, {run['epochs']} epochs, seed {run['seed']}; AUROC on the "
        f"twin's own test balls {three(twin['test']['auroc'])}."
    )
    return "\n".join([about, "", *markdown(head, [("the twin's test balls, good", "4 or 5", *good, ""), *rows])])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a page's tables."""
    parser = argparse.ArgumentParser(description="write the tables of a page from stored figures")
    parser.add_argument("result", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--balls", type=Path)
    asked = parser.parse_args(arguments)
    write_page(asked.page, asked.result, asked.balls)


if __name__ == "__main__":
    main()
