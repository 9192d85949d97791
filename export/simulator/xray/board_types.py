"""The part numbers of the twin: what each is made of, drawn once from its name.

Pixels, pitches, holes and materials lie in the spans of the README; the last two types of each kind run on the machine
that is kept for the test.
"""

from __future__ import annotations

import zlib

import numpy as np

from export.simulator.xray.balls import BALL_MU_PX, PADS_T, RADIUS_PX
from export.simulator.xray.barrels import Hole
from export.simulator.xray.board import BallGrid, BoardType, JointKind
from export.simulator.xray.clutter import VIA_MU_PX, Clutter
from export.simulator.xray.leads import LeadRow
from export.simulator.xray.machine import MACHINES, TEST_MACHINE, Machine

PTH_TYPES = tuple(f"AX-{number}" for number in range(101, 118))  # 17, as many as the public project's board types
BGA_TYPES = tuple(f"AB-{number}" for number in range(301, 313))
GULLWING_TYPES = tuple(f"AG-{number}" for number in range(501, 509))
BOARD_TYPES = (*PTH_TYPES, *BGA_TYPES, *GULLWING_TYPES)


def board_type(name: str) -> BoardType:
    """The part number of that name, one of BOARD_TYPES. Raises ValueError for another name."""
    if name not in BOARD_TYPES:
        raise ValueError(f"board type is {name!r}, expected one of {', '.join(BOARD_TYPES)}")
    rng = np.random.default_rng([zlib.crc32(name.encode()), 7])
    if name in GULLWING_TYPES:
        return _lead_rows(name, rng)
    return _through_hole(name, rng) if name in PTH_TYPES else _ball_grid(name, rng)


def _machine_of(name: str, rng: np.random.Generator) -> Machine:
    """One machine of the line for each part number; the last types of a kind run on the one kept for the test."""
    if name in (*PTH_TYPES[-2:], *BGA_TYPES[-2:], *GULLWING_TYPES[-2:]):
        return MACHINES[TEST_MACHINE]
    return MACHINES[str(rng.choice(["line-a", "line-b"]))]


def _through_hole(name: str, rng: np.random.Generator) -> BoardType:
    machine = _machine_of(name, rng)
    pixel_um = float(rng.uniform(18.0, 25.0))
    pitch_um = float(rng.choice([2000.0, 2540.0, 2540.0]))
    hole_um = float(rng.uniform(800.0, 1150.0))
    pad_um = min(hole_um + 2 * float(rng.uniform(250.0, 420.0)), pitch_um - 450.0)
    thickness_um = float(rng.choice([1200.0, 1600.0, 1600.0, 2000.0]))
    solder = float(rng.uniform(2.4, 3.4))
    hole = Hole(
        pixel_um=pixel_um,
        thickness_um=thickness_um,
        hole_um=hole_um,
        pad_um=pad_um,
        lead_um=hole_um * float(rng.uniform(0.55, 0.72)),
        square_lead=bool(rng.random() < 0.6),
        protrusion_um=float(rng.uniform(400.0, 1100.0)),
        wall_um=float(rng.uniform(22.0, 34.0)),
        solder_mu_mm=solder,
        lead_mu_mm=solder * float(rng.uniform(0.55, 0.72)),
        copper_mu_mm=float(rng.uniform(1.0, 1.6)),
        inner_rings_frac=tuple(float(f) for f in sorted(rng.uniform(0.2, 0.8, int(rng.integers(0, 4))))),
    )
    low, high = hole.focus_t(0.0, machine), hole.focus_t(1.0, machine)
    inner = tuple(float(t) for t in rng.uniform(low, high, 2))
    clutter = Clutter(
        trace_layers_t=(low, *inner, high),
        traces_per_layer=int(rng.integers(4, 11)),
        trace_width_px=(150.0 / pixel_um, 400.0 / pixel_um),
        plane_layers_t=tuple(float(t) for t in rng.uniform(low, high, int(rng.integers(0, 3)))),
        vias=int(rng.integers(0, 9)),
        via_span_t=(low, high),
        via_radius_px=(150.0 / pixel_um, 300.0 / pixel_um),
        via_mu_px=hole.copper_mu_mm * pixel_um / 1000,
        wire_fans=0,
        wires_t=(high, high),
        far_parts=int(rng.integers(0, 4)),
        far_t=(high if rng.random() < 0.6 else low),
        clearance_px=(pad_um / 2 + float(rng.uniform(100.0, 250.0))) / pixel_um,
        board_mu=float(rng.uniform(0.28, 0.42)),
        via_pad_mu=float(rng.uniform(0.05, 0.20)),
        via_plug_frac=float(rng.integers(2)),
        weave_mu=float(rng.uniform(0.008, 0.024)),
    )
    pitch_px = pitch_um / pixel_um
    return BoardType(
        name=name,
        kind=JointKind.PTH,
        machine=machine,
        pitch_px=(pitch_px, pitch_px * float(rng.choice([1.0, 1.0, 1.25, 1.5]))),
        roi_px=pad_um / pixel_um * float(rng.uniform(1.15, 1.35)),
        clutter=clutter,
        views=int(rng.integers(2, 6)),
        hole=hole,
    )


def _ball_grid(name: str, rng: np.random.Generator) -> BoardType:
    machine = _machine_of(name, rng)
    pitch_px = float(rng.uniform(80.0, 130.0))
    radius_px = pitch_px / 2 * float(rng.uniform(0.58, 0.68))
    scale = radius_px / RADIUS_PX * machine.t_per_px / np.tan(np.pi / 6)
    low, high = PADS_T[0] * scale, PADS_T[1] * scale
    clutter = Clutter(
        trace_layers_t=tuple(low + float(t) * scale for t in (-4, -20, -34)),
        traces_per_layer=int(rng.integers(10, 26)),
        trace_width_px=(3.5, 9.0),
        plane_layers_t=tuple(low - float(t) * scale for t in rng.uniform(8, 36, int(rng.integers(0, 3)))),
        vias=int(rng.integers(0, 12)),
        via_span_t=(low - float(rng.uniform(26, 36)) * scale, low - 2 * scale),
        via_radius_px=(0.13 * pitch_px, 0.18 * pitch_px),
        via_mu_px=VIA_MU_PX * float(rng.uniform(0.6, 1.1)),
        wire_fans=int(rng.integers(0, 4)) if rng.random() < 0.4 else 0,
        wires_t=(high + 5 * scale, high + 13 * scale),
        far_parts=int(rng.integers(0, 4)),
        far_t=low - 44 * scale,
        clearance_px=radius_px * float(rng.uniform(0.95, 1.2)),
        board_mu=float(rng.uniform(0.22, 0.42)),
        via_pad_mu=float(rng.uniform(0.10, 0.25)),
        via_plug_frac=float(rng.integers(2)),
        checkered_frac=float(rng.uniform(0.5, 1.0)) if rng.random() < 0.7 else 0.0,
        pour_mu=float(rng.uniform(0.08, 0.22)),
        weave_mu=float(rng.uniform(0.008, 0.024)),
        die_t=high + 10 * scale if rng.random() < 0.3 else None,
    )
    return BoardType(
        name=name,
        kind=JointKind.BGA,
        machine=machine,
        pitch_px=(pitch_px, pitch_px),
        roi_px=pitch_px * float(rng.uniform(0.9, 1.0)),
        clutter=clutter,
        views=int(rng.integers(2, 5)),
        balls=BallGrid(
            radius_px=radius_px,
            pads_t=(low, high),
            solder_mu_px=BALL_MU_PX * RADIUS_PX / radius_px * float(rng.uniform(0.75, 1.25)),
            mean_voids=float(rng.uniform(1.0, 3.0)),
            tails_frac=float(rng.uniform(0.0, 0.4)),
            board_pad_frac=float(rng.uniform(0.8, 1.0)),
        ),
    )


def _lead_rows(name: str, rng: np.random.Generator) -> BoardType:
    machine = _machine_of(name, rng)
    pixel_um = float(rng.uniform(11.0, 16.0))
    pitch_um = float(rng.choice([650.0, 800.0, 1270.0]))
    width_um = pitch_um * float(rng.uniform(0.35, 0.45))
    length_um = float(rng.uniform(600.0, 900.0))
    leads = LeadRow(
        pixel_um=pixel_um,
        foot_um=(width_um, length_um),
        pad_um=(pitch_um * float(rng.uniform(0.52, 0.62)), length_um + float(rng.uniform(600.0, 900.0))),
        lead_um=float(rng.uniform(130.0, 200.0)),
        standoff_um=float(rng.uniform(30.0, 80.0)),
        rise_um=float(rng.uniform(900.0, 1500.0)),
        solder_mu_mm=float(rng.uniform(2.4, 4.0)),
        lead_mu_mm=float(rng.uniform(1.0, 1.8)),
    )
    thickness_t = leads.focus_t(float(rng.choice([1000.0, 1600.0])), machine)
    clutter = Clutter(
        trace_layers_t=(-1.0, *(-float(f) * thickness_t for f in rng.uniform(0.2, 0.9, 2))),
        traces_per_layer=int(rng.integers(6, 16)),
        trace_width_px=(120.0 / pixel_um, 300.0 / pixel_um),
        plane_layers_t=tuple(-float(f) * thickness_t for f in rng.uniform(0.2, 0.8, int(rng.integers(0, 3)))),
        vias=int(rng.integers(2, 12)),
        via_span_t=(-thickness_t, -1.0),
        via_radius_px=(130.0 / pixel_um, 220.0 / pixel_um),
        via_mu_px=leads.copper_mu_mm * pixel_um / 1000,
        wire_fans=0,
        wires_t=(0.0, 0.0),
        far_parts=int(rng.integers(0, 4)),
        far_t=-thickness_t - 2.0,
        clearance_px=leads.px(leads.pad_um[1]) * 0.6,
        board_mu=float(rng.uniform(0.25, 0.50)),
        via_pad_mu=float(rng.uniform(0.05, 0.20)),
        via_plug_frac=float(rng.integers(2)),
        weave_mu=float(rng.uniform(0.008, 0.024)),
    )
    return BoardType(
        name=name,
        kind=JointKind.GULLWING,
        machine=machine,
        pitch_px=(pitch_um / pixel_um, leads.px(leads.pad_um[1]) * float(rng.uniform(1.3, 2.2))),
        roi_px=leads.px(leads.pad_um[1]) * float(rng.uniform(1.0, 1.15)),
        clutter=clutter,
        views=int(rng.integers(2, 4)),
        leads=leads,
    )
