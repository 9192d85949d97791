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
from export.simulator.xray.stack import Floats, Stack, disc, within

Rng = np.random.Generator
Place = tuple[float, float]

BOARD_MU = 0.38  # what board and moulding take from a ray; with copper, real slices show 0.50
COPPER_MU = (0.05, 0.18)  # of a layer: gaps in the real board's copper are up to 0.19 brighter than it
WIRE_MU = 0.10  # gold of 25 um
VIA_MU_PX = 0.045  # fitted to the blob of 0.13 in mu that real barrels leave at t = -12
VIA_WALL_PX = 2.6
_SUBPIXEL = 4  # bits of cv2's fixed point


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


def add_clutter(stack: Stack, machine: Machine, clutter: Clutter, joints: Sequence[Place], rng: Rng) -> None:
    """Draw all of it. `joints` are kept free of vias and get their clearance in planes and their traces."""
    stack.layer(stack.heights_t[0])[...] += np.float32(BOARD_MU)
    for height in clutter.plane_layers_t:
        _add_plane(stack, height, joints, clutter.clearance_px, rng)
    for height in clutter.trace_layers_t:
        _add_traces(stack, height, clutter, joints, rng)
    places = free_places(stack, joints, clutter.vias, rng)
    for place in places:
        add_via(
            stack, machine, place, float(rng.uniform(*clutter.via_radius_px)), clutter.via_span_t, clutter.via_mu_px
        )
    for _ in range(clutter.wire_fans):
        _add_wires(stack, clutter.wires_t, rng)
    for _ in range(clutter.far_parts):
        _add_far_part(stack, clutter.far_t, rng)
    if clutter.die_t is not None:
        _add_die(stack, clutter.die_t, rng)


def add_via(
    stack: Stack, machine: Machine, place: Place, radius_px: float, span_t: tuple[float, float], mu_px: float
) -> None:
    """A plated hole with a pad at both ends: a ring of copper at every height between."""
    window = stack.window(*place, radius_px * 1.7 + 3)
    if window is None:
        return
    distance = np.hypot(window.dx_px, window.dy_px)
    wall = disc(distance, radius_px) - disc(distance, radius_px - VIA_WALL_PX)
    pad = disc(distance, radius_px * 1.55) - disc(distance, radius_px - VIA_WALL_PX)
    share = within(stack.heights_t, *span_t, stack.step_t)
    for k in np.flatnonzero(share > 0):
        window.attenuation[k] += wall * np.float32(share[k] * mu_px * machine.path_px(stack.step_t))
    for end in span_t:
        window.attenuation[stack.index(end)] += pad * np.float32(0.09)


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


def _add_plane(stack: Stack, height_t: float, joints: Sequence[Place], clearance_px: float, rng: Rng) -> None:
    """A sheet of copper, cut away around most joints and beyond a straight edge."""
    layer = stack.layer(height_t)
    mask: NDArray[np.uint8] = np.full(stack.attenuation.shape[1:], 255, np.uint8)
    for x, y in joints:
        if rng.random() < 0.8:
            _circle(mask, x + stack.margin_px, y + stack.margin_px, clearance_px, 0)
    if rng.random() < 0.5:
        edge = int(rng.uniform(0.1, 0.9) * mask.shape[1])
        mask[:, :edge] = 0
    if rng.random() < 0.5:
        mask = mask[::-1, ::-1]
    layer += mask * np.float32(rng.uniform(*COPPER_MU) / 255)


def _add_traces(stack: Stack, height_t: float, clutter: Clutter, joints: Sequence[Place], rng: Rng) -> None:
    """Tracks at 0, 45 and 90 degrees; half of them start at a joint."""
    layer = stack.layer(height_t)
    mask = np.zeros(layer.shape, np.uint8)
    poured = rng.random() < 0.5
    clearance = float(rng.uniform(3.5, 9.0))
    tracks = [_track(clutter, stack, joints, rng) for _ in range(clutter.traces_per_layer)]
    if poured:  # copper everywhere, with gaps beside tracks and around pads: the tracks show as light outlines
        mask[...] = 255
        for x, y in joints:
            _circle(mask, x + stack.margin_px, y + stack.margin_px, clutter.clearance_px, 0)
        for path, width_px in tracks:
            _polyline(mask, path, width_px + 2 * clearance, 0)
    for path, width_px in tracks:
        _polyline(mask, path, width_px, 255)
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
        _polyline(mask, np.array([begin, begin + reach * np.array([np.cos(angle), np.sin(angle)])]), 2.2)
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
    _box(mask, x, y, half, body)
    for end in (-1, 1):
        offset = (0.0, end * 0.42 * length) if upright else (end * 0.42 * length, 0.0)
        size = (breadth / 2 + 2, 0.12 * length) if upright else (0.12 * length, breadth / 2 + 2)
        _box(mask, x + offset[0], y + offset[1], size, cap)
    layer += cv2.GaussianBlur(mask, (0, 0), 2.0)


def _add_die(stack: Stack, height_t: float, rng: Rng) -> None:
    height, width = stack.attenuation.shape[1:]
    mask = np.zeros((height, width), np.float32)
    half = (rng.uniform(0.15, 0.3) * width, rng.uniform(0.15, 0.3) * height)
    _box(mask, rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height, half, rng.uniform(0.04, 0.10))
    stack.layer(height_t)[...] += mask


def _box(mask: Floats, x: float, y: float, half: tuple[float, float], value: float) -> None:
    x0, x1 = (int(np.clip(x + side * half[0], 0, mask.shape[1])) for side in (-1, 1))
    y0, y1 = (int(np.clip(y + side * half[1], 0, mask.shape[0])) for side in (-1, 1))
    mask[y0:y1, x0:x1] = np.float32(value)


def _circle(mask: NDArray[np.uint8], x: float, y: float, radius: float, value: int) -> None:
    scale = 1 << _SUBPIXEL
    centre = (round(x * scale), round(y * scale))
    cv2.circle(mask, centre, round(radius * scale), value, -1, cv2.LINE_AA, _SUBPIXEL)


def _polyline(mask: NDArray[np.uint8], path: NDArray[np.float64], width_px: float, value: int = 255) -> None:
    """Tracks as wide as asked, to half a pixel: drawn as polygons, because cv2's lines have whole widths."""
    scale = 1 << _SUBPIXEL
    for begin, end in pairwise(path):
        step = end - begin
        side = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9) * width_px / 2
        corners = np.rint(np.array([begin + side, end + side, end - side, begin - side]) * scale).astype(np.int32)
        _circle(mask, float(end[0]), float(end[1]), width_px / 2, value)
        cv2.fillConvexPoly(mask, corners, value, cv2.LINE_AA, _SUBPIXEL)
