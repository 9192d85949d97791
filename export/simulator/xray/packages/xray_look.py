"""A piece of a package on its board, X-rayed straight down: the look of the set `bga_xray_pcba`, from which the figures
were read. Painted as attenuation, so that tracks and wires go on behind balls."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.xray.packages.defects import Spoilt
from export.simulator.xray.packages.grid import PICTURE_PX, PackageType
from export.simulator.xray.physics import slow_field
from export.simulator.xray.stack import Floats

Rng = np.random.Generator

BOARD_L = 0.06  # of the raw pictures: background 220 to 250, balls 75 to 96
BALL_L = 1.02
RIM_L = 1.14
VOIDS_PER_BALL = (2.0, 4.0)
_CORNERS = np.array([(0, 0), (PICTURE_PX, 0), (PICTURE_PX, PICTURE_PX), (0, PICTURE_PX)], np.float32)


def xray_picture(package: PackageType, spoilt: Spoilt, rng: Rng) -> tuple[NDArray[np.uint8], Floats]:
    """(256, 256) uint8, dark = dense, and the homography (3, 3) that took it from the package as designed."""
    own = np.random.default_rng([package.key, 3])
    loss = _ground(package, own)
    loss *= 1 - 0.6 * _cover(spoilt)  # scattered light leaves little of what lies behind a ball
    loss += _balls(package, spoilt, own, rng)
    loss += 0.8 * cv2.GaussianBlur(spoilt.solder, (0, 0), 0.8) * (1 - _cover(spoilt))
    loss += spoilt.dirt * np.float32(rng.uniform(0.12, 0.6)) * (1 + slow_field(loss.shape, 0.3, rng))
    loss -= spoilt.line * np.float32(0.5)  # a crack is a gap: hardly anything is missing in the beam
    oblique, enhanced = bool(own.random() < 0.25), bool(own.random() < 0.5)
    squeeze = float(own.uniform(0.05, 0.25)) if oblique else 0.0
    move = _seen_from(squeeze, rng)
    size = (PICTURE_PX, PICTURE_PX)
    loss = cv2.warpPerspective(loss.astype(np.float32), move, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    light = 252 * np.exp(-np.clip(loss, 0, None)) * (1 + slow_field(loss.shape, 0.012, rng))
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), float(own.uniform(0.7, 1.2)))
    noise = cv2.GaussianBlur(rng.standard_normal(light.shape, dtype=np.float32), (0, 0), 0.6) / np.float32(0.47)
    deviation = own.uniform(2.5, 4.0) * (0.3 if enhanced else 1.0)  # enhancing brings it back up
    grey = np.rint(np.clip(light + noise * np.float32(deviation), 0, 255)).astype(np.uint8)
    return (cv2.createCLAHE(3.0, (4, 4)).apply(grey).astype(np.uint8) if enhanced else grey), move


def _ground(package: PackageType, own: Rng) -> Floats:
    """Copper areas, tracks, vias, and for some part numbers a fan of bond wires or the edge of a die."""
    loss = np.full((PICTURE_PX, PICTURE_PX), BOARD_L, np.float32)
    for _ in range(int(own.integers(1, 4))):
        loss += _tracks(package, own) * np.float32(own.uniform(0.05, 0.16))
    if own.random() < 0.5:
        area = np.zeros(loss.shape, np.uint8)
        corners = own.uniform(-0.2, 1.2, (3, 2)) * PICTURE_PX
        cv2.fillPoly(area, [np.rint(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        loss += area * np.float32(own.uniform(0.05, 0.15) / 255)
    for place in _between(package, own):
        loss += _via(place, float(own.uniform(0.10, 0.14)) * package.pitch_px)
    if own.random() < 0.35:
        loss += _wires(own) * np.float32(own.uniform(0.2, 0.5))
    if own.random() < 0.15:
        edge = float(own.uniform(0.2, 0.8)) * PICTURE_PX
        loss[:, int(edge) :] += np.float32(own.uniform(0.05, 0.12))
    return loss


def _tracks(package: PackageType, own: Rng) -> Floats:
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    for _ in range(int(own.integers(4, 10))):
        point, turn = own.uniform(0, PICTURE_PX, 2), int(own.integers(8))
        width, count, gap = int(own.integers(5, 13)), int(own.integers(1, 4)), own.uniform(1.6, 2.4)
        side = np.array([-np.sin(turn * np.pi / 4), np.cos(turn * np.pi / 4)])
        for line in range(count):
            here, heading = point + line * gap * width * side, turn
            for bend in (0, 1, -1, 0):
                heading += bend
                step = own.uniform(30, 140) * np.array([np.cos(heading * np.pi / 4), np.sin(heading * np.pi / 4)])
                ends = [tuple(int(v) for v in np.rint(p * 16)) for p in (here, here + step)]
                cv2.line(mask, ends[0], ends[1], 255, width, cv2.LINE_AA, 4)
                here = here + step
    return mask.astype(np.float32) / 255


def _between(package: PackageType, own: Rng) -> list[NDArray[np.float64]]:
    found = []
    for place in package.places_px:
        if own.random() < 0.4:
            found.append(place + 0.5 * package.pitch_px * own.choice((-1, 1), 2) + own.normal(0, 1.0, 2))
    return found


def _via(place: NDArray[np.float64], radius: float) -> Floats:
    """A bright-centred ring: the wall is dark, the hole brighter than the board, the pad around a little darker."""
    y, x = np.mgrid[:PICTURE_PX, :PICTURE_PX].astype(np.float32)
    out = np.hypot(x - np.float32(place[0]), y - np.float32(place[1]))
    wall = np.clip(1.6 - np.abs(out - radius), 0, 1)
    hole, pad = np.clip(radius - out + 0.5, 0, 1), np.clip(1.9 * radius - out + 0.5, 0, 1)
    return np.asarray(0.55 * wall - 0.10 * hole + 0.08 * pad, np.float32)


def _wires(own: Rng) -> Floats:
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    focus = own.uniform(-1.2, -0.4) * PICTURE_PX
    upright = bool(own.random() < 0.5)
    for across in np.arange(-0.2, 1.2, own.uniform(0.06, 0.11)) * PICTURE_PX:
        begin = np.array([0.0, across])
        slope = (across - PICTURE_PX / 2) / (PICTURE_PX - focus)
        end = begin + own.uniform(0.7, 1.2) * PICTURE_PX * np.array([1.0, slope])
        points = [p[::-1] if upright else p for p in (begin, end)]
        ends = [tuple(int(v) for v in np.rint(p * 16)) for p in points]
        cv2.line(mask, ends[0], ends[1], 255, int(own.integers(3, 5)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _balls(package: PackageType, spoilt: Spoilt, own: Rng, rng: Rng) -> Floats:
    """Two steps of grey: the collapsed rim, and the pad's disc a little beside the middle with a light crescent where
    it parts from the rim; voids. Where balls overlap, the denser stays."""
    loss = np.zeros((PICTURE_PX, PICTURE_PX), np.float32)
    mean_voids = float(own.uniform(*VOIDS_PER_BALL))
    angle, away = own.uniform(0, 2 * np.pi), own.uniform(0.02, 0.08) * 2
    pad_frac = float(own.uniform(0.68, 0.80))
    balls = spoilt.balls
    for (x, y), radius, present in zip(balls.places_px, balls.radii_px, balls.present, strict=True):
        voids = _voids(mean_voids, rng)
        reach = float(radius) + 3
        x0, x1 = max(0, int(x - reach)), min(PICTURE_PX, int(x + reach) + 1)
        y0, y1 = max(0, int(y - reach)), min(PICTURE_PX, int(y + reach) + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        dx = (np.arange(x0, x1, dtype=np.float32)[None] - np.float32(x)) / np.float32(radius)
        dy = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)) / np.float32(radius)
        part = (slice(y0, y1), slice(x0, x1))
        out = np.hypot(dx, dy)
        off = np.hypot(dx - away * np.cos(angle), dy - away * np.sin(angle))
        pad = np.clip((pad_frac - off) * radius + 0.5, 0, 1)
        if not present:  # the two pads are left
            loss[part] = np.maximum(loss[part], 0.13 * pad)
            continue
        body = np.clip((1 - out) * radius / 1.5 + 0.5, 0, 1)
        inner = np.clip((pad_frac - out) * radius / 2 + 0.5, 0, 1)
        crescent = np.clip(inner - pad, 0, 1)
        ball = body * (RIM_L - (RIM_L - BALL_L) * inner - 0.22 * crescent)
        for vx, vy, size in voids:
            depth = np.clip(1 - np.hypot(dx - vx, dy - vy) ** 2 / size**2, 0, None)
            ball = ball - body * np.float32(0.35 + 1.3 * size) * np.sqrt(depth)
        loss[part] = np.maximum(loss[part], np.clip(ball, 0.05 * body, None))
    return loss


def _voids(mean_count: float, rng: Rng) -> list[tuple[float, float, float]]:
    """Places and radii in ball radii: log-normal diameters, median 0.10 of the ball's."""
    found = []
    for _ in range(int(rng.poisson(mean_count))):
        size = float(np.clip(0.10 * np.exp(0.45 * rng.standard_normal()), 0.03, 0.35))
        angle, away = rng.uniform(0, 2 * np.pi), 0.72 * np.sqrt(rng.random())
        found.append((float(away * np.cos(angle)), float(away * np.sin(angle)), size))
    return found


def _cover(spoilt: Spoilt) -> Floats:
    """Where balls are: solder beside a ball adds nothing to it."""
    mask = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    for (x, y), radius in zip(
        spoilt.balls.places_px[spoilt.balls.present], spoilt.balls.radii_px[spoilt.balls.present], strict=True
    ):
        cv2.circle(mask, (round(16 * x), round(16 * y)), round(16 * radius), 255, -1, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _seen_from(squeeze: float, rng: Rng) -> Floats:
    """Placed to a pixel or two; at a slant, one side is farther away and shorter. Never shows beyond the canvas."""
    inset = 3.0 + squeeze * PICTURE_PX * np.array([(0.0, 0.0), (0.0, 0.0), (0.25, 0.5), (0.25, 0.5)])
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    shift = np.clip(rng.normal(0.0, 1.2, 2), -2.9, 2.9)
    part = (_CORNERS + inward * inset + shift).astype(np.float32)
    return cv2.getPerspectiveTransform(part, _CORNERS).astype(np.float32)
