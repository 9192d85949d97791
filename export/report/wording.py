"""How the page says numbers. A lower bound is rounded down and an upper bound up, so that no figure shown promises more
than the one computed; a figure that is None reads "nothing can be said"."""

from __future__ import annotations

import math

NOTHING = "nothing can be said"
_ULPS = 1e-9  # so that 97.5 kept as 97.49999999999999 is not shown as 97.4


def percent(value_frac: float | None, digits: int = 1) -> str:
    """`97.5 %`."""
    return NOTHING if value_frac is None else f"{100.0 * value_frac:.{digits}f} %"


def percent_down(value_frac: float | None, digits: int = 1) -> str:
    """A lower bound in percent."""
    return NOTHING if value_frac is None else f"{_down(100.0 * value_frac, digits):.{digits}f} %"


def percent_up(value_frac: float | None, digits: int = 1) -> str:
    """An upper bound in percent."""
    return NOTHING if value_frac is None else f"{_up(100.0 * value_frac, digits):.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """`36,568`."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def number_up(value: float | None, digits: int = 0) -> str:
    """An upper bound."""
    return NOTHING if value is None else f"{_up(value, digits):,.{digits}f}"


def counted(n: int, noun: str) -> str:
    """`1 board`, `2 boards`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _down(value: float, digits: int) -> float:
    scale = 10.0**digits
    return math.floor(value * scale + _ULPS) / scale


def _up(value: float, digits: int) -> float:
    scale = 10.0**digits
    return math.ceil(value * scale - _ULPS) / scale
