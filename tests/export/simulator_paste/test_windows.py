"""Windows of boards: the same planes as one board at a time, in order, and never across a stop."""

from __future__ import annotations

import numpy as np
import pytest

from edge.paste.planes import BoardPads, board_planes, pads_of_map
from edge.paste.table import PadTable
from export.simulator.paste import (
    PrintRun,
    full_ends,
    paste_product,
    print_run,
    product_table,
    window_batches,
    windows,
)

pytestmark = pytest.mark.unit

PRODUCT = paste_product("PP-1")


@pytest.fixture(scope="module")
def run() -> PrintRun:
    return print_run(PRODUCT, 120, 31)  # two days; the first one has a stop after 50 boards


@pytest.fixture(scope="module")
def table(run: PrintRun) -> PadTable:
    return product_table(PRODUCT, run)


def test_windows_hold_the_boards_oldest_first(run: PrintRun, table: PadTable) -> None:
    names = ("mask", "volume", "periodic_area", "stroke")
    got = windows(table, run, names, boards=4, ends=[20, 7])
    assert got.shape == (2, 4, 4, 48, 48)
    assert got.dtype == np.float32
    for n, end in enumerate((20, 7)):
        for t in range(4):
            k = end - 3 + t
            values = np.column_stack([run.volume_pct[k], run.area_pct[k]])
            expected = board_planes(table, BoardPads(table, values, int(run.counter[k])), names)[0]
            assert np.array_equal(got[n, t], expected)


def test_volume_plane_is_the_pads_z(run: PrintRun, table: PadTable) -> None:
    last = windows(table, run, ("volume",), boards=1, ends=[33])[0, 0]
    z = (run.volume_pct[33] - table.mean_pct[:, 0]) / table.sigma_pct[:, 0]
    assert np.allclose(pads_of_map(table, last), z, atol=1e-5)


def test_no_window_crosses_a_stop_or_a_day(run: PrintRun, table: PadTable) -> None:
    every = windows(table, run, ("mask", "volume"), boards=10)
    present = np.asarray(every[:, :, 0].any(axis=(2, 3)))
    for start in (0, 50, 100):
        for later in range(10):
            assert present[start + later].tolist() == [False] * (9 - later) + [True] * (later + 1)
    assert (every[50, :9] == 0).all()
    assert full_ends(run, 10).tolist() == [*range(9, 50), *range(59, 100), *range(109, 120)]
    assert present[full_ends(run, 10)].all()
    assert present.all(axis=1).sum() == len(full_ends(run, 10))


def test_a_gap_in_the_counter_alone_breaks_a_run(run: PrintRun, table: PadTable) -> None:
    kept = run.part(np.delete(np.arange(40), [10, 20, 21]))  # one board missing is a step of 2, two are a gap
    masks = np.asarray(windows(table, kept, ("mask",), boards=5)[:, :, 0].any(axis=(2, 3)))
    assert masks[12].all()
    assert masks[19].tolist() == [False, False, False, False, True]


def test_batches_are_the_same_windows(run: PrintRun, table: PadTable) -> None:
    ends = full_ends(run, 10)
    parts = list(window_batches(table, run, boards=10, ends=ends, batch=32))
    assert all(len(part) <= 32 for part, _ in parts)
    assert np.concatenate([part for part, _ in parts]).tolist() == ends.tolist()
    assert np.array_equal(np.concatenate([batch for _, batch in parts]), windows(table, run, boards=10, ends=ends))


def test_table_is_that_of_the_runs_good_boards(run: PrintRun, table: PadTable) -> None:
    assert np.array_equal(table.pad, PRODUCT.pad)
    assert table.n_tiles == 1
    assert table.wipe_every == 5
    assert len(np.unique(table.row * 48 + table.col)) == 1000
    assert np.corrcoef(np.median(run.volume_pct, axis=0), table.mean_pct[:, 0])[0, 1] > 0.999
    stroke = table.stroke_z[:, 1, 0] - table.stroke_z[:, 0, 0]
    assert np.corrcoef(stroke, PRODUCT.stroke_gain / table.sigma_pct[:, 0])[0, 1] > 0.6


def test_refusals(run: PrintRun, table: PadTable) -> None:
    for ends in ([120], [-1], [[1, 2]]):
        with pytest.raises(ValueError, match="ends: expected"):
            windows(table, run, ends=np.array(ends))
    with pytest.raises(ValueError, match="boards is 0"):
        windows(table, run, boards=0)
    with pytest.raises(ValueError, match="tile is 1"):
        windows(table, run, ends=[3], tile=1)
