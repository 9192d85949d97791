"""A board's crops shared out over threads, a chunk that fits the cache at a time.

Each thread prepares and scores whole chunks by itself, with an engine that uses one thread. Beside one engine that
shares every layer out over all threads, this saves a meeting of the threads at each layer, prepares pixels in parallel
too, and loses less when another process takes a core for a while: 1.1 times as fast on an idle machine with two cores,
1.4 to 1.7 times on one with five busy processes. Fewer crops than threads go through an engine that uses all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from edge.board import Floats, Image
from edge.bundle import EMBEDDING, Contract, TensorSpec
from edge.families import FAMILIES
from edge.references import Compared, Scorable, crops_of
from edge.scorers.batch import ScoreBatch
from edge.scorers.fault import ScorerFault

# Graph inputs by name, n rows each, and names of outputs, to those outputs in that order.
Run = Callable[[Mapping[str, Floats], Sequence[str]], Sequence[Floats]]

CHUNK_CROPS = 16  # processor time a crop is least and flat from 4 to 32 (64 px networks, 1 MiB of L2 a core)


@dataclass(frozen=True, slots=True)
class _Work:
    """A board's crops, what each is compared with, and room for each output, n rows of all."""

    crops: Image | Floats
    references: Floats | None
    results: dict[str, Floats]


class ChunkRunner:
    """Scores crops with one `Run` a thread. All buffers but the results are made here, once."""

    def __init__(
        self, family: str, contract: Contract, *, outputs: Sequence[str], runs: Sequence[Run], alone: Run
    ) -> None:
        """`runs` has one entry a thread, which no other thread uses; `alone` is for fewer crops than there are threads.
        `outputs` are the names of what scoring is to give; "score" is one of them."""
        self._contract = contract
        self._family = FAMILIES[family]
        self._outputs = tuple(outputs)
        self._runs, self._alone = tuple(runs), alone
        self._shapes = {spec.name: _row_shape(spec) for spec in contract.outputs}
        self._inputs = [np.zeros((CHUNK_CROPS, *_row_shape(contract.inputs[0])), np.float32) for _ in runs]
        self._others = ThreadPoolExecutor(max(1, len(runs) - 1), thread_name_prefix="score")

    def score(self, inputs: Scorable) -> ScoreBatch:
        """(N, h, w, C) uint8 crops, with references where the contract has them, to what the outputs are. Raises
        ScorerFault, and whatever a run raises."""
        if isinstance(inputs, Compared) != (len(self._contract.inputs) > 1):
            raise ScorerFault(f"the graph takes {[spec.name for spec in self._contract.inputs]}, this is not given")
        references = inputs.references if isinstance(inputs, Compared) else None
        return ScoreBatch(**self._run_all(crops_of(inputs), references, self._outputs))

    def embed(self, crops: Image) -> Floats:
        """(N, h, w, 3) uint8 BGR to embeddings (N, E). Raises ScorerFault where the graph gives none."""
        if len(self._contract.inputs) < 2:
            raise ScorerFault("this graph compares nothing and gives no embedding")
        # What an embedding is compared with says nothing about it, but the graph wants a number.
        nothing = np.zeros((len(crops), *_row_shape(self._contract.inputs[1])), np.float32)
        return self._run_all(crops, nothing, (EMBEDDING,))[EMBEDDING]

    def _run_all(self, crops: Image | Floats, references: Floats | None, outputs: Sequence[str]) -> dict[str, Floats]:
        n = len(crops)
        if not n:
            raise ScorerFault("no crops to score")
        work = _Work(crops, references, {name: np.empty((n, *self._shapes[name]), np.float32) for name in outputs})
        if n < len(self._runs):
            self._chunk(work, 0, n, self._alone, self._inputs[0])
        else:
            self._share_out(work)
        return work.results

    def _share_out(self, work: _Work) -> None:
        n, threads = len(work.crops), len(self._runs)
        size = even_chunk(n, threads)
        starts = iter(range(0, n, size))  # taken from by all threads: who was held up takes fewer
        others = [
            self._others.submit(self._take, work, starts, size, self._runs[k], self._inputs[k])
            for k in range(1, threads)
        ]
        try:
            self._take(work, starts, size, self._runs[0], self._inputs[0])
        finally:  # nobody writes into these results once this call has ended
            faults = [other.exception() for other in others]
        for fault in faults:
            if fault is not None:
                raise fault

    def _take(self, work: _Work, starts: Iterator[int], size: int, run: Run, buffer: Floats) -> None:
        for start in starts:
            self._chunk(work, start, min(start + size, len(work.crops)), run, buffer)

    def _chunk(self, work: _Work, start: int, stop: int, run: Run, buffer: Floats) -> None:
        rows, specs = slice(start, stop), self._contract.inputs
        feeds = {specs[0].name: self._family.graph_input(work.crops[rows], self._contract, buffer[: stop - start])}
        if work.references is not None:
            feeds[specs[1].name] = work.references[rows]
        for (name, result), values in zip(work.results.items(), run(feeds, tuple(work.results)), strict=True):
            if values.shape != result[rows].shape:
                raise ScorerFault(f"{name}: shape {values.shape}, expected {result[rows].shape}")
            result[rows] = values


def _row_shape(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(int(d) for d in spec.shape[1:])


def even_chunk(n: int, threads: int) -> int:
    """The size of chunk, at most CHUNK_CROPS, that gives every thread the same share of `n` crops: 50 on two threads
    are 13, 13 and 13, 11, not 16, 16 and 16, 2."""
    rounds = math.ceil(n / (CHUNK_CROPS * threads))
    return math.ceil(n / (rounds * threads))
