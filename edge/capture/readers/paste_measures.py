"""What every table of pads holds, whatever the machine: measures that agree with each other, names that come once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

import numpy as np

from edge.capture.readers.paste_plausible import contradicting, nominal
from edge.capture.readers.paste_table import Table
from edge.paste.panel import Names, Numbers

MEASURED = ("component", "pin", "volume_pct", "height_um", "area_pct", "result")  # columns no pad is judged without


class Measures(TypedDict):
    """The measured fields of a PastePanel, (P,) each."""

    volume_pct: Numbers
    area_pct: Numbers
    height_um: Numbers
    aperture_mm2: Numbers
    stencil_um: Numbers
    x_mm: Numbers | None
    y_mm: Numbers | None
    pad_result: Names


def measures_of(table: Table) -> Measures:
    """The measures of a table; a pad whose numbers contradict each other has none, and is told of."""
    volume, area, height = (table.numbers(name) for name in ("volume_pct", "area_pct", "height_um"))
    volume_um3, area_um2 = (table.optional_numbers(name) for name in ("volume_um3", "area_um2"))
    for row in contradicting(volume_um3, area_um2, height):
        claim = f"{volume_um3[row]:.0f} is not area x height = {area_um2[row] * height[row]:.0f}"
        table.doubt(int(row), "volume_um3", claim)
        volume[row] = area[row] = height[row] = np.nan
    aperture_mm2, stencil_um = nominal(volume, area, volume_um3, area_um2)
    has_places = "x_mm" in table.header.at
    return Measures(
        volume_pct=volume,
        area_pct=area,
        height_um=height,
        aperture_mm2=aperture_mm2,
        stencil_um=stencil_um,
        x_mm=table.numbers("x_mm") if has_places else None,
        y_mm=table.numbers("y_mm") if has_places else None,
        pad_result=np.array(table.texts("result")),
    )


def named_once(names: Iterable[str], table: Table) -> Names:
    """(P,) the names, with `#2`, `#3` … in the file's order where one comes again. A name that ends in `#` is counted
    from `#1`. Raises PasteFault when a pad is already called what another one would be."""
    listed = list(names)
    counted = {name: 0 for name, n in Counter(listed).items() if n > 1 or name.endswith("#")}

    def numbered(name: str) -> str:
        counted[name] = count = counted[name] + 1
        if name.endswith("#"):
            return f"{name}{count}"
        return name if count == 1 else f"{name}#{count}"

    once = [numbered(name) if name in counted else name for name in listed]
    if len(set(once)) < len(once):
        twice = Counter(once).most_common(1)[0][0]
        raise table.refuse(once.index(twice), "component", f"two pads would be called {twice!r}")
    return np.array(once)
