"""What harmlessly differs from board to board: date codes, pen marks, flux stains."""

from __future__ import annotations

import cv2
import numpy as np

from export.simulator.artwork import MARGIN_PX, PX_PER_MM
from export.simulator.components.layout import ComponentLayout, turned
from export.simulator.components.looks import BLACK, PartClass, digits
from export.simulator.components.parts import PartNumber
from export.simulator.components.planes import Laid, Planes
from export.simulator.components.sprite import Plane
from export.simulator.silkscreen_font import text_strokes

_SHIFT = 4
_STAIN_BGR = (0.16, 0.36, 0.46)
# Where a class has room for a date code: offset from the middle in fractions of the body, and the print's height.
_DATE_CODE_AT = {
    PartClass.RELAY: (0.14, 0.34, 0.9),
    PartClass.CONVERTER: (0.06, 0.37, 0.75),
    PartClass.CRYSTAL_OSCILLATOR: (0.0, 0.30, 0.6),
    PartClass.SMD_DIODE: (0.1, 0.28, 0.5),
}


def print_date_code(planes: Planes, part: PartNumber, at: Laid, rng: np.random.Generator) -> None:
    """Stamp year and week of manufacture on the classes that carry them."""
    code = digits(rng, "2#") + f"{rng.integers(1, 53):02d}"
    if part.part_class not in _DATE_CODE_AT:
        return
    right, down, height_mm = _DATE_CODE_AT[part.part_class]
    length, width = part.look.body_mm
    ink = np.zeros(planes.cover.shape, np.uint8)
    turn = np.array([turned(1.0, 0.0, at.angle_deg), turned(0.0, 1.0, at.angle_deg)])
    for stroke in text_strokes(code, height_mm):
        points = ((stroke + np.array([right * length, down * width])) @ turn) * PX_PER_MM + (at.x_px, at.y_px)
        cv2.polylines(ink, [_fixed(points)], False, 255, 1, cv2.LINE_AA, _SHIFT)
    _tint(planes, ink, BLACK if part.look.style == "label" else part.look.ink_bgr, 0.8)


def hand_traces(planes: Planes, layout: ComponentLayout, rng: np.random.Generator) -> None:
    """Flux stains beside some parts, and sometimes an inspector's pen on the board."""
    for _ in range(int(rng.integers(1, 6))):
        site = layout.sites[rng.integers(len(layout.sites))]
        away = rng.normal(0, 0.5, 2) * np.array(site.size_mm) * PX_PER_MM
        _stain(planes, np.array([site.x_mm, site.y_mm]) * PX_PER_MM + away + MARGIN_PX, rng)
    for _ in range(int(rng.integers(0, 3))):
        _pen_mark(planes, rng)


def _stain(planes: Planes, at_px: Plane, rng: np.random.Generator) -> None:
    blob = np.zeros(planes.cover.shape, np.uint8)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = rng.uniform(8, 34) * (1 + 0.3 * rng.normal(size=14))
    points = at_px + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
    cv2.fillPoly(blob, [_fixed(points)], 255, cv2.LINE_AA, _SHIFT)
    low = np.clip((points.min(0) - 12).astype(int), 0, None)
    high = (points.max(0) + 12).astype(int)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    if blob[window].size:
        blob[window] = cv2.GaussianBlur(blob[window], (0, 0), 3.0)
        _tint(planes, blob, _STAIN_BGR, float(rng.uniform(0.08, 0.3)))


def _pen_mark(planes: Planes, rng: np.random.Generator) -> None:
    """A tick, a stroke or initials in marker, anywhere on the board or its parts."""
    ink = np.zeros(planes.cover.shape, np.uint8)
    height, width = ink.shape
    at = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height])
    steps = np.cumsum(rng.normal(0, 9, (int(rng.integers(3, 7)), 2)), axis=0)
    cv2.polylines(ink, [_fixed(at + steps)], False, 255, int(rng.integers(2, 5)), cv2.LINE_AA, _SHIFT)
    colours = ((0.08, 0.08, 0.10), (0.45, 0.12, 0.10), (0.10, 0.08, 0.55), (0.85, 0.88, 0.88))
    _tint(planes, ink, colours[rng.integers(len(colours))], 0.7)


def _tint(planes: Planes, ink: Plane, colour: tuple[float, float, float], opacity: float) -> None:
    x, y, width, height = cv2.boundingRect(ink)
    window = (slice(y, y + height), slice(x, x + width))
    share = ink[window].astype(np.float32) * np.float32(opacity / 255)
    planes.colour[window] += share[..., None] * (np.array(colour, np.float32) - planes.colour[window])
    planes.shape[window][..., 2] *= 1 - share  # ink and flux dull bare metal


def _fixed(points: Plane) -> Plane:
    return np.round(np.asarray(points) * (1 << _SHIFT)).astype(np.int32)
