"""Exact one-sided binomial bounds (Clopper-Pearson): what a count of passes or misses allows one to promise.

They assume independent trials. Rows that are pictures of the same pin are not, so a bound over rows is optimistic
there; `export.metrics` resamples by pin for that reason, and reports say how many different places stand behind a
count.
"""

from __future__ import annotations

from scipy.stats import binomtest

DEFAULT_CONFIDENCE = 0.95


def lower_bound_frac(successes: int, trials: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """The largest rate that `confidence` allows one to promise, 0 to 1. Raises ValueError on impossible counts."""
    return float(_test(successes, trials, "greater").proportion_ci(confidence, method="exact").low)


def upper_bound_frac(successes: int, trials: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """The rate that is exceeded only with probability 1 - `confidence`, 0 to 1. Raises ValueError on impossible
    counts."""
    return float(_test(successes, trials, "less").proportion_ci(confidence, method="exact").high)


def _test(successes: int, trials: int, alternative: str):  # type: ignore[no-untyped-def]  # SciPy has no types
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}: need at least one trial and 0 to {trials} successes")
    return binomtest(successes, trials, alternative=alternative)
