"""Surface-mounted components drawn from above, with their solder: chips, gull-wing diodes, transistors."""

from __future__ import annotations

import numpy as np

from export.simulator.components.looks import TIN, Look
from export.simulator.components.sprite import Plane, Sheet


def draw_smd_capacitor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A ceramic chip: tinned caps at both ends, solder rising to them."""
    length, width = look.body_mm
    for side in (-1, 1):
        _fillet(sheet, sheet.box(side * (length / 2 + 0.1), 0, 1.0, width + 0.1, 0.25), 0.7 * look.height_mm)
    ceramic = sheet.box(0, 0, length, width, 0.12)
    sheet.body(ceramic, look.body_bgr, height_mm=look.height_mm, bevel_mm=0.2, gloss=0.4)
    cap = 0.14 + 0.04 * look.count
    for side in (-1, 1):
        end = sheet.box(side * (0.5 - cap / 2) * length, 0, cap * length, width, 0.15)
        sheet.body(end, TIN, height_mm=look.height_mm + 0.05, bevel_mm=0.25, metal=1.0, gloss=0.3)


def draw_smd_diode(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """A moulded diode with a lead at each end, cathode band at the left."""
    length, width = look.body_mm
    for side in (-1, 1):
        at = side * (length / 2 + 0.35)
        _fillet(sheet, sheet.box(at, 0, 1.5, 0.62 * width, 0.2), 0.4)
        lead = sheet.box(side * (length / 2 + 0.2), 0, 0.9, 0.5 * width, 0.1)
        sheet.body(lead, TIN, height_mm=0.8, bevel_mm=0.25, metal=1.0, gloss=0.3)
    sheet.body(sheet.box(0, 0, length, width, 0.15), look.body_bgr, height_mm=look.height_mm, bevel_mm=0.4, gloss=0.3)
    sheet.ink(sheet.box(-0.34 * length, 0, 0.14 * length, width - 0.5, 0.05), look.accent_bgr, 0.9)
    sheet.text(look.marking, 1.1, look.ink_bgr, at_mm=(0.1 * length, 0.0), fit_mm=0.5 * length)


def draw_smd_transistor(sheet: Sheet, look: Look, bend_mm: float) -> None:
    """SOT-23, SOT-223 or DPAK: one lead or tab above, the others below."""
    length, width = look.body_mm
    if look.style == "sot23":
        leads, lead_mm = [(0.0, -1), (-0.95, 1), (0.95, 1)], (0.5, 0.9)
    else:
        leads, lead_mm = [(-2.3, 1), (0.0, 1), (2.3, 1)], (0.75, 1.9)
        tab = sheet.box(0, -width / 2 - 0.5, 0.52 * length if look.style == "sot223" else 0.82 * length, 2.2, 0.2)
        _fillet(sheet, sheet.box(0, -width / 2 - 0.5, 0.88 * length, 2.5, 0.2), 0.3)
        sheet.body(tab, TIN, height_mm=0.7, bevel_mm=0.2, metal=1.0, gloss=0.3)
    for x, side in leads:
        y = side * (width / 2 + 0.2 * lead_mm[1])
        _fillet(sheet, sheet.box(x, y + 0.1 * side, lead_mm[0] + 0.25, lead_mm[1], 0.15), 0.25)
        sheet.body(sheet.box(x, y, *lead_mm, 0.1), TIN, height_mm=0.6, bevel_mm=0.2, metal=1.0, gloss=0.4)
    sheet.body(sheet.box(0, 0, length, width, 0.12), look.body_bgr, height_mm=look.height_mm, bevel_mm=0.3, gloss=0.3)
    sheet.text(look.marking, 1.1, look.ink_bgr, fit_mm=0.75 * length)
    sheet.carve(sheet.disc(-0.36 * length, 0.3 * width, 0.1 * width), 0.12)


def _fillet(sheet: Sheet, inside_mm: Plane, rise_mm: float) -> None:
    """Solder between pad and end: highest along its middle, steep at the rim."""
    slope = np.sqrt(np.clip(inside_mm / 0.5, 0, 1)) * 0.5 * rise_mm
    sheet.body(inside_mm, TIN, height_mm=0.3, relief_mm=slope.astype(np.float32), metal=1.0, gloss=0.7)
