"""The SPI station with everything real: files of paste in, verdicts at the gate; whatever a file lacks, the board is
held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.board import Outcome, Reason, Verdict
from edge.journal import JournalReader
from edge.paste.recipe_new import new_paste_recipe
from edge.replay import replay_journal
from export.rules_bundle import write_rules_bundle
from export.simulator.line import LineTwin
from export.simulator.paste.difficulty import DIFFICULTIES
from export.simulator.paste.faults import printer_fault
from export.simulator.paste.files import FILE_SETTINGS, barcode_of, write_koh_young
from export.simulator.paste.prints import PrintRun, print_run
from export.simulator.paste.product import CELL_MM, WIPE_EVERY, paste_product
from export.simulator.paste.sets import write_paste_set
from export.simulator.paste.windows import injected, product_table

pytestmark = pytest.mark.timeout(300)

PRODUCT = paste_product("PP-1")
N_GOOD, SEED = 96, 40
DAYS = replace(DIFFICULTIES["line"], boards_per_day=12, boards_per_run=12)  # many of them, as a recipe wants


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paste")
    write_paste_set(folder / "set", 160, seed=5, fault_rate=0.0)
    write_rules_bundle(folder / "set", folder / "bundle", family="paste_print", variant="pad_level")
    return folder / "bundle"


@pytest.fixture(scope="module")
def recipe(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    run = print_run(PRODUCT, N_GOOD, SEED, DAYS)
    files = []
    for k in range(N_GOOD):
        files.append(folder / f"{barcode_of(run, k)}.csv")
        files[-1].write_bytes(write_koh_young(PRODUCT, run, k))
    return new_paste_recipe(
        good=files,
        bundle=bundle,
        out=folder / "recipe",
        recipe_id="paste",
        part_number="PP-1",
        verdict_budget_ms=10_000,
        file=FILE_SETTINGS,
        cell_mm=CELL_MM,
        wipe_every_boards=WIPE_EVERY,
    )


@pytest.fixture
def line(recipe: Path, tmp_path: Path) -> Iterator[LineTwin]:
    with LineTwin(tmp_path / "line", recipe.parent, window_ms=15_000) as twin:
        yield twin


def boards(n: int = 8) -> PrintRun:
    """Good panels of one run, after those the recipe learned from."""
    return print_run(PRODUCT, n, SEED, one_run=True)


def verdict_of(line: LineTwin, board_id: str) -> Verdict:
    found = [row.verdict for row in JournalReader(line.station.journal).all_verdicts()]
    return next(verdict for verdict in reversed(found) if verdict.board_id == board_id)


def test_good_panels_pass_and_a_smear_is_called(line: LineTwin, recipe: Path) -> None:
    run = boards()
    table = product_table(PRODUCT, print_run(PRODUCT, N_GOOD, SEED, DAYS))
    fault = printer_fault(np.random.default_rng(3), PRODUCT, "smear", len(run), 1.0, table, run)
    smeared = injected(table, run, fault.delta_z)
    for k in range(4):
        assert line.gate_board(barcode_of(run, k), write_koh_young(PRODUCT, run, k), ".csv", 30.0).result == "pass"
    event = line.gate_board(barcode_of(run, 4), write_koh_young(PRODUCT, smeared, 4), ".csv", 30.0)
    assert event.result in ("fail", "reject", "hold")
    verdict = verdict_of(line, barcode_of(run, 4))
    assert verdict.outcome is Outcome.FAIL
    wiped = {pad.replace("/", "-") for pad in PRODUCT.pad[np.abs(fault.delta_z[4]).max(axis=1) > 8].tolist()}
    assert wiped
    assert wiped <= {finding.region.name for finding in verdict.defects}
    assert verdict.n_scored == len(PRODUCT.pad)
    assert replay_journal(line.station.journal, recipe.parent, None, threads=1, json_file=None)


def _fewer_pads(data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    return b"\r\n".join(lines[:500] + lines[501:])


def _bad_number(data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    cells = lines[40].split(b",")
    lines[40] = b",".join([cells[0], b"n/a", *cells[2:]])
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("spoil", "reason", "says"),
    [
        (lambda data: data[: len(data) // 2], Reason.CAPTURE_FAULT, "not a whole koh_young_csv file"),
        (_fewer_pads, Reason.CAPTURE_FAULT, "999 pads where the recipe has 1000"),
        (_bad_number, Reason.OUT_OF_VIEW, "999 of 1000"),
        (lambda data: data.replace(b"PP-1-TOP", b"PP-1-BOT"), Reason.NOT_REGISTERED, "PP-1-BOT"),
        (lambda data: b"PK\x03\x04" + data, Reason.CAPTURE_FAULT, "line 1"),
    ],
    ids=["half", "fewer-pads", "bad-number", "other-side", "not-text"],
)
def test_a_bad_file_of_paste_holds_the_board(
    line: LineTwin, spoil: Callable[[bytes], bytes], reason: Reason, says: str
) -> None:
    run = boards(2)
    name = barcode_of(run, 0)
    result = line.gate_board(name, spoil(write_koh_young(PRODUCT, run, 0)), ".csv", 30.0).result
    assert result in ("hold", "window_expired")
    verdict = verdict_of(line, name)
    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, reason), verdict.detail
    assert says in verdict.detail
    good = barcode_of(run, 1)
    assert line.gate_board(good, write_koh_young(PRODUCT, run, 1), ".csv", 30.0).result == "pass"
