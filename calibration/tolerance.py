"""Distribution-free tolerance limits: how many of n scores may lie on the wrong side of a threshold that keeps a
promise, and where that threshold lies.

Wilks (Ann. Math. Statist. 12, 1941) and Scheffé & Tukey (16, 1945, for ties and jumps): of n independent scores from
any distribution, continuous or not, the (c + 1)-th lowest is exceeded or reached by at least the share p of all
defects, unless at most c of n draws fell into a share of 1 - p. That has probability P(Bin(n, 1 - p) <= c) at most,
whatever the distribution. The same holds for good places seen from above. Nothing is fitted, nothing is assumed but
independence.

A place is called when `score > threshold`, so the threshold must lie strictly below the defect it must still catch,
and may equal the good place it must still pass. It is put a margin away from that score, because a threshold beside a
score of its own set changes its verdict with the last bit of another engine's arithmetic, and with it, where scores
are discrete, every defect of that score. The margin depends on that one score alone and always points to the safe
side, so the promise holds as it stands; a gap to the neighbouring score of the other class would make bounds of that
class depend on its own data.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom, nbinom

from edge.board import Floats

ROUNDING_FRAC = 2.0**-20  # of the score: eight to sixteen last bits of a float32, what the order of a sum changes


def count_allowed(n: int, rate_frac: float, confidence: float) -> int | None:
    """The largest c with P(Bin(n, `rate_frac`) <= c) <= 1 - `confidence`; None where not even 0 of `n` will do.

    With `rate_frac` = 1 - recall: how many of n defects may be missed. With a false-call rate: how many of n good
    places may be called.
    """
    _check(rate_frac, confidence)
    if n < 1:
        return None
    allowed = 1.0 - confidence
    count = int(binom.ppf(allowed, n, rate_frac))  # the smallest with a tail >= allowed: the answer or one above it
    while count >= 0 and binom.cdf(count, n, rate_frac) > allowed:
        count -= 1
    return count if count >= 0 else None


def trials_needed(rate_frac: float, confidence: float, count: int = 0) -> int:
    """The smallest n of which `count` may be on the wrong side: 299 for 0.01 and 0.95, 59 for 0.05."""
    _check(rate_frac, confidence)
    # n trials hold more than `count` events exactly when the (count + 1)-th event comes by trial n
    n = int(nbinom.ppf(confidence, count + 1, rate_frac)) + count + 1
    while binom.cdf(count, n, rate_frac) > 1.0 - confidence:
        n += 1
    while n > count + 1 and binom.cdf(count, n - 1, rate_frac) <= 1.0 - confidence:
        n -= 1
    return n


def highest_below(defect: Floats, misses: int, margin_frac: float = ROUNDING_FRAC) -> Floats:
    """The highest threshold that still calls all but `misses` of the defects, (..., n) to (...), float32.

    `margin_frac` of that score lower, and never equal to it. Ties with it are called too.
    """
    edge = np.partition(np.asarray(defect, np.float32), misses, axis=-1)[..., misses].astype(np.float64)
    moved = (edge - margin_frac * np.abs(edge)).astype(np.float32)
    strictly: Floats = np.nextafter(edge.astype(np.float32), np.float32(-np.inf))
    return np.minimum(moved, strictly)


def lowest_above(good: Floats, false_calls: int, margin_frac: float = ROUNDING_FRAC) -> Floats:
    """The lowest threshold that calls at most `false_calls` of the good places, (..., n) to (...), float32.

    `margin_frac` of that score higher, so that a place that must pass does so on another engine too.
    """
    scores = np.asarray(good, np.float32)
    rank = scores.shape[-1] - 1 - false_calls
    edge = np.partition(scores, rank, axis=-1)[..., rank].astype(np.float64)
    return np.asarray(edge + margin_frac * np.abs(edge), np.float32)


def _check(rate_frac: float, confidence: float) -> None:
    if not 0.0 < rate_frac < 1.0:
        raise ValueError(f"rate_frac is {rate_frac}: allowed is above 0 and below 1")
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}: allowed is above 0.5 and below 1")
