"""A photograph of one board: artwork, joints and light in the reference frame, then the camera.

`render_board` draws the flat board, has it photographed, and says where every inspected pin landed. Whatever the
imaging leaves open is drawn from the seed, so the same layout, joints, imaging and seed always give the same picture.
The joints' own randomness hangs on the seed and the pin's name alone: change one pin's state and the rest of the
picture stays.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.artwork import PX_PER_MM, Artwork, canvas_px, draw_artwork
from export.simulator.camera import Image, Pose, draw_pose, photograph
from export.simulator.imaging import REFERENCE, Imaging, draw
from export.simulator.joints import JointState, Lot, View, draw_lot, joint_layers, paint
from export.simulator.layout import BoardLayout, Pin, neighbours
from export.simulator.light import Light, MirrorBall, mirror_ball, shade_slopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An inspected pin in a picture: centre and pitch in pixels (pixel centres are whole numbers), and the truth."""

    refdes: str
    pin: str
    x_px: float
    y_px: float
    pitch_px: float
    label: str

    @property
    def site(self) -> str:
        return f"{self.refdes}-{self.pin}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedBoard:
    """`image` HxWx3 uint8 BGR; `places` in layout order; `homography_ref_to_image` 3x3 float64."""

    image: Image
    places: tuple[Place, ...]
    homography_ref_to_image: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Joint:
    """One thing to paint: a pin, its state, and the later pins its bridge reaches."""

    pin: Pin
    state: JointState
    partners: tuple[Pin, ...]


def reference_board(layout: BoardLayout) -> RenderedBoard:
    """The clean straight-on picture with every joint good: what recipes and registration start from."""
    return render_board(layout, {}, REFERENCE, seed=0)


def render_board(layout: BoardLayout, joints: Mapping[str, JointState], imaging: Imaging, seed: int) -> RenderedBoard:
    """Photograph a board whose pins are in the given states; `joints` goes by site ('J1-3'), the others are GOOD.

    Neighbouring BRIDGE pins share one body of solder. Raises ValueError for a site the layout lacks, and for a BRIDGE
    without a neighbour to bridge to.
    """
    states = _checked_states(layout, joints)
    lot_rng, pose_rng, light_rng, lens_rng = (np.random.default_rng([seed, stream]) for stream in range(4))
    pose = draw_pose(layout, imaging, pose_rng)
    light = draw_light(imaging, pose, light_rng)
    ball = mirror_ball(light, light_rng)
    lot = draw_lot(lot_rng)
    flat = _draw_flat(layout, states, pose, light, ball, lot, imaging, seed)
    picture = photograph(flat, draw_artwork(layout).board, pose, light, imaging, lens_rng)
    return RenderedBoard(
        image=picture, places=_places(layout, states, pose.homography), homography_ref_to_image=pose.homography
    )


def _checked_states(layout: BoardLayout, joints: Mapping[str, JointState]) -> dict[str, JointState]:
    states = {pin.site: JointState.GOOD for pin in layout.pins}
    unknown = sorted(set(joints) - set(states))
    if unknown:
        raise ValueError(f"board {layout.part_number} has no pin {', '.join(unknown[:5])}; pins read 'J1-3'")
    states.update(joints)
    for pin in layout.pins:
        if states[pin.site] is JointState.BRIDGE and not _partners(layout, pin, states):
            raise ValueError(f"pin {pin.site} is BRIDGE but no neighbour is: name the pin it is bridged to as well")
    return states


def _partners(layout: BoardLayout, pin: Pin, states: Mapping[str, JointState]) -> tuple[Pin, ...]:
    return tuple(other for other in neighbours(layout, pin) if states[other.site] is JointState.BRIDGE)


def _joints_to_paint(layout: BoardLayout, states: Mapping[str, JointState]) -> list[_Joint]:
    """Every joint once; a bridged pair is painted by whichever pin comes first on the header."""
    joints = []
    for pin in layout.pins:
        state = states[pin.site]
        if state is not JointState.BRIDGE:
            joints.append(_Joint(pin, state, ()))
            continue
        later = tuple(other for other in _partners(layout, pin, states) if int(other.pin) > int(pin.pin))
        if later:
            joints.append(_Joint(pin, state, later))
    return joints


def draw_light(imaging: Imaging, pose: Pose, rng: np.random.Generator) -> Light:
    """One photograph's light, drawn from the imaging's spans and brought into the board's frame."""
    cast = rng.uniform(-1, 1, 2) * imaging.colour_cast
    exposure = draw(imaging.exposure, rng)
    return Light(
        azimuth_rad=math.radians(draw(imaging.lamp_azimuth_deg, rng)) - pose.rotation_rad,
        elevation_rad=math.radians(draw(imaging.lamp_elevation_deg, rng)),
        key=draw(imaging.key, rng),
        lamp_size=draw(imaging.lamp_size, rng),
        fill=draw(imaging.fill, rng),
        ring=draw(imaging.ring, rng),
        colour_bgr=(exposure * (1 + float(cast[0])), exposure, exposure * (1 + float(cast[1]))),
    )


def _places(
    layout: BoardLayout, states: Mapping[str, JointState], homography: NDArray[np.float64]
) -> tuple[Place, ...]:
    places = []
    for pin in layout.pins:
        x, y = canvas_px(pin.x_mm), canvas_px(pin.y_mm)
        half = 0.5 * pin.pitch_mm * PX_PER_MM
        around = np.array([[[x, y], [x - half, y], [x + half, y], [x, y - half], [x, y + half]]])
        centre, west, east, north, south = cv2.perspectiveTransform(around, homography)[0]
        pitch_px = math.sqrt(abs(float(np.linalg.det(np.array([east - west, south - north])))))
        places.append(
            Place(
                refdes=pin.refdes,
                pin=pin.pin,
                x_px=float(centre[0]),
                y_px=float(centre[1]),
                pitch_px=pitch_px,
                label=states[pin.site].label,
            )
        )
    return tuple(places)


# -- the flat board -----


def _draw_flat(
    layout: BoardLayout,
    states: Mapping[str, JointState],
    pose: Pose,
    light: Light,
    ball: MirrorBall,
    lot: Lot,
    imaging: Imaging,
    seed: int,
) -> Image:
    """The board in the reference frame, lit, with all its joints; HxWx3 uint8."""
    rng = np.random.default_rng([seed, 4])
    artwork = draw_artwork(layout)
    standing = artwork.standing.copy()
    painted = [_paint_joint(joint, pose, ball, lot, standing, seed) for joint in _joints_to_paint(layout, states)]
    flat = _lit_mask(artwork, standing, light, imaging, rng)
    metal = shade_slopes(artwork.metal_dx, artwork.metal_dy, ball, 0.5)
    metal += _mottle(artwork, rng)
    rows = flat.reshape(-1, 3)
    old = rows[artwork.metal_at]
    rows[artwork.metal_at] = old + artwork.metal_cover[:, None] * (metal - old)
    for window, picture, cover in painted:
        patch = flat[window]
        patch += cover[..., None] * (picture - patch)
    return cv2.convertScaleAbs(flat, alpha=255.0)


def _paint_joint(
    joint: _Joint,
    pose: Pose,
    ball: MirrorBall,
    lot: Lot,
    standing: Image,
    seed: int,
) -> tuple[tuple[slice, slice], NDArray[np.float32], NDArray[np.float32]]:
    """Paint one joint and leave its mark among what throws shadows; gives the canvas window, picture and cover."""
    pin = joint.pin
    rng = np.random.default_rng([seed, 5, zlib.crc32(pin.site.encode())])
    pitch_px = pin.pitch_mm * PX_PER_MM
    # Solder and pins sit a little off the drawn place: drill and placement tolerance.
    x, y = np.array([canvas_px(pin.x_mm), canvas_px(pin.y_mm)]) + rng.normal(0, 0.012 * pitch_px, 2)
    towards = (pose.camera[:2] - (x, y)) / pose.camera[2]
    view = View(
        pitch_px=pitch_px, lean=(-float(towards[0]), -float(towards[1])), offset_px=(x - round(x), y - round(y))
    )
    partners = [
        ((other.x_mm - pin.x_mm) / pin.pitch_mm, (other.y_mm - pin.y_mm) / pin.pitch_mm) for other in joint.partners
    ]
    picture, cover = paint(joint_layers(joint.state, view, lot, rng, partners), ball, lot)
    half = cover.shape[0] // 2
    window = (slice(round(y) - half, round(y) + half + 1), slice(round(x) - half, round(x) + half + 1))
    if joint.state not in (JointState.MISSING, JointState.OPEN_HOLE):
        mark = standing[window]
        np.maximum(mark, (cover * 255).astype(np.uint8), out=mark)
    return window, picture, cover


def _lit_mask(
    artwork: Artwork, standing: Image, light: Light, imaging: Imaging, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Solder mask, print and parts under uneven light, embossed copper, shadows and the lamp's haze; HxWx3 float32."""
    height, width = standing.shape
    lx, ly, lz = light.direction
    level = soft_field(rng, 1 - draw(imaging.uneven_frac, rng), 1.0, width, height, (lx, ly))
    level *= np.float32(light.fill * 0.55 + 0.45 * max(lz, 0.4))
    level -= (0.55 * lx) * artwork.emboss_x + (0.55 * ly) * artwork.emboss_y
    level *= _shadow(standing, (lx, ly, lz))
    tone = 1 + rng.uniform(-0.07, 0.07, 3)  # one laminate lot is greener than the next
    gains = [float(level_gain * c) for level_gain, c in zip(tone, light.colour_bgr, strict=True)]
    flat = artwork.colour * cv2.merge([level * gain for gain in gains])
    haze = draw(imaging.glare_frac, rng)
    if haze > 0.01:
        flat += haze * lamp_haze(rng, width, height)[..., None]
    return flat


def soft_field(
    rng: np.random.Generator, low: float, high: float, width: int, height: int, towards: tuple[float, float]
) -> NDArray[np.float32]:
    """Light falling off away from the lamp, with slow unevenness, between `low` and `high`."""
    y, x = np.mgrid[-1:1:8j, -1:1:8j].astype(np.float32)
    slope = 0.5 + 0.35 * (x * towards[0] + y * towards[1]) + rng.normal(0, 0.08, (8, 8))
    coarse = (low + (high - low) * np.clip(slope, 0, 1)).astype(np.float32)
    fine = rng.normal(0, 0.008, (90, 90)).astype(np.float32)
    field = cv2.resize(coarse, (90, 90), interpolation=cv2.INTER_CUBIC) + fine
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)


def _shadow(standing: Image, towards: tuple[float, float, float]) -> NDArray[np.float32]:
    """Factor 1 in the open, down to about 0.45 beside what stands, on the side away from the lamp."""
    height, width = standing.shape
    small = cv2.resize(standing, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    flat = math.hypot(towards[0], towards[1]) + 1e-6
    reach_px = min(6.0, 3.0 * flat / max(towards[2], 0.3))
    move = np.array([[1, 0, -towards[0] / flat * reach_px], [0, 1, -towards[1] / flat * reach_px]], np.float64)
    cast = cv2.GaussianBlur(cv2.warpAffine(small, move, small.shape[::-1]), (0, 0), 1.6)
    near = cv2.GaussianBlur(small, (0, 0), 2.6)  # what light from everywhere cannot reach
    dark = cv2.addWeighted(cast, 0.45, near, 0.26, 0.0)
    dark = cv2.resize(dark, (width, height), interpolation=cv2.INTER_LINEAR)
    dark = cv2.multiply(dark, cv2.bitwise_not(standing), scale=1 / 255)  # what stands is above its own shadow
    return 1 - dark.astype(np.float32) * (1 / 255)


def lamp_haze(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """The lamp's broad reflection in the solder mask: one soft blob somewhere over the board."""
    y, x = np.mgrid[0:1:48j, 0:1:48j].astype(np.float32)
    at, size = rng.uniform(0.0, 1.0, 2), rng.uniform(0.18, 0.45, 2)
    blob = np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2).astype(np.float32)
    return cv2.resize(blob, (width, height), interpolation=cv2.INTER_LINEAR)


def _mottle(artwork: Artwork, rng: np.random.Generator) -> NDArray[np.float32]:
    """Uneven tin on pads and leads: (n,1) to add to the metal's colour."""
    return rng.standard_normal((len(artwork.metal_at), 1), np.float32) * np.float32(0.02)
