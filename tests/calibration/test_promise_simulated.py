"""The promise in simulated lots, through the functions the command uses; seeded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import promise, promise_reviews
from calibration.choice import choose
from calibration.limits import Ask
from calibration.lot import Lot, lot_of
from edge.thresholds import Threshold

pytestmark = pytest.mark.sweep


def _choose(lot: Lot, ask: Ask, **more: object) -> Threshold:
    return choose(lot, ask, split="val", data_sha256="a" * 64, **more)  # type: ignore[arg-type]


def test_the_benchmark_keeps_its_promises_and_the_quantile_does_not() -> None:
    rows = promise.simulate(lots=1_000, seed=1)
    allowed = promise.allowed_broken_frac(1_000, len(rows))
    assert {row.kind for row in rows} > set(promise.KINDS)
    assert max(row.broken_frac for row in rows) <= allowed
    assert max(row.naive_broken_frac for row in rows) > 0.5


def test_the_benchmark_notices_a_rank_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    right = promise.count_allowed
    monkeypatch.setattr(promise, "count_allowed", lambda *args: None if (c := right(*args)) is None else c + 1)
    rows = promise.simulate(lots=1_000, seed=1)
    assert max(row.broken_frac for row in rows) > 2 * promise.allowed_broken_frac(1_000, len(rows))


@pytest.mark.parametrize("kind", list(promise.KINDS))
def test_the_true_share_above_is_the_drawn_one(kind: str) -> None:
    scores = promise.KINDS[kind].draw(np.random.default_rng(5), (1, 200_000))[0]
    for threshold in np.quantile(scores, [0.0, 0.01, 0.3, 0.999], method="lower").astype(np.float32):
        share = float(promise.KINDS[kind].above(np.array(threshold)))
        assert (scores > threshold).mean() == pytest.approx(share, abs=5 * math.sqrt(0.25 / len(scores)))


def test_reviews_break_no_promise_and_pooling_them_does() -> None:
    lots = 150
    rows = promise_reviews.simulate(lots)
    right, wrong, pooled = rows
    noise = 4 * math.sqrt(0.05 * 0.95 / lots)
    assert right.broken_frac < 0.05 + noise
    assert wrong.broken_frac < 0.05 + noise
    assert pooled.broken_frac > 0.3
    assert right.false_calls_removed_frac > 0


def test_false_call_bound_holds_for_both_promises_at_full_confidence() -> None:
    """The argument of decision 0005, simulated where it is tightest: limits that cross in about half of the lots."""
    lots, broken = 1_500, 0
    rng = np.random.default_rng(7)
    ask = Ask(recall_frac=0.9, false_call_ppm=100_000, margin_frac=0.0)
    for _ in range(lots):
        lot = lot_of(rng.random(60), {"bridge": 0.84 + rng.random(60)})
        made = _choose(lot, ask, accept_weaker=True)
        broken += 1e6 * max(0.0, 1.0 - made.value) > made.choice.false_call_ppm_upper
    assert broken / lots < 0.05 + 4 * np.sqrt(0.05 * 0.95 / lots)


def test_promise_of_three_classes_at_once_holds_in_95_of_100_lots() -> None:
    rng, lots, broken = np.random.default_rng(7), 400, 0
    ask = Ask(recall_frac=0.95, margin_frac=0.0)
    for _ in range(lots):
        lot = lot_of(np.zeros(1), {name: rng.random(120) for name in ("a", "b", "c")})
        broken += _choose(lot, ask).value > 0.05
    assert broken / lots < 0.05 + 4 * np.sqrt(0.05 * 0.95 / lots)
