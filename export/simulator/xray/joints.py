"""How one joint stands: good, barely good, or defective in a way and to a degree; drawn by lot for a part number.

Labels are the public code's for pin-through-hole joints (`normal`, `insufficient`, `missing`, `short`), and for balls
`void` and `head_in_pillow` besides. `near_defect` is neither good nor bad: data sets leave it out of scoring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from export.simulator.components.errors import Severity
from export.simulator.xray.balls import Ball
from export.simulator.xray.barrels import Barrel, Hole, Wetting, without_solder
from export.simulator.xray.board import BallGrid, JointKind
from export.simulator.xray.leads import LeadJoint, LeadRow
from export.simulator.xray.machine import Machine
from export.simulator.xray.voids import ball_voids, gap_voids, gross_void

Rng = np.random.Generator
Span = tuple[float, float]

NORMAL, INSUFFICIENT, MISSING, SHORT, VOID = "normal", "insufficient", "missing", "short", "void"
HEAD_IN_PILLOW, NEAR_DEFECT = "head_in_pillow", "near_defect"

# How often each defect is drawn: the public project's counts of good regions; voids of balls are a choice.
DEFECT_MIX: Mapping[JointKind, Mapping[str, float]] = {
    JointKind.PTH: {SHORT: 5_605, INSUFFICIENT: 4_691, MISSING: 1_496},
    JointKind.GULLWING: {SHORT: 0.35, INSUFFICIENT: 0.40, MISSING: 0.25},
    JointKind.BGA: {SHORT: 0.30, INSUFFICIENT: 0.30, MISSING: 0.10, VOID: 0.30},
}
GOOD_FILL_FRAC = 0.75  # of the hole's height, IPC-A-610 class 3
GOOD_VOLUME_FRAC = 0.80
FILL_FRAC = {Severity.PLAIN: (0.0, 0.25), Severity.FAIR: (0.25, 0.42), Severity.LIMIT: (0.42, 0.54)}
VOLUME_FRAC = {Severity.PLAIN: (0.40, 0.50), Severity.FAIR: (0.50, 0.62), Severity.LIMIT: (0.62, 0.74)}
VOID_FRAC = {Severity.PLAIN: (0.62, 0.75), Severity.FAIR: (0.55, 0.62), Severity.LIMIT: (0.50, 0.55)}  # of the diameter
HEEL_FRAC = {Severity.PLAIN: (0.0, 0.2), Severity.FAIR: (0.2, 0.4), Severity.LIMIT: (0.4, 0.55)}  # of the designed
GAP_FRAC = (0.02, 0.08)  # of the ball's height, head in pillow
NEAR_FILL_FRAC = (0.60, 0.75)  # label noise zone: kept out of training and scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class JointState:
    """What is true of one joint. A short is a property of a pair: see `view`."""

    label: str
    severity: Severity | None = None
    marginal: bool = False


def draw_barrel(
    rng: Rng, hole: Hole, machine: Machine, state: JointState, contrast: float, place_px: tuple[float, float]
) -> Barrel:
    """A pin-through-hole joint in that state. `contrast` 1 is as drawn, less is nearer to a barely good joint."""
    slack = (hole.hole_um - hole.lead_um) / 2
    lean = np.tan(np.deg2rad(rng.uniform(0.0, 4.0))) * hole.thickness_um
    lean = min(float(lean), 0.8 * slack)
    away, turn = rng.uniform(0, min(150.0, max(0.0, 0.9 * slack - lean / 2))), rng.uniform(0, 2 * np.pi, 2)
    wetting, fill, lead = Wetting.FULL, _good_fill(rng, state.marginal), True
    if state.label == INSUFFICIENT:
        assert state.severity is not None
        fill = _towards(GOOD_FILL_FRAC, float(rng.uniform(*FILL_FRAC[state.severity])), contrast)
        if state.severity is not Severity.PLAIN:
            wetting = Wetting.RING if (lot := rng.random()) < 0.15 else Wetting.STARVED if lot < 0.25 else Wetting.FULL
            fill = max(fill, 0.6) if wetting is Wetting.RING else fill
    elif state.label == NEAR_DEFECT:
        fill = float(rng.uniform(*NEAR_FILL_FRAC))
    low, high = (hole.focus_t(f, machine) for f in (0.05, max(0.1, fill - 0.1)))
    barrel = Barrel(
        x_px=place_px[0],
        y_px=place_px[1],
        fill_frac=fill,
        wetting=wetting,
        lead_present=lead,
        offset_um=(float(away * np.cos(turn[0])), float(away * np.sin(turn[0]))),
        lean_um=(float(lean * np.cos(turn[1])), float(lean * np.sin(turn[1]))),
        meniscus_frac=float(rng.uniform(0.03, 0.12)),
        fillet_um=(float(rng.uniform(0.5, 1.0) * hole.protrusion_um), float(rng.uniform(100.0, 300.0))),
        voids=gap_voids(
            rng, 2.0 if state.marginal else 0.8, hole.px(hole.lead_um) / 2, hole.px(hole.hole_um) / 2, (low, high)
        ),
    )
    if state.label != MISSING:
        return barrel
    if state.severity is Severity.PLAIN:
        return without_solder(barrel, lead_present=False)
    if state.severity is Severity.FAIR:
        return without_solder(barrel, lead_present=True)
    return _filled_without_lead(barrel)


def draw_ball(rng: Rng, grid: BallGrid, state: JointState, contrast: float, place_px: tuple[float, float]) -> Ball:
    """A BGA joint in that state."""
    volume = float(rng.uniform(0.84, 0.92)) if state.marginal else float(np.clip(rng.normal(1.0, 0.03), 0.92, 1.08))
    waist, gap = 0.0, 0.0
    low, high = grid.pads_t
    if state.label == INSUFFICIENT:
        assert state.severity is not None
        volume = _towards(GOOD_VOLUME_FRAC, float(rng.uniform(*VOLUME_FRAC[state.severity])), contrast)
        waist = float(rng.uniform(0.0, 0.25)) * contrast
    elif state.label == NEAR_DEFECT:
        volume = float(rng.uniform(0.75, 0.80))
    elif state.label == HEAD_IN_PILLOW:
        gap = float(rng.uniform(*GAP_FRAC)) * (high - low)
    voids = ball_voids(rng, grid.mean_voids * (1.8 if state.marginal else 1.0), 2 * grid.radius_px, grid.pads_t)
    if state.label == VOID:
        assert state.severity is not None
        size = _towards(0.42, float(rng.uniform(*VOID_FRAC[state.severity])), contrast)
        voids = (*voids, gross_void(rng, size, 2 * grid.radius_px, grid.pads_t))
    tail = rng.random() < grid.tails_frac
    return Ball(
        x_px=place_px[0] + float(rng.normal(0, 0.02 * grid.radius_px)),
        y_px=place_px[1] + float(rng.normal(0, 0.02 * grid.radius_px)),
        radius_px=grid.radius_px * float(rng.normal(1.0, 0.012)),
        pads_t=grid.pads_t,
        board_pad_frac=grid.board_pad_frac,
        present=state.label != MISSING,
        volume_frac=volume,
        waist_frac=waist,
        gap_t=gap,
        tail_px=float(rng.uniform(0.1, 0.3)) * grid.radius_px if tail else 0.0,
        tail_deg=float(45.0 * rng.integers(8)),
        voids=voids,
    )


def draw_lead(rng: Rng, row: LeadRow, state: JointState, contrast: float, place_px: tuple[float, float]) -> LeadJoint:
    """A gull-wing joint in that state: solder up the heel by a share of what is designed, 1 for lead thickness and
    film. Missing is a foot without solder: lifted, or at the limit lying on its pad."""
    share = float(rng.uniform(0.75, 0.9)) if state.marginal else float(rng.uniform(0.9, 1.4))
    lifted = 0.0
    if state.label == INSUFFICIENT:
        assert state.severity is not None
        share = _towards(0.7, float(rng.uniform(*HEEL_FRAC[state.severity])), contrast)
    elif state.label == NEAR_DEFECT:
        share = float(rng.uniform(0.55, 0.75))
    elif state.label == MISSING:
        lifted = float(rng.uniform(80.0, 300.0)) if state.severity is not Severity.LIMIT else 0.0
    heel_um = share * (row.lead_um + row.standoff_um)
    return LeadJoint(
        x_px=place_px[0],
        y_px=place_px[1] + float(rng.normal(0.0, 0.02 * row.px(row.pad_um[1]))),
        heel_um=heel_um,
        toe_um=heel_um * float(rng.uniform(0.2, 0.6)),
        soldered=state.label != MISSING,
        lifted_um=lifted,
        skew_px=float(rng.normal(0.0, 0.05 * row.px(row.foot_um[0]))),
    )


def severity_of(rng: Rng, shares: tuple[float, float, float]) -> Severity:
    """A degree by lot: plain, fair, at the limit."""
    weights = np.array(shares, np.float64)
    return list(Severity)[int(rng.choice(3, p=weights / weights.sum()))]


def defect_of(rng: Rng, kind: JointKind, allowed: tuple[str, ...] | None = None) -> str:
    """A defect by lot, as often as counted. Raises ValueError where the kind has none of those allowed."""
    mix = {label: weight for label, weight in DEFECT_MIX[kind].items() if allowed is None or label in allowed}
    if not mix:
        raise ValueError(f"defects {allowed}: {kind.value} joints have {', '.join(DEFECT_MIX[kind])}")
    weights = np.array(list(mix.values()), np.float64)
    return list(mix)[int(rng.choice(len(mix), p=weights / weights.sum()))]


def _good_fill(rng: Rng, marginal: bool) -> float:
    if marginal:
        return float(rng.uniform(GOOD_FILL_FRAC, 0.84))
    return float(0.82 + 0.18 * rng.beta(3.0, 0.8))


def _filled_without_lead(barrel: Barrel) -> Barrel:
    """Solder went through, the pin did not."""
    return Barrel(
        x_px=barrel.x_px,
        y_px=barrel.y_px,
        fill_frac=barrel.fill_frac,
        lead_present=False,
        meniscus_frac=barrel.meniscus_frac,
        fillet_um=(0.6 * barrel.fillet_um[0], 0.0),
        voids=barrel.voids,
    )


def _towards(good: float, drawn: float, contrast: float) -> float:
    return float(max(0.0, good + contrast * (drawn - good)))
