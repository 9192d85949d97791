"""What `best` is taught with: windows from runs of good boards, with faults added, and what is true of each pad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.board import Floats
from edge.paste.panel import Numbers
from edge.paste.planes import CLIP_Z, MAD_TO_SIGMA
from edge.paste.table import STROKES, PadTable
from export.families.paste_print.best_injection import Injector, Places
from export.families.paste_print.best_planes import Counters, group_medians, levels_of, window_planes
from export.training_record import TrainingFault

FIRST_BOARDS_FRAC = 0.15  # windows cut to fewer boards, as at the start of a run
MIN_BOARDS = 50
NOISE_FLOOR_Z = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRuns:
    """N good boards of one product in printing order, against a table that was learned from other boards."""

    table: PadTable
    z: Floats  # (N, P, 2) sigmas of each pad, from `z_of`, not clipped
    counter: Counters  # (N,)
    start: NDArray[np.int64]  # (N,) the first board of each board's run: windows lie inside one

    def __post_init__(self) -> None:
        n = len(self.z)
        if n < MIN_BOARDS or self.z.shape[1:] != (len(self.table.pad), 2):
            raise TrainingFault(
                f"{self.z.shape} values of good boards, expected at least {MIN_BOARDS} boards of "
                f"{len(self.table.pad)} pads and 2 channels"
            )
        if not (len(self.counter) == len(self.start) == n) or (self.start > np.arange(n)).any():
            raise TrainingFault("counters and starts of runs: one each board, a start never after its board")

    def noise_z(self) -> Numbers:
        """(P, 2) how far a pad moves from print to print, its aperture group's move taken away: robust, in sigmas."""
        table, z = self.table, np.clip(self.z, -CLIP_Z, CLIP_Z)
        usual = table.stroke_z[:, self.counter % STROKES] + table.wipe_z[:, self.counter % table.wipe_every]
        left = z - usual.swapaxes(0, 1)
        left = np.stack([left[..., c] - group_medians(table, left[..., c]) for c in range(2)], axis=-1)
        moved = np.diff(left, axis=0)[np.diff(self.start) == 0]
        return np.asarray(np.maximum(MAD_TO_SIGMA * np.median(np.abs(moved), axis=0) / np.sqrt(2), NOISE_FLOOR_Z))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Windows (N, T, C, S, S), what is true of the last board's pads (N, S, S: 1 excess, -1 insufficient, 0 good, 2 not
    judged), their repeat sigmas (N, 2, S, S) of volume and area in table sigmas, 1 where no pad is, and by how much
    faults moved each board's median (N, T, 2), in table sigmas."""

    window: Floats
    target: NDArray[np.int8]
    noise: Floats
    shift: Floats


class Lessons:
    """Draws batches. The same seed gives the same ones."""

    def __init__(
        self, runs: Sequence[CleanRuns], boards: int, seed: int, without: frozenset[str] = frozenset()
    ) -> None:
        self._runs, self._boards = runs, boards
        self._rng = np.random.default_rng([seed, 0xBE57])
        places = [Places.of(run.table, run.noise_z()) for run in runs]
        self._injectors = [Injector(places=own, boards=boards, without=without) for own in places]

    def draw(self, n: int) -> Batch:
        """`n` windows of one of the runs; of a product of several tiles, one tile of each panel."""
        which = int(self._rng.integers(len(self._runs)))
        run, injector = self._runs[which], self._injectors[which]
        clean, counter, present = self._windows(run, n)
        injections = [injector.draw(self._rng, counter[i] % STROKES) for i in range(n)]
        clean = clean + np.stack([one.drift_z for one in injections])
        empty = np.asarray(-run.table.mean_pct / run.table.sigma_pct, np.float32)  # no pad has less than no paste
        faulty = np.maximum(clean + np.stack([one.fault_z for one in injections]), empty)
        noise = injector.places.noise_z
        target = np.stack([one.target(noise) for one in injections])
        windows = window_planes(run.table, faulty, counter, present)
        shift = (levels_of(clean) - levels_of(faulty)) * present[..., None]
        return self._one_tile(run.table, windows, target, noise, shift)

    def _windows(self, run: CleanRuns, n: int) -> tuple[Floats, Counters, NDArray[np.bool_]]:
        """z (n, T, P, 2), counters (n, T) and which boards are there (n, T): the last one always."""
        end = self._rng.integers(len(run.z), size=n)
        at = end[:, None] - np.arange(self._boards - 1, -1, -1)
        first = run.start[end]
        cut = self._rng.random(n) < FIRST_BOARDS_FRAC
        first = np.where(cut, np.maximum(first, end - self._rng.integers(self._boards, size=n)), first)
        counter = run.counter[end][:, None] + (at - end[:, None])
        present = at >= first[:, None]
        counter = np.where(present, run.counter[np.maximum(at, 0)], counter)
        return run.z[np.maximum(at, first[:, None])], counter, present

    def _one_tile(
        self, table: PadTable, windows: Floats, target: NDArray[np.int8], noise_z: Numbers, shift: Floats
    ) -> Batch:
        """Of each panel one tile, mirrored and turned by a quarter at random: no place or direction is special."""
        n, side, tiles = len(target), table.side_cells, table.n_tiles
        truth = np.zeros((n, tiles, side, side), np.int8)
        truth[:, table.tile, table.row, table.col] = target
        noise = np.ones((n, tiles, 2, side, side), np.float32)
        noise[:, table.tile, :, table.row, table.col] = noise_z[:, None]
        at = np.arange(n), self._rng.integers(tiles, size=n)
        window = windows.reshape(n, tiles, *windows.shape[1:])[at]
        truth, noise = truth[at], noise[at]
        mirrored = tuple(axis for axis in (-1, -2) if self._rng.random() < 0.5)
        turned = self._rng.random() < 0.5
        return Batch(
            window=_turned(window, mirrored, turned),
            target=_turned(truth, mirrored, turned),
            noise=_turned(noise, mirrored, turned),
            shift=shift,
        )


def _turned(grid: NDArray[Any], mirrored: tuple[int, ...], turned: bool) -> NDArray[Any]:
    """(..., S, S) mirrored along these axes, then rows and columns exchanged or not."""
    grid = np.flip(grid, mirrored)
    return np.ascontiguousarray(grid.swapaxes(-1, -2) if turned else grid)
