"""Engines on the shipped bundle: one answer whatever the engine, the threads and the size of the batch, no memory
left behind, and a fault in any thread is a fault."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.board import Floats
from edge.bundle import Bundle, read_bundle
from edge.scorers import EngineChoice, ScorerFault, checked_scores, load_scorer
from edge.scorers.chunks import CHUNK_CROPS, ChunkRunner, even_chunk
from export.demo_stations import BUNDLE

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(BUNDLE)


def _crops(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 64, 64, 3), np.uint8)


@given(n=st.integers(1, 5_000), threads=st.integers(1, 16))
def test_chunks_share_any_board_out_evenly(n: int, threads: int) -> None:
    size = even_chunk(n, threads)
    sizes = [min(size, n - start) for start in range(0, n, size)]
    assert max(sizes) <= CHUNK_CROPS
    assert sum(sizes) == n
    rounds = -(-len(sizes) // threads)
    assert rounds * size <= n / threads + rounds  # no thread has more than its share, but for rounding up


def test_scores_do_not_depend_on_threads_or_batch(bundle: Bundle) -> None:
    crops = _crops(3 * CHUNK_CROPS + 1)
    single = load_scorer(bundle, EngineChoice(threads=1)).score(crops)
    three = load_scorer(bundle, EngineChoice(threads=3))
    all_at_once = three.score(crops)
    np.testing.assert_allclose(all_at_once.score, single.score, rtol=1e-5)
    assert all_at_once.map is not None
    assert single.map is not None
    np.testing.assert_allclose(all_at_once.map, single.map, rtol=1e-4, atol=1e-6)
    for n in (1, 2, 3, CHUNK_CROPS + 1):
        np.testing.assert_allclose(three.score(crops[:n]).score, all_at_once.score[:n], rtol=1e-5)


def test_maps_are_left_out_where_nobody_wants_them(bundle: Bundle) -> None:
    crops = _crops(5)
    batch = load_scorer(bundle, EngineChoice(maps=False)).score(crops)
    assert batch.map is None
    np.testing.assert_array_equal(batch.score, load_scorer(bundle, EngineChoice()).score(crops).score)


@pytest.mark.needs_openvino
def test_openvino_gives_the_scores_of_onnxruntime(bundle: Bundle) -> None:
    crops = _crops(2 * CHUNK_CROPS + 3)
    wanted = load_scorer(bundle, EngineChoice()).score(crops)
    expected, expected_map = wanted.score, wanted.map
    scorer = load_scorer(bundle, EngineChoice(engine="openvino"))
    for n in (1, len(crops)):
        batch = scorer.score(crops[:n])
        score, heat = batch.score, batch.map
        limit = bundle.threshold().value
        np.testing.assert_allclose(score, expected[:n], atol=1e-4 * limit, rtol=1e-5)
        np.testing.assert_array_equal(score > limit, expected[:n] > limit)
        assert heat is not None
        assert expected_map is not None
        np.testing.assert_allclose(heat, expected_map[:n], rtol=1e-3, atol=1e-4)


def test_boards_leave_no_memory_behind(bundle: Bundle) -> None:
    """A leak grows with every hundred boards; what another thread of the process allocates once does not."""
    scorer, crops = load_scorer(bundle, EngineChoice(threads=2, maps=False)), _crops(8)
    held_bytes = []
    tracemalloc.start()
    try:
        for boards in (10, 100, 100, 100):
            for _ in range(boards):
                checked_scores(scorer, crops)
            gc.collect()
            held_bytes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert min(np.diff(held_bytes)) < 7_000  # less than 70 bytes a board; one crop has 12,288


def _runner(bundle: Bundle, fault: Exception | None) -> ChunkRunner:
    """Two threads, of which the second raises `fault`, or gives a score too many. The first waits until it has: it
    would take all chunks by itself."""
    fell_over = threading.Event()

    def good(feeds: Mapping[str, Floats], _outputs: Sequence[str]) -> Sequence[Floats]:
        assert fell_over.wait(10.0)
        return [np.zeros(len(feeds["crops"]), np.float32)]

    def bad(feeds: Mapping[str, Floats], _outputs: Sequence[str]) -> Sequence[Floats]:
        fell_over.set()
        if fault is not None:
            raise fault
        return [np.zeros(len(feeds["crops"]) + 1, np.float32)]

    manifest = bundle.manifest
    return ChunkRunner(manifest.family, manifest.contract, outputs=["score"], runs=[good, bad], alone=good)


@pytest.mark.parametrize(
    ("fault", "expected"), [(RuntimeError("the engine fell over"), RuntimeError), (None, ScorerFault)]
)
def test_a_fault_in_the_other_thread_is_no_score(
    bundle: Bundle, fault: Exception | None, expected: type[Exception]
) -> None:
    runner, crops = _runner(bundle, fault), _crops(8 * CHUNK_CROPS)
    with pytest.raises(expected):
        runner.score(crops)


def test_no_crops_is_a_fault(bundle: Bundle) -> None:
    with pytest.raises(ScorerFault, match="no crops"):
        load_scorer(bundle, EngineChoice()).score(_crops(0))
