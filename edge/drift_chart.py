"""The control chart of one station: two-sided CUSUMs on robustly standardised numbers. Pure.

The first `REFERENCE_BOARDS` boards say what is usual: centre, spread, and how much a board resembles the one before it.
After that each number runs a tabular CUSUM upwards and one downwards (E. S. Page, Biometrika 1954; D. C. Montgomery,
Introduction to Statistical Quality Control, ch. 9). All arrays carry the numbers in their last axis and may have any
axes before it, so that a simulation runs thousands of stations through the very code of one.

The constants were designed by `calibration.drift_design` and are proved by `boardgate bench drift`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

REFERENCE_BOARDS = 300
SLACK = 0.4  # k, in spreads: what a board may be off without adding to the sum; half of the shift looked for
LIMIT = 15.0  # h, in spreads
CAP = 20.0  # the sum grows no further, so that an alarm ends some 50 boards after its cause
CLIP = 3.0  # one board counts for no more spreads than that: a single odd picture raises no alarm
CLIPPED_SPREAD = 0.9933  # deviation of a standard normal that is clipped at CLIP
MIN_FINITE_FRAC = 0.8  # of the reference boards that must have a number before it is charted
MAX_LIKENESS = 0.8  # of neighbouring boards; beyond it the spread would be widened without end
BATCH_BOARDS = 25  # runs of boards whose means show what a single board's likeness to the next does not, such as lots
BATCH_DOUBT = 0.8  # sqrt(11 / 17.3): the means of 12 batches show so much less with 90 % confidence (chi-squared)
HUBER_STEPS = 3
TINY = 1e-12
LARGEST = 1e6  # a number beyond it is none: no logarithm and no share of a threshold comes near
SIZE_BOARDS = 20  # the size of a drift is a mean over at most about so many boards


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is usual. `centre` and `spread` (…, S) float64 in the numbers' own units; NaN where nothing can be said.

    `spread` is the long-run deviation, which is what a CUSUM adds up: that of a board, widened by
    sqrt((1 + r) / (1 - r)) for the correlation r >= 0 of neighbouring boards (a first-order process), or by what the
    means of batches show.
    """

    centre: Numbers
    spread: Numbers


def learn_reference(boards: Numbers, floor: Numbers) -> Reference:
    """From `boards` (N, …, S), NaN where a number is missing. `floor` (S,) is the smallest spread that is used: below
    it a change does not matter. Centre and spread are those of
    the numbers clipped as the chart clips them, so that the clipped ones lie evenly round zero whatever their tails."""
    boards = np.where(np.abs(boards) <= LARGEST, boards, np.nan)
    enough = np.isfinite(boards).mean(axis=0) >= MIN_FINITE_FRAC
    known = np.where(enough, boards, 0.0)
    centre = np.nanmedian(known, axis=0)
    spread = np.maximum(1.4826 * np.nanmedian(np.abs(known - centre), axis=0), TINY)
    for _ in range(HUBER_STEPS):
        clipped = np.clip(known, centre - CLIP * spread, centre + CLIP * spread)
        centre = np.nanmean(clipped, axis=0)
        spread = np.maximum(np.nanstd(clipped, axis=0) / CLIPPED_SPREAD, TINY)
    z = np.nan_to_num(np.clip((known - centre) / spread, -CLIP, CLIP))
    spread = np.maximum(spread * np.maximum(_neighbours_factor(z), _batches_factor(z)), floor)
    return Reference(centre=np.where(enough, centre, np.nan), spread=np.where(enough, spread, np.nan))


def _neighbours_factor(z: Numbers) -> Numbers:
    likeness = (z[1:] * z[:-1]).sum(axis=0) / np.maximum((z * z).sum(axis=0), TINY)
    likeness += (1 + 4 * likeness) / len(z)  # its bias, F. H. C. Marriott and J. A. Pope, Biometrika 1954
    likeness = np.clip(likeness, 0.0, MAX_LIKENESS)
    return np.asarray(np.sqrt((1 + likeness) / (1 - likeness)), np.float64)


def _batches_factor(z: Numbers) -> Numbers:
    whole = len(z) // BATCH_BOARDS * BATCH_BOARDS
    if whole < 2 * BATCH_BOARDS:
        return np.zeros(z.shape[1:])
    means = z[:whole].reshape(-1, BATCH_BOARDS, *z.shape[1:]).mean(axis=1)
    return np.asarray(BATCH_DOUBT * np.sqrt(BATCH_BOARDS) * means.std(axis=0, ddof=1), np.float64)


@dataclass(slots=True, kw_only=True)
class Cusum:
    """The running sums, in spreads; axis 0 is up and down. `boards` counts those since the sum was last zero: the
    likeliest begin of a drift. `size` is how far off they were, in the numbers' own units."""

    total: Numbers  # (2, …, S)
    boards: Numbers
    size: Numbers
    alarm: NDArray[np.bool_]

    def step(self, numbers: Numbers, reference: Reference) -> None:
        """One board (…, S). A number that is not finite leaves its sums as they are."""
        seen = (np.abs(numbers) <= LARGEST) & np.isfinite(reference.centre)
        off = np.where(seen, numbers, 0.0) - np.where(seen, reference.centre, 0.0)
        z = np.clip(off / np.where(seen, reference.spread, 1.0), -CLIP, CLIP)
        signed = np.stack([z, -z])
        total = np.where(seen, np.clip(self.total + signed - SLACK, 0.0, CAP), self.total)
        begun = total > 0.0
        self.boards = np.where(begun, self.boards + seen, 0.0)
        weight = 1.0 / np.clip(self.boards, 1.0, SIZE_BOARDS)
        self.size = np.where(begun, np.where(seen, self.size + (off - self.size) * weight, self.size), 0.0)
        self.total = total
        self.alarm = (total > LIMIT) | (self.alarm & begun)


def fresh_cusum(shape: tuple[int, ...]) -> Cusum:
    """Sums at zero for numbers of `shape` (…, S)."""
    zeros = {f.name: np.zeros((2, *shape)) for f in fields(Cusum) if f.name != "alarm"}
    return Cusum(**zeros, alarm=np.zeros((2, *shape), np.bool_))
