"""A photograph of one component board: parts on the bare board, light, camera, and where every component is.

`render_component_board` is to component boards what `render_board` is to header boards. The photograph hangs on `seed`,
how the parts stand on `parts_seed` and each site's name: put an error on one site and the rest of the picture stays.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.simulator.artwork import PX_PER_MM, canvas_px, canvas_size
from export.simulator.board import draw_light
from export.simulator.camera import Image, draw_pose, photograph
from export.simulator.components.drawing import fallen_sprite, part_sprite, residue_sprite
from export.simulator.components.errors import ComponentError, Standing, faulty_standing, good_standing
from export.simulator.components.layout import ComponentLayout, Site, component_board
from export.simulator.components.light import light_planes
from export.simulator.components.planes import Laid, Planes, bare_board, lay
from export.simulator.components.spill import OCCLUDED, occluded_sites
from export.simulator.components.traces import hand_traces, print_date_code
from export.simulator.imaging import REFERENCE, Imaging
from export.simulator.light import mirror_ball

SIZE_PX = (1200, 800)
_REFERENCE_DISTANCE = 4.0  # board widths, as on the line: tall parts lean as they do there
_TONE_LOT = 0.05  # one colour batch against the next, standard deviation of a gain
_ALWAYS_STAMPED = 9  # the reference picture's own date code


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentPlace:
    """A component's place in a picture and the truth about it. The box (pixels, pixel centres are whole numbers) is
    where the part belongs, whatever is there; `label` 'occluded' is a good part under a stray one, `severity` is empty
    where the part has no error of its own."""

    refdes: str
    part_number: str
    part_class: str
    mount: str
    turns_deg: tuple[int, ...]
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float
    label: str
    severity: str = ""

    @property
    def site(self) -> str:
        return self.refdes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComponentPicture:
    """`image` HxWx3 uint8 BGR; `places` in layout order; `homography_ref_to_image` 3x3 float64."""

    image: Image
    places: tuple[ComponentPlace, ...]
    homography_ref_to_image: NDArray[np.float64]


def reference_component_board(part_number: str) -> ComponentPicture:
    """The clean straight-on picture of a board part number with every component good: what recipes start from."""
    layout = component_board(part_number)
    # As large as every picture of the line, which a recipe asks of its reference.
    imaging = dataclasses.replace(
        REFERENCE, size_px=SIZE_PX, fill_frac=(0.95, 0.95), straight_on=False, camera_distance=_REFERENCE_DISTANCE
    )
    return _render(layout, {}, imaging, 0, {site.refdes: _exact(site) for site in layout.sites})


def render_component_board(
    layout: ComponentLayout,
    errors: Mapping[str, ComponentError],
    imaging: Imaging,
    seed: int,
    parts_seed: int | None = None,
) -> ComponentPicture:
    """Photograph a board with errors at the given sites, by refdes; the others are good, with harmless differences.

    `parts_seed` (else `seed`) draws how parts stand. Raises ValueError for a site the layout lacks.
    """
    imaging = dataclasses.replace(imaging, size_px=canvas_size(layout.board) if imaging.straight_on else SIZE_PX)
    for refdes in errors:
        layout.site(refdes)
    parts_seed = seed if parts_seed is None else parts_seed
    standings = {}
    for site in layout.sites:
        key = zlib.crc32(site.refdes.encode())
        good = good_standing(site, np.random.default_rng([parts_seed, 1, key]))
        error = errors.get(site.refdes)
        rng = np.random.default_rng([parts_seed, 2, key])
        standings[site.refdes] = good if error is None else faulty_standing(layout, site, error, good, rng)
    return _render(layout, errors, imaging, seed, standings, parts_seed)


def _render(
    layout: ComponentLayout,
    errors: Mapping[str, ComponentError],
    imaging: Imaging,
    seed: int,
    standings: Mapping[str, Standing],
    parts_seed: int | None = None,
) -> ComponentPicture:
    pose_rng, light_rng, surface_rng, lens_rng = (np.random.default_rng([seed, 7, stream]) for stream in range(4))
    pose = draw_pose(layout.board, imaging, pose_rng)
    light = draw_light(imaging, pose, light_rng)
    ball = mirror_ball(light, light_rng)
    bare = bare_board(layout)
    planes = Planes(bare.planes.colour.copy(), bare.planes.shape.copy(), bare.planes.cover.copy())
    if parts_seed is not None:
        planes.colour[:] *= (1 + np.random.default_rng([parts_seed, 3]).uniform(-0.07, 0.07, 3)).astype(np.float32)
    for site in layout.sites:
        key = zlib.crc32(site.refdes.encode())
        rng = None if parts_seed is None else np.random.default_rng([parts_seed, 4, key])
        _mount(planes, site, standings[site.refdes], rng)
    if parts_seed is not None:
        hand_traces(planes, layout, np.random.default_rng([parts_seed, 5]))
    flat, cover = light_planes(planes, bare, pose, light, ball, imaging, surface_rng)
    picture = photograph(flat, cover, pose, light, imaging, lens_rng)
    return ComponentPicture(
        image=picture,
        places=_places(layout, _labels(layout, errors, standings), pose.homography),
        homography_ref_to_image=pose.homography,
    )


def _exact(site: Site) -> Standing:
    return Standing(part=site.part, angle_deg=site.part.mounted_deg)


def _mount(planes: Planes, site: Site, standing: Standing, rng: np.random.Generator | None) -> None:
    """Lay what stands at a site on the board; without `rng`, exactly as the catalogue has it."""
    at_x, at_y = canvas_px(site.x_mm + standing.dx_mm), canvas_px(site.y_mm + standing.dy_mm)
    if standing.part is None:
        if standing.residue:
            at = Laid(x_px=at_x, y_px=at_y, angle_deg=site.part.mounted_deg)
            lay(planes, residue_sprite(site.part, standing.residue == 2), at)
        return
    part = standing.part
    tone = (1.0, 1.0, 1.0)
    if rng is not None:
        gains = (1 + rng.normal(0, _TONE_LOT)) * (1 + rng.normal(0, 0.4 * _TONE_LOT, 3))
        tone = (float(gains[0]), float(gains[1]), float(gains[2]))
    towards = standing.tilt_towards_deg
    half_mm = part.extent_mm[0 if towards % 180 == 0 else 1] / 2
    at = Laid(
        x_px=at_x,
        y_px=at_y,
        angle_deg=standing.angle_deg,
        tilt_deg=standing.tilt_deg,
        tilt_towards_deg=standing.angle_deg + towards,
        half_px=half_mm * PX_PER_MM,
    )
    if standing.fallen:
        lay(planes, fallen_sprite(part.part_class, part.look), at, tone)
        return
    lay(planes, part_sprite(part.part_class, part.look, standing.bend), at, tone)
    stamp = np.random.default_rng(_ALWAYS_STAMPED) if rng is None else rng
    if standing.tilt_deg == 0:
        print_date_code(planes, part, at, stamp)


def site_box_px(layout: ComponentLayout, site: Site) -> tuple[float, float, float, float]:
    """The part's box in the reference picture (x0, y0, x1, y1): its foot on the board and its top, as they lean."""
    width, _ = canvas_size(layout.board)
    eye_z = _REFERENCE_DISTANCE * width
    eye = (np.array(canvas_size(layout.board)) - 1) / 2
    half = np.array(site.size_mm) / 2 * PX_PER_MM
    centre = np.array([canvas_px(site.x_mm), canvas_px(site.y_mm)])
    corners = []
    for z_px in (0.0, site.part.look.height_mm * PX_PER_MM):
        for corner in (centre - half, centre + half):
            corners.append(corner + (corner - eye) * z_px / (eye_z - z_px))
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _labels(
    layout: ComponentLayout, errors: Mapping[str, ComponentError], standings: Mapping[str, Standing]
) -> dict[str, tuple[str, str]]:
    """Label and severity of every site."""
    hidden = occluded_sites(layout, standings, errors)
    labels = {site.refdes: (OCCLUDED if site.refdes in hidden else "good", "") for site in layout.sites}
    return labels | {refdes: (error.kind.value, error.severity.value) for refdes, error in errors.items()}


def _places(
    layout: ComponentLayout, labels: Mapping[str, tuple[str, str]], homography: NDArray[np.float64]
) -> tuple[ComponentPlace, ...]:
    places = []
    for site in layout.sites:
        x0, y0, x1, y1 = site_box_px(layout, site)
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        around = np.array([middle + np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])])
        centre, west, east, north, south = cv2.perspectiveTransform(around, homography)[0]
        scale = math.sqrt(abs(float(np.linalg.det(np.array([east - west, south - north]))))) / 2
        half = scale * np.array([x1 - x0, y1 - y0]) / 2
        label, severity = labels[site.refdes]
        places.append(
            ComponentPlace(
                refdes=site.refdes,
                part_number=site.part.name,
                part_class=site.part.part_class.value,
                mount=site.part.mount,
                turns_deg=site.part.turns_deg,
                x0_px=float(centre[0] - half[0]),
                y0_px=float(centre[1] - half[1]),
                x1_px=float(centre[0] + half[0]),
                y1_px=float(centre[1] + half[1]),
                label=label,
                severity=severity,
            )
        )
    return tuple(places)
