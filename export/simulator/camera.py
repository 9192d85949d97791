"""The camera: how the board stands before it, and what lens, sensor and JPEG make of the flat picture."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.artwork import canvas_px, canvas_size
from export.simulator.imaging import Imaging, draw
from export.simulator.layout import BoardLayout
from export.simulator.light import Light

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where the board stands: `homography` 3x3 canvas -> picture, `camera` (3,) its place over the canvas in pixels."""

    homography: NDArray[np.float64]
    camera: NDArray[np.float64]
    rotation_rad: float


def draw_pose(layout: BoardLayout, imaging: Imaging, rng: np.random.Generator) -> Pose:
    width, height = canvas_size(layout)
    if imaging.straight_on:
        distance = imaging.camera_distance * width
        return Pose(np.eye(3), np.array([(width - 1) / 2, (height - 1) / 2, distance]), 0.0)
    rotation = math.radians(draw(imaging.rotation_deg, rng))
    tilt, toward = math.radians(draw(imaging.tilt_deg, rng)), rng.uniform(0, 2 * math.pi)
    distance = imaging.camera_distance * width
    turn = _rotation(2, rotation)
    lean = _rotation(2, toward) @ _rotation(0, tilt) @ _rotation(2, -toward)
    rotate = lean @ turn  # board frame -> camera frame, z towards the camera
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    # u = D x / (D - z), with the board's own plane at z = 0
    project = np.array(
        [
            [rotate[0, 0], rotate[0, 1], 0.0],
            [rotate[1, 0], rotate[1, 1], 0.0],
            [-rotate[2, 0] / distance, -rotate[2, 1] / distance, 1.0],
        ]
    )
    to_centre = np.array([[1.0, 0.0, -centre[0]], [0.0, 1.0, -centre[1]], [0.0, 0.0, 1.0]])
    loose = project @ to_centre
    homography = _fit(loose, layout, imaging, rng) @ loose
    camera = np.array([centre[0], centre[1], 0.0]) + distance * rotate[2]
    return Pose(homography / homography[2, 2], camera, rotation)


def _fit(
    loose: NDArray[np.float64], layout: BoardLayout, imaging: Imaging, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Scale and shift that bring the projected board into the picture, all of it."""
    edges = [canvas_px(0.0), canvas_px(layout.width_mm), canvas_px(layout.height_mm)]
    corners = np.array([[edges[0], edges[0]], [edges[1], edges[0]], [edges[1], edges[2]], [edges[0], edges[2]]])
    seen = cv2.perspectiveTransform(corners[None], loose)[0]
    low, high = seen.min(axis=0), seen.max(axis=0)
    size = np.array(imaging.size_px, np.float64)
    scale = draw(imaging.fill_frac, rng) * float(np.min(size / (high - low)))
    spare = (size - scale * (high - low)) / 2
    shift = np.clip(rng.uniform(-1, 1, 2) * imaging.shift_frac * size, -spare, spare)
    offset = (size - 1) / 2 + shift - scale * (low + high) / 2
    return np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]], [0.0, 0.0, 1.0]])


def _rotation(axis: int, angle_rad: float) -> NDArray[np.float64]:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    first, second = ((1, 2), (0, 2), (0, 1))[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


# -- lens and sensor -----


def photograph(
    flat: Image,
    board: NDArray[np.float32],
    pose: Pose,
    light: Light,
    imaging: Imaging,
    rng: np.random.Generator,
) -> Image:
    width, height = imaging.size_px
    cover = cv2.convertScaleAbs(board, alpha=255.0)
    seen = cv2.warpPerspective(
        cv2.merge([*cv2.split(flat), cover]), pose.homography, (width, height), flags=cv2.INTER_LINEAR
    )
    cover = seen[..., 3]
    image = _composite(seen[..., :3], cover, _background(imaging, light, cover, rng))
    image = _blur(image, imaging, rng)
    picture = image.astype(np.float32)
    picture *= _vignette(width, height, draw(imaging.vignette_frac, rng))
    noise_frac = draw(imaging.noise_frac, rng)
    if noise_frac > 0:
        picture += _noise(rng, width, height, 255 * noise_frac)
    amount = draw(imaging.sharpen, rng)
    if amount > 0.05:
        picture = cv2.addWeighted(picture, 1 + amount, cv2.GaussianBlur(picture, (0, 0), 1.6), -amount, 0.0)
    image = np.clip(picture, 0, 255).astype(np.uint8)
    if imaging.jpeg_quality is None:
        return image
    quality = int(rng.integers(imaging.jpeg_quality[0], imaging.jpeg_quality[1] + 1))
    return _through_jpeg(image, quality)


def _composite(seen: Image, cover: Image, background: Image) -> Image:
    """The board over its background, mixed where the cover is partial."""
    share = cv2.merge([cover, cover, cover])
    over = cv2.multiply(seen, share, scale=1 / 255)
    return cv2.add(over, cv2.multiply(background, cv2.bitwise_not(share), scale=1 / 255))


def _background(imaging: Imaging, light: Light, cover: Image, rng: np.random.Generator) -> Image:
    """A bench: plain grey, or a mat, cloth or wood, with the board's shadow on it."""
    height, width = cover.shape
    if not imaging.textured_background:
        return np.full((height, width, 3), (74, 72, 70), np.uint8)
    base = rng.uniform(0.08, 0.62) * np.array([1.0, 1.0, 1.0]) * (1 + rng.uniform(-0.18, 0.18, 3))
    grain_shape = ((height // 3, width // 40), (height // 3, width // 3), (height // 8, width // 8))[rng.integers(3)]
    grain = rng.normal(0, 1, grain_shape).astype(np.float32)
    coarse = rng.normal(0, 1, (6, 6)).astype(np.float32)
    texture = 1 + 0.06 * cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    texture += 0.05 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    quarter = cv2.resize(cover, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    shift = 4.0
    lx, ly, _ = light.direction
    move = np.array([[1, 0, -lx * shift], [0, 1, -ly * shift]], np.float64)
    dark = cv2.GaussianBlur(cv2.warpAffine(quarter, move, quarter.shape[::-1]), (0, 0), 2.5)
    texture *= 1 - cv2.resize(dark, (width, height)).astype(np.float32) * (0.65 / 255)
    return cv2.merge([cv2.convertScaleAbs(texture, alpha=255 * float(base[c] * light.colour_bgr[c])) for c in range(3)])


def _blur(image: Image, imaging: Imaging, rng: np.random.Generator) -> Image:
    sigma, motion = draw(imaging.defocus_px, rng), draw(imaging.motion_px, rng)
    angle = rng.uniform(0, math.pi)
    if sigma > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if motion > 0.5:
        kernel = np.zeros((7, 7), np.float32)
        reach = 16 * motion / 2 * np.array([math.cos(angle), math.sin(angle)])
        ends = [tuple(int(v) for v in np.round(16 * 3 + sign * reach)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    return image


@functools.lru_cache(maxsize=4)
def _radius_squared(width: int, height: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return cv2.merge([(x * x + y * y) / 2] * 3)


def _vignette(width: int, height: int, frac: float) -> NDArray[np.float32]:
    return 1 - np.float32(frac) * _radius_squared(width, height)


def _noise(rng: np.random.Generator, width: int, height: int, sigma: float) -> NDArray[np.float32]:
    """Sensor noise: fine in brightness, coarse in colour, as a Bayer sensor leaves it."""
    fine = rng.standard_normal((height, width), np.float32) * np.float32(sigma)
    blotch = rng.standard_normal((height // 2, width // 2, 3), np.float32) * np.float32(0.7 * sigma)
    return cv2.resize(blotch, (width, height), interpolation=cv2.INTER_LINEAR) + fine[..., None]


def _through_jpeg(image: Image, quality: int) -> Image:
    written, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise RuntimeError(f"OpenCV could not encode a {image.shape} picture as JPEG at quality {quality}")
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)
