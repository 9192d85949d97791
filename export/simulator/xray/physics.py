"""From what lies in the beam to slices: projections, scatter, blur, noise, logarithm, shift and mean.

The faithful route only: the exponential and the floor of scattered light act in every projection, before anything is
averaged, which is why voids fade in dense balls. Layers away from the focus end up as a ring of ghosts, one for each
azimuth, because that is what averaging shifted projections does; nobody draws them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.machine import Machine
from export.simulator.xray.stack import Floats, Stack

RESAMPLING_SPREAD = (0.88, 1.12)  # shifts of broken pixels blur, and not the same at every height: real slices
MIN_COUNTS = 20.0  # below it a detector element counts as dead; the densest ball leaves 165


def directions(machine: Machine) -> NDArray[np.float64]:
    """(azimuths, 2): where a layer of t = 1 is seen in each projection, x and y in pixels."""
    angle = np.arange(machine.azimuths) * (2 * np.pi / machine.azimuths)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def path_integrals(stack: Stack, machine: Machine, reach_t: float) -> Floats:
    """(azimuths, h, w) float32: what the rays of each projection lose, on the view and `reach_t` pixels around it.

    Shifts are whole pixels here: the layers' rounding errors cancel over height and azimuth.
    """
    rim = int(np.ceil(reach_t)) + 2
    height, width = (side + 2 * rim for side in stack.view_px)
    start = stack.margin_px - rim
    sums = np.zeros((machine.azimuths, height, width), np.float32)
    used = [k for k in range(len(stack.heights_t)) if stack.attenuation[k].any()]
    for n, direction in enumerate(directions(machine)):
        for k in used:
            dx, dy = np.rint(stack.heights_t[k] * direction).astype(int)
            sums[n] += stack.attenuation[k, start - dy : start - dy + height, start - dx : start - dx + width]
    return sums


def exposures(integrals: Floats, machine: Machine, rng: np.random.Generator) -> Floats:
    """Counts of every projection, (azimuths, h, w) float32: I = I0 (s + (1 - s) exp(-L)), blurred, with noise whose
    variance is linear in the counts and shared by neighbours."""
    counts = np.empty_like(integrals)
    for n, integral in enumerate(integrals):
        light = machine.floor_frac + (1.0 - machine.floor_frac) * np.exp(-integral)
        light = cv2.GaussianBlur(light, (0, 0), machine.blur_px) if machine.blur_px > 0 else light
        light *= machine.bright_counts
        constant, per_count = machine.noise_variance
        shared, white = constant * machine.shared_frac, constant * (1.0 - machine.shared_frac)
        noise = np.sqrt(shared + per_count * light) * _shared_noise(light.shape, machine.noise_taps, rng)
        light += noise + np.float32(np.sqrt(white)) * rng.standard_normal(light.shape, dtype=np.float32)
        counts[n] = light * (1 + slow_field(light.shape, machine.uneven_frac, rng))
    np.maximum(counts, np.float32(MIN_COUNTS), out=counts)
    return counts


def slices(
    counts: Floats,
    machine: Machine,
    focus_t: Sequence[float],
    view_px: tuple[int, int],
    rng: np.random.Generator,
    warp_t: tuple[float, float] = (0.0, 0.0),
) -> Floats:
    """(slices, h, w) float32 mu of the view, one for each height: -ln of every projection, shifted by -t along its
    azimuth, averaged. Each projection sits a little beside its place and has a size of its own, the same for all
    heights, as in a machine. `warp_t`: how much the board's height changes across the view's width and height."""
    height, width = view_px
    rim = (counts.shape[1] - height) // 2
    depth = -np.log(counts / np.float32(machine.bright_counts))
    strays = rng.normal(0.0, 1.0, (machine.azimuths, 2)) * machine.misregistration_px
    sizes = 1.0 + rng.normal(0.0, 1.0, machine.azimuths) * machine.magnification_frac
    out = np.zeros((len(focus_t), height, width), np.float32)
    centre = np.array([width, height]) / 2
    slope = np.array(warp_t) / (width, height)  # the focus is off by it: a board that leans is sharp in one line only
    for n, direction in enumerate(directions(machine)):
        for m, t in enumerate(focus_t):
            linear = sizes[n] * np.eye(2) + np.outer(direction, slope)
            start = rim + t * direction + strays[n] + centre - linear @ centre
            move = np.concatenate([linear, start[:, None]], axis=1)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            out[m] += cv2.warpAffine(depth[n], move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    out /= machine.azimuths
    for plane, t in zip(out, focus_t, strict=True):
        again = machine.resampling_px * float(rng.uniform(*RESAMPLING_SPREAD))
        if again > 0 and t != 0:  # registered once; whoever looks at another height resamples again
            cv2.GaussianBlur(plane, (0, 0), again, dst=plane)
    return out


def look_through(
    stack: Stack,
    machine: Machine,
    focus_t: Sequence[float],
    rng: np.random.Generator,
    warp_t: tuple[float, float] = (0.0, 0.0),
) -> Floats:
    """The slices of a stack at some heights, (slices, h, w) float32 mu."""
    reach = max((abs(t) for t in focus_t), default=0.0) + 4 * machine.misregistration_px + max(map(abs, warp_t)) / 2
    reach += 4 * machine.magnification_frac * max(stack.view_px)
    counts = exposures(path_integrals(stack, machine, reach), machine, rng)
    return slices(counts, machine, focus_t, stack.view_px, rng, warp_t)


def grey(mu: Floats, machine: Machine, gain: float = 1.0, gamma: float = 1.0) -> NDArray[np.uint8]:
    """mu windowed to 8 bits, dark = dense; `gain` stretches the contrast, `gamma` bends it."""
    low, high = machine.window_mu
    bright = np.clip(1.0 - gain * (mu - low) / (high - low), 0.0, 1.0)
    return np.rint(255.0 * bright**gamma).astype(np.uint8)


def slow_field(shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> Floats:
    """(h, w) float32 of standard deviation `deviation` that changes over a quarter of the picture."""
    coarse = rng.normal(0.0, deviation, (4, 4)).astype(np.float32)
    smooth = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)  # and linear from there: a tenth of the time
    return cv2.resize(smooth, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _shared_noise(
    shape: tuple[int, ...], taps: tuple[tuple[float, ...], tuple[float, ...]], rng: np.random.Generator
) -> Floats:
    """White noise that neighbours share, of standard deviation 1."""
    along, down = (np.array(each, np.float32) / np.float32(np.linalg.norm(each)) for each in taps)
    noise = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray(cv2.sepFilter2D(noise, -1, along, down), np.float32)
