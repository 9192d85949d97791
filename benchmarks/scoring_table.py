"""`benchmarks/results/scoring*.json` as the tables of the terminal and of the pages."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from benchmarks.markdown import markdown_table, or_nothing


def scoring_table(data: dict[str, Any]) -> str:
    """A row a way; where a way had fewer rounds than the others, the note says so."""
    batches = sorted({c["batch"] for c in data["costs"]})
    of = {(c["way"], c["batch"]): c for c in data["costs"]}
    names = list(dict.fromkeys(c["way"] for c in data["costs"]))
    naive_us = next(c["cpu_us"] for c in data["costs"] if c["network"] == "naive export" and c["batch"] == batches[-1])
    head = [
        "",
        *(f"processor µs a {data['place']}, batch {b}" for b in batches),
        *(f"of peak, batch {b}" for b in batches),
        f"× naive, batch {batches[-1]}",
        "all told, processor µs",
        *(f"by the clock, µs p50 / p99, batch {b}" for b in batches),
        "all told, by the clock, µs",
    ]
    rows = [
        [
            name,
            *(f"{of[name, b]['cpu_us']:,.0f}" for b in batches),
            *(or_nothing(of[name, b]["peak_cpu_frac"], ".0%") for b in batches),
            f"{naive_us / of[name, batches[-1]]['cpu_us']:.1f}",
            or_nothing(of[name, batches[-1]]["all_told_cpu_us"], ",.0f"),
            *(f"{of[name, b]['p50_us']:,.0f} / {of[name, b]['p99_us']:,.0f}" for b in batches),
            or_nothing(of[name, batches[-1]]["all_told_us"], ",.0f"),
        ]
        for name in names
    ]
    few = min(c["rounds"] for c in data["costs"])
    note = (
        f"{data['processor']}, {_threads(data['threads'])}; pixels to score, medians. Peak, by processor time: the "
        f"machine's own matrix product in the same run, {data['peak_gflops_a_processor']:.0f} GFLOP a second of one "
        f"processor. All told: cut, score and verdict, a place of a board of "
        f"{data['whole_board_places']}. {data['rounds']} rounds{_fewer(few, data['rounds'])}. Load while measuring: "
        f"{data['load_1_min']:.0f}."
    )
    return f"{note}\n\n{markdown_table(head, rows)}"


def screen_table(figures: dict[str, Any]) -> Table:
    """For the terminal."""
    what, peak = figures["place"], figures["peak_gflops"]
    title = f"A {what}, pixels to score, {figures['threads']} threads; matrix product {peak:.0f} GFLOP/s"
    table = Table(title=title, caption=f"load {figures['load_1_min']}", title_justify="left")
    table.add_column("way")
    for column in (
        "batch",
        "rounds",
        "p50 µs",
        "p99 µs",
        "first µs",
        "cpu µs",
        "times naive",
        "of peak",
        "by cpu time",
        "all told µs",
        "all told, cpu µs",
    ):
        table.add_column(column, justify="right")
    for c in figures["costs"]:
        table.add_row(
            c["way"],
            str(c["batch"]),
            str(c["rounds"]),
            *(f"{c[k]:.0f}" for k in ("p50_us", "p99_us", "first_us", "cpu_us")),
            f"{c['times_naive']:.1f}",
            *("" if c[k] is None else f"{c[k]:.0%}" for k in ("peak_frac", "peak_cpu_frac")),
            *("" if c[k] is None else f"{c[k]:.0f}" for k in ("all_told_us", "all_told_cpu_us")),
        )
    return table


def _threads(n: int) -> str:
    return "one thread" if n == 1 else f"{n} threads (rules: one)"


def _fewer(few: int, rounds: int) -> str:
    return f", of the slowest {few}" if few < rounds else ""
