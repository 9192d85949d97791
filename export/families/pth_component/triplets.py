"""Triplets: an anchor, a positive (the same component, slightly moved) and a negative, by one of these strategies.

class    the negative is a component of another class
noise    the anchor under random grey patches (coarse dropout; the paper's Table 3 calls this strategy "same")
hybrid   each negative by one of the two, at even odds
errors   the anchor with one of the five errors of Table 2 painted on
all      each negative by one of the three
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.board import Image
from export.families import one_of
from export.families.pth_component.net import INPUT_PX
from export.families.pth_component.painted_errors import ERRORS, Generator, Scene, moved
from export.families.pth_component.part_crops import PartCrops
from export.training_record import TrainingFault

SLIGHT_SHIFT_PX = 4.0  # of 128
SLIGHT_TURN_DEG = 5.0
PATCHES = (3, 9)  # how many grey patches, the second not reached
PATCH_PX = (8, 29)
GREY = (96, 161)
LIGHT_GAIN, COLOUR_GAIN, GAMMA = 0.12, 0.04, 0.12  # deviations of logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletSettings:
    """How triplets are drawn. `another_picture`: the positive comes from another picture of the same part, where there
    is one. `relight`: all three are seen in other lights."""

    strategy: str
    another_picture: bool = False
    relight: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplets:
    """N triplets of crops, (N, 128, 128, 3) uint8 BGR each; `kinds` (N,) says how each negative was made: `class`,
    `noise`, or the error's name."""

    anchor: Image
    positive: Image
    negative: Image
    kinds: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.anchor)


Negative = Callable[[PartCrops, int, Generator], tuple[Image, str]]


def draw_triplets(parts: PartCrops, n: int, settings: TripletSettings, rng: Generator) -> Triplets:
    """`n` triplets, anchors in turn through a shuffled list, so that every component comes about as often.

    Raises UnknownName, and TrainingFault where the strategy needs a second class and there is none.
    """
    make = one_of(STRATEGIES, settings.strategy, "triplet strategy")
    if settings.strategy != "noise" and len(np.unique(parts.classes)) < 2:
        raise TrainingFault(f"triplet strategy {settings.strategy!r} needs two classes of components, there is one")
    rounds = -(-n // len(parts))
    anchors = np.concatenate([rng.permutation(len(parts)) for _ in range(rounds)])[:n]
    pictures, kinds = np.empty((3, n, INPUT_PX, INPUT_PX, 3), np.uint8), []
    for k, i in enumerate(anchors):
        *pictures[:, k], kind = _triplet(parts, int(i), settings, make, rng)
        kinds.append(kind)
    return Triplets(anchor=pictures[0], positive=pictures[1], negative=pictures[2], kinds=np.array(kinds))


def slightly_moved(canvas: Image, rng: Generator) -> Image:
    """A canvas (160, 160, 3) as a crop, shifted by up to 4 px and turned by up to 5 degrees."""
    x, y = rng.uniform(-SLIGHT_SHIFT_PX, SLIGHT_SHIFT_PX, 2)
    return moved(canvas, (float(x), float(y)), float(rng.uniform(-SLIGHT_TURN_DEG, SLIGHT_TURN_DEG)))


def with_grey_patches(crop: Image, rng: Generator) -> Image:
    """A crop under random grey squares, none of which lies wholly outside the component's middle."""
    made = crop.copy()
    for _ in range(rng.integers(*PATCHES)):
        side = int(rng.integers(*PATCH_PX))
        x, y = (int(v) for v in rng.integers(INPUT_PX // 8, INPUT_PX - INPUT_PX // 8 - side, 2))
        made[y : y + side, x : x + side] = int(rng.integers(*GREY))
    return made


def relit(crop: Image, rng: Generator) -> Image:
    """The crop under another exposure, white balance and gamma."""
    gain = np.exp(rng.normal(0, LIGHT_GAIN) + rng.normal(0, COLOUR_GAIN, 3))
    levels = (np.arange(256) / 255.0) ** np.exp(rng.normal(0, GAMMA))
    table = (levels[:, None] * gain * 255.0).clip(0, 255).astype(np.uint8)
    return cv2.LUT(crop, table[None]).astype(np.uint8, copy=False)


def _triplet(
    parts: PartCrops, i: int, settings: TripletSettings, make: Negative, rng: Generator
) -> tuple[Image, Image, Image, str]:
    anchor = moved(parts.canvases[i], (0.0, 0.0), 0.0)
    like = _another_of(parts.parts == parts.parts[i], i, rng) if settings.another_picture else i
    positive = slightly_moved(parts.canvases[like], rng)
    negative, kind = make(parts, i, rng)
    if settings.relight:
        anchor, positive, negative = (relit(crop, rng) for crop in (anchor, positive, negative))
    return anchor, positive, negative, kind


def _by_class(parts: PartCrops, i: int, rng: Generator) -> tuple[Image, str]:
    return slightly_moved(parts.canvases[_of_another_class(parts, i, rng)], rng), "class"


def _by_noise(parts: PartCrops, i: int, rng: Generator) -> tuple[Image, str]:
    return with_grey_patches(slightly_moved(parts.canvases[i], rng), rng), "noise"


def _by_error(parts: PartCrops, i: int, rng: Generator) -> tuple[Image, str]:
    error = str(rng.choice(list(ERRORS)))
    scene = Scene(
        canvas=parts.canvases[i],
        other=parts.canvases[_of_another_class(parts, i, rng)],
        box_px=parts.boxes_px[i],
        wrong_turns=parts.wrong_turns[i],
    )
    return ERRORS[error](scene, rng), error


def _one_of_several(makers: tuple[Negative, ...]) -> Negative:
    def make(parts: PartCrops, i: int, rng: Generator) -> tuple[Image, str]:
        return makers[int(rng.integers(len(makers)))](parts, i, rng)

    return make


STRATEGIES: dict[str, Negative] = {
    "class": _by_class,
    "noise": _by_noise,
    "hybrid": _one_of_several((_by_class, _by_noise)),
    "errors": _by_error,
    "all": _one_of_several((_by_class, _by_noise, _by_error)),
}


def _of_another_class(parts: PartCrops, i: int, rng: Generator) -> int:
    return int(rng.choice(np.flatnonzero(parts.classes != parts.classes[i])))


def _another_of(same: NDArray[np.bool_], i: int, rng: Generator) -> int:
    others = np.flatnonzero(same)
    others = others[others != i]
    return int(rng.choice(others)) if len(others) else i
