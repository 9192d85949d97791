"""Runs of prints: volume, area and height of every pad of every board, drawn from a seed.

Volume of a pad = its group's mean + what stays on the pad + the board's level + wipe + stroke + noise, in points.
Height is what area leaves: volume = area x height exactly. How area goes with volume follows from five figures of real
boards, all within aperture groups: the same pads of two boards correlate at 0.85 in area and 0.76 in height (protocol
3.7), volume has 0.70 of its variance from what stays, and on one board volume goes with height at 0.75 and with area at
0.38. So area and height trade against each other in what stays on a pad, and are free of one another in the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.paste.panel import Numbers
from edge.paste.table import STROKES
from export.simulator.paste.difficulty import Difficulty, difficulty_of
from export.simulator.paste.product import WIPE_EVERY, PasteProduct

Counts = NDArray[np.int64]

# Area against volume, both relative to their means: spread over the volume's, and correlation with it.
STAYING_AREA = (0.771, 0.358)
NOISE_AREA = (0.495, 0.482)
MOVE_AREA_SHARE = 0.24  # of a move of level, wipe or stroke, that is area: as in the noise, 0.495 x 0.482
MAX_BOARDS = 100_000
SHIFT_START_S = 6 * 3600
TAKT_S = 36
DRIFT_PRINTS = 20  # protocol 3.7: 7 points in 20 prints
RUN_STEP = 2  # a run is a stretch with counter steps of at most 2 (protocol 3.1)
FIRST_COUNTER = 24_000
FIRST_DAY = 264  # of the year, as serials of the real line count
_DRIFT_PERIODS = (60.0, 110.0, 200.0)  # prints: sums of sines stay bounded
_WIPE_RECOVERY_PRINTS = 1.5
_LEAST_PCT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintRun:
    """N boards of P pads in printing order. Volume = area x height / stencil, exactly."""

    product: str
    seed: int
    difficulty: Difficulty
    volume_pct: Numbers  # (N, P)
    area_pct: Numbers  # (N, P)
    height_um: Numbers  # (N, P)
    counter: Counts  # (N,) the machine's count: its rest by 5 is the place in the wipe cycle, by 2 the stroke
    day: Counts  # (N,)
    run: Counts  # (N,) stretches without a stop, 0, 1, 2 …
    since_midnight_s: Counts  # (N,)
    stencil_um: Numbers  # (P,)

    def __len__(self) -> int:
        return len(self.counter)

    def part(self, boards: slice | Counts | NDArray[np.bool_]) -> PrintRun:
        """Some of the boards, by slice, numbers or mask."""
        names = ("volume_pct", "area_pct", "height_um", "counter", "day", "run", "since_midnight_s")
        return replace(self, **{name: getattr(self, name)[boards] for name in names})

    def with_paste(self, volume_pct: Numbers, area_pct: Numbers, height_um: Numbers) -> PrintRun:
        """The same boards with other paste."""
        return replace(self, volume_pct=volume_pct, area_pct=area_pct, height_um=height_um)


def print_run(
    product: PasteProduct, n_boards: int, seed: int, difficulty: Difficulty | str = "line", *, one_run: bool = False
) -> PrintRun:
    """`n_boards` good boards of a product. The same arguments give the same bytes; with `one_run` the line never
    stops and no day ends. Raises ValueError for arguments out of range."""
    set_to = difficulty_of(difficulty)
    if not 1 <= n_boards <= MAX_BOARDS:
        raise ValueError(f"n_boards is {n_boards}, expected 1 to {MAX_BOARDS}")
    if seed < 0:
        raise ValueError(f"seed is {seed}, expected 0 or more")
    rng = np.random.default_rng([seed, 0x9A57E1])
    day, run, counter = _order(rng, n_boards, None if one_run else set_to)
    moved = _moved_pct(rng, product, set_to, day, counter)
    repeat = set_to.repeat_sigma_pct * product.repeat_gain
    volume_noise = rng.standard_normal((n_boards, len(product))) * repeat
    own_noise = rng.standard_normal((n_boards, len(product))) * repeat
    stays = set_to.fixed_sigma_pct * product.fixed_gain
    mean_volume, mean_area = product.mean_pct.T
    volume = mean_volume + stays[:, 0] + moved + volume_noise
    area_points = (
        MOVE_AREA_SHARE * moved
        + _area_of(stays[:, 0], stays[:, 1], STAYING_AREA)
        + _area_of(volume_noise, own_noise, NOISE_AREA)
    )  # in points of volume; its own mean makes it per cent of area
    area = mean_area * (1 + area_points / mean_volume)
    volume, area = np.maximum(volume, _LEAST_PCT), np.maximum(area, _LEAST_PCT)
    return PrintRun(
        product=product.name,
        seed=seed,
        difficulty=set_to,
        volume_pct=volume,
        area_pct=area,
        height_um=height_of(product.stencil_um, volume, area),
        counter=counter,
        day=day,
        run=run,
        since_midnight_s=_clock(day, counter),
        stencil_um=product.stencil_um,
    )


def height_of(stencil_um: Numbers, volume_pct: Numbers, area_pct: Numbers) -> Numbers:
    """(N, P) micrometres from a volume and an area (N, P); 0 where there is no paste."""
    ratio = np.divide(volume_pct, area_pct, out=np.zeros_like(volume_pct), where=area_pct > 0)
    return np.asarray(stencil_um * ratio)


def nominal_sigma_pct(product: PasteProduct, difficulty: Difficulty | str = "line") -> Numbers:
    """(P, 2) spread of each pad over good boards of many days, volume and area, in points: what a pad table learned
    from such boards comes near to."""
    set_to = difficulty_of(difficulty)
    repeat = set_to.repeat_sigma_pct * product.repeat_gain
    moved = (
        (_drift_amplitude(set_to) ** 2 * len(_DRIFT_PERIODS) / 2 + set_to.jitter_pct**2) * product.level_gain**2
        + (set_to.day_step_pct[1] / 2 * product.day_gain) ** 2
        + (repeat * set_to.wipe_amplitude * product.wipe_gain) ** 2
        + (repeat * set_to.stroke_amplitude * product.stroke_gain) ** 2
    )
    to_area = product.mean_pct[:, 1] / product.mean_pct[:, 0]
    area = to_area * np.sqrt((NOISE_AREA[0] * repeat) ** 2 + MOVE_AREA_SHARE**2 * moved)
    return np.column_stack([np.sqrt(repeat**2 + moved), area])


def repeat_sigma_pct(product: PasteProduct, difficulty: Difficulty | str = "line") -> Numbers:
    """(P, 2) what is left of each pad between two prints, volume and area, in points: the sharpest sigma there is."""
    repeat = difficulty_of(difficulty).repeat_sigma_pct * product.repeat_gain
    return np.column_stack([repeat, NOISE_AREA[0] * repeat * product.mean_pct[:, 1] / product.mean_pct[:, 0]])


def group_sigma_pct(product: PasteProduct, difficulty: Difficulty | str = "line") -> Numbers:
    """(P,) spread of volume within each pad's aperture group on one board, in points."""
    set_to = difficulty_of(difficulty)
    n = np.bincount(product.group)
    stays = np.sqrt(np.bincount(product.group, weights=product.fixed_gain[:, 0] ** 2) / n) * set_to.fixed_sigma_pct
    return np.asarray(np.sqrt(stays[product.group] ** 2 + (set_to.repeat_sigma_pct * product.repeat_gain) ** 2))


def starts_of(run: PrintRun) -> Counts:
    """(N,) for each board the first board of its stretch: no stop, no jump of the counter, the same day."""
    step = np.diff(run.counter)
    new = (step < 1) | (step > RUN_STEP) | (np.diff(run.day) != 0) | (np.diff(run.run) != 0)
    first = np.concatenate([[True], new])
    return np.asarray(np.maximum.accumulate(np.where(first, np.arange(len(run)), 0)), np.int64)


def _area_of(of_volume: Numbers, own: Numbers, spread_and_correlation: tuple[float, float]) -> Numbers:
    spread, correlation = spread_and_correlation
    return np.asarray(spread * (correlation * of_volume + np.sqrt(1 - correlation**2) * own))


def _order(rng: np.random.Generator, n: int, set_to: Difficulty | None) -> tuple[Counts, Counts, Counts]:
    """Day, run and counter of each board: the counter jumps where the line stood still."""
    at = np.arange(n)
    if set_to is None:
        day = run = np.zeros(n, np.int64)
    else:
        day, within = np.divmod(at, set_to.boards_per_day)
        runs_a_day = -(-set_to.boards_per_day // set_to.boards_per_run)
        run = day * runs_a_day + within // set_to.boards_per_run
    stops = np.diff(run, prepend=0) > 0
    jump = np.where(stops, rng.integers(3, 60, n), 0)
    return day + FIRST_DAY, run, FIRST_COUNTER + int(rng.integers(0, 1000)) + at + np.cumsum(jump)


def _clock(day: Counts, counter: Counts) -> Counts:
    """Seconds of the day at which each board came, by the takt."""
    _, first = np.unique(day, return_index=True)
    return np.asarray(SHIFT_START_S + TAKT_S * (counter - counter[first][day - day[0]]), np.int64)


def _moved_pct(
    rng: np.random.Generator, product: PasteProduct, set_to: Difficulty, day: Counts, counter: Counts
) -> Numbers:
    """(N, P) points by which the whole board, the wipe and the stroke move each pad."""
    n = len(counter)
    level = _drift(rng, counter - counter[0], _drift_amplitude(set_to)) + rng.normal(0, set_to.jitter_pct, n)
    by_day = _day_levels(rng, int(day[-1] - day[0]) + 1, set_to.day_step_pct)[day - day[0]]
    repeat = set_to.repeat_sigma_pct * product.repeat_gain
    wipe = wipe_profile()[counter % WIPE_EVERY] * set_to.wipe_amplitude
    stroke = (2.0 * (counter % STROKES) - 1) * set_to.stroke_amplitude
    return np.asarray(
        np.outer(level, product.level_gain)
        + np.outer(by_day, product.day_gain)
        + np.outer(wipe, repeat * product.wipe_gain)
        + np.outer(stroke, repeat * product.stroke_gain)
    )


def wipe_profile() -> Numbers:
    """(5,) by prints since the wipe: little paste on the first, then it recovers; mean 0, root mean square 1."""
    dip = -np.exp(-np.arange(WIPE_EVERY) / _WIPE_RECOVERY_PRINTS)
    return np.asarray((dip - dip.mean()) / dip.std())


def _drift_amplitude(set_to: Difficulty) -> float:
    """Of each sine, so that all of them together move the board by `drift_pct` in 20 prints, root mean square."""
    turned = np.sin(np.pi * DRIFT_PRINTS / np.array(_DRIFT_PERIODS))
    return float(set_to.drift_pct / np.sqrt(2 * np.sum(turned**2)))


def _drift(rng: np.random.Generator, prints: Counts, amplitude: float) -> Numbers:
    phases = rng.uniform(0, 2 * np.pi, len(_DRIFT_PERIODS))
    waves = [np.sin(2 * np.pi * prints / period + p) for period, p in zip(_DRIFT_PERIODS, phases, strict=True)]
    return np.asarray(amplitude * np.sum(waves, axis=0))


def _day_levels(rng: np.random.Generator, n_days: int, step_pct: tuple[float, float]) -> Numbers:
    """(D,) levels of the days, each a step from the one before and towards the usual level, or past it: so none lies
    further away than the largest step."""
    levels = [float(rng.uniform(-0.5, 0.5)) * step_pct[0]]
    for _ in range(n_days - 1):
        towards = -1.0 if levels[-1] > 0 else 1.0
        levels.append(levels[-1] + towards * float(rng.uniform(*step_pct)))
    return np.array(levels)
