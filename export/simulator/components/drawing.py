"""One part number's pictures from above: mounted, fallen over on its side, and its bare footprint on the board.

Pictures are drawn once and kept, because a board shows the same parts again and again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from export.simulator.components import bodies as pth
from export.simulator.components import bodies_smd as smd
from export.simulator.components.looks import TIN, Look, PartClass
from export.simulator.components.parts import PartNumber
from export.simulator.components.sprite import Sheet, Sprite

BENDS_MM = (-0.35, -0.12, 0.0, 0.15, 0.4)  # how far leads stand out of line: five ways, so that pictures can be kept
_SHOWING_LEADS = frozenset({PartClass.RESISTOR, PartClass.DIODE, PartClass.CERAMIC_CAPACITOR, PartClass.TRANSISTOR})
_ROOM_MM = 3.0  # round the part: solder, leads, silkscreen
_MASK_ON_LAMINATE = (0.215, 0.345, 0.030)
_INK = (0.86, 0.90, 0.86)
_HOLE = (0.05, 0.06, 0.05)

_DRAW: Mapping[PartClass, Callable[[Sheet, Look, float], None]] = MappingProxyType(
    {
        PartClass.CAPACITOR: pth.draw_capacitor,
        PartClass.CERAMIC_CAPACITOR: pth.draw_ceramic_capacitor,
        PartClass.CONVERTER: pth.draw_converter,
        PartClass.DIODE: pth.draw_diode,
        PartClass.HEAT_SINK: pth.draw_heat_sink,
        PartClass.CRYSTAL_OSCILLATOR: pth.draw_crystal_oscillator,
        PartClass.RELAY: pth.draw_relay,
        PartClass.RESISTOR: pth.draw_resistor,
        PartClass.SMD_CAPACITOR: smd.draw_smd_capacitor,
        PartClass.SMD_DIODE: smd.draw_smd_diode,
        PartClass.SMD_TRANSISTOR: smd.draw_smd_transistor,
        PartClass.TRANSISTOR: pth.draw_transistor,
    }
)


def part_sprite(part_class: PartClass, look: Look, bend: int) -> Sprite:
    """The part as it stands on the board; `bend` counts into BENDS_MM."""
    shows_leads = part_class in _SHOWING_LEADS
    return _bent_sprite(part_class, look, bend if shows_leads else BENDS_MM.index(0.0))


@functools.lru_cache(maxsize=96)  # 2 MB each
def _bent_sprite(part_class: PartClass, look: Look, bend: int) -> Sprite:
    sheet = Sheet(max(look.body_mm[0], look.span_mm) + _ROOM_MM, look.body_mm[1] + 2 * _ROOM_MM)
    _DRAW[part_class](sheet, look, BENDS_MM[bend])
    return sheet.finish()


@functools.lru_cache(maxsize=32)
def fallen_sprite(part_class: PartClass, look: Look) -> Sprite:
    """The part lying on its side: its height now lies along x, leads point to the right."""
    length, width = look.body_mm
    across = width if part_class is not PartClass.CERAMIC_CAPACITOR else length
    long_mm, thick_mm = look.height_mm, min(length, width)
    sheet = Sheet(long_mm + 9.0, across + 2.0)
    for side in (-1, 1):
        lead = sheet.line((long_mm / 2 - 0.3, side * 0.25 * across), (long_mm / 2 + 3.2, side * 0.3 * across), 0.6)
        sheet.body(lead, TIN, height_mm=thick_mm / 2, bevel_mm=0.3, metal=1.0, gloss=0.5)
    inside = sheet.box(0, 0, long_mm, across, 0.4)
    if part_class is PartClass.CAPACITOR:
        round_ = np.sqrt(np.clip(1 - (sheet.y / (across / 2)) ** 2, 0, 1)).astype(np.float32)
        relief = np.broadcast_to(across / 2 * round_, inside.shape)
        sheet.body(inside, look.body_bgr, height_mm=across / 2 + relief, relief_mm=relief, gloss=0.5)
        sheet.ink(sheet.box(0, -0.2 * across, long_mm, 0.22 * across), look.accent_bgr, 0.9)
        sheet.text(look.marking or ("105C",), 1.4, look.ink_bgr, at_mm=(0.0, 0.15 * across), fit_mm=0.8 * long_mm)
    else:
        metal = 0.9 if part_class in (PartClass.CRYSTAL_OSCILLATOR, PartClass.HEAT_SINK) else 0.0
        sheet.body(inside, look.body_bgr, height_mm=thick_mm, bevel_mm=0.5, metal=metal, gloss=0.4)
    return sheet.finish()


@functools.lru_cache(maxsize=64)
def footprint_sprite(part: PartNumber) -> Sprite:
    """What the bare board shows there: pads, plated holes, and the silkscreen outline with its first-pin mark."""
    look = part.look
    (length, width), (long_mm, across_mm) = look.body_mm, part.extent_mm
    sheet = Sheet(long_mm + 2 * _ROOM_MM, across_mm + 2 * _ROOM_MM)
    outline = sheet.disc(0, 0, length / 2 + 0.45) if look.style == "can" else sheet.box(0, 0, length + 0.7, width + 0.7)
    _print(sheet, 0.09 - np.abs(outline))
    if 180 not in part.turns_deg:
        _print(sheet, sheet.line((-length / 2 - 0.9, -0.3 * width), (-length / 2 - 0.9, 0.3 * width), 0.3))
    for x, y, pad_w, pad_h, hole in pads(part):
        radius = 0.5 * min(pad_w, pad_h) if hole else 0.1
        bare = sheet.box(x, y, pad_w + 0.5, pad_h + 0.5, radius)
        sheet.body(bare, _MASK_ON_LAMINATE, height_mm=0.0, bevel_mm=0.01, gloss=0.0)
        pad = sheet.box(x, y, pad_w, pad_h, radius)
        sheet.body(pad, TIN, height_mm=0.05, bevel_mm=0.12, metal=1.0, gloss=0.4)
        if hole:
            sheet.body(sheet.disc(x, y, hole / 2), _HOLE, height_mm=0.0, bevel_mm=0.01, gloss=0.0)
    return sheet.finish()


@functools.lru_cache(maxsize=16)
def residue_sprite(part: PartNumber, broken_leads: bool) -> Sprite:
    """What a part that came off leaves on its pads: solder, and stubs of its leads."""
    long_mm, across_mm = part.extent_mm
    sheet = Sheet(long_mm + 2 * _ROOM_MM, across_mm + 2 * _ROOM_MM)
    for x, y, pad_w, pad_h, _ in pads(part):
        inside = sheet.box(x, y, 0.95 * pad_w, 0.95 * pad_h, 0.4 * min(pad_w, pad_h))
        rise = 0.35 * np.sqrt(np.clip(inside / 0.6, 0, 1))
        sheet.body(inside, TIN, height_mm=0.3, relief_mm=rise.astype(np.float32), metal=1.0, gloss=0.8)
        if broken_leads:
            stub = sheet.line((x, y), (0.75 * x, 0.75 * y), 0.6)
            sheet.body(stub, TIN, height_mm=1.0, bevel_mm=0.3, metal=1.0, gloss=0.4)
    return sheet.finish()


def _print(sheet: Sheet, inside_mm: np.ndarray) -> None:
    sheet.body(inside_mm.astype(np.float32), _INK, height_mm=0.0, bevel_mm=0.01, gloss=0.0)


Pad = tuple[float, float, float, float, float]  # x, y, width, height, hole diameter (0: none), in mm


def pads(part: PartNumber) -> tuple[Pad, ...]:
    """The pads under a part, in its own frame."""
    length, width = part.look.body_mm
    match part.part_class, part.look.style:
        case (PartClass.RESISTOR | PartClass.DIODE, _):
            found = _pair(part.look.span_mm / 2 - 0.3, 1.9, 1.9, 0.9)
        case (PartClass.CAPACITOR, "smd_can"):
            found = _pair(0.36 * length, 0.42 * length, 1.6)
        case (PartClass.CAPACITOR | PartClass.CERAMIC_CAPACITOR, _):
            found = _pair(0.28 * length, 1.8, 1.8, 0.9)
        case (PartClass.SMD_CAPACITOR, _):
            found = _pair(length / 2 + 0.05, 1.3, width + 0.2)
        case (PartClass.SMD_DIODE, _):
            found = _pair(length / 2 + 0.2, 1.9, 0.7 * width)
        case (PartClass.SMD_TRANSISTOR, "sot23"):
            lead = width / 2 + 0.25
            found = ((0.0, -lead, 0.8, 1.1, 0.0), (-0.95, lead, 0.8, 1.1, 0.0), (0.95, lead, 0.8, 1.1, 0.0))
        case (PartClass.SMD_TRANSISTOR, _):
            found = (*_three(2.3, width / 2 + 0.5, 1.0, 2.1, 0.0), (0.0, -width / 2 - 0.3, 0.92 * length, 2.9, 0.0))
        case (PartClass.TRANSISTOR, "to220_flat"):
            found = tuple((length / 2 - 0.8, lead * 2.54, 1.7, 1.7, 0.9) for lead in (-1, 0, 1))
        case (PartClass.TRANSISTOR, style):
            found = _three(1.5 if style == "to92" else 2.54, 0.3, 1.25, 1.6, 0.75)
        case (PartClass.CRYSTAL_OSCILLATOR, "hc49"):
            found = _pair(2.44, 1.7, 1.7, 0.8)
        case _:
            corners = ((-1, -1), (1, -1), (-1, 1), (1, 1))
            found = tuple((sx * (length / 2 - 1.5), sy * (width / 2 - 1.5), 1.9, 1.9, 1.0) for sx, sy in corners)
    return found


def _pair(x_mm: float, width_mm: float, height_mm: float, hole_mm: float = 0.0) -> tuple[Pad, ...]:
    return tuple((side * x_mm, 0.0, width_mm, height_mm, hole_mm) for side in (-1, 1))


def _three(pitch_mm: float, y_mm: float, width_mm: float, height_mm: float, hole_mm: float) -> tuple[Pad, ...]:
    return tuple((lead * pitch_mm, y_mm, width_mm, height_mm, hole_mm) for lead in (-1, 0, 1))
