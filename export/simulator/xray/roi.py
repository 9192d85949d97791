"""Where the machine says a joint is: nearly always right, and wrong in the ways its algorithm goes wrong.

Good regions shift by 3 % of their side. Wrong ones, by the real project's count, are mostly wrong for a whole view at
once; the shapes of wrong ones are a judgement.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator


class RoiFault(enum.Enum):
    """What is wrong with a region; the value is what tables say."""

    OK = "ok"
    SHIFTED = "shifted"
    SMALL = "small"
    LARGE = "large"
    NEIGHBOUR = "neighbour"
    ASPECT = "aspect"
    ELSEWHERE = "elsewhere"


WRONG = tuple(fault for fault in RoiFault if fault is not RoiFault.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """A box in whole pixels of the slices, the same in all of them, x1 and y1 beyond the last pixel."""

    x0: int
    y0: int
    x1: int
    y1: int
    fault: RoiFault


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRois:
    """How the regions of one view come out: all wrong in one way, or each by itself."""

    fault: RoiFault
    turn_rad: float
    size: float


def rois_of_view(rng: Rng, wrong_views_frac: float) -> ViewRois:
    """By lot, whether a whole view's regions are wrong, how, where to and by how much."""
    wrong = rng.random() < wrong_views_frac
    fault = WRONG[rng.integers(len(WRONG))]
    turn, size = float(rng.uniform(0, 2 * np.pi)), float(rng.random())
    return ViewRois(fault=fault if wrong else RoiFault.OK, turn_rad=turn, size=size)


def roi_at(
    rng: Rng,
    place_px: tuple[float, float],
    side_px: float,
    pitch_px: tuple[float, float],
    view_px: tuple[int, int],
    view: ViewRois,
    shift_frac: float,
    wrong_joints_frac: float,
) -> Roi:
    """The region of one joint; `view_px` is (height, width), to which it is cut as machines do."""
    shift = rng.normal(0.0, shift_frac * side_px, 2)
    fault, turn, size = view.fault, view.turn_rad, view.size
    lot, own, own_turn, own_size = rng.random(), WRONG[rng.integers(len(WRONG))], *rng.random(2)
    if fault is RoiFault.OK and lot < wrong_joints_frac:
        fault, turn, size = own, 2 * np.pi * float(own_turn), float(own_size)
    centre = np.array(place_px) + shift
    sides = np.array([side_px, side_px])
    height, width = view_px
    if fault is RoiFault.SHIFTED:
        centre += (0.18 + 0.42 * size) * side_px * np.array([np.cos(turn), np.sin(turn)])
    elif fault is RoiFault.SMALL:
        sides *= 0.5 + 0.2 * size
    elif fault is RoiFault.LARGE:
        sides *= 1.5 + 0.5 * size
    elif fault is RoiFault.NEIGHBOUR:
        step = np.rint([np.cos(turn), np.sin(turn)])
        centre += step * np.array(pitch_px)
    elif fault is RoiFault.ASPECT:
        sides *= (1.15 + 0.4 * size, 1.0) if turn < np.pi else (1.0, 1.15 + 0.4 * size)
    elif fault is RoiFault.ELSEWHERE:
        centre = rng.uniform((side_px, side_px), (width - side_px, height - side_px))
    centre = np.clip(centre, 0.3 * side_px, np.array([width, height]) - 0.3 * side_px)
    low, high = np.rint(centre - sides / 2).astype(int), np.rint(centre + sides / 2).astype(int)
    return Roi(
        x0=max(0, int(low[0])),
        y0=max(0, int(low[1])),
        x1=min(width, int(high[0])),
        y1=min(height, int(high[1])),
        fault=fault,
    )
