"""Where a recipe of X-rayed joints says they are: the box each usually has, learned from good boards, and whether a
board's box is that one. A region that shows another place, or half of the joint, is worth nothing to whoever judges it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.axi.board import AxiBoard, AxiFault, AxiJoint

COLUMNS = ("refdes", "pin", "view", "x0_px", "y0_px", "x1_px", "y1_px")
MAX_PLACES = 5_000  # of a recipe: keeps one board's verdict a message of bounded size


@dataclass(frozen=True, slots=True, kw_only=True)
class AxiPlace:
    """A joint of the recipe, and its usual box in the slices of its view."""

    refdes: str
    pin: str
    view: str
    box_px: tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiLimits:
    """How far a board's box may be from the usual one: centres apart and sides' ratio, as fractions of the usual side.

    A good region's centre moves by 0.03 of its side (one deviation) and a wrong one's by 0.18 or more.
    """

    shift_frac: float
    scale_frac: float

    def fault(self, place: AxiPlace, joint: AxiJoint) -> str:
        """What is wrong with a joint's region; empty when nothing is."""
        usual_x, usual_y, usual_sides = _geometry(place.box_px)
        x, y, sides = _geometry(joint.box_px)
        side = max(usual_sides)
        shift_frac = math.hypot(x - usual_x, y - usual_y) / side
        if shift_frac > self.shift_frac:
            return f"{shift_frac:.2f} of its side from its usual place, at most {self.shift_frac:g} allowed"
        ratios = [got / usual for got, usual in zip(sides, usual_sides, strict=True)]
        worst = max(ratios, key=lambda ratio: abs(math.log(ratio)))
        if abs(math.log(worst)) > math.log1p(self.scale_frac):
            return f"{worst:.2f} times its usual size, at most {1 + self.scale_frac:g} times either way allowed"
        return ""


def learned_places(boards: Sequence[AxiBoard]) -> tuple[AxiPlace, ...]:
    """The joints of good boards, each with the median of its boxes. Raises AxiFault when boards have other joints or
    views than the first, or too many."""
    names = [(joint.refdes, joint.pin) for joint in boards[0].joints]
    if len(names) > MAX_PLACES:
        raise AxiFault(f"{boards[0].serial}: {len(names)} joints, at most {MAX_PLACES} in a recipe")
    by_board = [{(joint.refdes, joint.pin): joint for joint in board.joints} for board in boards]
    for board, joints in zip(boards, by_board, strict=True):
        if joints.keys() != set(names):
            odd = sorted("-".join(name) for name in joints.keys() ^ set(names))[:3]
            raise AxiFault(f"{board.serial}: other joints than {boards[0].serial}, for instance {odd}")
    places = []
    for name in names:
        found = [
            (board.views[joints[name].view].name, joints[name]) for board, joints in zip(boards, by_board, strict=True)
        ]
        views = {view for view, _ in found}
        if len(views) > 1:
            raise AxiFault(f"joint {'-'.join(name)}: in views {sorted(views)} of different boards")
        x0, y0, x1, y1 = np.median([joint.box_px for _, joint in found], axis=0).tolist()
        places.append(AxiPlace(refdes=name[0], pin=name[1], view=views.pop(), box_px=(x0, y0, x1, y1)))
    return tuple(places)


def places_csv(places: Sequence[AxiPlace]) -> bytes:
    """The table `places_from_csv` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((p.refdes, p.pin, p.view, *(repr(value) for value in p.box_px)) for p in places)
    return text.getvalue().encode()


def places_from_csv(data: bytes) -> tuple[AxiPlace, ...]:
    """Raises AxiFault, with the line."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as err:
        raise AxiFault(f"not a table: {err}") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise AxiFault(f"line 1: {rows[0] if rows else 'nothing'}, expected {list(COLUMNS)}")
    if not 1 <= len(rows) - 1 <= MAX_PLACES:
        raise AxiFault(f"{len(rows) - 1} joints, expected 1 to {MAX_PLACES}")
    places = tuple(_place(line, row) for line, row in enumerate(rows[1:], start=2))
    if len({(p.refdes, p.pin) for p in places}) != len(places):
        raise AxiFault("a joint is listed twice")
    return places


def _place(line: int, row: Sequence[str]) -> AxiPlace:
    if len(row) != len(COLUMNS):
        raise AxiFault(f"line {line}: {len(row)} cells, expected {len(COLUMNS)}")
    refdes, pin, view, *cells = row
    try:
        x0, y0, x1, y1 = map(float, cells)
    except ValueError as err:
        raise AxiFault(f"line {line}: {err}") from None
    if not (refdes and view and all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1):
        raise AxiFault(f"line {line}: {','.join(row)}: a refdes, a view and a box x0 < x1, y0 < y1 are needed")
    return AxiPlace(refdes=refdes, pin=pin, view=view, box_px=(x0, y0, x1, y1))


def _geometry(box: tuple[float, float, float, float]) -> tuple[float, float, tuple[float, float]]:
    x0, y0, x1, y1 = box
    return (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0, y1 - y0)
