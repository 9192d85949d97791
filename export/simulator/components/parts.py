"""The catalogue of the component twin: part numbers, how each may be mounted, and what it is mixed up with.

A part number is a class and a look drawn from the catalogue's seed. Nothing here knows about pixels.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from export.simulator.components.looks import BAND_COLOURS, LOOKS, Bgr, Look, PartClass, digits

CATALOGUE_SEED = 2042
CATALOGUE_SIZE = 240  # twenty part numbers of each class

SMD_CLASSES = frozenset({PartClass.SMD_CAPACITOR, PartClass.SMD_DIODE, PartClass.SMD_TRANSISTOR})
_EITHER_WAY = frozenset({PartClass.RESISTOR, PartClass.CERAMIC_CAPACITOR, PartClass.SMD_CAPACITOR, PartClass.HEAT_SINK})
_PLAINLY_OTHER = 0.15  # difference of a colour channel, of 1
_NEAREST = 5  # how many part numbers of similar size a mix-up is drawn from

_NAME_PREFIX = {
    PartClass.CAPACITOR: "ECAP",
    PartClass.CERAMIC_CAPACITOR: "CCAP",
    PartClass.CONVERTER: "CONV",
    PartClass.DIODE: "DIO",
    PartClass.HEAT_SINK: "HSK",
    PartClass.CRYSTAL_OSCILLATOR: "XTAL",
    PartClass.RELAY: "RLY",
    PartClass.RESISTOR: "RES",
    PartClass.SMD_CAPACITOR: "SCAP",
    PartClass.SMD_DIODE: "SDIO",
    PartClass.SMD_TRANSISTOR: "SQ",
    PartClass.TRANSISTOR: "TQ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartNumber:
    """One entry of the catalogue. `turns_deg` are the turns from its usual place that are also right; `mounted_deg`
    is the angle it stands at on every board, so that pictures of one part number agree."""

    name: str
    part_class: PartClass
    look: Look
    turns_deg: tuple[int, ...]
    mounted_deg: int

    @property
    def mount(self) -> str:
        """'PTH' or 'SMD'."""
        return "SMD" if self.part_class in SMD_CLASSES else "PTH"

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Length and width from above, leads included."""
        length, width = self.look.body_mm
        beside = {"sot23": 1.0, "sot223": 3.4, "dpak": 3.4}.get(self.look.style, 0.0)  # leads along the long sides
        return max(length, self.look.span_mm), width + beside


@functools.lru_cache(maxsize=4)
def part_catalogue(seed: int = CATALOGUE_SEED, n: int = CATALOGUE_SIZE) -> tuple[PartNumber, ...]:
    """`n` part numbers, the classes in turn; the first ones stay the same when `n` grows."""
    classes = list(PartClass)
    return tuple(_part_number(seed, number, classes[number % len(classes)]) for number in range(n))


def _part_number(seed: int, number: int, part_class: PartClass) -> PartNumber:
    rng = np.random.default_rng([seed, number])
    look = LOOKS[part_class](rng)
    return PartNumber(
        name=f"{_NAME_PREFIX[part_class]}-{1000 + 7 * (number // len(PartClass))}",
        part_class=part_class,
        look=look,
        turns_deg=(0, 180) if part_class in _EITHER_WAY or look.style == "hc49" else (0,),
        mounted_deg=int(rng.choice((0, 90))),
    )


def stand_ins(part: PartNumber, catalogue: tuple[PartNumber, ...], *, same_class: bool) -> tuple[PartNumber, ...]:
    """The part numbers of this class, or of the other classes, that are nearest in size: what gets mixed up.

    Those of its own class differ from it by shape or colour as well, wherever the catalogue has such.
    """
    own = np.log(sorted(part.extent_mm))
    others = [p for p in catalogue if p.look != part.look and (p.part_class is part.part_class) == same_class]
    told_apart = [p for p in others if _told_apart(p.look, part.look)]
    by_size = sorted(told_apart or others, key=lambda p: float(np.abs(np.log(sorted(p.extent_mm)) - own).sum()))
    return tuple(by_size[:_NEAREST])


def _told_apart(one: Look, other: Look) -> bool:
    """By more than print: another shape, another colour, other bands."""
    colours = np.array([one.body_bgr, one.accent_bgr]) - np.array([other.body_bgr, other.accent_bgr])
    return one.style != other.style or float(np.abs(colours).max()) > _PLAINLY_OTHER or one.bands != other.bands


def sibling(part: PartNumber, rng: np.random.Generator) -> PartNumber:
    """Another value of the same series: the same body with other bands, print or tone, as in a neighbouring reel."""
    look = part.look
    if look.bands:
        changed = dataclasses.replace(look, bands=_other_bands(look.bands, rng))
    elif look.marking:
        changed = dataclasses.replace(look, marking=tuple(_other_text(line, rng) for line in look.marking))
    else:
        changed = dataclasses.replace(look, body_bgr=_other_tone(look.body_bgr, rng), count=max(1, look.count - 1))
    return dataclasses.replace(part, name=f"{part.name}-SIBLING", look=changed)


def _other_bands(bands: tuple[Bgr, ...], rng: np.random.Generator) -> tuple[Bgr, ...]:
    """Two of the value's bands in other colours; the tolerance band stays."""
    changed = list(bands)
    for index in rng.choice(len(bands) - 1, size=2, replace=False):
        others = [colour for colour in BAND_COLOURS if colour != bands[index]]
        changed[index] = others[rng.integers(len(others))]
    return tuple(changed)


def _other_text(line: str, rng: np.random.Generator) -> str:
    form = "".join("#" if c.isdigit() else c for c in line)
    if "#" not in form:
        return digits(rng, "@" * len(line))
    return next(text for text in iter(lambda: digits(rng, form), None) if text != line)


def _other_tone(colour: Bgr, rng: np.random.Generator) -> Bgr:
    gain = float(rng.choice((0.72, 1.3)))
    b, g, r = (min(1.0, c * gain) for c in colour)
    return b, g, r
