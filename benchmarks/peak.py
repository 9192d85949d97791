"""The machine's own matrix-product peak: what its best single-precision matrix product reaches, so that a network's
speed can be held against something that is not another engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

SIDE = 1024  # three matrices of 4 MiB: large enough to reach the peak, flat from 512 to 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Floating-point operations a second of time, and a second of one processor's time."""

    wall: float
    cpu: float


def matrix_product(threads: int) -> Callable[[], Rate]:
    """A function that multiplies two big matrices on that many threads, and once more on one thread for the rate of a
    processor, which a busy machine hardly changes."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE)).astype(np.float32) for _ in range(2))
    product = np.empty_like(a)
    flops = 2 * SIDE**3

    def once() -> Rate:
        with threadpool_limits(threads, user_api="blas"):
            started_ns = time.perf_counter_ns()
            np.matmul(a, b, out=product)
            wall_ns = time.perf_counter_ns() - started_ns
        with threadpool_limits(1, user_api="blas"):
            started_ns = time.thread_time_ns()
            np.matmul(a, b, out=product)
            cpu_ns = time.thread_time_ns() - started_ns
        return Rate(wall=flops / wall_ns * 1e9, cpu=flops / cpu_ns * 1e9)

    once()  # threads are started and memory is touched
    return once
