"""Cells of one column to numbers. What does not parse, or lies outside of what a print can be, becomes NaN and is told;
it never becomes 0."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import Numbers

# lowest and highest that is believed, with the units that may be glued on
BOUNDS: dict[str, tuple[float, float, tuple[str, ...]]] = {
    "volume_pct": (0.0, 1_000.0, ("%",)),
    "area_pct": (0.0, 1_000.0, ("%",)),
    "height_um": (0.0, 5_000.0, ("um", "µm", "μm")),
    "volume_um3": (0.0, 1e13, ("um3", "µm³", "um³")),
    "area_um2": (0.0, 1e10, ("um2", "µm²", "um²")),
    "x_mm": (-2_000.0, 2_000.0, ("mm",)),
    "y_mm": (-2_000.0, 2_000.0, ("mm",)),
}

_PLAIN = {".": re.compile(r"[0-9eE+.\-\n]*"), ",": re.compile(r"[0-9eE+,\-\n]*")}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u202f", " "))


def numbers_of(texts: Sequence[str], field: str, settings: PasteFileSettings) -> tuple[Numbers, NDArray[np.int64]]:
    """(n,) values, NaN where a cell cannot be believed, and the rows of those cells."""
    low, high, units = BOUNDS[field]
    values = _plain(texts, settings.decimal)
    if values is None:
        values = np.array([_number(text, units, settings) for text in texts], np.float64)
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    values[bad] = np.nan
    return values + 0.0, bad  # + 0.0 makes 0 of -0


def _plain(texts: Sequence[str], decimal: str) -> Numbers | None:
    """All at once where every cell is digits, signs, exponents and the decimal mark; None where one is anything else.

    Python's own conversion also takes underscores, `inf` and blanks: the pattern keeps those out."""
    joined = "\n".join(texts)
    if _PLAIN[decimal].fullmatch(joined) is None:
        return None
    if decimal == ",":
        texts = joined.replace(",", ".").split("\n")
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:  # an empty cell, or digits that are no number: each is looked at alone
        return None


def _number(text: str, units: tuple[str, ...], settings: PasteFileSettings) -> float:
    """One cell; NaN where it is no number."""
    cell = text.translate(_BLANKS).strip()
    for unit in units:
        cell = cell.removesuffix(unit)
    cell = cell.rstrip()
    mark, decimal = settings.thousands, settings.decimal
    if mark and mark in cell:
        whole, dot, rest = cell.partition(decimal)
        if re.fullmatch(rf"[+-]?\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+", whole, re.ASCII) is None:
            return float("nan")
        cell = whole.replace(mark, "") + dot + rest
    if decimal == ",":
        if "." in cell:
            return float("nan")
        cell = cell.replace(",", ".")
    return float(cell) if _NUMBER.fullmatch(cell) else float("nan")
