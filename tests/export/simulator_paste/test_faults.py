"""Faults put into simulated prints: masks and courses of protocol 3.5, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest

from edge.paste.panel import Numbers
from edge.paste.table import PadTable
from export.simulator.paste import (
    FAULT_KINDS,
    PrintFault,
    PrintRun,
    in_repeat_sigmas,
    injected,
    paste_product,
    print_run,
    printer_fault,
    product_table,
    random_pads,
)
from export.simulator.paste.faults import time_course
from export.simulator.paste.masks import NEIGHBOUR_MM, densest
from export.simulator.paste.prints import group_sigma_pct

pytestmark = pytest.mark.sweep

PRODUCT = paste_product("PP-1")
N = 60
DRAWS = 50
Clean = tuple[PrintRun, PadTable]
T = np.arange(N)
S = 1 / (1 + np.exp(-(10 * T / N - 5)))


@pytest.fixture(scope="module")
def clean() -> Clean:
    run = print_run(PRODUCT, N, 12, one_run=True)
    return run, product_table(PRODUCT, print_run(PRODUCT, 200, 11))


def drawn(kind: str, seed: int = 0, amplitude: float = 3.0) -> PrintFault:
    return printer_fault(np.random.default_rng(seed), PRODUCT, kind, N, amplitude)


@pytest.mark.parametrize(
    ("kind", "course"),
    [
        ("squeegee", np.where(T % 2 == 1, S, 0)),
        ("support", S),
        ("removed", -S),
        ("kneading", -(1 - S)),
        ("clamp_excess", S),
        ("clamp_insufficient", -S),
    ],
)
def test_course_over_time_is_the_protocols(kind: str, course: Numbers) -> None:
    assert np.allclose(time_course(kind, T, N), course)
    assert (time_course(kind, np.arange(-5, 0), N) == 0).all()


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_fault_is_its_seed_and_stays_in_its_mask(kind: str) -> None:
    one, again = drawn(kind, 4), drawn(kind, 4)
    assert one.delta_z.tobytes() == again.delta_z.tobytes()
    assert one.delta_z.shape == (N, 1000, 2)
    assert one.mask.any()
    assert (one.delta_z[:, ~one.mask] == 0).all()
    assert (one.delta_z[: one.start] == 0).all()
    assert (one.delta_z[-1, one.mask] != 0).any() or kind == "squeegee"
    starts = {drawn(kind, seed).start for seed in range(20)}
    masks = {drawn(kind, seed).mask.tobytes() for seed in range(20)}
    assert len(starts) > 3
    assert max(starts) <= N / 6
    assert len(masks) > 3 or kind == "drift"


@pytest.mark.parametrize("kind", ["squeegee", "support", "removed", "kneading", "clamp_excess", "clamp_insufficient"])
def test_delta_is_amplitude_times_course_times_mask(kind: str) -> None:
    fault, twice = drawn(kind, 3, 1.0), drawn(kind, 3, 2.0)
    assert np.allclose(twice.delta_z, 2 * fault.delta_z)
    expected = time_course(kind, T - fault.start, N - fault.start)
    assert np.allclose(fault.strength, expected)
    pad = int(np.argmax(np.abs(fault.delta_z).max(axis=(0, 2))))
    assert np.allclose(fault.delta_z[:, pad, 0], expected)
    assert (fault.delta_z[..., 0] == fault.delta_z[..., 1]).all()


def test_shapes_of_masks_are_the_protocols() -> None:
    width, height = PRODUCT.size_mm
    for seed in range(DRAWS):
        strip = drawn("squeegee", seed).mask
        assert np.ptp(PRODUCT.x_mm[strip]) <= 8
        assert np.ptp(PRODUCT.y_mm[strip]) > 0.7 * height
        ellipse = drawn("support", seed).mask
        assert np.ptp(PRODUCT.x_mm[ellipse]) <= 0.7 * width
        assert np.ptp(PRODUCT.y_mm[ellipse]) <= 0.7 * height
        assert 0.5 < drawn("kneading", seed).mask.mean() <= 1
        rails = drawn("clamp_excess", seed).mask
        from_rail = np.minimum(PRODUCT.y_mm, height - PRODUCT.y_mm)
        assert rails[from_rail < 5].all()
        assert not rails[from_rail > 10].any()
        assert drawn("removed", seed).mask.mean() < 0.15


def test_support_has_a_soft_edge_and_the_blade_hits_one_stroke_only(clean: Clean) -> None:
    weight = np.abs(drawn("support", 2).delta_z[-1, :, 0])
    levels = weight[weight > 0] / weight.max()
    assert ((levels > 0.05) & (levels < 0.95)).mean() > 0.2
    run, _ = clean
    strength = drawn("squeegee", 2).strength
    assert len(set((run.counter[strength > 0] % 2).tolist())) == 1
    assert (strength > 0).sum() >= N / 3


def test_patches_lie_on_dense_apertures_along_the_blades_way() -> None:
    dense = densest(PRODUCT)
    assert PRODUCT.aperture_mm2[dense].mean() < 0.5 * PRODUCT.aperture_mm2.mean()
    for seed in range(20):
        assert np.isin(np.flatnonzero(drawn("removed", seed).mask), dense).any()


def test_smear_is_that_of_the_real_board(clean: Clean) -> None:
    run, table = clean
    for seed in range(10):
        fault = printer_fault(np.random.default_rng(seed), PRODUCT, "smear", N, 1.0, table, run)
        board = injected(table, run, fault.delta_z)
        patch = fault.mask & (np.abs(fault.delta_z[-1, :, 0]) > 0)
        beside = fault.mask & ~patch
        assert patch.any()
        assert (board.volume_pct[fault.start :, patch] <= 3.0 + 1e-9).all()
        assert np.array_equal(board.volume_pct[:, beside], run.volume_pct[:, beside])
        assert (board.area_pct[-1, beside] <= run.area_pct[-1, beside] + 1e-9).all()
        flat = beside & (PRODUCT.stencil_um == 120) & (run.volume_pct[-1] < 120)
        assert (board.area_pct[-1, flat] >= 30).all()
        assert (board.area_pct[-1, flat] <= 70 + 1e-9).all()
        assert (board.height_um[-1, beside] >= run.height_um[-1, beside] - 1e-9).all()
        assert board.height_um[-1, beside].mean() > 1.15 * run.height_um[-1, beside].mean()
        x, y = PRODUCT.x_mm, PRODUCT.y_mm
        for k in np.flatnonzero(beside):
            assert np.hypot(x[patch] - x[k], y[patch] - y[k]).min() <= NEIGHBOUR_MM


def test_drift_takes_the_whole_panel_down_by_one_and_a_half_group_sigmas(clean: Clean) -> None:
    run, table = clean
    fault = printer_fault(np.random.default_rng(1), PRODUCT, "drift", N, 1.0, table)
    moved = injected(table, run, fault.delta_z).volume_pct - run.volume_pct
    assert fault.mask.all()
    assert np.allclose(moved[-1], -1.5 * group_sigma_pct(PRODUCT))
    assert np.allclose(moved[fault.start + 9], moved[-1] / 2)


def test_random_pads_hit_the_ratio_by_mu() -> None:
    rng = np.random.default_rng(5)
    same = random_pads(rng, (40, 1000), 0.3, -5.0)
    assert ((same != 0) == (same != 0)[0]).all()
    assert (same[0] != 0).mean() == pytest.approx(0.3, abs=0.05)
    hit = same[same != 0]
    assert hit.mean() == pytest.approx(-5, abs=0.01)
    assert hit.std() == pytest.approx(0.1, abs=0.01)
    other = random_pads(rng, (40, 1000), 0.3, 5.0, fixed=False)
    assert not ((other != 0) == (other != 0)[0]).all()
    assert (other != 0).mean() == pytest.approx(0.3, abs=0.02)


def test_injected_moves_exactly_the_named_pads_by_the_tables_sigmas(clean: Clean) -> None:
    run, table = clean
    delta = np.zeros((N, 1000))
    delta[10:, [3, 700]] = 2.0
    moved = injected(table, run, delta)
    changed = moved.volume_pct != run.volume_pct
    assert np.array_equal(changed, delta != 0)
    assert np.array_equal(moved.height_um[delta == 0], run.height_um[delta == 0])
    assert np.allclose(moved.volume_pct[20, 3] - run.volume_pct[20, 3], 2 * table.sigma_pct[3, 0])
    assert np.allclose(moved.area_pct[20, 3] - run.area_pct[20, 3], 2 * table.sigma_pct[3, 1])
    assert np.allclose(moved.volume_pct, moved.area_pct * moved.height_um / PRODUCT.stencil_um)
    volume_only = np.stack([delta, np.zeros_like(delta)], axis=-1)
    assert np.array_equal(injected(table, run, volume_only).area_pct, run.area_pct)
    empty = injected(table, run, -50 * (delta != 0))
    assert (empty.volume_pct[delta != 0] == 0).all()
    assert (empty.height_um[delta != 0] == 0).all()
    with pytest.raises(ValueError, match="delta_z: shape"):
        injected(table, run, delta[:5])


def test_repeat_sigmas_are_smaller_than_the_tables(clean: Clean) -> None:
    run, table = clean
    share = in_repeat_sigmas(PRODUCT, table)
    assert share.shape == (1000, 2)
    assert np.median(share[:, 0]) < 0.6
    delta = np.ones((N, 1000, 2)) * share
    moved = injected(table, run, delta).volume_pct - run.volume_pct
    assert np.allclose(moved[0], 3.05 * PRODUCT.repeat_gain)


def test_refusals(clean: Clean) -> None:
    rng = np.random.default_rng(0)
    run, table = clean
    with pytest.raises(ValueError, match="expected one of squeegee"):
        printer_fault(rng, PRODUCT, "gremlin", N, 1.0)
    for n, amplitude in ((1, 1.0), (N, 0.0), (N, 21.0)):
        with pytest.raises(ValueError, match="expected 2 or more boards"):
            printer_fault(rng, PRODUCT, "support", n, amplitude)
    with pytest.raises(ValueError, match="run has 60 boards"):
        printer_fault(rng, PRODUCT, "smear", 50, 1.0, table, run)
    with pytest.raises(ValueError, match="ratio"):
        random_pads(rng, (2, 3), 1.5, 5.0)
