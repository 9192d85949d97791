"""Which joints of a view are defective, how, and who is shorted to whom: by lot, for one board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.simulator.components.errors import Severity
from export.simulator.xray.balls import BALL_MU_PX, Bridge
from export.simulator.xray.board import BoardType, JointKind, Site
from export.simulator.xray.difficulty import Difficulty
from export.simulator.xray.joints import (
    NEAR_DEFECT,
    NORMAL,
    SHORT,
    JointState,
    defect_of,
    severity_of,
)

Rng = np.random.Generator
NEAR_DEFECTS_FRAC = 0.01

# Of a short, by degree: width of the gap (PTH) or of the ball (BGA), its height of the joint's, density.
SHORT_WIDTH_FRAC = {Severity.PLAIN: (0.6, 1.0), Severity.FAIR: (0.42, 0.6), Severity.LIMIT: (0.3, 0.42)}
SHORT_HEIGHT_FRAC = {Severity.PLAIN: (0.25, 0.4), Severity.FAIR: (0.2, 0.3), Severity.LIMIT: (0.15, 0.25)}
SHORT_DENSITY = {Severity.PLAIN: (0.8, 1.0), Severity.FAIR: (0.75, 0.95), Severity.LIMIT: (0.65, 0.85)}
NEAR_SHORT_REACH_FRAC = (0.25, 0.65)  # of the gap that solder runs across and stops in


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The joints' states in order; the bridges, by the pair of joints they short; and those that stop half way."""

    states: tuple[JointState, ...]
    shorts: dict[tuple[int, int], Bridge]
    near_shorts: tuple[Bridge, ...]

    def bridge_of(self, joint: int) -> Bridge | None:
        """The bridge that shorts a joint."""
        return next((bridge for pair, bridge in self.shorts.items() if joint in pair), None)


def draw_lot(
    rng: Rng,
    board: BoardType,
    sites: tuple[Site, ...],
    setting: Difficulty,
    defect_rate: float,
    defects: tuple[str, ...] | None,
) -> Lot:
    """`defect_rate` of the joints defective (rounded by lot); a short takes two neighbours."""
    states = [JointState(label=NORMAL, marginal=bool(rng.random() < setting.marginal_frac)) for _ in sites]
    for near_defect in np.flatnonzero(rng.random(len(sites)) < NEAR_DEFECTS_FRAC):
        states[near_defect] = JointState(label=NEAR_DEFECT)
    wanted = int(np.floor(defect_rate * len(sites) + rng.random()))
    shorts: dict[tuple[int, int], Bridge] = {}
    left = wanted
    for n in map(int, rng.permutation(len(sites))):
        if left <= 0:
            break
        if states[n].label != NORMAL:
            continue
        label, severity = defect_of(rng, board.kind, defects), severity_of(rng, setting.severities)
        state = JointState(label=label, severity=severity)
        if label == SHORT:
            others = [m for m in _neighbours(board, sites, n) if states[m].label == NORMAL]
            if not others:
                continue
            other = others[rng.integers(len(others))]
            shorts[n, other] = draw_short(rng, board, (sites[n], sites[other]), severity, setting.defect_contrast)
            states[other] = state
            left -= 1
        states[n] = state
        left -= 1
    near = _draw_near_shorts(rng, board, sites, states, setting)
    return Lot(states=tuple(states), shorts=shorts, near_shorts=near)


def draw_short(
    rng: Rng, board: BoardType, pair: tuple[Site, Site], severity: Severity, contrast: float, reach_frac: float = 1.0
) -> Bridge:
    """Solder between two joints; with `reach_frac` below 1 it crosses only that much of the gap."""
    begin, end = (np.array([site.x_px, site.y_px]) for site in pair)
    distance = float(np.hypot(*(end - begin)))
    joint_px = joint_diameter_px(board)
    reach = (joint_px / 2 + reach_frac * (distance - joint_px)) / distance if reach_frac < 1 else 1.0
    stop = begin + reach * (end - begin)
    side = joint_px if board.kind is JointKind.BGA else min(joint_px, distance - joint_px)
    if board.kind is JointKind.GULLWING:
        side *= 2.0  # a short of leads runs along their feet
    low, high = joint_span_t(board)
    tall = float(rng.uniform(*SHORT_HEIGHT_FRAC[severity])) * (high - low)
    start = low if board.balls is None else float(rng.uniform(0.3, 0.6)) * (high - low) + low - tall / 2
    return Bridge(
        ends_px=((float(begin[0]), float(begin[1])), (float(stop[0]), float(stop[1]))),
        width_px=max(2.0, float(rng.uniform(*SHORT_WIDTH_FRAC[severity])) * side),
        heights_t=(start, start + tall),
        density=float(rng.uniform(*SHORT_DENSITY[severity])) * contrast,
    )


def joint_diameter_px(board: BoardType) -> float:
    """Of the pad of a hole, of the ball, or the width of a lead's pad."""
    if board.hole is not None:
        return board.hole.px(board.hole.pad_um)
    if board.leads is not None:
        return board.leads.px(board.leads.pad_um[0])
    return 2 * board.balls.radius_px if board.balls is not None else board.roi_px


def joint_span_t(board: BoardType) -> tuple[float, float]:
    """Lowest and highest height of the solder of a good joint."""
    if board.hole is not None:
        return board.hole.focus_t(-0.15, board.machine), board.hole.focus_t(1.1, board.machine)
    if board.leads is not None:
        return 0.0, board.leads.focus_t(board.leads.lead_um + board.leads.standoff_um, board.machine)
    return board.balls.pads_t if board.balls is not None else (0.0, 0.0)


def solder_mu_px(board: BoardType) -> float:
    """Attenuation of the part number's solder per pixel of path."""
    if board.hole is not None:
        return board.hole.solder_mu_mm * board.hole.pixel_um / 1000
    if board.leads is not None:
        return board.leads.solder_mu_mm * board.leads.pixel_um / 1000
    return board.balls.solder_mu_px if board.balls is not None else BALL_MU_PX


def written_label(
    rng: Rng, state: JointState, board: BoardType, noise_frac: float, defects: tuple[str, ...] | None
) -> str:
    """What the specialist wrote: the truth, but for `noise_frac` of the joints, where good and bad change places."""
    wrong, instead = rng.random() < noise_frac, defect_of(rng, board.kind, defects)
    if not wrong or state.label == NEAR_DEFECT:
        return state.label
    return instead if state.label == NORMAL else NORMAL


def _draw_near_shorts(
    rng: Rng, board: BoardType, sites: tuple[Site, ...], states: list[JointState], setting: Difficulty
) -> tuple[Bridge, ...]:
    """Good joints from which solder runs towards a neighbour and stops: marginal, not defective."""
    found = []
    for n in map(int, np.flatnonzero(rng.random(len(sites)) < setting.near_short_frac)):
        others = _neighbours(board, sites, n)
        if states[n].label != NORMAL or not others:
            continue
        pair = (sites[n], sites[others[rng.integers(len(others))]])
        reach = float(rng.uniform(*NEAR_SHORT_REACH_FRAC))
        found.append(draw_short(rng, board, pair, severity_of(rng, setting.severities), 1.0, reach))
        states[n] = JointState(label=NORMAL, marginal=True)
    return tuple(found)


def _neighbours(board: BoardType, sites: tuple[Site, ...], n: int) -> list[int]:
    """Joints beside and below or above a joint; of leads, only beside."""
    here = sites[n]
    return [
        m
        for m, site in enumerate(sites)
        if abs(site.row - here.row) + abs(site.column - here.column) == 1
        and not (board.kind is JointKind.GULLWING and site.row != here.row)
    ]
