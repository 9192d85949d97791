"""Worse physics on purpose: what a cheaper twin would do. A model taught on it and judged on the faithful twin must
lose; if it does not, the set is too easy to need the physics (acceptance 6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np

from export.simulator.xray.difficulty import LINE, Difficulty
from export.simulator.xray.machine import Machine
from export.simulator.xray.physics import look_through
from export.simulator.xray.stack import Floats, Stack
from export.simulator.xray.view import Look

Rng = np.random.Generator


def gaussian_look(
    stack: Stack, machine: Machine, focus_t: Sequence[float], rng: Rng, warp_t: tuple[float, float] = (0.0, 0.0)
) -> Floats:
    """Layers away from focus are blurred by a smooth kernel of the ring's size instead of a ring of ghosts, and the
    detector's curve acts once, after everything was added up."""
    height, width = stack.view_px
    rim = stack.margin_px
    out = np.empty((len(focus_t), height, width), np.float32)
    for n, focus in enumerate(focus_t):
        total = np.zeros(stack.attenuation.shape[1:], np.float32)
        for t, layer in zip(stack.heights_t, stack.attenuation, strict=True):
            total += _blurred(layer, abs(t - focus) / np.sqrt(2))
        light = machine.floor_frac + (1 - machine.floor_frac) * np.exp(-total[rim : rim + height, rim : rim + width])
        counts = cv2.GaussianBlur(light, (0, 0), machine.blur_px) * np.float32(machine.bright_counts)
        constant, per_count = machine.noise_variance
        deviation = np.sqrt((constant + per_count * counts) / machine.azimuths)
        counts = np.maximum(counts + deviation * rng.standard_normal(counts.shape, dtype=np.float32), 20.0)
        out[n] = -np.log(counts / np.float32(machine.bright_counts))
    return out


def floorless_look(
    stack: Stack, machine: Machine, focus_t: Sequence[float], rng: Rng, warp_t: tuple[float, float] = (0.0, 0.0)
) -> Floats:
    """No scattered light: the densest ball is as dark as its solder makes it."""
    return look_through(stack, dataclasses.replace(machine, floor_frac=0.0), focus_t, rng, warp_t)


ABLATIONS: Mapping[str, tuple[Difficulty, Look]] = MappingProxyType(
    {
        "faithful": (LINE, look_through),
        "gaussian_instead_of_ring": (LINE, gaussian_look),
        "no_scatter_floor": (LINE, floorless_look),
        "no_off_plane_copper": (dataclasses.replace(LINE, name="line-bare", clutter_gain=0.0), look_through),
    }
)


def _blurred(layer: Floats, sigma_px: float) -> Floats:
    if sigma_px < 0.7 or not layer.any():
        return layer
    radius = round(2.45 * sigma_px)  # a stack blur's variance is r (r + 2) / 6
    return np.asarray(cv2.stackBlur(layer, (2 * radius + 1, 2 * radius + 1)), np.float32)
