"""The station's drift monitor: has the lamp, the lens, the colour of the boards or the level of the scores moved since
the station learned what is usual?

It watches seven numbers a board, five of the picture and two of the scores of places that were not called, and says in
words what drifts, by how much and since which board. It learns anew for each recipe, bundle and precision. It judges no
board: an alarm is said in the verdict, and `under_drift` can turn a PASS into a hold and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.board import Finding, Outcome, Reason, Verdict
from edge.drift_chart import REFERENCE_BOARDS, Cusum, Reference, fresh_cusum, learn_reference
from edge.drift_state import SavedDrift, cusum_of, load_drift, reference_of, row_of, save_drift, sums_of
from edge.image_statistics import ImageStatistics

SAVE_IDLE_NS = 10_000_000_000  # the state is written when no board waits, at most so often
SAVE_BUSY_NS = 60_000_000_000  # and on a line that never pauses, so often: one fsync a minute
HIGH_SCORE_QUANTILE = 0.9
MIN_GOOD_FRAC = 0.5  # of the places; with more of them called, the rest says nothing about good ones
TINY = 1e-9
MAX_LOG = 10.0  # more than any picture differs from another; its exponential can still be printed
# A step of so many spreads is found after 100 boards in the mean, `calibration.drift_design.cusum_arl`.
FOUND_IN_100_BOARDS = 0.521

log = logging.getLogger("boardgate.drift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One number of a board. `floor` is the smallest spread it is held against: smaller drifts do not matter."""

    word: str
    floor: float
    of: str = ""  # what a size is a share of, where that is not the number itself


WATCHED = (
    Watched(word="lamp", floor=0.01),
    Watched(word="blue", floor=0.01),
    Watched(word="red", floor=0.01),
    Watched(word="focus", floor=0.05),
    Watched(word="noise", floor=0.05),
    Watched(word="scores", floor=0.02, of=" of the threshold"),
    Watched(word="high scores", floor=0.04, of=" of the threshold"),
)
FLOORS = np.array([w.floor for w in WATCHED])

Numbers = NDArray[np.float64]


def board_numbers(image: ImageStatistics, findings: Sequence[Finding]) -> Numbers:
    """The (S,) float64 numbers of one board, in the order of WATCHED; NaN where the board has none.

    Scores are taken as a share of their threshold, over the places not called, so that one defect moves nothing.
    """
    good = [(f.score - f.region.threshold) / max(abs(f.region.threshold), TINY) for f in findings if not f.is_defect]
    scores = (np.nan, np.nan)
    if good and len(good) >= MIN_GOOD_FRAC * len(findings):
        scores = (float(np.median(good)), float(np.quantile(good, HIGH_SCORE_QUANTILE)))
    return np.array([image.level, image.blue, image.red, image.focus, image.noise, *scores], np.float64)


def drift_key(recipe_sha256: str, bundle_sha256: str, precision: str) -> str:
    """What a learned reference belongs to: any other of these gives other numbers."""
    return f"{recipe_sha256}:{bundle_sha256}:{precision}"


def under_drift(verdict: Verdict, drift: str, *, hold: bool) -> Verdict:
    """The verdict with what drifts written in. With `hold`, a PASS becomes UNDECIDED; no other outcome changes."""
    if hold and drift and verdict.outcome is Outcome.PASS:
        return replace(verdict, drift=drift, outcome=Outcome.UNDECIDED, reason=Reason.DRIFT, detail=drift)
    return replace(verdict, drift=drift)


class DriftMonitor:
    """Learns from the first boards, then watches. One thread. `path` None: nothing is kept over a restart."""

    def __init__(self, path: Path | None, key: str) -> None:
        """`key` names recipe, bundle and precision: a state of any other is not used."""
        self._path = path
        self._key = key
        self._learning: list[Numbers] = []
        self._reference: Reference | None = None
        self._cusum: Cusum = fresh_cusum((len(WATCHED),))
        self._since = [[""] * len(WATCHED) for _ in range(2)]
        self._n_boards = 0
        self._drift = ""
        self._saved_ns: int | None = None
        self._changed = False
        saved = load_drift(path, key, len(WATCHED)) if path is not None else None
        if saved is not None:
            self._restore(saved)

    @property
    def n_boards(self) -> int:
        """Boards seen, over restarts."""
        return self._n_boards

    @property
    def reference(self) -> Reference | None:
        """What is usual; None while learning."""
        return self._reference

    @property
    def drift(self) -> str:
        """What drifts now, in words; empty when nothing does."""
        return self._drift

    def observe(self, board_id: str, numbers: Numbers | None) -> str:
        """One board, `numbers` (S,) float64 or None where it could not be looked at; what drifts now, in words."""
        if numbers is None or not np.isfinite(numbers).any():
            return self._drift
        self._n_boards += 1
        self._changed = True
        if self._reference is None:
            self._learn(numbers)
            return self._drift
        self._cusum.step(numbers, self._reference)
        for side, number in zip(*np.nonzero(self._cusum.boards == 1.0), strict=True):
            self._since[side][number] = board_id
        self._say()
        return self._drift

    def save_when_due(self, now_ns: int, *, idle: bool) -> None:
        """Keep the state, seldom. A disk that refuses costs the memory of a few boards, never a verdict."""
        if self._path is None or not self._changed:
            return
        if self._saved_ns is not None and now_ns < self._saved_ns + (SAVE_IDLE_NS if idle else SAVE_BUSY_NS):
            return
        self._saved_ns = now_ns
        self.save()

    def save(self) -> None:
        """Keep the state now. A fault of the disk is logged."""
        if self._path is None or not self._changed:
            return
        try:
            save_drift(self._path, self._state())
        except OSError as err:
            log.warning("drift state not kept: %s", err)
            return
        self._changed = False

    def _learn(self, numbers: Numbers) -> None:
        self._learning.append(numbers)
        if len(self._learning) < REFERENCE_BOARDS:
            return
        self._reference = learn_reference(np.array(self._learning), FLOORS)
        self._learning = []
        shifts = FOUND_IN_100_BOARDS * self._reference.spread
        found = ", ".join(f"{w.word} {s:.1%}" for w, s in zip(WATCHED, shifts, strict=True) if np.isfinite(s))
        log.info("usual is learned from %d boards; found within 100 boards in the mean: %s", REFERENCE_BOARDS, found)

    def _say(self) -> None:
        """Put what drifts into words; log when that begins or ends."""
        before, said = self._drift, []
        for number, watched in enumerate(WATCHED):
            if not self._cusum.alarm[:, number].any():
                continue
            side = int(np.argmax(self._cusum.total[:, number] * self._cusum.alarm[:, number]))
            size = float(self._cusum.size[side, number])
            share = size if watched.of else float(np.expm1(min(size, MAX_LOG)))
            said.append(f"{watched.word} {100 * share:+.1f} %{watched.of} since board {self._since[side][number]}")
        self._drift = "; ".join(said)
        if bool(before) != bool(self._drift):
            log.warning("drift: %s", self._drift or f"over; was {before}")

    def _state(self) -> SavedDrift:
        learned = self._reference
        return SavedDrift(
            key=self._key,
            n_boards=self._n_boards,
            learning=tuple(row_of(row) for row in self._learning),
            centre=row_of(learned.centre) if learned else (),
            spread=row_of(learned.spread) if learned else (),
            up=sums_of(self._cusum, self._since, 0) if learned else (),
            down=sums_of(self._cusum, self._since, 1) if learned else (),
        )

    def _restore(self, saved: SavedDrift) -> None:
        self._n_boards = saved.n_boards
        self._learning = [np.array([np.nan if v is None else v for v in row]) for row in saved.learning]
        if saved.centre:
            self._reference = reference_of(saved)
            self._cusum = cusum_of(saved)
            self._since = [[s.since for s in side] for side in (saved.up, saved.down)]
            self._say()
