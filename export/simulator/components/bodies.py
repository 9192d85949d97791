"""Through-hole components drawn from above, class by class. `drawing.py` says which function draws what.

Every function lays one part on a sheet; `bend_mm` is how far its leads stand out of line.
"""

from __future__ import annotations

import numpy as np

from export.simulator.components.looks import BLACK, TIN, Look
from export.simulator.components.sprite import Plane, Sheet

_LEAD_MM = 0.65


def draw_capacitor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """An electrolytic can: sleeve with its polarity stripe at the left, aluminium top with a vent cross."""
    radius = look.body_mm[0] / 2
    if look.style == "smd_can":
        sheet.body(sheet.box(0, 0, 2 * radius + 0.5, 2 * radius + 0.5, 0.6), BLACK, height_mm=1.4)
    round_ = sheet.disc(0, 0, radius)
    sleeve = look.body_bgr if look.style == "can" else (0.80, 0.82, 0.82)
    sheet.body(round_, sleeve, height_mm=look.height_mm, bevel_mm=0.7, gloss=0.5, metal=float(look.style == "smd_can"))
    sector = np.minimum(round_, -0.62 * sheet.x - np.abs(sheet.y) * 0.8)
    if look.style == "can":
        sheet.ink(sector, look.accent_bgr)
    top = sheet.disc(0, 0, radius * (0.72 if look.style == "can" else 0.82))
    sheet.body(top, (0.80, 0.82, 0.83), height_mm=look.height_mm, bevel_mm=0.4, metal=0.85, gloss=0.15)
    if look.style == "smd_can":
        sheet.ink(np.minimum(top, -sheet.x - 0.28 * radius), BLACK, 0.92, metal=0.0)
        sheet.text(look.marking, 1.5, look.ink_bgr, at_mm=(0.28 * radius, 0.0), fit_mm=1.05 * radius)
        return
    for number in range(look.count):
        turn = np.pi * (number / look.count + 0.25)
        reach = np.array([np.cos(turn), np.sin(turn)]) * radius * 0.62
        groove = sheet.line((-reach[0], -reach[1]), (reach[0], reach[1]), 0.36)
        sheet.carve(groove, 0.16)
        sheet.ink(groove, (0.45, 0.46, 0.47), 0.7)


def draw_ceramic_capacitor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A dipped disc or a film box standing on its edge; the dip runs down its leads."""
    length, width = look.body_mm
    for side in (-1, 1):
        lead = sheet.line((side * 0.28 * length, 0), (side * (0.28 * length + 0.3), bend_mm + side * 0.9), _LEAD_MM)
        sheet.body(lead, TIN, height_mm=0.6, metal=1.0)
    if look.style == "box":
        inside = sheet.box(0, 0, length, width, 0.35)
        sheet.body(inside, look.body_bgr, height_mm=look.height_mm, bevel_mm=0.4, gloss=0.55)
        sheet.text(look.marking, 1.5, look.ink_bgr, fit_mm=0.8 * length)
        return
    squeeze = np.hypot(sheet.x / (length / 2), sheet.y / (width / 2))
    inside = (1 - squeeze) * width / 2
    dome = np.sqrt(np.clip(1 - squeeze**2, 0, 1)).astype(np.float32)
    sheet.body(
        inside,
        look.body_bgr,
        height_mm=look.height_mm * (0.35 + 0.65 * dome),
        relief_mm=0.55 * width * dome,
        gloss=0.55,
    )
    sheet.text(look.marking, 1.1, look.ink_bgr, fit_mm=0.6 * length)


def draw_converter(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A potted power module with print or a label, its first pin marked by a dot."""
    length, width = look.body_mm
    sheet.body(sheet.box(0, 0, length, width, 0.4), look.body_bgr, height_mm=look.height_mm, bevel_mm=0.5, gloss=0.25)
    ink = look.ink_bgr
    if look.style == "label":
        sheet.ink(sheet.box(0.5, 0, length - 3.2, width - 1.8, 0.2), look.accent_bgr)
        ink = (0.12, 0.11, 0.11)
    sheet.text(look.marking, 1.35, ink, at_mm=(0.5, 0.0), fit_mm=length - 4.0)
    dot = sheet.disc(-length / 2 + 1.1, width / 2 - 1.2, 0.5)
    sheet.carve(dot, 0.2)
    sheet.ink(dot, look.ink_bgr, 0.8)


def draw_diode(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """An axial diode, cathode band at the left."""
    length, width = look.body_mm
    _axial_leads(sheet, look, bend_mm)
    if look.style == "glass":
        inside = sheet.box(0, 0, length, width, 0.45 * width)
        _barrel(sheet, inside, width, look, gloss=0.9)
        sheet.ink(sheet.box(0, 0, 0.45 * length, 0.5 * width, 0.2), (0.30, 0.42, 0.62), 0.6)
    else:
        _barrel(sheet, sheet.box(0, 0, length, width, 0.25), width, look, gloss=0.4)
        sheet.text(look.marking, 1.0, look.ink_bgr, at_mm=(0.11 * length, 0.0), fit_mm=0.55 * length)
    sheet.ink(sheet.box(-0.33 * length, 0, 0.15 * length, 2 * width), look.accent_bgr)


def draw_heat_sink(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """Extruded aluminium: fins along x on a base, a screw in the middle channel."""
    length, width = look.body_mm
    bare = look.style == "bare"
    metal, gloss = (0.9, 0.2) if bare else (0.15, 0.35)
    sheet.body(
        sheet.box(0, 0, length, width, 0.2), look.body_bgr, height_mm=1.6, bevel_mm=0.2, metal=metal, gloss=gloss
    )
    pitch = width / look.count
    for fin in range(look.count):
        at = -width / 2 + (fin + 0.5) * pitch
        inside = sheet.box(0, at, length, 0.42 * pitch, 0.1)
        sheet.body(inside, look.body_bgr, height_mm=look.height_mm, bevel_mm=0.22, metal=metal, gloss=gloss)
    hole = sheet.disc(0, 0, 1.75)
    sheet.body(hole, look.body_bgr, height_mm=1.6, bevel_mm=0.2, metal=metal, gloss=gloss)
    sheet.body(sheet.disc(0, 0, 1.35), TIN, height_mm=2.8, bevel_mm=0.6, metal=1.0)
    slot = sheet.box(0, 0, 1.9, 0.38)
    sheet.carve(slot, 0.3)
    sheet.ink(slot, (0.2, 0.2, 0.2), 0.8)


def draw_crystal_oscillator(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A welded metal can: long and round-ended, or square with a sharp first corner and a dot."""
    length, width = look.body_mm
    rounding = width / 2 if look.style == "hc49" else 1.5
    flange = sheet.box(0, 0, length, width, rounding)
    inner = sheet.box(0, 0, length - 1.0, width - 1.0, rounding - 0.5)
    if look.style == "can4":
        corner = sheet.box(-length / 4, width / 4, length / 2, width / 2)
        flange = np.maximum(flange, corner)
    sheet.body(flange, look.body_bgr, height_mm=0.7, bevel_mm=0.2, metal=0.95, gloss=0.3)
    sheet.body(inner, look.body_bgr, height_mm=look.height_mm, bevel_mm=0.7, metal=0.9, gloss=0.2)
    sheet.text(look.marking, 1.6, look.ink_bgr, fit_mm=0.72 * length)
    if look.style == "can4":
        sheet.ink(sheet.disc(-length / 2 + 2.0, width / 2 - 2.0, 0.55), look.ink_bgr, 0.9, metal=0.0)


def draw_relay(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A sealed plastic box with print, a moulded frame and the contact drawing at the left."""
    length, width = look.body_mm
    sheet.body(sheet.box(0, 0, length, width, 0.5), look.body_bgr, height_mm=look.height_mm, bevel_mm=0.6, gloss=0.6)
    frame = 0.16 - np.abs(sheet.box(0, 0, length - 1.6, width - 1.6, 0.4))
    sheet.carve(frame, 0.1, 0.12)
    sheet.text(look.marking, 1.45, look.ink_bgr, at_mm=(0.14 * length, 0.0), fit_mm=0.6 * length)
    at = -0.34 * length
    for y in (-0.25 * width, 0.25 * width):
        sheet.ink(0.12 - np.abs(sheet.disc(at, y, 0.55)), look.ink_bgr, 0.85)
    sheet.ink(sheet.line((at, -0.18 * width), (at + 0.9, 0.1 * width), 0.26), look.ink_bgr, 0.85)
    if look.style == "slim":
        sheet.ink(sheet.box(length / 2 - 0.9, 0, 0.5, 0.7 * width), look.ink_bgr, 0.8)


def draw_resistor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """An axial resistor: thicker at both ends, bands from the left, the tolerance band apart."""
    length, width = look.body_mm
    _axial_leads(sheet, look, bend_mm)
    waist = sheet.box(0, 0, length - 0.8, 0.80 * width, 0.2)
    ends = [sheet.box(side * (length / 2 - 0.19 * length), 0, 0.38 * length, width, 0.42 * width) for side in (-1, 1)]
    _barrel(sheet, np.maximum(waist, np.maximum(*ends)), width, look, gloss=0.5)
    places = np.linspace(-0.32, 0.14, len(look.bands) - 1)
    for at, colour in zip((*places, 0.33), look.bands, strict=True):
        sheet.ink(sheet.box(float(at) * length, 0, 0.085 * length, 2 * width), colour, 0.95)


def draw_transistor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """TO-92 (flat side down in the picture), TO-220 upright, or TO-220 lying on its tab."""
    length, width = look.body_mm
    if look.style == "to92":
        inside = np.minimum(sheet.disc(0, 0.15, length / 2), 0.30 * width - sheet.y)
        sheet.body(inside, look.body_bgr, height_mm=look.height_mm, bevel_mm=0.45, gloss=0.3)
        sheet.text(look.marking, 0.85, look.ink_bgr, at_mm=(0.0, -0.55), fit_mm=0.6 * length, opacity=0.7)
    elif look.style == "to220":
        tab = sheet.box(0, -width / 2 + 0.65, length, 1.3, 0.1)
        sheet.body(tab, TIN, height_mm=look.height_mm, bevel_mm=0.2, metal=1.0, gloss=0.4)
        plastic = sheet.box(0, 0.65, length, width - 1.3, 0.15)
        sheet.body(plastic, look.body_bgr, height_mm=look.height_mm - 4.0, bevel_mm=0.45, gloss=0.3)
        sheet.ink(sheet.disc(0, width / 2 - 1.4, 0.4), (0.25, 0.25, 0.25), 0.6)
    else:
        _draw_flat_to220(sheet, look, bend_mm)


def _draw_flat_to220(sheet: Sheet, look: Look, bend_mm: float) -> None:
    length, width = look.body_mm
    tab = np.minimum(sheet.box(-length / 2 + 4.6, 0, 9.2, width, 0.3), sheet.disc(-length / 2 + 3.0, 0, 1.9) * -1)
    for lead in (-1, 0, 1):
        start, end = (3.0, lead * 2.54), (length / 2 - 0.4, lead * 2.54 + bend_mm * (lead + 0.5))
        sheet.body(sheet.line(start, end, 0.85), TIN, height_mm=2.0, metal=1.0)
    sheet.body(tab, TIN, height_mm=1.3, bevel_mm=0.2, metal=1.0, gloss=0.25)
    sheet.body(sheet.box(0.6, 0, 8.4, width, 0.25), look.body_bgr, height_mm=look.height_mm, bevel_mm=0.5, gloss=0.3)
    sheet.text(look.marking, 1.5, look.ink_bgr, at_mm=(0.8, 0.0), fit_mm=6.0)
    sheet.carve(sheet.disc(-2.4, 0.34 * width, 0.6), 0.2)


def _axial_leads(sheet: Sheet, look: Look, bend_mm: float) -> None:
    reach = look.span_mm / 2 - _LEAD_MM / 2
    for side in (-1, 1):
        for start, end in (
            ((0.0, 0.0), (0.75 * reach, 0.4 * bend_mm)),
            ((0.75 * reach, 0.4 * bend_mm), (reach, bend_mm)),
        ):
            lead = sheet.line((side * start[0], side * start[1]), (side * end[0], side * end[1]), _LEAD_MM)
            sheet.body(lead, TIN, height_mm=1.2, bevel_mm=_LEAD_MM / 2, metal=1.0, gloss=0.5)


def _barrel(sheet: Sheet, inside_mm: Plane, width_mm: float, look: Look, *, gloss: float) -> None:
    """A round body lying along x, its ends rounded with its outline."""
    half = width_mm / 2
    round_ = np.sqrt(np.clip(1 - (sheet.y / half) ** 2, 0, 1)).astype(np.float32)
    end = np.sqrt(np.clip(inside_mm / (0.5 * half), 0, 1))
    relief = half * np.minimum(round_, 0.25 + 0.75 * end)
    height = look.height_mm - half + half * np.broadcast_to(round_, inside_mm.shape)
    sheet.body(inside_mm, look.body_bgr, height_mm=height, relief_mm=relief, gloss=gloss)
