"""Simulated runs for the namer: a fault of the printer that grows, random pads, drift, or nothing, as pad scores.

Everything here is simulated, calibrated on real boards. A run is a stretch of consecutive boards of one product; its
pads are scored by one way (`namer_scores`), so that pictures of any window of it can be made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.paste.fault_naming import KINDS
from edge.paste.table import PadTable
from export.families.paste_print.namer_scores import Scores
from export.simulator.paste import (
    DIFFICULTIES,
    PasteProduct,
    PrintRun,
    injected,
    paste_product,
    print_run,
    printer_fault,
    product_table,
    random_pads,
)

FAULTS: dict[str, str] = {  # the twin's kinds, and what each is called
    "squeegee": "squeegee",
    "support": "support",
    "removed": "removed",
    "kneading": "kneading",
    "clamp_excess": "clamp",
    "clamp_insufficient": "clamp",
    "smear": "smear",
}
DRIFT, RANDOM, SINGLE, CLEAN = "drift", "random", "single boards", "clean"
NOT_FAULTS = (DRIFT, RANDOM, SINGLE, CLEAN)
RUN_BOARDS = 60  # protocol 3.5; a fault starts within the first sixth
TABLE_BOARDS = 200
TABLES = 4  # a split's runs are held against so many tables, each learned from boards of its own
SINGLE_EVERY = 15  # boards, of which one at random looks like a fault and the next is good again
RANDOM_RATIOS, RANDOM_MUS = (0.02, 0.5), (1.5, 5.0)
SINGLE_AMPLITUDES = (2.0, 5.0)
ONSET_SIGMA = 1.0
TEACH_SIGMA = 0.6  # taught to be named from here on: sooner than asked for
QUIET_SIGMA = 0.25  # below: nothing to be named yet, or any more

SPLIT_SEEDS: dict[str, int] = {"train": 10_000_000, "val": 20_000_000, "test": 30_000_000}  # no seed is in two


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """How many runs of a split: `fault` of each of the twin's kinds, amplitudes drawn from `amplitudes` (a range), or
    one after the other (`grid`); the others are of 60 boards too."""

    fault: int
    clean: int
    drift: int
    random: int
    single: int
    amplitudes: tuple[float, ...]
    grid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRun:
    """One run: (N, P) float32 signed pad scores; what it shows; how strong, in sigmas of the pad, board by board."""

    what: str  # the twin's kind, or drift, random, clean
    amplitude: float
    seed: int
    scores: NDArray[np.float32]
    strength: NDArray[np.float64]  # (N,) |A f(t)|, 0 where there is no fault
    counters: tuple[int, ...]
    mask: NDArray[np.bool_]  # (P,) pads that the fault moves
    table: PadTable

    @property
    def kind(self) -> str:
        """The name that is right for this run."""
        return FAULTS.get(self.what, KINDS[0])

    @property
    def onset(self) -> int | None:
        """The first board on which a fault of the printer moves its pads by one sigma of the pad; None where none
        does."""
        there = np.flatnonzero(self.strength >= ONSET_SIGMA)
        return int(there[0]) if len(there) and self.what in FAULTS else None

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) index into KINDS of the right name of each board's window; -1 where either answer is right: something is
        there, but on the last two boards it moves its pads by less than a sigma."""
        return self.names_from(ONSET_SIGMA)

    def names_from(self, sigma: float) -> NDArray[np.int64]:
        """The same, the fault's name from another strength on. A single bad board may be called what it looks like."""
        if self.what not in FAULTS:
            return np.where(self.strength > 0, -1, 0)
        lately = np.maximum(self.strength, np.concatenate([[0.0], self.strength[:-1]]))  # a blade prints every second
        label = np.where(lately >= sigma, KINDS.index(self.kind), -1)
        label[lately < QUIET_SIGMA] = 0
        return np.asarray(label, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A product on its line, and tables as learned from boards that nothing else uses."""

    product: PasteProduct
    tables: tuple[PadTable, ...]


def line_of(name: str, split: str) -> Line:
    """A product with the split's tables, each learned from a clean run of its own."""
    product, base = paste_product(name), SPLIT_SEEDS[split]
    made = [product_table(product, print_run(product, n_boards=TABLE_BOARDS, seed=base + k)) for k in range(TABLES)]
    return Line(product=product, tables=tuple(made))


def scored_runs(line: Line, split: str, counts: RunCounts, score: Scores) -> Iterator[ScoredRun]:
    """All runs of a split, one at a time; the same arguments give the same runs. `score` turns a run to (N, P)."""
    number = {**dict.fromkeys(FAULTS, counts.fault), DRIFT: counts.drift, RANDOM: counts.random}
    number |= {SINGLE: counts.single, CLEAN: counts.clean}
    for first, (what, n_runs) in enumerate(number.items()):
        for k in range(n_runs):
            seed = SPLIT_SEEDS[split] + 100_000 * (first + 1) + k
            yield _scored_run(line, what, seed, k, counts, score)


def _scored_run(line: Line, what: str, seed: int, k: int, counts: RunCounts, score: Scores) -> ScoredRun:
    rng = np.random.default_rng(seed)
    table, product = line.tables[k % len(line.tables)], line.product
    amplitude = (
        counts.amplitudes[k % len(counts.amplitudes)]
        if counts.grid
        else float(rng.uniform(counts.amplitudes[0], counts.amplitudes[-1]))
    )
    run = _some_day(product, seed, rng)
    strength, mask = np.zeros(RUN_BOARDS), np.zeros(len(product), bool)
    if what in FAULTS or what == DRIFT:
        fault = printer_fault(rng, product, what, RUN_BOARDS, amplitude, table)
        run = injected(table, run, fault.delta_z)
        if what in FAULTS:
            strength, mask = np.abs(fault.strength), fault.mask
    elif what == RANDOM:
        mu = float(rng.choice((-1.0, 1.0)) * rng.uniform(*RANDOM_MUS))
        fixed = bool(rng.integers(2))
        run = injected(table, run, random_pads(rng, run.volume_pct.shape, rng.uniform(*RANDOM_RATIOS), mu, fixed))
    elif what == SINGLE:
        delta_z, strength = _single_boards(rng, product, table)
        run = injected(table, run, delta_z)
    return ScoredRun(
        what=what,
        amplitude=amplitude,
        seed=seed,
        scores=score(table, run).astype(np.float32),
        strength=strength,
        counters=tuple(run.counter.tolist()),
        mask=mask,
        table=table,
    )


def _single_boards(
    rng: np.random.Generator, product: PasteProduct, table: PadTable
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, P, 2) sigmas to add and (N,) 1 on the boards that are hit: a fault of any kind at its strongest, once."""
    delta_z, hit = np.zeros((RUN_BOARDS, len(product), 2)), np.zeros(RUN_BOARDS)
    for first in range(0, RUN_BOARDS, SINGLE_EVERY):
        at = first + int(rng.integers(SINGLE_EVERY))
        what = str(rng.choice(list(FAULTS)))
        fault = printer_fault(rng, product, what, RUN_BOARDS, float(rng.uniform(*SINGLE_AMPLITUDES)), table)
        delta_z[at] = fault.delta_z[int(np.argmax(np.abs(fault.strength)))]
        hit[at] = 1.0
    return delta_z, hit


def _some_day(product: PasteProduct, seed: int, rng: np.random.Generator) -> PrintRun:
    """60 boards of the second, third or fourth day of a line: days differ by a step."""
    line = replace(DIFFICULTIES["line"], boards_per_day=RUN_BOARDS, boards_per_run=RUN_BOARDS)
    day = int(rng.integers(1, 4))
    whole = print_run(product, n_boards=RUN_BOARDS * (day + 1), seed=seed, difficulty=line)
    return whole.part(slice(RUN_BOARDS * day, None))
