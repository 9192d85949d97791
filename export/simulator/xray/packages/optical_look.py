"""A package's underside under a ring light, as a package inspection sees it. No real pictures of use were found: the
figures are assumptions (README)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.packages.defects import Spoilt
from export.simulator.xray.packages.grid import PICTURE_PX, PackageType
from export.simulator.xray.physics import slow_field
from export.simulator.xray.stack import Floats

Rng = np.random.Generator
# Solder mask, share of white in blue, green, red.
_MASKS = ((0.12, 0.24, 0.09), (0.26, 0.15, 0.10), (0.12, 0.12, 0.12), (0.10, 0.20, 0.10))


def optical_picture(package: PackageType, spoilt: Spoilt, rng: Rng) -> tuple[NDArray[np.uint8], Floats]:
    """(256, 256, 3) uint8 BGR, and the homography (3, 3) that took it from the package as designed."""
    own = np.random.default_rng([package.key, 2])
    ground = _ground(package, own)
    ball, cover, ring = _ball_light(package, spoilt, own, rng)
    solder = spoilt.solder[..., None]
    ground = ground * (1 - 0.35 * _shadow(cover))[..., None]
    light = ground * (1 - cover[..., None]) + (ball * cover)[..., None] * np.array([1.02, 1.0, 0.97], np.float32)
    shine = np.clip(0.5 * ring + 0.25 + 0.25 * cv2.GaussianBlur(spoilt.solder, (0, 0), 1.5), 0, 1)
    light = light * (1 - solder * (1 - cover[..., None])) + solder * ((1 - cover) * shine)[..., None]
    light = _with_dirt(light, spoilt.dirt, rng)
    light = light * (1 + spoilt.line[..., None]) + np.clip(spoilt.line, 0, None)[..., None] * 0.25
    shading = 1 + slow_field((PICTURE_PX, PICTURE_PX), 0.07, rng)
    light = light * shading[..., None] * np.float32(rng.uniform(0.9, 1.1))
    light, move = _turned(light.astype(np.float32), rng)
    defocus = float(rng.uniform(0.3, 1.1))
    light = cv2.GaussianBlur(light, (0, 0), defocus)
    noise = rng.standard_normal(light.shape, dtype=np.float32) * np.float32(rng.uniform(1.0, 3.0))
    return np.rint(np.clip(255 * light + noise, 0, 255)).astype(np.uint8), move


def _ground(package: PackageType, own: Rng) -> Floats:
    """Solder mask with tracks and vias under it, a metal pad around every ball, the mark of pin 1."""
    mask = np.array(_MASKS[int(own.integers(len(_MASKS)))], np.float32) * np.float32(own.uniform(0.8, 1.5))
    relief = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    for x, y in package.places_px:  # a short track from every ball to its via
        angle = np.pi / 4 * (2 * own.integers(4) + 1)
        end = np.array([x, y]) + 0.5 * package.pitch_px * np.array([np.cos(angle), np.sin(angle)])
        begin, stop = (int(16 * x), int(16 * y)), (int(16 * end[0]), int(16 * end[1]))
        if own.random() < 0.8:
            cv2.line(relief, begin, stop, 255, max(1, round(0.07 * package.pitch_px)), cv2.LINE_AA, 4)
            cv2.circle(relief, stop, round(16 * 0.09 * package.pitch_px), 255, -1, cv2.LINE_AA, 4)
    texture = cv2.GaussianBlur(own.standard_normal(relief.shape, dtype=np.float32), (0, 0), 1.0)
    ground = (
        mask * (1 + 0.28 * cv2.GaussianBlur(relief, (0, 0), 0.6).astype(np.float32) / 255 + 0.06 * texture)[..., None]
    )
    corner = package.places_px.min(0) - 0.42 * package.pitch_px
    size = max(3.0, 0.16 * package.pitch_px)
    triangle = np.array([corner - size / 2, corner + np.array([size, -size / 2]), corner + np.array([-size / 2, size])])
    gold = np.zeros(relief.shape, np.uint8)
    cv2.fillPoly(gold, [np.rint(triangle * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(ground + gold[..., None] * (np.array([0.30, 0.55, 0.65]) / 255), np.float32)


def _ball_light(package: PackageType, spoilt: Spoilt, own: Rng, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """Light of the balls (h, w), how much of each pixel they cover, and where the lamp's ring lies."""
    bright_cap = own.random() < 0.3
    ring_frac, ring_width = own.uniform(0.5, 0.8), own.uniform(0.10, 0.17)
    body, pad_light = own.uniform(0.18, 0.32), own.uniform(0.40, 0.55)
    light, cover, rings = (np.zeros((PICTURE_PX, PICTURE_PX), np.float32) for _ in range(3))
    tilt = rng.normal(0.0, 0.10, 2)  # the lamp is not quite even
    balls = spoilt.balls
    for (x, y), radius, present in zip(balls.places_px, balls.radii_px, balls.present, strict=True):
        gain, lean = rng.normal(1.0, 0.10), rng.normal(0.0, 0.06, 2) + tilt
        grain = rng.standard_normal(3)
        size = float(radius) if present else 0.86 * package.diameter_px / 2
        x0, x1 = max(0, int(x - size - 2)), min(PICTURE_PX, int(x + size + 3))
        y0, y1 = max(0, int(y - size - 2)), min(PICTURE_PX, int(y + size + 3))
        if x0 >= x1 or y0 >= y1:
            continue
        dx = (np.arange(x0, x1, dtype=np.float32)[None] - np.float32(x)) / np.float32(size)
        dy = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)) / np.float32(size)
        out = np.hypot(dx, dy)
        inside = np.clip((1 - out) * size + 0.5, 0, 1)
        if not present:  # the bare pad: flat metal, a little darker at its rim
            value = pad_light * (1 - 0.25 * np.clip(out, 0, 1) ** 4) * gain
        else:
            around = 1 + lean[0] * dx + lean[1] * dy + 0.05 * grain[0] * dx * dy
            ring = np.exp(-0.5 * ((out - ring_frac) / ring_width) ** 2) * around
            if bright_cap:
                ring = np.maximum(ring, 0.9 * np.exp(-0.5 * (out / 0.35) ** 2))
            value = (body * (1.15 - 0.6 * out**2) + 0.62 * ring) * gain
            value += 0.10 * np.exp(-0.5 * ((dx - 0.05 * grain[1]) ** 2 + (dy - 0.05 * grain[2]) ** 2) / 0.08**2)
            rings[y0:y1, x0:x1] = np.maximum(rings[y0:y1, x0:x1], ring * inside)
        part = (slice(y0, y1), slice(x0, x1))
        light[part] = light[part] * (1 - inside) + np.clip(value, 0, 1) * inside
        cover[part] = np.maximum(cover[part], inside)
    return light, cover, rings


def _shadow(cover: Floats) -> Floats:
    return np.clip(cv2.GaussianBlur(cover, (0, 0), 2.0) * 2, 0, 1).astype(np.float32)


def _with_dirt(light: Floats, dirt: Floats, rng: Rng) -> Floats:
    """A flake, partly bright."""
    tone = np.array(rng.uniform(0.08, 0.8) * rng.uniform(0.85, 1.15, 3), np.float32)
    facets = 1 + slow_field(dirt.shape, 0.35, rng)
    soft = cv2.GaussianBlur(dirt, (0, 0), 0.6)[..., None] * np.float32(rng.uniform(0.75, 1.0))
    return np.asarray(light * (1 - soft) + soft * tone * np.clip(facets, 0.3, 1.8)[..., None], np.float32)


def _turned(light: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Placed to a pixel and turned by up to two degrees."""
    middle = ((PICTURE_PX - 1) / 2, (PICTURE_PX - 1) / 2)
    move = cv2.getRotationMatrix2D(
        middle, float(np.clip(rng.normal(0.0, 0.6), -2.0, 2.0)), float(rng.normal(1.0, 0.003))
    )
    move = move + np.pad(rng.normal(0.0, 0.7, (2, 1)), ((0, 0), (2, 0)))
    turned = cv2.warpAffine(light, move, (PICTURE_PX, PICTURE_PX), borderMode=cv2.BORDER_REPLICATE)
    return turned.astype(np.float32), np.concatenate([move, [[0.0, 0.0, 1.0]]]).astype(np.float32)
