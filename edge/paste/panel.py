"""One panel's paste, as its machine measured it: every reader of machine files gives this record, or a PasteFault."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_PADS = 200_000  # a 0.5 m panel full of 01005s; keeps one board's arrays below 50 MB

Numbers = NDArray[np.float64]
Names = NDArray[np.str_]


class PasteFault(Exception):
    """A machine's file that must not be judged by: which file, line and column, what came, what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastePanel:
    """Pads in the machine's order, P of them. A number the machine did not give, or that does not parse, is NaN: that
    pad is not judged, and the board is held.

    `pad` names each pad once, the same on every panel of a product: `REFDES/PIN`, with `#2`, `#3` … where a name comes
    again. Volume and area are in per cent of the stencil's aperture.
    """

    barcode: str  # empty when the machine did not read it
    job: str  # the machine's program, which says product and side
    side: str  # "top", "bottom", or empty where the file does not say
    counter: int | None  # the machine's own count of panels: the order of printing
    printed: str  # ISO 8601 as the machine's clock said, without zone
    machine_result: str  # the machine's own call, as written
    pad: Names  # (P,)
    volume_pct: Numbers  # (P,)
    area_pct: Numbers  # (P,)
    height_um: Numbers  # (P,)
    aperture_mm2: Numbers  # (P,) nominal area, worked out from area in um2 and in per cent where the file gives both
    stencil_um: Numbers  # (P,) nominal paste height, worked out the same way; NaN where the file cannot tell
    x_mm: Numbers | None  # (P,), None where the export has no positions
    y_mm: Numbers | None
    pad_result: Names  # (P,) the machine's call of each pad, as written
    faults: tuple[str, ...] = ()  # pads that could not be read, in words, a few of them

    def __post_init__(self) -> None:
        n = len(self.pad)
        if not 1 <= n <= MAX_PADS:
            raise PasteFault(f"{n} pads, expected 1 to {MAX_PADS}")
        for name in ("volume_pct", "area_pct", "height_um", "aperture_mm2", "stencil_um", "pad_result"):
            if (got := getattr(self, name).shape) != (n,):
                raise PasteFault(f"{name}: shape {got}, expected ({n},)")
        if len(np.unique(self.pad)) != n:
            raise PasteFault("pad: a name comes twice")

    def __len__(self) -> int:
        return len(self.pad)
