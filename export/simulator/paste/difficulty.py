"""How much simulated paste varies: measured on real boards where they say, and named choices where they do not.

Points are per cent of the aperture, of volume. `repeat sigma` is what is left of a pad between two prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from export.simulator.difficulties import named_difficulty

SWEEP_AMPLITUDES = (0.2, 0.4, 0.6, 0.8, 1.0)  # protocol 3.7: nobody has measured wipe and stroke in volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """Amplitudes of one kind of line. Raises ValueError for values no line has.

    `wipe_amplitude` and `stroke_amplitude` are in repeat sigmas, root mean square over pads and prints.
    """

    name: str
    fixed_sigma_pct: float = 4.7  # what stays on a pad: measured within aperture groups
    repeat_sigma_pct: float = 3.05  # measured between two boards 21 prints apart; 1.4 to 4.4 by group
    drift_pct: float = 7.0  # the board's mean, root mean square change in 20 prints
    day_step_pct: tuple[float, float] = (10.0, 30.0)  # from day to day, on large pads
    jitter_pct: float = 0.8  # the board's mean from print to print: a choice
    wipe_amplitude: float = 0.4  # unknown; of the sweep, 0.4 comes nearest to the 0.64 by which real pads repeat
    stroke_amplitude: float = 0.4
    boards_per_day: int = 100
    boards_per_run: int = 50  # then the line stops and its counter jumps

    def __post_init__(self) -> None:
        amounts = (self.fixed_sigma_pct, self.repeat_sigma_pct, self.drift_pct, self.jitter_pct, *self.day_step_pct)
        if not all(0 <= amount <= MAX_POINTS for amount in amounts) or self.day_step_pct[0] > self.day_step_pct[1]:
            raise ValueError(f"difficulty {self.name!r}: points outside 0 to {MAX_POINTS}: {amounts}")
        if not all(0 <= amplitude <= 5 for amplitude in (self.wipe_amplitude, self.stroke_amplitude)):
            raise ValueError(f"difficulty {self.name!r}: wipe and stroke amplitudes are 0 to 5 repeat sigmas")
        if not 1 <= self.boards_per_day <= MAX_BOARDS_PER_DAY or self.boards_per_run < 1:
            raise ValueError(f"difficulty {self.name!r}: a day has 1 to {MAX_BOARDS_PER_DAY} boards, a run at least 1")


MAX_BOARDS_PER_DAY = 1500  # at a takt of 36 s the day is over by then
MAX_POINTS = 30.0  # more and some pad of a clean print would have no paste

LINE = Difficulty(name="line")
_EASY = Difficulty(
    name="easy",
    repeat_sigma_pct=1.5,
    drift_pct=3.0,
    day_step_pct=(2.0, 5.0),
    jitter_pct=0.3,
    wipe_amplitude=0.2,
    stroke_amplitude=0.2,
)
_HARD = Difficulty(
    name="hard",
    repeat_sigma_pct=3.6,
    drift_pct=9.0,
    day_step_pct=(20.0, 30.0),
    jitter_pct=1.5,
    wipe_amplitude=1.0,
    stroke_amplitude=1.0,
)
_SWEEP = [
    replace(LINE, name=f"line-periodic-{amplitude}", wipe_amplitude=amplitude, stroke_amplitude=amplitude)
    for amplitude in SWEEP_AMPLITUDES
]
DIFFICULTIES: Mapping[str, Difficulty] = MappingProxyType({one.name: one for one in (_EASY, LINE, _HARD, *_SWEEP)})


def difficulty_of(difficulty: Difficulty | str) -> Difficulty:
    """A difficulty, or the one of that name. Raises ValueError for a name nobody gave."""
    return named_difficulty(difficulty, DIFFICULTIES)
