"""The twin's copy of the real scene: a corner of a BGA with the measured geometry, on the machine it was taken with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.simulator.xray.balls import BALL_MU_PX, PADS_T, RADIUS_PX, add_ball
from export.simulator.xray.board import BallGrid
from export.simulator.xray.clutter import VIA_MU_PX, Clutter, add_clutter
from export.simulator.xray.joints import NORMAL, JointState, draw_ball
from export.simulator.xray.machine import REFERENCE, Machine
from export.simulator.xray.physics import exposures, path_integrals, slices
from export.simulator.xray.stack import Floats, Stack, empty_stack
from export.simulator.xray.voids import Void, ball_void_tall

PITCH_PX = 100.5
FOCUS_T = (-12, -8, -4, 0, 4, 8, 12, 16, 24)
VIEW_PX, VOID_VIEW_PX = (640, 640), (260, 260)
STEP_T = 1.0  # finer than views are drawn: figures of edges are taken here
GRID = BallGrid(
    radius_px=RADIUS_PX,
    pads_t=PADS_T,
    solder_mu_px=BALL_MU_PX,
    mean_voids=2.0,
    tails_frac=0.1,
    board_pad_frac=0.9,
)
_CLUTTER = Clutter(
    trace_layers_t=(-16.0, -32.0, -48.0),
    traces_per_layer=14,
    trace_width_px=(3.5, 8.0),
    plane_layers_t=(-24.0, -40.0),
    vias=2,
    via_span_t=(-40.0, -14.0),
    via_radius_px=(15.2, 16.2),
    via_mu_px=VIA_MU_PX,
    checkered_frac=0.95,
    wire_fans=1,
    wires_t=(20.0, 28.0),
    far_parts=2,
    far_t=-58.0,
    clearance_px=34.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`counts` (azimuths, h, w) of the projections, `mu` (slices, h, w) focused at `focus_t`, where the balls are."""

    counts: Floats
    mu: Floats
    focus_t: tuple[float, ...]
    places_px: tuple[tuple[float, float], ...]


def reference_scene(seed: int, focus_t: Sequence[float] = FOCUS_T, *, of_a_day: bool = False) -> Scene:
    """36 balls with voids as real ones have, and the copper of a board; `of_a_day`, the machine and the balls differ a
    little from the measured ones, as another board on another day would."""
    rng = np.random.default_rng([seed, 1])
    machine, grid = (_machine_of_a_day(rng), _balls_of_a_day(rng)) if of_a_day else (REFERENCE, GRID)
    stack, places = _canvas(focus_t, VIEW_PX, STEP_T)
    add_clutter(stack, machine, _CLUTTER, places, rng)
    for place in places:
        add_ball(stack, machine, draw_ball(rng, grid, JointState(label=NORMAL), 1.0, place), grid.solder_mu_px)
    return _look(stack, machine, focus_t, places, rng)


def void_scene(seed: int, void_frac: float, height_t: float, focus_t: Sequence[float]) -> Scene:
    """Balls with one void each, 0.4 of the radius beside the middle, `void_frac` of the diameter; nothing else."""
    rng = np.random.default_rng([seed, 2])
    stack, places = _canvas(focus_t, VOID_VIEW_PX, 2 * STEP_T)
    stack.layer(stack.heights_t[0])[...] += np.float32(0.58)
    radius_px = void_frac * RADIUS_PX
    tall = ball_void_tall(radius_px, RADIUS_PX)
    void = Void(dx_px=0.4 * RADIUS_PX, dy_px=0.0, height_t=height_t, radius_px=radius_px, tall=tall)
    for place in places:
        ball = draw_ball(rng, GRID, JointState(label=NORMAL), 1.0, place)
        ball = type(ball)(x_px=place[0], y_px=place[1], radius_px=RADIUS_PX, voids=(void,))
        add_ball(stack, REFERENCE, ball, GRID.solder_mu_px)
    return _look(stack, REFERENCE, focus_t, places, rng)


def _machine_of_a_day(rng: np.random.Generator) -> Machine:
    constant, per_count = REFERENCE.noise_variance
    noise = rng.uniform(0.76, 0.86)
    return dataclasses.replace(
        REFERENCE,
        floor_frac=REFERENCE.floor_frac * rng.uniform(0.985, 1.015),
        blur_px=REFERENCE.blur_px * rng.uniform(0.92, 1.08),
        resampling_px=rng.uniform(0.40, 0.44),
        noise_variance=(constant * noise, per_count * noise),
        misregistration_px=rng.uniform(0.15, 0.35),
    )


def _balls_of_a_day(rng: np.random.Generator) -> BallGrid:
    return dataclasses.replace(
        GRID,
        radius_px=GRID.radius_px * rng.uniform(0.994, 1.006),
        solder_mu_px=GRID.solder_mu_px * rng.uniform(0.97, 1.03),
        mean_voids=rng.uniform(1.5, 2.5),
    )


def _canvas(
    focus_t: Sequence[float], view_px: tuple[int, int], step_t: float
) -> tuple[Stack, list[tuple[float, float]]]:
    stack = empty_stack(view_px, -60.0, 30.0, step_t, focus_t)
    reach = range(-1, int(max(view_px) / PITCH_PX) + 2)
    return stack, [(20.0 + PITCH_PX * x, 20.0 + PITCH_PX * y) for y in reach for x in reach]


def _look(
    stack: Stack,
    machine: Machine,
    focus_t: Sequence[float],
    places: Sequence[tuple[float, float]],
    rng: np.random.Generator,
) -> Scene:
    reach = max(abs(t) for t in focus_t) + 5.0
    counts = exposures(path_integrals(stack, machine, reach), machine, rng)
    height, width = stack.view_px
    seen = tuple(p for p in places if 50 < p[0] < width - 50 and 50 < p[1] < height - 50)
    mu = slices(counts, machine, focus_t, stack.view_px, rng)
    return Scene(counts=counts, mu=mu, focus_t=tuple(float(t) for t in focus_t), places_px=seen)
