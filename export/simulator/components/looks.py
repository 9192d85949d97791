"""How components look: the paper's twelve classes, and a look drawn for one part number of each.

Lengths are millimetres in the part's own frame, x along its longer side, seen from above; colours are BGR, 0..1. The
classes are Table 1 of the paper on Siamese inspection of electronic components (Barbosa and others, 2023).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

Bgr = tuple[float, float, float]
Rng = np.random.Generator

TIN: Bgr = (0.76, 0.78, 0.78)
BLACK: Bgr = (0.075, 0.070, 0.068)
WHITE: Bgr = (0.88, 0.90, 0.90)

# The ten digits of IEC 60062, then gold.
BAND_COLOURS: tuple[Bgr, ...] = (
    (0.05, 0.05, 0.05),
    (0.06, 0.16, 0.34),
    (0.10, 0.10, 0.72),
    (0.08, 0.42, 0.92),
    (0.15, 0.80, 0.93),
    (0.20, 0.48, 0.12),
    (0.65, 0.28, 0.10),
    (0.55, 0.18, 0.48),
    (0.45, 0.45, 0.45),
    (0.88, 0.90, 0.90),
)
GOLD: Bgr = (0.20, 0.52, 0.66)


class PartClass(enum.Enum):
    """The paper's Table 1; the value is what tables say."""

    CAPACITOR = "capacitor"
    CERAMIC_CAPACITOR = "ceramic_capacitor"
    CONVERTER = "converter"
    DIODE = "diode"
    HEAT_SINK = "heat_sink"
    CRYSTAL_OSCILLATOR = "crystal_oscillator"
    RELAY = "relay"
    RESISTOR = "resistor"
    SMD_CAPACITOR = "smd_capacitor"
    SMD_DIODE = "smd_diode"
    SMD_TRANSISTOR = "smd_transistor"
    TRANSISTOR = "transistor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a part number looks like. `style` names the body's shape within its class; `bands` are colour bands in
    order; `marking` the printed lines; `count` fins, vent lines or leads, as the class needs."""

    style: str
    body_mm: tuple[float, float]  # length and width from above, without leads
    height_mm: float
    span_mm: float = 0.0  # from the outermost lead to the other along x; 0 where no lead shows
    body_bgr: Bgr
    accent_bgr: Bgr = WHITE
    ink_bgr: Bgr = WHITE
    marking: tuple[str, ...] = ()
    bands: tuple[Bgr, ...] = ()
    count: int = 0


def digits(rng: Rng, form: str) -> str:
    """Text of that form with each '#' a digit and each '@' a letter."""
    letters = "ABCDEFGHKLMNPRSTVXZ"
    swap: dict[str, Callable[[], str]] = {
        "#": lambda: str(rng.integers(10)),
        "@": lambda: letters[rng.integers(len(letters))],
    }
    return "".join(swap[c]() if c in swap else c for c in form)


def _one(rng: Rng, choices: tuple[Bgr, ...]) -> Bgr:
    """One of the colours, in a shade of its own."""
    shade = 1 + rng.uniform(-0.15, 0.15)
    b, g, r = (min(1.0, float(c * shade)) for c in choices[rng.integers(len(choices))])
    return b, g, r


def _mm(rng: Rng, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 2)


def _capacitor(rng: Rng) -> Look:
    across = float(rng.choice((6.3, 8.0, 10.0)))
    style = str(rng.choice(("can", "can", "smd_can")))
    sleeves = ((0.10, 0.08, 0.07), (0.42, 0.16, 0.06), (0.20, 0.28, 0.05), (0.30, 0.10, 0.28), (0.10, 0.20, 0.40))
    value = str(rng.choice(("47", "100", "220", "330", "470", "680", "1000")))
    stripe = _one(rng, ((0.78, 0.80, 0.80), (0.25, 0.72, 0.80), (0.62, 0.62, 0.60)))
    return Look(
        style=style,
        body_mm=(across, across),
        height_mm=_mm(rng, 7.0, 11.0),
        body_bgr=_one(rng, sleeves),
        accent_bgr=stripe if style == "can" else (0.10, 0.09, 0.09),
        ink_bgr=(0.16, 0.15, 0.15),
        marking=(value, digits(rng, "##V")) if style == "smd_can" else (),
        count=int(rng.choice((2, 3))),
    )


def _ceramic_capacitor(rng: Rng) -> Look:
    style = str(rng.choice(("disc", "disc", "box")))
    length = _mm(rng, 6.0, 9.5)
    discs = ((0.16, 0.42, 0.68), (0.12, 0.50, 0.80), (0.55, 0.32, 0.12), (0.22, 0.30, 0.50))
    boxes = ((0.62, 0.30, 0.10), (0.10, 0.62, 0.78), (0.20, 0.18, 0.62), (0.70, 0.72, 0.72))
    return Look(
        style=style,
        body_mm=(length, _mm(rng, 2.8, 3.8) if style == "disc" else _mm(rng, 3.6, 5.0)),
        height_mm=_mm(rng, 5.0, 7.5),
        body_bgr=_one(rng, discs if style == "disc" else boxes),
        ink_bgr=(0.10, 0.09, 0.09),
        marking=(digits(rng, "##4"),) if style == "disc" else (digits(rng, ".##K#"),),
    )


def _converter(rng: Rng) -> Look:
    body = _one(rng, (BLACK, BLACK, (0.40, 0.22, 0.08), (0.72, 0.74, 0.74)))
    dark = sum(body) < 1.2
    return Look(
        style=str(rng.choice(("brick", "label"))),
        body_mm=(_mm(rng, 12.5, 15.0), _mm(rng, 8.0, 10.0)),
        height_mm=_mm(rng, 5.0, 7.5),
        body_bgr=body,
        accent_bgr=_one(rng, ((0.85, 0.88, 0.88), (0.25, 0.75, 0.88), (0.75, 0.60, 0.30))),
        ink_bgr=WHITE if dark else (0.12, 0.11, 0.11),
        marking=(digits(rng, "@@#-##S"), digits(rng, "##V/#V"), digits(rng, "@#.#A")),
    )


def _diode(rng: Rng) -> Look:
    glass = rng.random() < 0.3
    length = _mm(rng, 4.0, 5.0) if glass else _mm(rng, 5.2, 7.5)
    return Look(
        style="glass" if glass else "moulded",
        body_mm=(length, _mm(rng, 1.9, 2.2) if glass else _mm(rng, 2.7, 3.8)),
        height_mm=2.2 if glass else 3.2,
        span_mm=round(length + _mm(rng, 4.5, 6.0), 2),
        body_bgr=_one(rng, ((0.12, 0.34, 0.70), (0.20, 0.42, 0.62)))
        if glass
        else _one(rng, (BLACK, (0.30, 0.30, 0.30))),
        accent_bgr=(0.06, 0.05, 0.05) if glass else _one(rng, ((0.72, 0.74, 0.74), (0.85, 0.86, 0.86))),
        ink_bgr=(0.6, 0.6, 0.6),
        marking=() if glass else (digits(rng, "1N#0#"),),
    )


def _heat_sink(rng: Rng) -> Look:
    anodised = rng.random() < 0.6
    return Look(
        style="anodised" if anodised else "bare",
        body_mm=(_mm(rng, 11.5, 15.0), _mm(rng, 8.5, 11.0)),
        height_mm=_mm(rng, 6.0, 9.0),
        body_bgr=_one(rng, ((0.15, 0.15, 0.15), (0.50, 0.26, 0.12), (0.22, 0.22, 0.23))) if anodised else TIN,
        count=int(rng.integers(5, 10)),
    )


def _crystal_oscillator(rng: Rng) -> Look:
    square = rng.random() < 0.35
    frequency = str(rng.choice(("4.000", "8.000", "11.059", "12.000", "16.000", "20.000", "24.576")))
    return Look(
        style="can4" if square else "hc49",
        body_mm=(12.6, 12.6) if square else (11.0, 4.7),
        height_mm=4.8 if square else _mm(rng, 3.5, 9.0),
        body_bgr=_one(rng, (TIN, (0.72, 0.86, 0.90))),
        ink_bgr=(0.14, 0.12, 0.12),
        marking=(digits(rng, "@@@"), frequency, digits(rng, "##@#")) if square else (frequency,),
    )


def _relay(rng: Rng) -> Look:
    body = _one(
        rng, ((0.62, 0.30, 0.06), (0.08, 0.08, 0.08), (0.10, 0.40, 0.88), (0.80, 0.82, 0.82), (0.30, 0.40, 0.15))
    )
    return Look(
        style=str(rng.choice(("sugar_cube", "slim"))),
        body_mm=(_mm(rng, 13.5, 15.5), _mm(rng, 9.5, 12.5)),
        height_mm=_mm(rng, 8.5, 11.0),
        body_bgr=body,
        ink_bgr=(0.10, 0.09, 0.09) if body[1] > 0.6 else WHITE,
        marking=(digits(rng, "@@@-##"), digits(rng, "#A 250V"), str(rng.choice(("5VDC", "12VDC", "24VDC")))),
    )


def _resistor(rng: Rng) -> Look:
    body, width = (_mm(rng, 5.8, 7.5), _mm(rng, 2.2, 3.0))
    value = [BAND_COLOURS[i] for i in rng.integers(1, 8, size=int(rng.choice((3, 4))))]
    return Look(
        style="axial",
        body_mm=(body, width),
        height_mm=2.8,
        span_mm=round(body + _mm(rng, 4.5, 6.0), 2),
        body_bgr=_one(rng, ((0.46, 0.66, 0.80), (0.46, 0.66, 0.80), (0.78, 0.62, 0.32), (0.50, 0.62, 0.50))),
        bands=(*value, GOLD),
    )


def _smd_capacitor(rng: Rng) -> Look:
    length, width = ((3.2, 1.6), (3.2, 2.5), (4.5, 3.2))[rng.integers(3)]
    return Look(
        style="chip",
        body_mm=(length, width),
        span_mm=length + 1.2,
        height_mm=_mm(rng, 1.0, 1.8),
        body_bgr=_one(rng, ((0.38, 0.55, 0.68), (0.30, 0.42, 0.52), (0.58, 0.62, 0.66), (0.48, 0.66, 0.78))),
        count=int(rng.integers(1, 4)),
    )


def _smd_diode(rng: Rng) -> Look:
    length, width = ((4.3, 2.6), (4.4, 3.6), (6.0, 3.9))[rng.integers(3)]
    return Look(
        style="gull",
        body_mm=(length, width),
        height_mm=2.2,
        span_mm=round(length + 1.3, 2),
        body_bgr=_one(rng, (BLACK, (0.12, 0.12, 0.13))),
        accent_bgr=_one(rng, ((0.52, 0.54, 0.54), (0.80, 0.82, 0.82))),
        ink_bgr=_one(rng, ((0.62, 0.63, 0.63), (0.42, 0.44, 0.44))),
        marking=(digits(rng, "@##"),),
    )


def _smd_transistor(rng: Rng) -> Look:
    style = str(rng.choice(("sot23", "sot223", "dpak")))
    length, width = {"sot23": (3.0, 1.7), "sot223": (6.5, 3.5), "dpak": (6.6, 6.1)}[style]
    return Look(
        style=style,
        body_mm=(length, width),
        height_mm={"sot23": 1.1, "sot223": 1.7, "dpak": 2.3}[style],
        body_bgr=_one(rng, (BLACK, (0.11, 0.11, 0.12))),
        ink_bgr=_one(rng, ((0.62, 0.63, 0.63), (0.85, 0.86, 0.86))),
        marking=(digits(rng, "#@"),) if style == "sot23" else (digits(rng, "@@##"), digits(rng, "##@")),
    )


def _transistor(rng: Rng) -> Look:
    style = str(rng.choice(("to92", "to220", "to220_flat")))
    length, width = {"to92": (5.0, 4.0), "to220": (10.2, 4.6), "to220_flat": (15.0, 10.2)}[style]
    return Look(
        style=style,
        body_mm=(length, width),
        height_mm={"to92": 5.0, "to220": 11.0, "to220_flat": 4.4}[style],
        body_bgr=_one(rng, (BLACK, (0.13, 0.13, 0.13))),
        accent_bgr=TIN,
        ink_bgr=_one(rng, ((0.60, 0.61, 0.61), (0.82, 0.84, 0.84))),
        marking=() if style == "to220" else (digits(rng, "@@##"), digits(rng, "###")),
    )


LOOKS: Mapping[PartClass, Callable[[Rng], Look]] = MappingProxyType(
    {
        PartClass.CAPACITOR: _capacitor,
        PartClass.CERAMIC_CAPACITOR: _ceramic_capacitor,
        PartClass.CONVERTER: _converter,
        PartClass.DIODE: _diode,
        PartClass.HEAT_SINK: _heat_sink,
        PartClass.CRYSTAL_OSCILLATOR: _crystal_oscillator,
        PartClass.RELAY: _relay,
        PartClass.RESISTOR: _resistor,
        PartClass.SMD_CAPACITOR: _smd_capacitor,
        PartClass.SMD_DIODE: _smd_diode,
        PartClass.SMD_TRANSISTOR: _smd_transistor,
        PartClass.TRANSISTOR: _transistor,
    }
)
