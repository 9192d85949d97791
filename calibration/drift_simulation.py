"""What a station's drift monitor does over thousands of boards, simulated with the station's own chart code.

Each simulated station learns its reference from its own first boards, so every figure here includes the error of an
estimated reference, the limits shared by all numbers of a board, and whatever shape and order the numbers have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import chi2

from edge.drift_chart import REFERENCE_BOARDS, Reference, fresh_cusum, learn_reference

Numbers = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Numbers]  # (boards, stations, S) numbers in control

WARM_UP_BOARDS = 100  # in control, between the reference and a change: sums are then where a running station has them
MAX_DELAY_BOARDS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Alarms begun on boards in control. `arl0` is boards an alarm; its interval is the exact Poisson one."""

    alarms: int
    boards: int
    per_10_000: float
    arl0: float
    arl0_lower: float
    arl0_upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Boards from a change to its alarm, over stations. A station that found nothing counts as MAX_DELAY_BOARDS."""

    stations: int
    mean: float
    mean_lower: float
    mean_upper: float
    median: float
    p95: float
    within_100_frac: float
    not_found: int
    alarmed_before: int  # stations left out: a false alarm was on when the change came


def false_alarms(
    draw: Draw, *, stations: int, boards: int, n_numbers: int, seed: int, floor: Numbers | None = None
) -> FalseAlarms:
    """Run `stations` for `boards` each after learning, nothing ever changing; 95 % interval."""
    rng = np.random.default_rng(seed)
    floor = np.zeros(n_numbers) if floor is None else floor
    stream = draw(rng, (REFERENCE_BOARDS + boards, stations, n_numbers))
    reference = learn_reference(stream[:REFERENCE_BOARDS], floor)
    cusum = fresh_cusum((stations, n_numbers))
    was: NDArray[np.bool_] = np.zeros(stations, np.bool_)
    begun = 0
    for board in stream[REFERENCE_BOARDS:]:
        cusum.step(board, reference)
        on: NDArray[np.bool_] = np.asarray(cusum.alarm.any(axis=(0, 2)))
        begun += int((on & ~was).sum())
        was = on
    return alarms_with_interval(begun, stations * boards)


def alarms_with_interval(alarms: int, boards: int) -> FalseAlarms:
    """The run length and its exact 95 % interval (Garwood, Biometrika 1936) from a count."""
    high = float(chi2.ppf(0.975, 2 * alarms + 2)) / 2
    low = float(chi2.ppf(0.025, 2 * alarms)) / 2 if alarms else 0.0
    return FalseAlarms(
        alarms=alarms,
        boards=boards,
        per_10_000=1e4 * alarms / boards,
        arl0=boards / alarms if alarms else math.inf,
        arl0_lower=boards / high,
        arl0_upper=boards / low if low else math.inf,
    )


def detection_delays(
    clean: Numbers, changed: Numbers, floor: Numbers, *, stations: int, seed: int, ramp_boards: int = 0
) -> Delays:
    """Stations that see boards drawn from `clean` (N, S), then the same boards `changed` (N, S): at once, or growing
    from one to the other over `ramp_boards`, when the delay counts from the end of the ramp and may be negative."""
    rng = np.random.default_rng(seed)
    n = len(clean)
    reference = learn_reference(clean[rng.integers(n, size=(REFERENCE_BOARDS, stations))], floor)
    cusum = fresh_cusum((stations, clean.shape[1]))
    for _ in range(WARM_UP_BOARDS):
        cusum.step(clean[rng.integers(n, size=stations)], reference)
    before = cusum.alarm.any(axis=(0, 2))
    found = np.full(stations, MAX_DELAY_BOARDS + ramp_boards, np.int64)
    for board in range(1, MAX_DELAY_BOARDS + ramp_boards + 1):
        frac = min(1.0, board / (ramp_boards + 1))
        at = rng.integers(n, size=stations)
        cusum.step(clean[at] + frac * (changed[at] - clean[at]), reference)
        new = cusum.alarm.any(axis=(0, 2)) & (found > board)
        found[new] = board
        if (found <= board).all():
            break
    return _delays(found[~before] - ramp_boards, int(before.sum()))


def _delays(found: NDArray[np.int64], alarmed_before: int) -> Delays:
    if not len(found):
        raise ValueError(f"all {alarmed_before} stations were in alarm before the change: no delay can be told")
    half = 1.96 * float(found.std(ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else math.inf
    return Delays(
        stations=len(found),
        mean=float(found.mean()),
        mean_lower=float(found.mean()) - half,
        mean_upper=float(found.mean()) + half,
        median=float(np.median(found)),
        p95=float(np.quantile(found, 0.95)),
        within_100_frac=float((found <= 100).mean()),
        not_found=int((found >= MAX_DELAY_BOARDS).sum()),
        alarmed_before=alarmed_before,
    )


def chart_path(numbers: Numbers, floor: Numbers) -> tuple[Reference, Numbers, NDArray[np.bool_]]:
    """One station's run over `numbers` (N, S): its reference, the sums (N - REFERENCE_BOARDS, 2, S) after each further
    board, and whether there was an alarm then."""
    reference = learn_reference(numbers[:REFERENCE_BOARDS], floor)
    cusum = fresh_cusum((numbers.shape[1],))
    totals, alarms = [], []
    for board in numbers[REFERENCE_BOARDS:]:
        cusum.step(board, reference)
        totals.append(cusum.total)
        alarms.append(bool(cusum.alarm.any()))
    return reference, np.array(totals), np.array(alarms, np.bool_)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return rng.standard_normal(shape)


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return rng.standard_t(3, shape)


def _outliers(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return rng.standard_normal(shape) * np.where(rng.random(shape) < 0.05, 6.0, 1.0)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return rng.uniform(-1.0, 1.0, shape)


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return rng.exponential(1.0, shape)


def _rounded(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    return np.round(rng.standard_normal(shape))


def _related(likeness: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
        noise = rng.standard_normal(shape)
        noise[0] /= math.sqrt(1 - likeness**2)  # begun as it goes on
        return np.asarray(lfilter([1.0], [1.0, -likeness], noise, axis=0), np.float64)

    return draw


def _lots(deviation: float, lot_boards: int) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
        lots = rng.standard_normal((-(-shape[0] // lot_boards), *shape[1:]))
        return rng.standard_normal(shape) + deviation * np.repeat(lots, lot_boards, axis=0)[: shape[0]]

    return draw


SHAPES: Mapping[str, Draw] = {
    "normal": _normal,
    "Student t, 3 degrees of freedom": _student,
    "normal with 5 % outliers of 6 deviations": _outliers,
    "uniform": _uniform,
    "normal rounded to whole deviations": _rounded,
    "exponential, all seven numbers": _skewed,
    "neighbours alike, r = 0.3": _related(0.3),
    "neighbours alike, r = 0.6": _related(0.6),
    "lots of 50, lot means differ by 0.1 deviations": _lots(0.1, 50),
    "lots of 50, lot means differ by 0.3 deviations": _lots(0.3, 50),
}
