"""Run lengths of control charts: how many boards until an alarm, without a change (ARL0) and after one (ARL1).

Exact for independent normal numbers with a known reference, by the Markov chains of D. Brook and D. A. Evans
(Biometrika 59, 1972) for the CUSUM and J. M. Lucas and M. S. Saccucci (Technometrics 32, 1990) for the EWMA. What the
station does to that (an estimated reference, heavy tails, neighbours that resemble each other, several numbers at a
time) is simulated in `calibration.drift_simulation`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

DEFAULT_STATES = 401


def cusum_arl(k: float, h: float, shift: float = 0.0, states: int = DEFAULT_STATES) -> float:
    """Mean boards to an alarm of a one-sided CUSUM from zero, N(`shift`, 1) numbers; all in spreads.

    k 0.5, h 5: 930.9 in control, 10.4 at a shift of 1 (spc's xcusum.arl; Siegmund's formula gives 938.2).
    """
    if not (h > 0 and k >= 0 and states >= 3):
        raise ValueError(f"k {k}, h {h}, states {states}: need k >= 0, h > 0 and at least 3 states")
    width = 2 * h / (2 * states - 1)  # state 0 is half as wide: it lies at the wall
    centres = width * np.arange(states)
    upper = centres[None, :] + width / 2 - centres[:, None] + k - shift
    passed = norm.cdf(upper)
    moves = np.diff(passed, axis=1, prepend=0.0)
    return float(_expected_steps(moves)[0])


def siegmund_arl(k: float, h: float, shift: float = 0.0) -> float:
    """The same by D. Siegmund's approximation (Sequential Analysis, 1985), as in Montgomery eq. 9.6."""
    drift, b = shift - k, h + 1.166
    if abs(drift) < 1e-9:
        return b * b
    return (math.exp(-2 * drift * b) + 2 * drift * b - 1) / (2 * drift * drift)


def two_sided_arl(up: float, down: float) -> float:
    """Both sides of a CUSUM together: the rates add (Van Dobben de Bruyn 1968), as `k` keeps them from being up at the
    same time."""
    return 1.0 / (1.0 / up + 1.0 / down)


def ewma_arl(weight: float, limit: float, shift: float = 0.0, states: int = DEFAULT_STATES) -> float:
    """Mean boards to an alarm of a two-sided EWMA from its centre, limits at +- `limit` of its own asymptotic
    deviations. `weight` 0.2, `limit` 2.962: 500 in control (Lucas and Saccucci, table 3)."""
    if not (0 < weight <= 1 and limit > 0 and states >= 3):
        raise ValueError(f"weight {weight}, limit {limit}, states {states}: need 0 < weight <= 1, limit > 0, 3 states")
    states += 1 - states % 2  # a state at the centre
    edge = limit * math.sqrt(weight / (2 - weight))
    width = 2 * edge / states
    centres = -edge + width * (np.arange(states) + 0.5)
    reach = (centres[None, :] - (1 - weight) * centres[:, None]) / weight
    half = width / (2 * weight)
    moves = norm.cdf(reach + half - shift) - norm.cdf(reach - half - shift)
    return float(_expected_steps(moves)[states // 2])


def limit_for(k: float, arl0: float) -> float:
    """h of a one-sided CUSUM with that in-control run length, 2 to 1e9. Raises ValueError outside of that or k 0.05
    to 3."""
    if not (2 <= arl0 <= 1e9 and 0.05 <= k <= 3):
        raise ValueError(f"k {k}, arl0 {arl0}: need k 0.05 to 3 and arl0 2 to 1e9")
    near = float(brentq(lambda h: math.log(siegmund_arl(k, h) / arl0), -1.0, 500.0))
    low, high = max(0.01, near - 2.0), max(0.5, near) + 2.0  # a chain much beyond it is singular to 16 digits
    return float(brentq(lambda h: math.log(cusum_arl(k, h) / arl0), low, high, xtol=1e-4))


def limit_for_many(k: float, arl0: float, n_charts: int) -> float:
    """h when `n_charts` one-sided charts of independent numbers must together reach `arl0`; related numbers raise
    fewer alarms, so this is the safe side."""
    return limit_for(k, arl0 * n_charts)


def _expected_steps(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean steps until absorption from each state of a chain whose rows (n, n) lack the absorbing state."""
    return np.asarray(np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves))), np.float64)
