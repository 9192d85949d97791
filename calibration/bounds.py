"""Exact one-sided binomial bounds (Clopper-Pearson): what a count of passes or misses allows one to promise.

They assume independent trials. Rows that are pictures of the same pin are not, so a bound over rows is optimistic
there; `export.metrics` resamples by pin for that reason, and reports say how many different places stand behind a
count.
"""

from __future__ import annotations

from scipy.special import betainccinv, betaincinv

DEFAULT_CONFIDENCE = 0.95


def lower_bound_frac(successes: int, trials: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """The largest rate that `confidence` allows one to promise, 0 to 1. Raises ValueError on impossible counts."""
    _check(successes, trials)
    if successes == 0:
        return 0.0
    return float(betaincinv(successes, trials - successes + 1, 1.0 - confidence))


def upper_bound_frac(successes: int, trials: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """The rate that is exceeded only with probability 1 - `confidence`, 0 to 1. Raises ValueError on impossible
    counts."""
    _check(successes, trials)
    if successes == trials:
        return 1.0
    return float(betainccinv(successes + 1, trials - successes, 1.0 - confidence))


def _check(successes: int, trials: int) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}: need at least one trial and 0 to {trials} successes")
