"""A BGA ball between its two pads: a truncated sphere with voids, and what is left of one that did not solder.

The belly is at t = 0, the board's pad below, the package's above. Numbers with a range are drawn by `view`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.machine import Machine
from export.simulator.xray.stack import Floats, Stack, Window, disc, within
from export.simulator.xray.voids import Void, left_by_voids

RADIUS_PX = 32.45  # of the real balls: it and the next four were fitted to their radial profiles at ten heights
PADS_T = (-12.0, 12.5)  # where solder ends: board pads were seen at -16 to -12, package pads at 12 to 16
BULGE, BULGE_FRAC = 2.08, 0.955  # a collapsed ball is steeper at its belly than a sphere, and drawn in at its pads
BALL_MU_PX = 0.067  # attenuation of solder per pixel of path
COPPER_MU_PX = 0.035  # pads are copper: measured on via walls


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """One joint. `volume_frac` 1 is as designed; `waist_frac` of the radius is missing halfway between the pads (a ball
    of too little solder is drawn thin there); `gap_t`: the unsoldered gap under the package, 0 where there is none;
    `tail_px`: how far solder ran out along the trace, towards `tail_deg`."""

    x_px: float
    y_px: float
    radius_px: float
    pads_t: tuple[float, float] = PADS_T
    board_pad_frac: float = 0.9  # of the package's pad
    present: bool = True
    volume_frac: float = 1.0
    waist_frac: float = 0.0
    gap_t: float = 0.0
    tail_px: float = 0.0
    tail_deg: float = 0.0
    voids: tuple[Void, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Solder between two joints, from centre to centre: `width_px` across, within a range of heights; `density` of
    whole solder. Where it meets both joints they swell by half its width."""

    ends_px: tuple[tuple[float, float], tuple[float, float]]
    width_px: float
    heights_t: tuple[float, float]
    density: float = 1.0


def add_ball(stack: Stack, machine: Machine, ball: Ball, solder_mu_px: float = BALL_MU_PX) -> None:
    """Draw a ball with its pads into the stack."""
    window = stack.window(ball.x_px, ball.y_px, ball.radius_px * 1.35 + ball.tail_px + 2)
    if window is None:
        return
    _add_pads(stack, machine, ball, window)
    if not ball.present:
        return
    radii = ball_radii_px(stack.heights_t, machine, ball)
    share = within(stack.heights_t, *_solder_t(ball), stack.step_t)
    distance = np.hypot(window.dx_px, window.dy_px)
    for k in np.flatnonzero(share > 0):
        solid = disc(distance, float(radii[k]))
        if ball.tail_px and abs(stack.heights_t[k] - ball.pads_t[0]) <= 2 * stack.step_t:
            solid = np.maximum(solid, _tail(window, ball, float(radii[k])))
        solid = solid * left_by_voids(window, stack.heights_t[k], stack.step_t, machine, ball.voids)
        window.attenuation[k] += solid * np.float32(share[k] * solder_mu_px * machine.path_px(stack.step_t))


def ball_radii_px(heights_t: NDArray[np.float64], machine: Machine, ball: Ball) -> NDArray[np.float64]:
    """(K,) radius of the ball at each height: nearly a sphere, smaller with less solder, drawn in at the waist."""
    low, high = ball.pads_t
    radius = ball.radius_px * float(np.sqrt(ball.volume_frac))  # the height is held by the neighbours: area shrinks
    above_px = heights_t / machine.t_per_px
    up = np.abs(above_px) / (BULGE_FRAC * ball.radius_px)
    sphere = radius * np.clip(1.0 - up**BULGE, 0.0, None) ** (1 / BULGE)
    middle = np.cos(np.clip((heights_t - (low + high) / 2) / (high - low), -0.5, 0.5) * np.pi)
    return np.asarray(np.maximum(sphere, 0.45 * radius) * (1.0 - ball.waist_frac * middle))


def add_bridge(stack: Stack, machine: Machine, bridge: Bridge, solder_mu_px: float = BALL_MU_PX) -> None:
    """Draw solder between two joints: whatever was there before, the denser of the two stays."""
    (x0, y0), (x1, y1) = bridge.ends_px
    length = float(np.hypot(x1 - x0, y1 - y0))
    window = stack.window((x0 + x1) / 2, (y0 + y1) / 2, length / 2 + bridge.width_px + 4)
    if window is None or length == 0:
        return
    along_x, along_y = (x1 - x0) / length, (y1 - y0) / length
    along = window.dx_px * np.float32(along_x) + window.dy_px * np.float32(along_y)
    across = np.abs(window.dy_px * np.float32(along_x) - window.dx_px * np.float32(along_y))
    beyond = np.maximum(np.abs(along) - np.float32(length / 2 - bridge.width_px / 2), 0.0)
    distance = np.hypot(across, beyond)  # round ends
    flare = 0.65 + 0.35 * np.clip(2 * along / np.float32(length), -1, 1) ** 2  # a neck: wider where it meets the joints
    low, high = bridge.heights_t
    share = within(stack.heights_t, low, high, stack.step_t)
    for k in np.flatnonzero(share > 0):
        place = 2 * (stack.heights_t[k] - low) / max(high - low, 1e-6) - 1
        round_off = float(np.sqrt(max(0.15, 1 - place**2)))
        solid = disc(distance, bridge.width_px / 2 * flare * np.float32(round_off))
        add = solid * np.float32(bridge.density * share[k] * solder_mu_px * machine.path_px(stack.step_t))
        np.maximum(window.attenuation[k], add, out=window.attenuation[k])


def add_speck(stack: Stack, machine: Machine, x_px: float, y_px: float, height_t: float, radius_px: float) -> None:
    """A bead of solder lying about."""
    bead = Ball(
        x_px=x_px,
        y_px=y_px,
        radius_px=radius_px,
        pads_t=(height_t - radius_px * machine.t_per_px, height_t + radius_px * machine.t_per_px),
    )
    window = stack.window(x_px, y_px, radius_px + 2)
    if window is None:
        return
    share = within(stack.heights_t, *bead.pads_t, stack.step_t)
    distance = np.hypot(window.dx_px, window.dy_px)
    for k in np.flatnonzero(share > 0):
        above_px = (stack.heights_t[k] - height_t) / machine.t_per_px
        radius = float(np.sqrt(max(radius_px**2 - above_px**2, 0.25)))
        window.attenuation[k] += disc(distance, radius) * np.float32(
            share[k] * BALL_MU_PX * machine.path_px(stack.step_t)
        )


def _solder_t(ball: Ball) -> tuple[float, float]:
    low, high = ball.pads_t
    return low, high - ball.gap_t


def _add_pads(stack: Stack, machine: Machine, ball: Ball, window: Window) -> None:
    """Two copper discs, a layer thick each."""
    low, high = ball.pads_t
    above_px = high / machine.t_per_px
    package_pad = float(np.sqrt(max(ball.radius_px**2 - above_px**2, (0.6 * ball.radius_px) ** 2)))
    distance = np.hypot(window.dx_px, window.dy_px)
    copper = np.float32(COPPER_MU_PX * machine.path_px(1.5))
    for height, radius in ((low - 1.0, ball.board_pad_frac * package_pad), (high + 1.0, package_pad)):
        window.attenuation[stack.index(height)] += disc(distance, radius) * copper


def _tail(window: Window, ball: Ball, radius_px: float) -> Floats:
    """The tear drop of solder that ran out along a trace."""
    angle = np.deg2rad(ball.tail_deg)
    along = window.dx_px * np.float32(np.cos(angle)) + window.dy_px * np.float32(np.sin(angle))
    across = np.abs(window.dy_px * np.float32(np.cos(angle)) - window.dx_px * np.float32(np.sin(angle)))
    reach = radius_px + ball.tail_px
    width = 0.75 * radius_px * np.clip(1 - along / np.float32(reach), 0.0, 1.0)
    return np.asarray(disc(across, width) * (along > 0), np.float32)
