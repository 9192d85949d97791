"""Runs of simulated prints: the same seed the same bytes, and the figures measured on real boards (protocol 3.7)."""

from __future__ import annotations

import csv
import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest

from edge.paste.learn import grid_of
from export.simulator import paste
from export.simulator.paste import DIFFICULTIES, paste_product, print_run
from export.simulator.paste.difficulty import SWEEP_AMPLITUDES, Difficulty
from export.simulator.paste.measure import measured
from export.simulator.paste.prints import nominal_sigma_pct, starts_of, wipe_profile
from export.simulator.paste.product import CELL_MM, SIDE_CELLS, WIPE_EVERY

pytestmark = pytest.mark.sweep

PRODUCT = paste_product("PP-1")


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return measured(PRODUCT, "line")


def test_layout_is_one_tile_of_named_pads_in_three_thicknesses() -> None:
    grid = grid_of(PRODUCT.x_mm, PRODUCT.y_mm, CELL_MM, SIDE_CELLS)
    assert len(PRODUCT) == len(set(PRODUCT.pad.tolist())) == 1000
    assert grid.n_moved == 0
    assert grid.tile.max() == 0
    assert grid.row.max() < SIDE_CELLS
    assert set(PRODUCT.stencil_um) == {120, 150, 180}
    assert "R12_03/1" in PRODUCT.pad


def test_big_product_takes_a_hundred_tiles_without_shared_cells() -> None:
    big = paste_product("PP-100K")
    grid = grid_of(big.x_mm, big.y_mm, CELL_MM, SIDE_CELLS)
    assert len(big) == 100_000
    assert grid.tile.max() == 99
    assert grid.n_moved == 0


def test_same_seed_same_bytes_and_another_seed_other_ones() -> None:
    one, again, other = (print_run(PRODUCT, 30, seed) for seed in (7, 7, 8))
    for field in dataclasses.fields(one):
        first, second = getattr(one, field.name), getattr(again, field.name)
        assert first.tobytes() == second.tobytes() if isinstance(first, np.ndarray) else first == second
    assert not np.array_equal(one.volume_pct, other.volume_pct)


def test_figures_of_one_board_and_of_two(figures: dict[str, float]) -> None:
    assert figures["group_mean_least_pct"] == pytest.approx(62)
    assert figures["group_mean_most_pct"] == pytest.approx(126)
    assert figures["group_sigma_pct"] == pytest.approx(5.6, abs=0.3)
    assert figures["fixed_sigma_pct"] == pytest.approx(4.7, abs=0.2)
    assert figures["same_pads_21_apart_within_group"] == pytest.approx(0.64, abs=0.05)
    assert figures["same_pads_21_apart_area"] == pytest.approx(0.85, abs=0.06)
    assert figures["same_pads_21_apart_height"] == pytest.approx(0.76, abs=0.08)
    assert figures["same_pads_21_apart_overall"] == pytest.approx(0.94, abs=0.03)
    assert figures["excess_kurtosis_within_groups"] == pytest.approx(0, abs=0.15)


def test_figures_of_level(figures: dict[str, float]) -> None:
    assert figures["drift_in_20_prints_pct"] == pytest.approx(7, abs=1)
    assert figures["day_step_large_pads_least_pct"] > 9.5
    assert figures["day_step_large_pads_most_pct"] < 31


def test_volume_goes_with_height_and_area_as_on_one_real_board(figures: dict[str, float]) -> None:
    assert figures["volume_with_height_within_group"] == pytest.approx(0.75, abs=0.06)
    assert figures["volume_with_area_within_group"] == pytest.approx(0.38, abs=0.06)


def test_repeat_noise_and_its_range_by_group_without_wipe_and_stroke() -> None:
    still = dataclasses.replace(DIFFICULTIES["line"], wipe_amplitude=0.0, stroke_amplitude=0.0)
    run = print_run(PRODUCT, 300, 5, dataclasses.replace(still, drift_pct=0.0, jitter_pct=0.0), one_run=True)
    sigma = run.volume_pct.std(axis=0)
    by_group = [np.sqrt(np.mean(sigma[PRODUCT.group == k] ** 2)) for k in np.unique(PRODUCT.group)]
    assert np.sqrt(np.mean(sigma**2)) == pytest.approx(3.05, abs=0.05)
    assert min(by_group) == pytest.approx(1.4, abs=0.1)
    assert max(by_group) == pytest.approx(4.4, abs=0.2)


def test_volume_is_area_times_height() -> None:
    run = print_run(PRODUCT, 50, 3, "hard")
    assert np.allclose(run.volume_pct, run.area_pct * run.height_um / PRODUCT.stencil_um, rtol=1e-12)
    assert run.volume_pct.min() > 0
    assert run.height_um.max() < 400


def test_wipe_and_stroke_have_the_amplitude_asked_for_at_their_own_phases() -> None:
    for amplitude in SWEEP_AMPLITUDES:
        named = DIFFICULTIES[f"line-periodic-{amplitude}"]
        run, none = (
            print_run(PRODUCT, 40, 9, dataclasses.replace(named, wipe_amplitude=a, stroke_amplitude=b), one_run=True)
            for a, b in ((amplitude, amplitude), (0.0, 0.0))
        )
        in_sigmas = (run.volume_pct - none.volume_pct) / (named.repeat_sigma_pct * PRODUCT.repeat_gain)
        by_stroke = np.stack([in_sigmas[run.counter % 2 == k].mean(axis=0) for k in range(2)])
        assert np.sqrt(np.mean((by_stroke[1] - by_stroke[0]) ** 2)) / 2 == pytest.approx(amplitude, rel=0.01)
        by_wipe = np.stack([in_sigmas[run.counter % WIPE_EVERY == k].mean(axis=0) for k in range(WIPE_EVERY)])
        assert np.sqrt(np.mean(by_wipe**2)) == pytest.approx(amplitude, rel=0.01)
        assert (by_wipe[0] < by_wipe[1:]).all()


def test_wipe_recovers_print_by_print_and_small_apertures_suffer_more() -> None:
    assert (np.diff(wipe_profile()) > 0).all()
    assert wipe_profile().mean() == pytest.approx(0)
    small, large = (PRODUCT.aperture_mm2 < 0.1), (PRODUCT.aperture_mm2 > 3)
    assert PRODUCT.wipe_gain[small].mean() > 2 * PRODUCT.wipe_gain[large].mean()


def test_patterns_are_smooth_over_the_panel() -> None:
    near = np.hypot(np.diff(PRODUCT.x_mm), np.diff(PRODUCT.y_mm)) < 1.5 * CELL_MM
    steps = np.abs(np.diff(PRODUCT.stroke_gain))[near]
    assert near.sum() > 500
    assert steps.max() < 0.3 < np.ptp(PRODUCT.stroke_gain) / 5


def test_days_and_stops_break_runs_and_the_counter_jumps_there() -> None:
    run = print_run(PRODUCT, 250, 4)
    starts = starts_of(run)
    assert np.unique(starts).tolist() == [0, 50, 100, 150, 200]
    assert np.unique(run.day).tolist() == [264, 265, 266]
    steps = np.diff(run.counter)
    assert (steps[[49, 99, 149, 199]] > 2).all()
    assert (np.delete(steps, [49, 99, 149, 199]) == 1).all()


def test_level_stays_bounded_over_many_days() -> None:
    run = print_run(PRODUCT, 3000, 6)
    large = run.volume_pct[:, PRODUCT.aperture_mm2 > 3].mean(axis=1)
    assert np.abs(large - large.mean()).max() < 60
    assert run.volume_pct.min() > 0.5


def test_nominal_sigma_is_that_of_runs_over_days() -> None:
    spread = np.stack([print_run(PRODUCT, 600, seed).volume_pct for seed in range(6)]).reshape(-1, 1000).std(axis=0)
    assert np.median(nominal_sigma_pct(PRODUCT)[:, 0] / spread) == pytest.approx(1, abs=0.3)


def test_difficulties_order_and_refusals() -> None:
    assert [DIFFICULTIES[name].wipe_amplitude for name in ("easy", "line", "hard")] == [0.2, 0.4, 1.0]
    for change in ({"drift_pct": 31.0}, {"wipe_amplitude": -1.0}, {"boards_per_day": 0}, {"day_step_pct": (9.0, 3.0)}):
        with pytest.raises(ValueError, match="difficulty 'odd'"):
            Difficulty(name="odd", **change)
    with pytest.raises(ValueError, match="expected one of easy, line"):
        print_run(PRODUCT, 5, 1, "moon")
    for n, seed in ((0, 1), (5, -1)):
        with pytest.raises(ValueError, match="expected"):
            print_run(PRODUCT, n, seed)
    with pytest.raises(ValueError, match="expected one of PP-1"):
        paste_product("PP-2")


def test_readme_says_what_is_measured(figures: dict[str, float]) -> None:
    readme = (Path(paste.__file__).parent / "README.md").read_text(encoding="utf-8")
    cells = {
        "| same pads 21 prints apart, within group, volume |": f"{figures['same_pads_21_apart_within_group']:.2f}",
        "| same pads 21 prints apart, within group, area |": f"{figures['same_pads_21_apart_area']:.2f}",
        "| same pads 21 prints apart, within group, height |": f"{figures['same_pads_21_apart_height']:.2f}",
        "| spread within an aperture group, one board |": f"{figures['group_sigma_pct']:.1f}",
        "| difference of two boards 21 prints apart, over root 2 |": f"{figures['two_board_noise_pct']:.2f}",
    }
    for start, expected in cells.items():
        line = next(line for line in readme.splitlines() if line.startswith(start))
        assert line.split("|")[3].split()[0] == expected


@pytest.mark.needs_data
@pytest.mark.parametrize(("board", "height", "area"), [("top_index24857", 0.71, 0.20), ("bot_index24566", 0.79, 0.57)])
def test_real_boards_say_how_volume_goes_with_height_and_area(
    data_dir: Path, board: str, height: float, area: float
) -> None:
    with gzip.open(data_dir / "kohyoung-spi-boards" / f"board_{board}_fail.csv.gz", "rt", encoding="utf-8") as file:
        good = [row for row in csv.DictReader(file) if row["result"] == "GOOD"]
    values = np.array([[float(row[name]) for name in ("volume_pct", "height_um", "area_pct")] for row in good])
    _, group = np.unique([row["aperture_group"] for row in good], return_inverse=True)
    large = [group == k for k in range(int(group.max()) + 1) if (group == k).sum() >= 16]
    by_group = np.array([np.corrcoef(values[pads].T)[0, 1:] for pads in large])
    mean = np.average(by_group, axis=0, weights=[pads.sum() for pads in large])
    assert mean == pytest.approx([height, area], abs=0.006)
