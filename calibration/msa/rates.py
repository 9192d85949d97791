"""Rates with exact two-sided intervals, and the rule they are held against.

The rule and its middle band are those of the AIAG reference manual (MSA, 4th edition 2010, attribute study, hypothesis
test analyses): effectiveness 90 / 80 %, miss rate 2 / 5 %, false alarms 5 / 10 %.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

DEFAULT_CONFIDENCE = 0.95


class Rating(enum.Enum):
    """What the rule says of a figure."""

    ACCEPTABLE = "acceptable"
    MARGINAL = "marginal"
    UNACCEPTABLE = "unacceptable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided limits, 0 to 1."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`count` of `n`, n at least 1, with its exact interval."""

    count: int
    n: int
    frac: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Limits of one figure. `at_least`: more is better."""

    acceptable_frac: float
    marginal_frac: float
    at_least: bool

    def rating(self, frac: float) -> Rating:
        """The band that `frac` lies in; a limit itself belongs to the better band."""
        for limit, rating in ((self.acceptable_frac, Rating.ACCEPTABLE), (self.marginal_frac, Rating.MARGINAL)):
            if frac >= limit if self.at_least else frac <= limit:
                return rating
        return Rating.UNACCEPTABLE


EFFECTIVENESS = Rule(acceptable_frac=0.90, marginal_frac=0.80, at_least=True)
MISS = Rule(acceptable_frac=0.02, marginal_frac=0.05, at_least=False)
FALSE_ALARM = Rule(acceptable_frac=0.05, marginal_frac=0.10, at_least=False)
_WORST_FIRST = (Rating.UNACCEPTABLE, Rating.MARGINAL, Rating.ACCEPTABLE)


def exact_interval_frac(count: int, n: int, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
    """Clopper-Pearson, two-sided: (1 - confidence) / 2 to each side, also where none or all of `n` count."""
    found = binomtest(count, n).proportion_ci(confidence, method="exact")
    return Interval(lower=float(found.low), upper=float(found.high))


def rate(count: int, n: int, confidence: float = DEFAULT_CONFIDENCE) -> Rate:
    """The rate and its interval. Raises ValueError for n of 0 or impossible counts."""
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"{count} of {n}: need at least one and no more than all")
    limits = exact_interval_frac(count, n, confidence)
    return Rate(count=count, n=n, frac=count / n, lower=limits.lower, upper=limits.upper)


def rate_of(hits: NDArray[np.bool_], confidence: float = DEFAULT_CONFIDENCE) -> Rate | None:
    """The rate of true ones among `hits`, of any shape; None where there are none to count."""
    return rate(int(hits.sum()), hits.size, confidence) if hits.size else None


def worst(ratings: list[Rating]) -> Rating:
    """The worst of some ratings. Raises ValueError for none."""
    for rating in _WORST_FIRST:
        if rating in ratings:
            return rating
    raise ValueError("no ratings")
