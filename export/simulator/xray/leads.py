"""A gull-wing lead on its pad: foot, shank, and solder under it, up its heel and before its toe.

The lead runs along y: its toe points to smaller y, its heel to larger y, where the shank rises towards the package.
Heights are micrometres above the pad, which is t = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.machine import Machine
from export.simulator.xray.stack import Floats, Stack, Window, within

SHANK_PER_HEIGHT = 0.35  # how far the shank leans back on its way up
PAD_COPPER_UM = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRow:
    """What a part number fixes about its leads. `mu` are per millimetre of path."""

    pixel_um: float
    foot_um: tuple[float, float]  # width, length
    pad_um: tuple[float, float]
    lead_um: float  # thickness of the lead
    standoff_um: float  # of solder under the foot
    rise_um: float  # of the shank
    solder_mu_mm: float = 2.8
    lead_mu_mm: float = 1.4
    copper_mu_mm: float = 1.3

    def __post_init__(self) -> None:
        if not 4.0 <= self.pixel_um <= 60.0 or self.foot_um[1] >= self.pad_um[1] or min(self.foot_um) <= 0:
            raise ValueError(f"lead of {self.foot_um} um on a pad of {self.pad_um} um, px {self.pixel_um}")

    def px(self, length_um: float) -> float:
        """Pixels of a length in micrometres."""
        return length_um / self.pixel_um

    def focus_t(self, height_um: float, machine: Machine) -> float:
        """The height in t of a height over the pad."""
        return height_um / self.pixel_um * machine.t_per_px


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadJoint:
    """One joint. `heel_um` and `toe_um` are how high solder stands there; `lifted_um` how far the foot is off."""

    x_px: float
    y_px: float
    heel_um: float
    toe_um: float
    soldered: bool = True
    lifted_um: float = 0.0
    skew_px: float = 0.0


def add_lead(stack: Stack, machine: Machine, row: LeadRow, joint: LeadJoint) -> None:
    """Draw a lead, its pad and its solder into the stack."""
    lean_px = row.px(row.rise_um) * SHANK_PER_HEIGHT
    window = stack.window(joint.x_px, joint.y_px, row.px(row.pad_um[1]) / 2 + lean_px + row.px(row.lead_um) + 4)
    if window is None:
        return
    um_per_t = row.pixel_um / machine.t_per_px
    heights_um = stack.heights_t * um_per_t
    step_um = stack.step_t * um_per_t
    path_mm = np.float32(machine.path_px(stack.step_t) * row.pixel_um / 1000)
    pad = _box(window, 0.0, row.px(row.pad_um[0]), -row.px(row.pad_um[1]) / 2, row.px(row.pad_um[1]) / 2)
    for k, share in _layers(heights_um, -PAD_COPPER_UM, 0.0, step_um):
        window.attenuation[k] += pad * (share * row.copper_mu_mm * path_mm)
    _add_metal(window, row, joint, heights_um, step_um, row.lead_mu_mm * path_mm)
    if joint.soldered:
        _add_solder(window, row, joint, heights_um, step_um, row.solder_mu_mm * path_mm)


def _add_metal(
    window: Window, row: LeadRow, joint: LeadJoint, heights_um: NDArray[np.float64], step_um: float, mu: np.float32
) -> None:
    """The foot, flat, and the shank, leaning back as it rises."""
    half, low_um = row.px(row.foot_um[1]) / 2, row.standoff_um + joint.lifted_um
    foot = _box(window, joint.skew_px, row.px(row.foot_um[0]), -half, half)
    for k, share in _layers(heights_um, low_um, low_um + row.lead_um, step_um):
        window.attenuation[k] += foot * (share * mu)
    for k, share in _layers(heights_um, low_um + row.lead_um, low_um + row.rise_um, step_um):
        back = half + row.px(heights_um[k] - low_um - row.lead_um) * SHANK_PER_HEIGHT - row.px(row.lead_um)
        shank = _box(window, joint.skew_px, row.px(row.foot_um[0]), back, back + row.px(row.lead_um))
        window.attenuation[k] += shank * (share * mu)


def _add_solder(
    window: Window, row: LeadRow, joint: LeadJoint, heights_um: NDArray[np.float64], step_um: float, mu: np.float32
) -> None:
    """A film under the foot as wide as the pad, and concave wedges at heel and toe."""
    foot, pad = row.px(row.foot_um[1]) / 2, row.px(row.pad_um[1]) / 2
    width = row.px(row.foot_um[0])
    spare = max(0.0, row.px(row.pad_um[0]) - width)
    wet = max(row.standoff_um, 1.0)
    for k, share in _layers(heights_um, 0.0, wet, step_um):
        window.attenuation[k] += _box(window, 0.0, width + 0.9 * spare, -foot, foot) * (share * mu)
    for top_um, towards in ((joint.heel_um, 1.0), (joint.toe_um, -1.0)):
        for k, share in _layers(heights_um, 0.0, max(top_um, 1.0), step_um):
            left = float(np.clip(1 - heights_um[k] / max(top_um, 1.0), 0.0, 1.0)) ** 2
            ends = sorted((towards * foot, towards * (foot + 0.95 * (pad - foot) * left)))
            window.attenuation[k] += _box(window, 0.0, width + 0.9 * spare * left, *ends) * (share * mu)


def _layers(
    heights_um: NDArray[np.float64], low_um: float, high_um: float, step_um: float
) -> list[tuple[int, np.float32]]:
    share = within(heights_um, low_um, high_um, step_um)
    return [(int(k), share[k]) for k in np.flatnonzero(share > 0)]


def _box(window: Window, middle_px: float, width_px: float, near_px: float, far_px: float) -> Floats:
    """(h, w) how much of each pixel lies in an upright box, soft over one pixel."""
    across = np.clip(width_px / 2 - np.abs(window.dx_px - np.float32(middle_px)) + 0.5, 0.0, 1.0)
    along = np.clip(window.dy_px - np.float32(near_px) + 0.5, 0.0, 1.0)
    along = along * np.clip(np.float32(far_px) - window.dy_px + 0.5, 0.0, 1.0)
    return np.asarray(across * along, np.float32)
