"""The demo's SPI station: panels of paste in printing order, a printer that begins to fail, how a panel is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.annotate import annotate
from edge.board import Image, Verdict
from edge.capture.readers.paste import read_panel
from edge.paste.drawing import Drawing
from edge.paste.recipe_new import new_paste_recipe
from edge.paste.table import PadTable
from export.demo_board import DemoBoard
from export.simulator.paste.difficulty import DIFFICULTIES
from export.simulator.paste.faults import printer_fault
from export.simulator.paste.files import FILE_SETTINGS, barcode_of, job_of, write_koh_young
from export.simulator.paste.prints import PrintRun, print_run
from export.simulator.paste.product import CELL_MM, WIPE_EVERY, PasteProduct, paste_product
from export.simulator.paste.sets import DEFECT_SIGMA, GOOD_SIGMA
from export.simulator.paste.windows import injected, product_table

PASTE_BUNDLE = Path(__file__).parent / "demo_paste_bundle"
PRODUCT = "PP-1"
GOOD_PANELS, GOOD_SEED = 120, 2040  # what the recipe learns from …
DAYS = replace(DIFFICULTIES["line"], boards_per_day=12, boards_per_run=12)  # … over ten days
SEED = 2041
FAULT, AMPLITUDE = "support", 6.0
CLEAN_FRAC = 0.35  # of the boards, before the printer begins to fail
BUDGET_MS = 2_000


def paste_recipe(folder: Path, bundle: Path = PASTE_BUNDLE) -> Path:
    """The recipe of the twin's panel, learned from good panels' files. Nothing is trained for it."""
    product, run = paste_product(PRODUCT), print_run(paste_product(PRODUCT), GOOD_PANELS, GOOD_SEED, DAYS)
    source = folder.parent / f"{folder.name}-source"
    source.mkdir(parents=True, exist_ok=True)
    files = [source / f"{barcode_of(run, k)}.csv" for k in range(len(run))]
    for k, file in enumerate(files):
        file.write_bytes(write_koh_young(product, run, k))
    new_paste_recipe(
        good=files,
        bundle=bundle,
        out=folder,
        recipe_id="paste-panel",
        part_number=PRODUCT,
        verdict_budget_ms=BUDGET_MS,
        file=FILE_SETTINGS,
        cell_mm=CELL_MM,
        wipe_every_boards=WIPE_EVERY,
    )
    return folder


def paste_boards(n: int) -> Iterator[DemoBoard]:
    """Good panels, then a board support that gives way a little more with every print."""
    product, clean = paste_product(PRODUCT), print_run(paste_product(PRODUCT), n, SEED, one_run=True)
    table, n_clean = _table(), round(CLEAN_FRAC * n)
    delta = np.zeros((n, len(product.pad), 2))
    fault = printer_fault(np.random.default_rng(SEED), product, FAULT, n - n_clean, AMPLITUDE, table)
    delta[n_clean:] = fault.delta_z
    run = injected(table, clean, delta)
    for k in range(n):
        moved = np.abs(delta[k]).max(axis=1)
        yield DemoBoard(
            board_id=barcode_of(run, k),
            data=write_koh_young(product, run, k),
            defects=dict.fromkeys(_places(product, moved > DEFECT_SIGMA), FAULT),
            unsaid=frozenset(_places(product, (moved > GOOD_SIGMA) & (moved <= DEFECT_SIGMA))),
            suffix=".csv",
        )


def _places(product: PasteProduct, chosen: NDArray[np.bool_]) -> list[str]:
    return [pad.replace("/", "-") for pad in product.pad[chosen].tolist()]


def other_panel() -> DemoBoard:
    """A panel of the same shape by another program of the machine."""
    product = paste_product(PRODUCT)
    run, own = print_run(product, 1, SEED + 1), job_of(product).encode()
    data = write_koh_young(product, run, 0).replace(own, own.replace(b"PP-1", b"PP-2"))
    return DemoBoard(board_id=barcode_of(run, 0), data=data, defects={}, story="another product", suffix=".csv")


def drawn_panel(data: bytes, verdict: Verdict) -> Image:
    """The panel as the station draws it."""
    panel = read_panel(data, f"{verdict.board_id}.csv", FILE_SETTINGS)
    return annotate(Drawing(_table()).paint(panel), verdict)


@lru_cache(maxsize=1)
def _table() -> PadTable:
    """What the recipe learned: the same good panels give the same table."""
    product: PasteProduct = paste_product(PRODUCT)
    run: PrintRun = print_run(product, GOOD_PANELS, GOOD_SEED, DAYS)
    return product_table(product, run)
