"""A board's crops shared out over threads, a chunk that fits the cache at a time.

Each thread prepares and scores whole chunks by itself, with an engine that uses one thread. Beside one engine that
shares every layer out over all threads, this saves a meeting of the threads at each layer, prepares pixels in parallel
too, and loses less when another process takes a core for a while: 1.1 times as fast on an idle machine with two cores,
1.4 to 1.7 times on one with five busy processes. Fewer crops than threads go through an engine that uses all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract, TensorSpec
from edge.families import FAMILIES
from edge.scorers.fault import ScorerFault

Run = Callable[[Floats], Sequence[Floats]]  # (n, …) graph input to the outputs asked for, n rows each

CHUNK_CROPS = 16  # processor time a crop is least and flat from 4 to 32 (64 px networks, 1 MiB of L2 a core)


class ChunkRunner:
    """Scores crops with one `Run` a thread. All buffers but the results are made here, once."""

    def __init__(
        self, family: str, contract: Contract, *, outputs: Sequence[str], runs: Sequence[Run], alone: Run
    ) -> None:
        """`runs` has one entry a thread, which no other thread uses; `alone` is for fewer crops than there are threads.
        `outputs` are the names of what a run gives, in its order; "score" is one of them."""
        self._contract = contract
        self._family = FAMILIES[family]
        self._outputs = tuple(outputs)
        self._runs, self._alone = tuple(runs), alone
        shapes = {spec.name: _row_shape(spec) for spec in contract.outputs}
        self._shapes = [shapes[name] for name in outputs]
        self._inputs = [np.zeros((CHUNK_CROPS, *_row_shape(contract.inputs[0])), np.float32) for _ in runs]
        self._others = ThreadPoolExecutor(max(1, len(runs) - 1), thread_name_prefix="score")

    def score(self, crops: Image) -> tuple[Floats, Floats | None]:
        """(N, h, w, 3) uint8 BGR to score (N,) and, where it is among the outputs, map (N, h, w). Raises ScorerFault,
        and whatever a run raises."""
        n = len(crops)
        if not n:
            raise ScorerFault("no crops to score")
        results = [np.empty((n, *shape), np.float32) for shape in self._shapes]
        if n < len(self._runs):
            self._chunk(crops, 0, n, self._alone, self._inputs[0], results)
        else:
            self._share_out(crops, results)
        named = dict(zip(self._outputs, results, strict=True))
        return named["score"], named.get("map")

    def _share_out(self, crops: Image, results: list[Floats]) -> None:
        n, threads = len(crops), len(self._runs)
        size = even_chunk(n, threads)
        starts = iter(range(0, n, size))  # taken from by all threads: who was held up takes fewer
        others = [
            self._others.submit(self._work, crops, starts, size, self._runs[k], self._inputs[k], results)
            for k in range(1, threads)
        ]
        try:
            self._work(crops, starts, size, self._runs[0], self._inputs[0], results)
        finally:  # nobody writes into these results once this call has ended
            faults = [other.exception() for other in others]
        for fault in faults:
            if fault is not None:
                raise fault

    def _work(
        self, crops: Image, starts: Iterator[int], size: int, run: Run, buffer: Floats, results: list[Floats]
    ) -> None:
        for start in starts:
            self._chunk(crops, start, min(start + size, len(crops)), run, buffer, results)

    def _chunk(self, crops: Image, start: int, stop: int, run: Run, buffer: Floats, results: list[Floats]) -> None:
        tensor = self._family.graph_input(crops[start:stop], self._contract, buffer[: stop - start])
        for name, result, values in zip(self._outputs, results, run(tensor), strict=True):
            if values.shape != result[start:stop].shape:
                raise ScorerFault(f"{name}: shape {values.shape}, expected {result[start:stop].shape}")
            result[start:stop] = values


def _row_shape(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(int(d) for d in spec.shape[1:])


def even_chunk(n: int, threads: int) -> int:
    """The size of chunk, at most CHUNK_CROPS, that gives every thread the same share of `n` crops: 50 on two threads
    are 13, 13 and 13, 11, not 16, 16 and 16, 2."""
    rounds = math.ceil(n / (CHUNK_CROPS * threads))
    return math.ceil(n / (rounds * threads))
