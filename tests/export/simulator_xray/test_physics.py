"""The forward model: rings of ghosts, the floor of scattered light, noise, and where a layer is sharp."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from export.simulator.xray.balls import Ball, Bridge, add_ball, add_bridge, ball_radii_px
from export.simulator.xray.barrels import Barrel, Hole, Wetting, add_barrel
from export.simulator.xray.leads import LeadJoint, LeadRow, add_lead
from export.simulator.xray.machine import MACHINES, REFERENCE, Machine
from export.simulator.xray.physics import exposures, grey, look_through, path_integrals
from export.simulator.xray.stack import Stack, empty_stack, within
from export.simulator.xray.voids import Void

pytestmark = pytest.mark.unit

QUIET = dataclasses.replace(
    REFERENCE, azimuths=8, noise_variance=(0.0, 0.0), uneven_frac=0.0, misregistration_px=0.0, magnification_frac=0.0
)
HOLE = Hole(
    pixel_um=25.0,
    thickness_um=1600.0,
    hole_um=1000.0,
    pad_um=1600.0,
    lead_um=600.0,
    square_lead=True,
    protrusion_um=800.0,
)


def dot(height_t: float, focus_t: tuple[float, ...], attenuation: float = 0.5) -> Stack:
    stack = empty_stack((96, 96), -24.0, 24.0, 2.0, focus_t)
    window = stack.window(48.0, 48.0, 2.0)
    assert window is not None
    window.attenuation[stack.index(height_t)] += attenuation
    return stack


def test_a_layer_is_sharp_at_its_height_and_a_ring_of_ghosts_away_from_it() -> None:
    focus = (10.0, -6.0)
    sharp, ghosts = look_through(dot(10.0, focus), QUIET, focus, np.random.default_rng(0))
    assert sharp[48, 48] == sharp.max() > 0.2
    assert ghosts[48, 48] < 0.02
    found = {(round(16 * np.cos(a)), round(16 * np.sin(a))) for a in np.arange(8) * np.pi / 4}
    for dx, dy in found:
        assert ghosts[48 + dy, 48 + dx] > 0.8 * ghosts.max()  # one ghost for each azimuth, 16 px away
    assert ghosts.max() == pytest.approx(sharp.max() / 8, rel=0.25)


def test_scattered_light_limits_how_dark_solder_gets() -> None:
    slab = np.full((QUIET.azimuths, 32, 32), 4.0, np.float32)
    clear = dataclasses.replace(QUIET, floor_frac=0.0)
    dark, darker = (exposures(slab, machine, np.random.default_rng(0)) for machine in (QUIET, clear))
    assert dark.min() >= QUIET.floor_frac * QUIET.bright_counts
    assert darker.max() == pytest.approx(QUIET.bright_counts * np.exp(-4.0), rel=0.01)


def test_noise_has_the_measured_variance_and_neighbours_share_it() -> None:
    still = dataclasses.replace(REFERENCE, azimuths=4, uneven_frac=0.0)
    counts = exposures(np.full((4, 200, 200), 0.5, np.float32), still, np.random.default_rng(0))
    constant, per_count = still.noise_variance
    assert counts.var() == pytest.approx(constant + per_count * counts.mean(), rel=0.03)
    rest = counts[0] - counts[0].mean()
    along, down = (float((a * b).mean() / rest.var()) for a, b in ((rest[:, 1:], rest[:, :-1]), (rest[1:], rest[:-1])))
    assert 0.5 < along < 0.75
    assert 0.3 < down < along


def test_a_leaning_board_is_in_focus_along_one_line_only() -> None:
    stack = empty_stack((64, 320), -8.0, 8.0, 2.0, (8.0, -8.0))
    stack.layer(0.0)[:, ::16] += 0.3
    flat, leaning = (
        look_through(stack, QUIET, (0.0,), np.random.default_rng(0), warp)[0] for warp in ((0.0, 0.0), (12.0, 0.0))
    )
    spread = [float(plane[:, x : x + 48].std()) for plane in (flat, leaning) for x in (0, 136)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)
    assert spread[2] < 0.7 * spread[3]


def test_the_view_sees_what_lies_beside_it() -> None:
    stack = empty_stack((64, 64), -20.0, 20.0, 2.0, (0.0,))
    stack.layer(20.0)[:, : stack.margin_px - 10] = 0.5  # ends 10 px before the view
    mu = look_through(stack, QUIET, (0.0,), np.random.default_rng(0))[0]
    assert mu[32, 2] > mu[32, 50] + 0.05


def test_layers_share_what_lies_between_two_heights() -> None:
    heights = np.arange(-4.0, 5.0, 2.0)
    assert within(heights, -1.0, 2.0, 2.0) == pytest.approx([0.0, 0.0, 1.0, 0.5, 0.0])
    assert within(heights, -3.0, 3.0, 2.0).sum() == pytest.approx(3.0)


def test_a_void_shows_at_its_own_height() -> None:
    stack = empty_stack((128, 128), -20.0, 20.0, 2.0, (8.0, -8.0))
    add_ball(
        stack, QUIET, Ball(x_px=64, y_px=64, radius_px=30, voids=(Void(dx_px=8, dy_px=0, height_t=8, radius_px=8),))
    )
    upper, lower = look_through(stack, QUIET, (8.0, -8.0), np.random.default_rng(0))
    contrast = [float(plane[64, 56] - plane[64, 72]) for plane in (upper, lower)]
    assert contrast[0] > 0.1
    assert contrast[0] > 2.5 * abs(contrast[1])


def test_a_ball_of_too_little_solder_is_smaller_and_a_missing_one_leaves_its_pads() -> None:
    heights = np.arange(-12.0, 14.0, 2.0)
    good, poor = (ball_radii_px(heights, QUIET, Ball(x_px=0, y_px=0, radius_px=30, volume_frac=v)) for v in (1.0, 0.5))
    assert poor.max() == pytest.approx(good.max() * np.sqrt(0.5), rel=0.02)
    planes = []
    for present in (True, False):
        stack = empty_stack((96, 96), -20.0, 20.0, 2.0, (0.0,))
        add_ball(stack, QUIET, Ball(x_px=48, y_px=48, radius_px=30, present=present))
        planes.append(look_through(stack, QUIET, (0.0,), np.random.default_rng(0))[0])
    assert planes[0][48, 48] > 1.5
    assert 0.02 < planes[1][48, 48] < 0.4


def test_solder_in_a_hole_ends_where_it_was_filled_to() -> None:
    depth = []
    for fill in (1.0, 0.3):
        stack = empty_stack((128, 128), -60.0, 60.0, 3.0, (0.0,))
        add_barrel(stack, QUIET, HOLE, Barrel(x_px=64, y_px=64, fill_frac=fill, meniscus_frac=0.02))
        gap = stack.attenuation[:, stack.margin_px + 64, stack.margin_px + 64 + 17]  # between lead and wall
        depth.append([gap[stack.index(HOLE.focus_t(f, QUIET))] for f in (0.15, 0.7)])
    assert depth[0][1] == pytest.approx(depth[0][0], rel=0.01)
    assert depth[1][0] == pytest.approx(depth[0][0], rel=0.01)
    assert depth[1][1] < 0.05 * depth[0][1]


def test_a_hole_without_solder_or_lead_is_copper_only() -> None:
    stack = empty_stack((128, 128), -60.0, 60.0, 3.0, (0.0,))
    add_barrel(stack, QUIET, HOLE, Barrel(x_px=64, y_px=64, wetting=Wetting.NONE, lead_present=False))
    middle = stack.layer(0.0)[stack.margin_px + 64, stack.margin_px :]
    assert middle[64] == 0.0
    assert middle[64 + 21] > 0.0  # the wall, at 500 to 528 um


def test_solder_climbs_the_heel_of_a_lead_and_a_lifted_one_has_none() -> None:
    row = LeadRow(
        pixel_um=12.0, foot_um=(300.0, 800.0), pad_um=(450.0, 1500.0), lead_um=150.0, standoff_um=50.0, rise_um=900.0
    )
    beside_heel = []
    for joint in (
        LeadJoint(x_px=80, y_px=80, heel_um=220.0, toe_um=60.0),
        LeadJoint(x_px=80, y_px=80, heel_um=40.0, toe_um=20.0),
        LeadJoint(x_px=80, y_px=80, heel_um=0.0, toe_um=0.0, soldered=False, lifted_um=100.0),
    ):
        stack = empty_stack((160, 160), -20.0, 60.0, 2.0, (0.0,))
        add_lead(stack, QUIET, row, joint)
        layer = stack.layer(row.focus_t(90.0, QUIET))
        beside_heel.append(float(layer[stack.margin_px + 80 + 37, stack.margin_px + 80]))
    assert beside_heel[0] > 0.02
    assert beside_heel[1] < 0.5 * beside_heel[0]
    assert beside_heel[2] == 0.0
    with pytest.raises(ValueError, match="lead of"):
        dataclasses.replace(row, foot_um=(300.0, 1600.0))


def test_a_bridge_stays_between_its_joints_and_where_it_was_put() -> None:
    stack = empty_stack((64, 128), -20.0, 20.0, 2.0, (0.0,))
    add_bridge(stack, QUIET, Bridge(ends_px=((30.0, 32.0), (98.0, 32.0)), width_px=16.0, heights_t=(-6.0, 2.0)))
    x, y = stack.margin_px + 64, stack.margin_px + 32
    assert stack.layer(-2.0)[y, x] > 0.1
    assert stack.layer(-2.0)[y + 12, x] == 0.0
    assert stack.layer(8.0).max() == 0.0
    assert stack.layer(-2.0)[y, stack.margin_px + 110] == 0.0


def test_grey_is_dark_where_dense() -> None:
    shades = grey(np.array([[[0.2, 1.0, 2.4]]], np.float32), REFERENCE)[0, 0]
    assert shades[0] == 255
    assert 255 > shades[1] > shades[2] == 0


def test_stacks_and_machines_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="layers"):
        empty_stack((64, 64), -500.0, 500.0, 1.0, (0.0,))
    with pytest.raises(ValueError, match="azimuths"):
        Machine(name="few", azimuths=2)
    with pytest.raises(ValueError, match="window"):
        dataclasses.replace(REFERENCE, window_mu=(2.0, 1.0))
    with pytest.raises(ValueError, match="hole of"):
        dataclasses.replace(HOLE, lead_um=1200.0)
    assert len({machine.name for machine in MACHINES.values()}) == len(MACHINES) >= 4


def test_projections_see_every_layer_once() -> None:
    sums = path_integrals(dot(10.0, (0.0,)), QUIET, 0.0)
    assert sums.shape[0] == QUIET.azimuths
    assert [float(plane.sum()) for plane in sums] == pytest.approx([float(sums[0].sum())] * QUIET.azimuths)
    assert sums[0].sum() > 0
