"""Does the promise stand when reviewed calls move the threshold, and one review in twenty is wrong?

Simulated lines: a threshold chosen from a lot with room above it, a month of calls, every call reviewed, the
threshold moved. The true recall is known. Beside it stands what suggests itself and is wrong: to pool the reviewed
defects with the choice's, although only called places are reviewed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from calibration.choice import choose
from calibration.limits import Ask
from calibration.lot import lot_of
from calibration.reviews import WRONG_FRAC, Review, class_evidence, propose

TARGET_FRAC = 0.95
DEFECT_MEAN = 4.0  # of unit normals, good places at 0: 6 % of false calls leave room below the recall limit
N_DEFECTS, N_GOOD = 200, 600
MONTH_DEFECTS, MONTH_GOOD = 300, 6_000
LOTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """Share of lines whose true recall fell below the promise, and of false calls that the move removed on average."""

    reviews: str
    broken_frac: float
    false_calls_removed_frac: float


def simulate(lots: int = LOTS, seed: int = 11) -> list[ReviewRow]:
    """Reviews all right, 5 % wrong, and pooled."""
    rng = np.random.default_rng(seed)
    ways = {"all right": 0.0, f"{WRONG_FRAC:.0%} wrong": WRONG_FRAC, "all right, pooled": math.nan}
    broken, removed = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0.0)
    for _ in range(lots):
        lot = lot_of(rng.normal(0, 1, N_GOOD), {"bridge": rng.normal(DEFECT_MEAN, 1, N_DEFECTS)})
        ask = Ask(recall_frac=TARGET_FRAC, false_call_ppm=60_000, margin_frac=0.0)
        before = choose(lot, ask, split="lot", data_sha256="0" * 64, accept_weaker=True)
        defects, good = rng.normal(DEFECT_MEAN, 1, MONTH_DEFECTS), rng.normal(0, 1, MONTH_GOOD)
        true, false = defects[defects > before.value], good[good > before.value]
        for way, wrong in ways.items():
            if math.isnan(wrong):
                pool = np.sort(np.concatenate([lot.defects().score, true]))
                after = float(pool[math.floor((1 - TARGET_FRAC) * len(pool))])
            else:
                reviews = _reviews(rng, true, "defect", wrong) + _reviews(rng, false, "false_call", wrong)
                after = propose(before.value, class_evidence(before.choice, lot, reviews), reviews, margin_frac=0).after
            broken[way] += bool(norm.sf(after, DEFECT_MEAN) < TARGET_FRAC)
            removed[way] += float((false <= after).mean()) if len(false) else 0.0
    return [
        ReviewRow(reviews=way, broken_frac=broken[way] / lots, false_calls_removed_frac=removed[way] / lots)
        for way in ways
    ]


def _reviews(rng: np.random.Generator, scores: np.ndarray, said: str, wrong_frac: float) -> list[Review]:
    flipped = rng.random(len(scores)) < wrong_frac
    return [
        Review(said="defect" if (said == "defect") != wrong else "false_call", score=float(score), label="bridge")
        for score, wrong in zip(scores, flipped, strict=True)
    ]
