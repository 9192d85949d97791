"""The study's tables in the README, made from the stored result and never typed.

    python -m export.families.bga_package.page benchmarks/results/bga_package_paper.json \
        export/families/bga_package/README.md

Means over seeds; an interval is the exact two-sided 95 % one of as many pictures as were judged, whatever the seeds.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import markdown_table
from calibration.bounds import lower_bound_frac, upper_bound_frac

BLOCK = re.compile(r"(<!-- study: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
STRENGTHS = ("plain", "fair", "limit")
GROUPS = ("known", "unseen")
ISSUE_LINE = {  # the linear reconstruction's AUROC as it was given to this project; how it was fitted was not
    "bridge, straight_highmag": 0.88,
    "bridge, straight_lowmag": 1.00,
    "splatter, straight_highmag": 0.39,
    "splatter, straight_lowmag": 0.75,
}

Json = dict[str, Any]


def page_with_tables(text: str, content: Json) -> str:
    """The page with every table made anew. Raises KeyError for a table nobody knows."""
    return BLOCK.sub(lambda m: m[1] + TABLES[m[2]](content) + "\n" + m[3], text)


def packages_table(content: Json) -> str:
    """A set and method a row: does it call good packages, does it rank defects."""
    head = ["set", "method", "seeds", "false calls, known types", "unseen types", "AUROC, known types", "unseen types"]
    rows = []
    for (name, method), entries in _grouped(content, "twin"):
        twins = [entry["twin"] for entry in entries]
        rows.append(
            [
                name,
                method,
                str(len(entries)),
                *(_rate([twin["false_calls"][group] for twin in twins]) for group in GROUPS),
                *(_mean([twin["auroc"][group] for twin in twins]) for group in GROUPS),
            ]
        )
    return markdown_table(head, rows)


def speed_table(content: Json) -> str:
    """Milliseconds a package of one thread, all methods in turn."""
    head = ["set", "method", "processor ms, p50", "p99", "by the clock ms, p50", "p99", "parameters to set"]
    parameters = {entry["method"]: entry["parameters"] for entry in content["entries"]}
    rows = [
        [
            name,
            method,
            *(f"{spread[k]:.2f}" for spread in (row["processor_ms"], row["clock_ms"]) for k in ("p50", "p99")),
            str(parameters.get(method, 0)),  # networks have none
        ]
        for name, speed in content["speed"].items()
        for method, row in speed["methods"].items()
    ]
    return markdown_table(head, rows)


def poster_table(content: Json) -> str:
    """The poster's experiment: good packages and those made defective its way, told apart by a validation threshold."""
    grouped = _grouped(content, "paper")
    ways = list(grouped[0][1][0]["paper"]["ways"]) if grouped else []
    head = ["method", "accuracy", "F1", "false calls", *(f"called: {way}" for way in ways)]
    rows = []
    for (_, method), entries in grouped:
        papers = [entry["paper"] for entry in entries]
        rows.append(
            [
                method,
                _rate([paper["accuracy"] for paper in papers]),
                _mean([paper["f1"] for paper in papers]),
                _rate([paper["false_calls"] for paper in papers]),
                *(_share([paper["ways"][way]["called"] for paper in papers]) for way in ways),
            ]
        )
    return markdown_table(head, rows)


def kinds_table(content: Json) -> str:
    """Recall at 1 % false calls, plain / fair / limit of each kind, a method a column; a table a set and group."""
    blocks = []
    for name in content["sets"]:
        methods = [(m, [e["twin"] for e in es]) for (s, m), es in _grouped(content, "twin") if s == name]
        blocks += [_kinds_block(f"{name}, {group} types", group, methods) for group in GROUPS if methods]
    return "\n\n".join(blocks)


def _kinds_block(title: str, group: str, methods: Sequence[tuple[str, list[Json]]]) -> str:
    kinds = list(methods[0][1][0]["kinds"])
    n = methods[0][1][0]["kinds"][kinds[0]]["strengths"]["plain"][group]["n"]
    head = [f"{title}, {n} each", *(method for method, _ in methods)]
    rows = []
    for kind in kinds:
        shares = ([twin["kinds"][kind]["strengths"] for twin in twins] for _, twins in methods)
        rows.append([kind, *(" / ".join(_share([s[k][group] for s in of]) for k in STRENGTHS) for of in shares)])
    every = ([twin["kinds"][kind]["strengths"] for kind in kinds for twin in twins] for _, twins in methods)
    rows.append(["*all*", *(_all_strengths(strengths, group, len(kinds)) for strengths in every)])
    return markdown_table(head, rows)


def named_table(content: Json) -> str:
    """Of the defects called: named right, and the map's greatest place in their box."""
    rows = []
    for (name, method), entries in _grouped(content, "twin"):
        twins = [entry["twin"] for entry in entries]
        named = _rate([twin["named"] for twin in twins]) if "named" in twins[0] else "says no kind"
        found = _rate([twin["located"] for twin in twins]) if "located" in twins[0] else "has no map"
        rows.append([name, method, named, found])
    return markdown_table(["set", "method", "named right", "place right"], rows)


def real_table(content: Json) -> str:
    """Real tiles, a physical site at a magnification a row: AUROC, and in how many of the seeds the site is found."""
    methods = [(method, entries) for (_, method), entries in _grouped(content, "real")]
    sites = list(methods[0][1][0]["real"]["sites"]) if methods else []
    head = ["site, magnification (tiles)", "line as given", *(method for method, _ in methods)]
    rows = []
    for site in sites:
        tiles = methods[0][1][0]["real"]["sites"][site]["tiles"]
        given = f"{ISSUE_LINE[site]:.2f}" if site in ISSUE_LINE else "-"
        cells = []
        for _, entries in methods:
            of = [entry["real"]["sites"][site] for entry in entries]
            found = sum(one["found"] for one in of)
            cells.append(f"{_mean([one['auroc'] for one in of])}; found in {found} of {len(of)}")
        rows.append([f"{site} ({tiles})", given, *cells])
    for view in methods[0][1][0]["real"]["false_calls"] if methods else ():
        shares = (_rate([entry["real"]["false_calls"][view] for entry in entries]) for _, entries in methods)
        rows.append([f"good tiles called, {view}", "-", *shares])
    return markdown_table(head, rows)


TABLES: dict[str, Callable[[Json], str]] = {
    "packages": packages_table,
    "speed": speed_table,
    "poster": poster_table,
    "kinds": kinds_table,
    "named": named_table,
    "real": real_table,
}


def _grouped(content: Json, part: str) -> list[tuple[tuple[str, str], list[Json]]]:
    """Entries that have a part, by set and method, in the order in which methods are always shown."""
    order = ["rules", "PCA-48", "paper/vae", "best/places", "best/compared"]
    found: dict[tuple[str, str], list[Json]] = {}
    for entry in content["entries"]:
        if part in entry:
            found.setdefault((entry["set"], entry["method"]), []).append(entry)
    sets = list(content["sets"])
    return sorted(found.items(), key=lambda item: (sets.index(item[0][0]), order.index(item[0][1])))


def _mean(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return f"{mean} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else mean


def _rate(rates: Sequence[Json]) -> str:
    """A share's mean over seeds, with the interval of so many pictures."""
    n = round(float(np.mean([one["n"] for one in rates])))
    if not n:
        return "-"
    share = float(np.mean([one["hits"] / one["n"] for one in rates if one["n"]]))
    hits = round(share * n)
    low, high = lower_bound_frac(hits, n, 0.975), upper_bound_frac(hits, n, 0.975)
    return f"{share:.3f} [{low:.3f}, {high:.3f}]"


def _share(rates: Sequence[Json]) -> str:
    if not rates[0]["n"]:
        return "-"
    return f"{np.mean([one['hits'] / one['n'] for one in rates]):.2f}"


def _all_strengths(strengths: Sequence[Json], group: str, n_kinds: int) -> str:
    """Over all kinds, with the interval of all of a strength's pictures."""
    cells = []
    for strength in STRENGTHS:
        rates = [one[strength][group] for one in strengths]
        n = n_kinds * rates[0]["n"]
        share = float(np.mean([one["hits"] / max(one["n"], 1) for one in rates]))
        if not n:
            return "-"
        low, high = (bound(round(share * n), n, 0.975) for bound in (lower_bound_frac, upper_bound_frac))
        cells.append(f"{share:.2f} [{low:.2f}, {high:.2f}]")
    return " / ".join(cells)


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite the page."""
    parser = argparse.ArgumentParser(description="put the study's tables into the page")
    parser.add_argument("result", type=Path)
    parser.add_argument("page", type=Path)
    asked = parser.parse_args(arguments)
    content = json.loads(asked.result.read_text("utf-8"))
    asked.page.write_text(page_with_tables(asked.page.read_text("utf-8"), content), "utf-8")


if __name__ == "__main__":
    main()
