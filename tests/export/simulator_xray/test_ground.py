"""What lies around joints: copper that ends at a line, vias in every other cell, glass cloth; and tall voids."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.simulator.xray.board_types import BGA_TYPES, board_type
from export.simulator.xray.clutter import Clutter, add_clutter
from export.simulator.xray.machine import REFERENCE
from export.simulator.xray.physics import exposures
from export.simulator.xray.shapes import Shore, streaks
from export.simulator.xray.stack import Stack, empty_stack
from export.simulator.xray.voids import Void, ball_void_tall, ball_voids, left_by_voids

pytestmark = pytest.mark.unit

PITCH_PX = 80.0
JOINTS = [(40.0 + PITCH_PX * x, 40.0 + PITCH_PX * y) for y in range(4) for x in range(4)]
ARRAY = Clutter(
    trace_layers_t=(),
    traces_per_layer=0,
    trace_width_px=(3.0, 5.0),
    plane_layers_t=(),
    vias=0,
    via_span_t=(-30.0, -12.0),
    via_radius_px=(10.0, 11.0),
    via_mu_px=0.08,
    wire_fans=0,
    wires_t=(16.0, 16.0),
    far_parts=0,
    far_t=-30.0,
    clearance_px=30.0,
    checkered_frac=1.0,
)


def drawn(clutter: Clutter, seed: int) -> Stack:
    stack = empty_stack((320, 320), -32.0, 16.0, 2.0, (0.0,))
    add_clutter(stack, REFERENCE, clutter, JOINTS, np.random.default_rng(seed))
    return stack


def cells(stack: Stack) -> np.ndarray:
    """(3, 3) of what a ray loses in the middles of the array's cells."""
    middle = (stack.margin_px + 80 + 80 * np.arange(3)).astype(int)
    total: np.ndarray = stack.attenuation.sum(axis=0)[np.ix_(middle, middle)]
    return total


def test_vias_stand_in_every_other_cell_and_the_others_are_open() -> None:
    open_water = next(seed for seed in range(50) if np.ptp(cells(drawn(ARRAY, seed))) > 0.1)
    for seed in range(open_water, open_water + 12):
        found = cells(drawn(ARRAY, seed))
        with_via = (np.indices((3, 3)).sum(axis=0) % 2 == 0) & (found > ARRAY.board_mu + ARRAY.pour_mu + 0.05)
        is_open = np.abs(found - ARRAY.board_mu) < 0.02
        assert not is_open[np.indices((3, 3)).sum(axis=0) % 2 == 0].any()
        on_land = ~with_via & ~is_open
        assert np.allclose(found[on_land], ARRAY.board_mu + ARRAY.pour_mu, atol=0.02)


def test_without_an_array_of_vias_the_ground_is_even() -> None:
    bare = dataclasses.replace(ARRAY, checkered_frac=0.0)
    assert np.ptp(drawn(bare, 1).attenuation.sum(axis=0)) < 1e-6


def test_copper_ends_at_the_shore() -> None:
    stack = empty_stack((100, 100), -4.0, 4.0, 2.0, (0.0,))
    shore = Shore(along=(1.0, 0.0), offset=0.1)
    assert shore.covers(stack, (20.0, 90.0))
    assert not shore.covers(stack, (80.0, 10.0))
    mask = np.full((100, 100), 255, np.uint8)
    shore.cut(mask, 0.0)
    assert mask[:, :59].all()
    assert not mask[:, 61:].any()


def test_glass_cloth_streaks_along_x_with_the_asked_deviation() -> None:
    cloth = streaks((400, 400), 0.02, np.random.default_rng(0))
    assert cloth.std() == pytest.approx(0.02, rel=0.15)
    along, down = ((cloth * np.roll(cloth, 4, axis)).mean() / cloth.var() for axis in (1, 0))
    assert along > 0.5 > down + 0.3


def test_noise_behind_solder_is_whiter_than_beside_it() -> None:
    still = dataclasses.replace(REFERENCE, azimuths=4, uneven_frac=0.0, floor_frac=0.1)
    near = []
    for loss in (6.0, 0.4):
        counts = exposures(np.full((4, 160, 160), loss, np.float32), still, np.random.default_rng(0))[0]
        rest = counts - counts.mean()
        near.append(float((rest[:, 1:] * rest[:, :-1]).mean() / rest.var()))
    assert near[0] < near[1] - 0.04


def test_small_voids_stand_taller_than_wide() -> None:
    talls = [ball_void_tall(fraction * 32.0, 32.0) for fraction in (0.05, 0.15, 0.25, 0.6)]
    assert talls == sorted(talls, reverse=True)
    assert talls[0] > 2.5
    assert talls[-1] == 1.0
    stack = empty_stack((40, 40), -12.0, 12.0, 2.0, (0.0,))
    window = stack.window(20.0, 20.0, 12.0)
    assert window is not None
    reach = []
    for tall in (1.0, 2.5):
        void = Void(dx_px=0.0, dy_px=0.0, height_t=0.0, radius_px=5.0, tall=tall)
        left = [left_by_voids(window, float(t), 2.0, REFERENCE, (void,)) for t in stack.heights_t]
        reach.append(sum(float(np.min(each)) < 0.5 for each in left))
    assert reach[1] >= 2 * reach[0]


def test_voids_lie_mostly_near_the_boards_pad() -> None:
    rng = np.random.default_rng(0)
    heights = np.array([v.height_t for _ in range(300) for v in ball_voids(rng, 2.0, 64.0, (-12.0, 12.5))])
    assert len(heights) / 300 == pytest.approx(2.0, abs=0.25)
    assert (heights < -4.0).mean() > (heights > 4.0).mean() + 0.1


def test_part_numbers_differ_in_their_ground() -> None:
    boards = [board_type(name).clutter for name in BGA_TYPES]
    assert len({round(clutter.board_mu, 6) for clutter in boards}) == len(boards)
    assert 0 < sum(clutter.checkered_frac > 0 for clutter in boards) < len(boards)
