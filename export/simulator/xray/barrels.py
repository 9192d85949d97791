"""A pin soldered in a plated through hole: copper barrel, pads, lead, solder with its meniscus and fillets.

Heights here are micrometres from the solder side of the board, so the board is 0..thickness and the lead's tip is below
0; `Hole.focus_t` says where that is for the machine. The middle of the board is t = 0.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.machine import Machine
from export.simulator.xray.stack import Floats, Stack, Window, disc, within
from export.simulator.xray.voids import Void, left_by_voids

Heights = NDArray[np.float64]
FULL_FRAC = 0.97  # of the height: from there on solder comes out on the component side
RING_GAP_FRAC = 0.55  # of the gap between lead and wall, left open where solder wets the wall only


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """What a part number fixes about its holes. `mu` are per millimetre of path, at 80 to 110 kV effective."""

    pixel_um: float
    thickness_um: float  # of the board
    hole_um: float  # diameter
    pad_um: float  # diameter of the annular pads
    lead_um: float  # diameter, or side of a square lead
    square_lead: bool
    protrusion_um: float  # of the lead below the board
    wall_um: float = 28.0
    solder_mu_mm: float = 2.6
    lead_mu_mm: float = 1.7
    copper_mu_mm: float = 1.3
    inner_rings_frac: tuple[float, ...] = (0.35, 0.65)  # heights of inner layers that the barrel is joined to

    def __post_init__(self) -> None:
        if not 4.0 <= self.pixel_um <= 60.0 or not self.lead_um < self.hole_um < self.pad_um:
            raise ValueError(f"hole of {self.hole_um} um: lead {self.lead_um}, pad {self.pad_um}, px {self.pixel_um}")

    def focus_t(self, height_frac: float, machine: Machine) -> float:
        """The height in t of a fraction of the board's thickness."""
        return (height_frac - 0.5) * self.thickness_um / self.pixel_um * machine.t_per_px

    def px(self, length_um: float) -> float:
        """Pixels of a length in micrometres."""
        return length_um / self.pixel_um


class Wetting(enum.Enum):
    """How solder stands in the hole."""

    FULL = "full"  # risen from the solder side
    RING = "ring"  # it wets the barrel and leaves a gap around the lead
    STARVED = "starved"  # risen, with no fillet on the solder side
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrel:
    """One joint: `fill_frac` of the board's thickness is filled from the solder side; the lead stands `offset_um`
    beside the middle and leans."""

    x_px: float
    y_px: float
    fill_frac: float = 1.0
    wetting: Wetting = Wetting.FULL
    lead_present: bool = True
    offset_um: tuple[float, float] = (0.0, 0.0)
    lean_um: tuple[float, float] = (0.0, 0.0)  # how far the lead moves sideways over the board's thickness
    meniscus_frac: float = 0.08  # of the thickness
    fillet_um: tuple[float, float] = (400.0, 200.0)  # solder side, component side
    voids: tuple[Void, ...] = ()


def add_barrel(stack: Stack, machine: Machine, hole: Hole, barrel: Barrel) -> None:
    """Draw a hole with its joint into the stack. Arrays are (layers, h, w) or what spreads to it."""
    window = stack.window(barrel.x_px, barrel.y_px, hole.px(hole.pad_um) / 2 + 3)
    if window is None:
        return
    um_per_t = hole.pixel_um / machine.t_per_px
    heights_um = stack.heights_t * um_per_t + hole.thickness_um / 2
    step_um = stack.step_t * um_per_t
    lead, from_lead_px = _lead(window, hole, barrel, heights_um, step_um)
    distance_px = np.hypot(window.dx_px, window.dy_px)
    solder = _solder(hole, barrel, distance_px, from_lead_px, heights_um, step_um) * (1 - lead)
    for k in np.flatnonzero(_near_voids(stack, machine, barrel)):
        solder[k] *= left_by_voids(window, float(stack.heights_t[k]), stack.step_t, machine, barrel.voids)
    path_mm = np.float32(machine.path_px(stack.step_t) * hole.pixel_um / 1000)
    window.attenuation[...] += (hole.solder_mu_mm * path_mm) * solder
    window.attenuation[...] += (hole.lead_mu_mm * path_mm) * lead
    _add_copper(window, hole, distance_px, heights_um, step_um, hole.copper_mu_mm * path_mm)


def _solder(
    hole: Hole, barrel: Barrel, distance_px: Floats, from_lead_px: Floats, heights_um: Heights, step_um: float
) -> Floats:
    """How much of each voxel is within the solder's outline: risen in the hole, a fillet below, one above if it rose so
    far. It climbs lead and wall, so its top sags between them."""
    if barrel.wetting is Wetting.NONE:
        return np.zeros_like(from_lead_px)
    lead_px, pad_px = hole.px(hole.lead_um) / 2, hole.px(hole.pad_um) / 2
    gap_um = (hole.hole_um - hole.lead_um) / 2
    across = np.clip((distance_px * np.float32(hole.pixel_um) - hole.lead_um / 2) / np.float32(gap_um), 0.0, 1.0)
    sag_um = barrel.meniscus_frac * hole.thickness_um * (1 - (2 * across - 1) ** 2)
    top_um = (barrel.fill_frac * hole.thickness_um - sag_um).astype(np.float32)
    below_um, above_um = barrel.fillet_um
    below_um = 0.0 if barrel.wetting is Wetting.STARVED else below_um
    above_um = above_um if barrel.fill_frac >= FULL_FRAC else 0.0

    inside = disc(distance_px, hole.px(hole.hole_um) / 2)
    found = np.zeros_like(from_lead_px)
    for k, height_um in enumerate(heights_um):
        beyond_um = max(-height_um, height_um - hole.thickness_um)
        fillet_um = below_um if height_um < 0 else above_um
        if beyond_um <= 0:
            found[k] = inside * np.clip((top_um - np.float32(height_um)) / np.float32(step_um) + 0.5, 0.0, 1.0)
        elif beyond_um <= fillet_um:  # a concave cone from the pad's rim to the lead
            found[k] = disc(from_lead_px[k], lead_px + (0.96 * pad_px - lead_px) * (1 - beyond_um / fillet_um) ** 2)
    if barrel.wetting is Wetting.RING:
        filled = (heights_um >= 0) & (heights_um <= hole.thickness_um)
        found[filled] *= 1 - disc(from_lead_px[filled], lead_px + RING_GAP_FRAC * hole.px(gap_um))
    return found


def _lead(window: Window, hole: Hole, barrel: Barrel, heights_um: Heights, step_um: float) -> tuple[Floats, Floats]:
    """How much of each voxel is lead, and each voxel's distance from the lead's axis (the hole's, where none is)."""
    up = heights_um / hole.thickness_um - 0.5
    shift = [hole.px(1.0) * (o + up * lean) for o, lean in zip(barrel.offset_um, barrel.lean_um, strict=True)]
    there = np.clip((heights_um + hole.protrusion_um) / step_um + 0.5, 0.0, 1.0).astype(np.float32)
    if not barrel.lead_present:
        shift, there = [np.zeros_like(up)] * 2, np.zeros_like(there)
    dx = window.dx_px[None] - shift[0].astype(np.float32)[:, None, None]
    dy = window.dy_px[None] - shift[1].astype(np.float32)[:, None, None]
    distance = np.hypot(dx, dy)
    outline = np.maximum(np.abs(dx), np.abs(dy)) if hole.square_lead else distance
    return disc(outline, hole.px(hole.lead_um) / 2) * there[:, None, None], distance


def _add_copper(
    window: Window, hole: Hole, distance_px: Floats, heights_um: Heights, step_um: float, copper_mu: float
) -> None:
    """Wall, pads of 50 um, rings of inner layers of 35 um."""
    inner = hole.px(hole.hole_um) / 2
    bore = disc(distance_px, inner)
    wall = (disc(distance_px, inner + hole.px(hole.wall_um)) - bore) * np.float32(copper_mu)
    land = (disc(distance_px, hole.px(hole.pad_um) / 2) - bore) * np.float32(copper_mu)
    ring = (disc(distance_px, inner + 0.5 * (hole.px(hole.pad_um) / 2 - inner)) - bore) * np.float32(copper_mu)
    sheets = [(0.0, 50.0, land), (hole.thickness_um, 50.0, land)]
    sheets += [(fraction * hole.thickness_um, 35.0, ring) for fraction in hole.inner_rings_frac]
    share = within(heights_um, 0.0, hole.thickness_um, step_um)
    for k in np.flatnonzero(share > 0):
        window.attenuation[k] += wall * share[k]
    for height_um, thickness_um, sheet in sheets:
        share = within(heights_um, height_um - thickness_um / 2, height_um + thickness_um / 2, step_um)
        for k in np.flatnonzero(share > 0):
            window.attenuation[k] += sheet * share[k]


def _near_voids(stack: Stack, machine: Machine, barrel: Barrel) -> NDArray[np.bool_]:
    near = np.zeros(len(stack.heights_t), np.bool_)
    for void in barrel.voids:
        near |= np.abs(stack.heights_t - void.height_t) <= void.radius_px * machine.t_per_px + stack.step_t
    return near


def without_solder(barrel: Barrel, lead_present: bool) -> Barrel:
    """The same hole, empty but for its lead."""
    return dataclasses.replace(barrel, wetting=Wetting.NONE, lead_present=lead_present, voids=())
