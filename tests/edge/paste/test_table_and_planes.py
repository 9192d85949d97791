"""Pad tables and planes: what is learned from good panels, how it is kept, and what a graph is given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge.paste.learn import grid_in_order, grid_of, groups_of, learn_table, table_of, values_of
from edge.paste.panel import PasteFault
from edge.paste.planes import BoardPads, board_planes, pads_of_map
from edge.paste.table_file import groups_csv, pads_csv, table_from_csv
from edge.paste.window import PasteWindow
from tests.edge.paste.desk import PADS, PLANES, SIDE, SIGMA_PCT, panel, table

pytestmark = pytest.mark.unit


def test_a_table_learns_each_pad_and_its_spread() -> None:
    learned = table(n_panels=400)
    np.testing.assert_allclose(learned.mean_pct, np.tile([90.0, 95.0], (PADS, 1)), atol=1.0)
    np.testing.assert_allclose(np.median(learned.sigma_pct), SIGMA_PCT, rtol=0.05)
    assert len(np.unique(learned.group)) == 2


def test_a_single_panel_leaves_a_pad_its_groups_mean() -> None:
    moved = np.zeros((PADS, 2))
    moved[5] = 40.0
    first = panel(moved_pct=moved)
    assert first.x_mm is not None
    assert first.y_mm is not None
    learned = learn_table([first], grid_of(first.x_mm, first.y_mm, 1.2, SIDE), 5)
    np.testing.assert_allclose(learned.mean_pct[5], [90.0, 95.0])


def test_stroke_and_wipe_are_learned_apart_from_the_level() -> None:
    rng = np.random.default_rng(3)
    n, first = 200, panel()
    assert first.x_mm is not None
    assert first.y_mm is not None
    values = np.full((n, PADS, 2), 90.0) + rng.normal(0, 1.5, (n, PADS, 2)) + rng.normal(0, 4, (n, 1, 1))
    counters = list(range(n))
    values[1::2, :16] += 6.0  # one blade leaves more on a quarter of the pads
    learned = table_of(first.pad, values, counters, groups_of(first), grid_of(first.x_mm, first.y_mm, 1.2, SIDE), 5)
    step = (learned.stroke_z[:, 1] - learned.stroke_z[:, 0])[:, 0] * learned.sigma_pct[:, 0]
    assert abs(step[:16].mean() - step[16:].mean() - 6.0) < 0.8
    assert np.abs(learned.wipe_z).mean() < 0.2


def test_a_table_reads_back_as_it_was() -> None:
    made = table()
    back = table_from_csv(pads_csv(made), groups_csv(made), side_cells=SIDE, wipe_every=5)
    for field in dataclasses.fields(made):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(made, field.name))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("R3_01/1,", "R2_01/1,"), "listed twice"),
        (lambda text: text.replace("mean_volume_pct", "mean"), "line 1"),
        (lambda text: text.replace("R3_01/1,0,0,3", "R3_01/1,0,0,2"), "share a cell"),
        (lambda text: text.replace("R3_01/1,0,0,3", "R3_01/1,0,0,9"), "col"),
        (lambda text: text.replace("R3_01/1,0,0,3", "R3_01/1,0,0,x"), "line 5, col"),
        (lambda text: text.replace("R3_01/1,0,0,3", "R3_01/1,0,0,nan"), "line 5, col"),
        (lambda text: text[:-30], "cells"),
    ],
)
def test_a_broken_table_is_refused(change, says: str) -> None:  # type: ignore[no-untyped-def]
    made = table()
    broken = change(pads_csv(made).decode()).encode()
    with pytest.raises(PasteFault, match=says):
        table_from_csv(broken, groups_csv(made), side_cells=SIDE, wipe_every=5)


def test_pads_that_share_a_cell_move_to_the_nearest_free_one() -> None:
    grid = grid_of(np.array([0.1, 0.2, 5.0]), np.array([0.1, 0.2, 0.1]), 1.0, 8)
    assert grid.n_moved == 1
    assert (grid.row[0], grid.col[0]) == (0, 0)
    assert (grid.row[1], grid.col[1]) in {(0, 1), (1, 0)}


def test_a_large_panel_takes_several_tiles() -> None:
    x_mm, y_mm = (v.ravel().astype(float) for v in np.meshgrid(np.arange(20), np.arange(20)))
    grid = grid_of(x_mm, y_mm, 1.0, 8)
    assert int(grid.tile.max()) + 1 == 9
    assert grid.n_moved == 0
    assert int(grid_in_order(130, 8).tile.max()) + 1 == 3


def test_planes_hold_each_pad_in_its_cell_and_nothing_elsewhere() -> None:
    made = table()
    moved = np.zeros((PADS, 2))
    moved[10] = (5 * made.sigma_pct[10, 0], 0.0)
    values = values_of(panel(moved_pct=moved), made.pad)
    planes = board_planes(made, BoardPads(made, values, 7), PLANES)
    volume = pads_of_map(made, planes[:, 1])
    expected = (values - made.mean_pct) / made.sigma_pct
    np.testing.assert_allclose(volume, expected[:, 0], atol=1e-5)
    assert int(np.argmax(volume)) == 10


def test_a_pad_that_was_not_measured_is_masked() -> None:
    made = table()
    moved = np.zeros((PADS, 2))
    moved[4] = np.nan
    board = BoardPads(made, values_of(panel(moved_pct=moved), made.pad), 7)
    planes = board_planes(made, board, ("mask", "volume", "volume_level", "stroke"))
    assert pads_of_map(made, planes[:, 0]).tolist() == [float(k != 4) for k in range(PADS)]
    assert all(pads_of_map(made, planes[:, k])[4] == 0 for k in range(4))


def test_refitting_on_the_board_itself_swallows_what_most_pads_do() -> None:
    made = table()
    moved = np.zeros((PADS, 2))
    moved[: PADS // 2] = -30.0
    board = BoardPads(made, values_of(panel(moved_pct=moved), made.pad), 7)
    assert np.abs(board.group_refitted()).max() < 1.5
    assert np.abs(board.volume()[: PADS // 2]).min() > 6


def test_missing_and_unknown_pads_are_faults() -> None:
    made = table()
    with pytest.raises(PasteFault, match="63 pads where the recipe has 64; missing R63_01/1"):
        values_of(panel(n=63), made.pad)
    with pytest.raises(PasteFault, match="65 pads where the recipe has 64; unknown R64_01/1"):
        values_of(panel(n=65), made.pad)


def test_pads_in_another_order_are_sorted_out() -> None:
    made, mixed = table(), panel(moved_pct=np.arange(2.0 * PADS).reshape(PADS, 2))
    order = np.random.default_rng(0).permutation(PADS)
    fields = ("pad", "volume_pct", "area_pct")
    shuffled = dataclasses.replace(mixed, **{name: getattr(mixed, name)[order] for name in fields})
    np.testing.assert_array_equal(values_of(shuffled, made.pad), values_of(mixed, made.pad))


def test_a_window_holds_the_last_boards_and_begins_anew_after_a_gap() -> None:
    made = table()
    window = PasteWindow(made, ("mask", "volume"), 3)
    values = values_of(panel(), made.pad)

    def push(counter: int) -> str:
        return window.push(BoardPads(made, values, counter))

    assert push(10) == ""
    assert window.values[:, :, 0].any(axis=(0, 2, 3)).tolist() == [False, False, True]
    assert push(12) == ""  # one panel was taken off the line
    assert window.values[:, :, 0].any(axis=(0, 2, 3)).tolist() == [False, True, True]
    assert push(15) == "panel 15 after panel 12"
    assert window.values[:, :, 0].any(axis=(0, 2, 3)).tolist() == [False, False, True]
    assert push(15) == "panel 15 after panel 15"
    window.clear()
    assert not window.values.any()
