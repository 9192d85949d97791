"""One view of one board: its slices, and the truth about every joint in them.

`draw_view` is the whole story: the program says where joints are and at which heights to look; lots say how each joint
stands and who is shorted to whom; everything is stamped into a stack; the machine looks through it; the slices get the
grey scale of the day. The same arguments give the same bytes.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.simulator.components.errors import Severity
from export.simulator.xray.balls import add_ball, add_bridge, add_speck
from export.simulator.xray.barrels import Wetting, add_barrel
from export.simulator.xray.board import VIEW_PX, BoardType, Site, scaled_clutter, sites_of
from export.simulator.xray.clutter import add_clutter
from export.simulator.xray.difficulty import Difficulty, difficulty_of
from export.simulator.xray.joints import NORMAL, JointState, draw_ball, draw_barrel, draw_lead
from export.simulator.xray.leads import add_lead
from export.simulator.xray.lots import Lot, draw_lot, joint_span_t, solder_mu_px, written_label
from export.simulator.xray.machine import Machine
from export.simulator.xray.physics import look_through
from export.simulator.xray.roi import Roi, roi_at, rois_of_view
from export.simulator.xray.screen import screen_greys
from export.simulator.xray.stack import Floats, Stack, empty_stack
from export.simulator.xray.visible import visible_slices

Rng = np.random.Generator
Look = Callable[[Stack, Machine, Sequence[float], Rng, tuple[float, float]], Floats]
MAX_STEP_T = 3.0
LAYERS = 40  # about as many as keep a layer below the depth of field


@dataclass(frozen=True, slots=True, kw_only=True)
class JointView:
    """One joint of a view. `label` is what the specialist wrote, `truth` what the twin drew; `visible_in` the slices
    (numbers from 0) that pass through the defect, empty for a good joint."""

    site: Site
    label: str
    truth: str
    severity: Severity | None
    marginal: bool
    roi: Roi
    visible_in: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class XrayView:
    """`slices` (1..6, h, w) uint8, dark = dense, from the solder or board side up, focused at `focus_t`."""

    slices: NDArray[np.uint8]
    focus_t: tuple[float, ...]
    joints: tuple[JointView, ...]


def slice_count(board: BoardType, view: int, difficulty: Difficulty | str) -> int:
    """How many slices the program of a view takes: by lot over the setting's mix, the same for all boards."""
    mix = np.array(difficulty_of(difficulty).slice_mix, np.float64)
    rng = np.random.default_rng([zlib.crc32(board.name.encode()), 13, view])
    return int(rng.choice(6, p=mix / mix.sum())) + 1


def draw_view(
    board: BoardType,
    view: int,
    seed: Sequence[int],
    difficulty: Difficulty | str = "line",
    defect_rate: float = 0.15,
    defects: tuple[str, ...] | None = None,
    slices: int | None = None,
    look: Look = look_through,
) -> XrayView:
    """View number `view` of the board with this seed. `defect_rate` of the joints are defective, of the kinds in
    `defects` (all the kind has, without); `slices` instead of what the program takes; `look` instead of the faithful
    physics (for ablations). Raises ValueError for arguments out of range."""
    setting = difficulty_of(difficulty)
    if not 0.0 <= defect_rate <= 1.0:
        raise ValueError(f"defect_rate is {defect_rate}: must be from 0 to 1")
    rng = np.random.default_rng([*seed, view])
    sites = sites_of(board, view)
    planned = np.array(board.focus_t(slices or slice_count(board, view, setting)))
    focus = tuple(float(t) for t in planned + rng.normal(0.0, setting.height_jitter_t, len(planned)))
    lot = draw_lot(rng, board, sites, setting, defect_rate, defects)
    machine = _machine_today(board.machine, setting)
    warp = rng.uniform(*setting.warp_t) * _unit(rng)

    stack = _artwork(
        board, view, machine, sites, [*focus, *(t + 4.0 for t in focus), *(t - 4.0 for t in focus)], setting
    )
    fills = [_add_joint(stack, board, site, state, setting, rng) for site, state in zip(sites, lot.states, strict=True)]
    for bridge in (*lot.shorts.values(), *lot.near_shorts):
        add_bridge(stack, machine, bridge, solder_mu_px(board))
    _add_specks(stack, board, sites, setting, rng)
    mu = look(stack, machine, focus, rng, (float(warp[0]), float(warp[1])))
    return XrayView(
        slices=screen_greys(mu, machine, setting, rng),
        focus_t=focus,
        joints=_joints(rng, board, sites, lot, fills, focus, setting, defects),
    )


def _joints(
    rng: Rng,
    board: BoardType,
    sites: tuple[Site, ...],
    lot: Lot,
    fills: Sequence[float | None],
    focus_t: tuple[float, ...],
    setting: Difficulty,
    defects: tuple[str, ...] | None,
) -> tuple[JointView, ...]:
    rois = rois_of_view(rng, setting.wrong_roi_views_frac)
    joints = []
    for n, (site, state) in enumerate(zip(sites, lot.states, strict=True)):
        place = (site.x_px, site.y_px)
        shares = (setting.roi_shift_frac, setting.wrong_roi_joints_frac)
        joints.append(
            JointView(
                site=site,
                label=written_label(rng, state, board, setting.label_noise_frac, defects),
                truth=state.label,
                severity=state.severity,
                marginal=state.marginal,
                roi=roi_at(rng, place, board.roi_px, board.pitch_px, VIEW_PX, rois, *shares),
                visible_in=visible_slices(board, state, focus_t, lot.bridge_of(n), fills[n]),
            )
        )
    return tuple(joints)


def _artwork(
    board: BoardType,
    view: int,
    machine: Machine,
    sites: tuple[Site, ...],
    focus_t: Sequence[float],
    setting: Difficulty,
) -> Stack:
    """The view's canvas with all that every board of the part number has, and the joints beyond its rim."""
    low, high = board.span_t
    step = min(MAX_STEP_T, (high - low) / LAYERS)
    stack = empty_stack(VIEW_PX, low, high, step, focus_t)
    rng = np.random.default_rng([zlib.crc32(board.name.encode()), 17, view])
    beyond = _beyond(board, sites, stack.margin_px)
    places = [(site.x_px, site.y_px) for site in (*sites, *beyond)]
    add_clutter(stack, machine, scaled_clutter(board.clutter, setting.clutter_gain), places, rng)
    for site in beyond:
        _add_joint(stack, board, site, JointState(label=NORMAL), setting, rng)
    return stack


def _beyond(board: BoardType, sites: tuple[Site, ...], margin_px: int) -> tuple[Site, ...]:
    """The array goes on beyond the view: joints whose ghosts reach into it, and those it cuts through."""
    if not sites:
        return ()
    (pitch_x, pitch_y), (height, width) = board.pitch_px, VIEW_PX
    inside = {(site.row, site.column) for site in sites}
    first = sites[0]
    reach = range(-8, 24)
    found = []
    for row in reach:
        for column in reach:
            x, y = first.x_px + (column - first.column) * pitch_x, first.y_px + (row - first.row) * pitch_y
            near = -margin_px < x < width + margin_px and -margin_px < y < height + margin_px
            if near and (row, column) not in inside:
                found.append(dataclasses.replace(first, x_px=x, y_px=y, row=row, column=column))
    return tuple(found)


def _add_joint(
    stack: Stack, board: BoardType, site: Site, state: JointState, setting: Difficulty, rng: Rng
) -> float | None:
    """Draw one joint; how much of its hole is filled, where it has one."""
    place = (site.x_px, site.y_px)
    if board.hole is not None:
        barrel = draw_barrel(rng, board.hole, board.machine, state, setting.defect_contrast, place)
        add_barrel(stack, board.machine, board.hole, barrel)
        return 0.0 if barrel.wetting in (Wetting.NONE, Wetting.RING) else barrel.fill_frac
    if board.leads is not None:
        lead = draw_lead(rng, board.leads, state, setting.defect_contrast, place)
        add_lead(stack, board.machine, board.leads, lead)
    if board.balls is not None:
        ball = draw_ball(rng, board.balls, state, setting.defect_contrast, place)
        add_ball(stack, board.machine, ball, board.balls.solder_mu_px)
    return None


def _add_specks(stack: Stack, board: BoardType, sites: tuple[Site, ...], setting: Difficulty, rng: Rng) -> None:
    """Beads of solder beside joints: an AXI sees them, nobody calls them a joint's defect."""
    low, _ = joint_span_t(board)
    for site in sites:
        lot, away, radius = rng.random(), rng.uniform(0.35, 0.6), rng.uniform(1.5, 0.06 * board.roi_px + 2.0)
        place = np.array([site.x_px, site.y_px]) + away * np.array(board.pitch_px) * _unit(rng)
        if lot < setting.specks_frac:
            add_speck(stack, board.machine, float(place[0]), float(place[1]), low, float(radius))


def _machine_today(machine: Machine, setting: Difficulty) -> Machine:
    constant, per_count = machine.noise_variance
    return dataclasses.replace(machine, noise_variance=(constant * setting.noise_gain, per_count * setting.noise_gain))


def _unit(rng: Rng) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
