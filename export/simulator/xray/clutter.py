"""What else is in the beam: board material, copper at other heights, via barrels, bond wires, parts on the other side.

Everything here belongs to a part number's artwork, so it is drawn from the part number's own generator and is the same
on every board of it. None of it is a defect; a score that takes structure for a defect calls all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.machine import Machine
from export.simulator.xray.shapes import Place, Rng, Shore, box, circle, polyline, streaks
from export.simulator.xray.stack import Stack, disc, within

BOARD_MU = 0.28  # what board and moulding take from a ray where there is no copper: 0.27 to 0.33 in real slices
COPPER_MU = (0.05, 0.16)  # of a layer; where all layers have copper, real slices show 0.50 to 0.60
WIRE_MU = 0.10  # gold of 25 um
VIA_MU_PX = 0.08  # this and VIA_PAD fitted to 12 real barrels between balls, at eleven heights
VIA_WALL_PX = 1.9
VIA_PAD_MU, VIA_PAD_FRAC = 0.18, 1.9  # attenuation of a via's upper pad and plug; radius of them, of the barrel's
POUR_MU, OPENING_FRAC = 0.17, 0.34  # copper poured between pads; radius of its openings, of the pitch
FAR_PAD_FRAC = 0.3  # attenuation of the lower pad, of the upper one's
SHORE_FRAC = 0.7  # of the planes, those that end at the shore


@dataclass(frozen=True, slots=True, kw_only=True)
class Clutter:
    """How much of everything a part number has beside its joints."""

    trace_layers_t: tuple[float, ...]
    traces_per_layer: int
    trace_width_px: tuple[float, float]
    plane_layers_t: tuple[float, ...]
    vias: int
    via_span_t: tuple[float, float]
    via_radius_px: tuple[float, float]
    via_mu_px: float  # attenuation of its copper per pixel of path
    wire_fans: int
    wires_t: tuple[float, float]
    far_parts: int
    far_t: float
    clearance_px: float  # radius that poured copper keeps from a joint's centre
    die_t: float | None = None
    board_mu: float = BOARD_MU
    via_pad_mu: float = VIA_PAD_MU
    via_plug_frac: float = 1.0  # attenuation of what closes a via's upper end, of its pad's
    checkered_frac: float = 0.0  # of every other cell of the array, those with a via: how packages are fanned out
    pour_mu: float = POUR_MU
    weave_mu: float = 0.018  # standard deviation of the glass cloth's attenuation, each copper layer


def add_clutter(stack: Stack, machine: Machine, clutter: Clutter, joints: Sequence[Place], rng: Rng) -> None:
    """Draw all of it. `joints` are kept free of vias and get their clearance in planes and their traces."""
    stack.layer(stack.heights_t[0])[...] += np.float32(clutter.board_mu)
    shore = Shore.drawn(rng)
    for height in clutter.plane_layers_t:
        _add_plane(stack, height, joints, clutter.clearance_px, shore, rng)
    for height in clutter.trace_layers_t:
        _add_traces(stack, height, clutter, joints, shore, rng)
        if clutter.weave_mu > 0:
            stack.layer(height)[...] += streaks(stack.attenuation.shape[1:], clutter.weave_mu, rng)
    places = free_places(stack, joints, clutter.vias, rng)
    if clutter.checkered_frac > 0:
        places += _add_pour(stack, clutter, joints, shore, rng)
    for place in places:
        _add_via(stack, machine, place, float(rng.uniform(*clutter.via_radius_px)), clutter)
    for _ in range(clutter.wire_fans):
        _add_wires(stack, clutter.wires_t, rng)
    for _ in range(clutter.far_parts):
        _add_far_part(stack, clutter.far_t, rng)
    if clutter.die_t is not None:
        _add_die(stack, clutter.die_t, rng)


def _add_via(stack: Stack, machine: Machine, place: Place, radius_px: float, clutter: Clutter) -> None:
    """A plated hole with a pad at both ends, the upper one closed: a ring of copper at every height between."""
    pad_px = radius_px * VIA_PAD_FRAC
    window = stack.window(*place, pad_px + 3)
    if window is None:
        return
    distance = np.hypot(window.dx_px, window.dy_px)
    bore = disc(distance, radius_px - VIA_WALL_PX)
    wall, pad = disc(distance, radius_px) - bore, disc(distance, pad_px) - bore
    share = within(stack.heights_t, *clutter.via_span_t, stack.step_t)
    for k in np.flatnonzero(share > 0):
        window.attenuation[k] += wall * np.float32(share[k] * clutter.via_mu_px * machine.path_px(stack.step_t))
    low, high = clutter.via_span_t
    window.attenuation[stack.index(low)] += pad * np.float32(FAR_PAD_FRAC * clutter.via_pad_mu)
    window.attenuation[stack.index(high)] += (pad + bore * clutter.via_plug_frac) * np.float32(clutter.via_pad_mu)


def _add_pour(stack: Stack, clutter: Clutter, joints: Sequence[Place], shore: Shore, rng: Rng) -> list[Place]:
    """Copper poured around the joints' pads, and where vias go: in every other cell of the array, the others are left
    open; on land there are neither vias nor openings."""
    taken = np.array(joints, np.float64).reshape(-1, 2)
    columns, rows = np.unique(taken[:, 0].round(1)), np.unique(taken[:, 1].round(1))
    mask: NDArray[np.uint8] = np.full(stack.attenuation.shape[1:], 255, np.uint8)
    vias = []
    for i, (x0, x1) in enumerate(pairwise(columns)):
        for j, (y0, y1) in enumerate(pairwise(rows)):
            middle, has_via = (float(x0 + x1) / 2, float(y0 + y1) / 2), rng.random() < clutter.checkered_frac
            opening_px = float(rng.normal(OPENING_FRAC, 0.03)) * (x1 - x0)
            if shore.covers(stack, middle):
                continue
            if (i + j) % 2 == 0 and has_via:
                vias.append(middle)
            else:
                circle(mask, middle[0] + stack.margin_px, middle[1] + stack.margin_px, float(opening_px), 0)
    stack.layer(max(clutter.via_span_t))[...] += mask * np.float32(clutter.pour_mu / 255)
    return vias


def free_places(stack: Stack, joints: Sequence[Place], wanted: int, rng: Rng) -> list[Place]:
    """Places halfway between joints where the array has them, else anywhere on the canvas away from joints."""
    height, width = stack.view_px
    margin = stack.margin_px
    taken = np.array(joints, np.float64).reshape(-1, 2)
    pitch = (
        float(np.sort(np.hypot(*(taken[:, None] - taken[None])[np.triu_indices(len(taken), 1)].T))[0])
        if len(taken) > 1
        else 60.0
    )
    found: list[Place] = []
    for _ in range(20 * wanted):
        if len(found) == wanted:
            break
        if len(taken) and rng.random() < 0.7:
            place = taken[rng.integers(len(taken))] + 0.5 * pitch * rng.choice((-1, 1), 2)
        else:
            place = rng.uniform((-margin, -margin), (width + margin, height + margin))
        others = np.concatenate([taken, np.array(found).reshape(-1, 2)])
        if not len(others) or np.hypot(*(others - place).T).min() > 0.62 * pitch:
            found.append((float(place[0]), float(place[1])))
    return found


def _add_plane(
    stack: Stack, height_t: float, joints: Sequence[Place], clearance_px: float, shore: Shore, rng: Rng
) -> None:
    """A sheet of copper, cut away around most joints and beyond a straight edge: mostly the shore."""
    layer = stack.layer(height_t)
    mask: NDArray[np.uint8] = np.full(stack.attenuation.shape[1:], 255, np.uint8)
    for x, y in joints:
        if rng.random() < 0.8:
            circle(mask, x + stack.margin_px, y + stack.margin_px, clearance_px, 0)
    lot, edge, turned = rng.random(), int(rng.uniform(0.1, 0.9) * mask.shape[1]), rng.random() < 0.5
    if lot < SHORE_FRAC:
        shore.cut(mask, float(rng.normal(0.0, 0.03)))
    elif lot < 0.5 * (1 + SHORE_FRAC):
        mask[:, :edge] = 0
        mask = mask[::-1, ::-1] if turned else mask
    layer += mask * np.float32(rng.uniform(*COPPER_MU) / 255)


def _add_traces(
    stack: Stack, height_t: float, clutter: Clutter, joints: Sequence[Place], shore: Shore, rng: Rng
) -> None:
    """Tracks at 0, 45 and 90 degrees; half of them start at a joint."""
    layer = stack.layer(height_t)
    mask = np.zeros(layer.shape, np.uint8)
    poured = rng.random() < 0.5
    clearance = float(rng.uniform(3.5, 9.0))
    tracks = [_track(clutter, stack, joints, rng) for _ in range(clutter.traces_per_layer)]
    if poured:  # copper everywhere, with gaps beside tracks and around pads: the tracks show as light outlines
        mask[...] = 255
        for x, y in joints:
            circle(mask, x + stack.margin_px, y + stack.margin_px, clutter.clearance_px, 0)
        for path, width_px in tracks:
            polyline(mask, path, width_px + 2 * clearance, 0)
        shore.cut(mask, float(rng.normal(0.0, 0.03)))
    for path, width_px in tracks:
        polyline(mask, path, width_px, 255)
    layer += mask * np.float32(rng.uniform(*COPPER_MU) / 255)


def _track(clutter: Clutter, stack: Stack, joints: Sequence[Place], rng: Rng) -> tuple[NDArray[np.float64], float]:
    """Corners (n, 2) of a track on the canvas, and its width."""
    height, width = stack.attenuation.shape[1:]
    if joints and rng.random() < 0.5:
        x, y = (value + stack.margin_px for value in joints[int(rng.integers(len(joints)))])
    else:
        x, y = rng.uniform(0, width), rng.uniform(0, height)
    turn = int(rng.integers(8))
    points = [np.array([x, y])]
    for _ in range(int(rng.integers(2, 6))):
        angle = np.pi / 4 * turn
        points.append(points[-1] + rng.uniform(40, 260) * np.array([np.cos(angle), np.sin(angle)]))
        turn += int(rng.choice((-1, 1)))
    return np.array(points), float(rng.uniform(*clutter.trace_width_px))


def _add_wires(stack: Stack, wires_t: tuple[float, float], rng: Rng) -> None:
    """A fan of bond wires from one edge of a die outwards."""
    height, width = stack.attenuation.shape[1:]
    start = rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
    heading, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
    count, side = int(rng.integers(12, 40)), rng.uniform(80, 260)
    along = np.array([-np.sin(heading), np.cos(heading)])
    mask = np.zeros((height, width), np.uint8)
    for wire in range(count):
        place = wire / (count - 1) - 0.5
        angle = heading + spread * place * 2
        reach = rng.uniform(120, 200)
        begin = start + along * side * place
        polyline(mask, np.array([begin, begin + reach * np.array([np.cos(angle), np.sin(angle)])]), 2.2)
    stack.layer(float(rng.uniform(*wires_t)))[...] += mask * np.float32(WIRE_MU / 255)


def _add_far_part(stack: Stack, height_t: float, rng: Rng) -> None:
    """A chip part on the other side of the board: two caps of solder and a body between."""
    height, width = stack.attenuation.shape[1:]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    length, breadth = rng.uniform(55, 120), rng.uniform(30, 60)
    layer = stack.layer(height_t)
    mask = np.zeros(layer.shape, np.float32)
    upright = rng.random() < 0.5
    half = (breadth / 2, length / 2) if upright else (length / 2, breadth / 2)
    body, cap = rng.uniform(0.08, 0.45), rng.uniform(0.35, 0.8)
    box(mask, x, y, half, body)
    for end in (-1, 1):
        offset = (0.0, end * 0.42 * length) if upright else (end * 0.42 * length, 0.0)
        size = (breadth / 2 + 2, 0.12 * length) if upright else (0.12 * length, breadth / 2 + 2)
        box(mask, x + offset[0], y + offset[1], size, cap)
    layer += cv2.GaussianBlur(mask, (0, 0), 2.0)


def _add_die(stack: Stack, height_t: float, rng: Rng) -> None:
    height, width = stack.attenuation.shape[1:]
    mask = np.zeros((height, width), np.float32)
    half = (rng.uniform(0.15, 0.3) * width, rng.uniform(0.15, 0.3) * height)
    box(mask, rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height, half, rng.uniform(0.04, 0.10))
    stack.layer(height_t)[...] += mask
