"""The sub-board every product of the paste twin repeats: 250 pads on 24 x 24 cells, one pad a cell at most."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture:
    """A rectangle in the stencil; round ones have the same area ratio as squares of their diameter."""

    width_mm: float
    length_mm: float
    stencil_um: float
    round: bool = False

    @property
    def area_mm2(self) -> float:
        filled_frac = 0.785398 if self.round else 1.0
        return round(self.width_mm * self.length_mm * filled_frac, 4)

    @property
    def area_ratio(self) -> float:
        """Opening over wall: what decides how much paste leaves the stencil (IPC-7525)."""
        wall_mm = 2 * (self.width_mm + self.length_mm) * (0.785398 if self.round else 1.0)
        return self.area_mm2 / (wall_mm * self.stencil_um / 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One pad of the sub-board: its name and cell."""

    refdes: str
    pin: str
    row: int
    col: int
    aperture_mm2: float
    stencil_um: float
    area_ratio: float


BGA = Aperture(width_mm=0.32, length_mm=0.32, stencil_um=120, round=True)
QFP = Aperture(width_mm=0.28, length_mm=1.1, stencil_um=120)
SOIC = Aperture(width_mm=0.6, length_mm=1.1, stencil_um=120)
SOIC_STEP = Aperture(width_mm=0.6, length_mm=1.1, stencil_um=150)
CHIP_0402 = Aperture(width_mm=0.44, length_mm=0.5, stencil_um=120)
CHIP_0603 = Aperture(width_mm=0.7, length_mm=0.8, stencil_um=120)
CHIP_0805 = Aperture(width_mm=0.9, length_mm=1.1, stencil_um=150)
CHIP_0603_STEP = Aperture(width_mm=0.7, length_mm=0.8, stencil_um=150)
CONNECTOR = Aperture(width_mm=1.0, length_mm=1.9, stencil_um=150)
ELECTROLYTIC = Aperture(width_mm=1.6, length_mm=2.2, stencil_um=180)
TAB = Aperture(width_mm=2.2, length_mm=3.0, stencil_um=180)


@functools.cache
def sub_board_sites() -> tuple[Site, ...]:
    """The sub-board's 250 pads in the machine's order."""
    return tuple(
        Site(
            refdes=refdes,
            pin=pin,
            row=row,
            col=col,
            aperture_mm2=aperture.area_mm2,
            stencil_um=aperture.stencil_um,
            area_ratio=aperture.area_ratio,
        )
        for refdes, pin, row, col, aperture in _pads()
    )


def _pads() -> Iterator[tuple[str, str, int, int, Aperture]]:
    for k in range(64):  # a ball grid, named as balls are
        yield "U1", f"{'ABCDEFGH'[k // 8]}{k % 8 + 1}", k // 8, k % 8, BGA
    yield from _four_sides("U2", row=0, col=10, pins_a_side=10, aperture=QFP)
    yield from _two_rows("U3", row=9, col=0, pins_a_side=8, aperture=SOIC)
    yield from _two_rows("U4", row=14, col=10, pins_a_side=8, aperture=SOIC_STEP)
    for k in range(16):
        yield from _chip(f"R{k + 1}", row=13 + 2 * (k // 4), col=2 * (k % 4), aperture=CHIP_0402)
    for k in range(12):
        yield from _chip(f"C{k + 1}", row=2 + k // 4 * 3, col=12 + 2 * (k % 4), aperture=CHIP_0603)
    for k in range(12):
        yield from _chip(f"C{k + 21}", row=13 + k % 6, col=19 + 2 * (k // 6), aperture=CHIP_0805)
    for k in range(10):
        yield from _chip(f"R{k + 31}", row=21 + k // 5, col=2 * (k % 5), aperture=CHIP_0603_STEP)
    for k in range(6):
        yield "X1", str(k + 1), 23, 11 + 2 * k, CONNECTOR
    for k in range(4):
        yield f"C{k // 2 + 41}", str(k % 2 + 1), 21, 11 + 3 * k, ELECTROLYTIC
    for k in range(4):
        yield f"Q{k + 1}", "2", 19, 10 + 3 * k, TAB


def _chip(refdes: str, row: int, col: int, aperture: Aperture) -> Iterator[tuple[str, str, int, int, Aperture]]:
    for k in range(2):
        yield refdes, str(k + 1), row, col + k, aperture


def _two_rows(
    refdes: str, row: int, col: int, pins_a_side: int, aperture: Aperture
) -> Iterator[tuple[str, str, int, int, Aperture]]:
    for k in range(2 * pins_a_side):
        side, place = divmod(k, pins_a_side)
        yield refdes, str(k + 1), row + 3 * side, col + (place if side == 0 else pins_a_side - 1 - place), aperture


def _four_sides(
    refdes: str, row: int, col: int, pins_a_side: int, aperture: Aperture
) -> Iterator[tuple[str, str, int, int, Aperture]]:
    n, far = pins_a_side, pins_a_side + 1
    sides = (
        [(k + 1, 0) for k in range(n)],
        [(far, k + 1) for k in range(n)],
        [(n - k, far) for k in range(n)],
        [(0, n - k) for k in range(n)],
    )
    cells = [cell for side in sides for cell in side]
    for k, (down, across) in enumerate(cells):
        yield refdes, str(k + 1), row + down, col + across, aperture
