"""From an SPI machine's file to a verdict: panels of 1,000 and 100,000 pads through the whole inspection, by stage.

The panels are the line twin's; files are written, read and judged as at a station with its window full. Bundles are
judged one after another on the same files; the first is the yardstick of the ratios.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.markdown import markdown_table
from edge.bundle import read_bundle
from edge.capture.board_file import board_from_file
from edge.clock import SystemClock
from edge.paste.inspection import PasteInspection
from edge.paste.recipe import PasteRecipe, PasteRecipeFile
from edge.recipe import BundleRef, PictureFile
from edge.scorers import EngineChoice
from export.simulator.paste.difficulty import DIFFICULTIES
from export.simulator.paste.files import FILE_SETTINGS, barcode_of, job_of, write_koh_young
from export.simulator.paste.prints import print_run
from export.simulator.paste.product import WIPE_EVERY, paste_product
from export.simulator.paste.windows import product_table

PRODUCTS = ("PP-1", "PP-100K")
GOOD_BOARDS, GOOD_SEED = 24, 7
FILL_BOARDS = 10  # so that the window is full before anything is counted
SEED = 8
STAGES = ("read", "pads", "planes", "score", "printer", "judge", "all")


def run(bundles: Sequence[Path], boards: int, threads: int, out: Path | None) -> dict[str, Any]:
    """Measure and print; the figures, as written to `out`."""
    result = {
        "command": f"boardgate bench paste {' '.join(b.name for b in bundles)} --boards {boards} --threads {threads}",
        "simulated": "panels of the line twin, calibrated on real boards",
        "machine": machine(),
        "boards": boards,
        "threads": threads,
        "rows": [row for product in PRODUCTS for row in _product_rows(product, bundles, boards, threads)],
    }
    Console().print(_screen(result))
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return result


def _product_rows(name: str, bundles: Sequence[Path], boards: int, threads: int) -> list[dict[str, Any]]:
    product = paste_product(name)
    days = DIFFICULTIES["line"]
    table = product_table(product, print_run(product, GOOD_BOARDS, GOOD_SEED, days))
    shown = print_run(product, FILL_BOARDS + boards, SEED, days, one_run=True)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for k in range(len(shown)):
            files.append(Path(scratch) / f"{barcode_of(shown, k)}.csv")
            files[-1].write_bytes(write_koh_young(product, shown, k))
        for bundle in bundles:
            recipe = _recipe(bundle, job_of(product), table, Path(scratch))
            rows.append(
                _row(name, bundle, PasteInspection(recipe, EngineChoice(threads=threads), SystemClock()), files)
            )
    return rows


def _recipe(bundle: Path, job: str, table: Any, folder: Path) -> PasteRecipe:
    unread = PictureFile(path="pads.csv", sha256="0" * 64)  # the table is given, not read
    settings = PasteRecipeFile(
        schema_version=1,
        machine="spi",
        id="bench",
        part_number="bench",
        job=job,
        verdict_budget_ms=60_000,
        file=FILE_SETTINGS,
        n_good_panels=GOOD_BOARDS,
        n_good_days=1,
        wipe_every_boards=WIPE_EVERY,
        side_cells=table.side_cells,
        pads=unread,
        groups=unread,
        bundle=BundleRef(path=os.path.relpath(bundle.resolve(), folder), sha256=read_bundle(bundle).sha256),
    )
    return PasteRecipe(settings=settings, folder=folder, sha256="0" * 64, table=table)


def _row(product: str, bundle: Path, inspection: PasteInspection, files: Sequence[Path]) -> dict[str, Any]:
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    clock, n_pads = SystemClock(), inspection.judged.n_regions
    for k, file in enumerate(track(files, f"{product}, {bundle.name}", transient=True)):
        started = clock.now_ns()
        board = board_from_file(file, inspection.reader, clock)
        read_ms = (clock.now_ns() - started) / 1e6
        verdict = inspection.inspect(board).verdict
        if k < FILL_BOARDS:
            continue
        if verdict.n_scored != n_pads:
            raise RuntimeError(f"{file}: {verdict.detail}")
        stages = {s.stage: s.ms for s in verdict.stages}
        times["read"].append(read_ms)
        times["all"].append((clock.now_ns() - started) / 1e6)
        for stage in STAGES[1:-1]:
            times[stage].append(stages.get(stage, 0.0))
    manifest = read_bundle(bundle).manifest
    return {
        "product": product,
        "pads": n_pads,
        "bundle": f"{manifest.preset} {manifest.variant}",
        "ms_p50": {stage: round(statistics.median(values), 2) for stage, values in times.items()},
        "ms_p99": {stage: round(float(np.quantile(values, 0.99)), 2) for stage, values in times.items()},
    }


def paste_panels_table(data: dict[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["pads", "judged by", *(f"{stage}, ms p50 / p99" for stage in STAGES)]
    rows = [
        [
            f"{row['pads']:,}",
            row["bundle"],
            *(f"{row['ms_p50'][stage]:.1f} / {row['ms_p99'][stage]:.1f}" for stage in STAGES),
        ]
        for row in data["rows"]
    ]
    return markdown_table(head, rows)


def _screen(result: dict[str, Any]) -> Table:
    table = Table("pads", "judged by", *STAGES, title=f"Panels of paste, {result['threads']} threads: ms p50")
    for row in result["rows"]:
        table.add_row(f"{row['pads']:,}", row["bundle"], *(f"{row['ms_p50'][stage]:.1f}" for stage in STAGES))
    return table
