"""A threshold that carries a promise: recall of every class of defects at once, false calls of good places, or both.

Each class (and each class of each part number, where asked) is an independent question with its own limit; the
threshold is the lowest of them. The confidence is shared among the promises by Bonferroni, which holds whatever binds
the classes: defects of two classes may come from the same boards, so that the slightly larger Šidák share would need
an assumption for 2 defects less in 400. A class that has too few defects is said so, and never drops out in silence.

When both are asked for, the recall limit U comes from defects alone and the false-call limit L from good places alone.
If L <= U the threshold is L: false calls are promised there, and all that is left goes to recall. Otherwise both cannot
be had. The bound on false calls stands at the full confidence in either case: see docs/decisions/0005.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.bounds import lower_bound_frac, upper_bound_frac
from calibration.limits import (
    Ask,
    Group,
    Limit,
    PromiseFault,
    correction,
    false_call_limit,
    groups_of,
    recall_limit,
    shortfall,
)
from calibration.lot import GOOD, Lot
from edge.thresholds import PPM, Choice, Measured, Promise, Threshold


def choose(
    lot: Lot,
    ask: Ask,
    *,
    split: str,
    data_sha256: str,
    labels: tuple[str, ...] = (),
    accept_weaker: bool = False,
) -> Threshold:
    """The threshold, with its evidence. `labels` names classes that must be promised even where the lot has none.

    Raises PromiseFault when the lot cannot carry what is asked; with `accept_weaker` the strongest promise it can carry
    is made instead, and said to be that. Raises it in any case when there is nothing to choose from.
    """
    good = lot.good()
    if not len(good):
        raise PromiseFault(f"{split} has no good place: false calls have no bound")
    groups = groups_of(lot, ask, labels)
    limits = [recall_limit(group, ask.recall_frac, ask.margin_frac) for group in groups] if ask.recall_frac else []
    short = [shortfall(limit, ask.recall_frac) for limit in limits if limit.needed is not None]
    if ask.recall_frac and not any(limit.threshold is not None for limit in limits):
        raise PromiseFault(
            "\n".join(short) or f"{split} has no defect: recall {ask.recall_frac:g} has nothing to rest on"
        )
    value, by_part = _threshold(limits, ask)
    counted: int | None = None  # false calls its bound counts, where good places had a say in the threshold
    if ask.false_call_ppm is not None:
        low = false_call_limit(value, good, ask)
        short += low.problems
        if low.threshold <= value:
            value, by_part, counted = low.threshold, {}, low.counted
    if short and not accept_weaker:
        raise PromiseFault("\n".join(short))
    calls = calls_of(lot, Threshold.model_construct(value=value, by_part=by_part))
    called = int(calls.good().score.sum())
    kept = {limit.group.name: limit for limit in limits}
    is_good = lot.label == GOOD
    choice = Choice(
        method=ask.method,
        target_recall_frac=ask.recall_frac,
        target_false_call_ppm=ask.false_call_ppm,
        confidence=ask.confidence,
        kept=not short,
        shortfall="\n".join(short),
        split=split,
        data_sha256=data_sha256,
        n_good=good.n_rows,
        n_good_units=len(good),
        n_good_boards=good.n_boards,
        n_defect=int((~is_good).sum()),
        false_call_units=called if counted is None else counted,
        false_call_ppm=PPM * float(calls.score[is_good].mean(dtype=np.float64)),
        false_call_ppm_upper=PPM * upper_bound_frac(called if counted is None else counted, len(good), ask.confidence),
        promises=tuple(_promise(group, kept.get(group.name), by_part.get(group.part, value)) for group in groups),
        correction=correction(groups),
    )
    return Threshold(value=value, by_part=by_part, choice=choice)


def measure(threshold: Threshold, lot: Lot, *, split: str, data_sha256: str) -> Measured:
    """What a threshold does on other data, by places. Raises PromiseFault when that data has no good place."""
    calls = calls_of(lot, threshold)
    called, found = calls.good().score, calls.defects().score
    if not len(called):
        raise PromiseFault(f"{split} has no good place: false calls cannot be measured")
    caught, n_defect = int(found.sum()), len(found)
    confidence = threshold.choice.confidence
    return Measured(
        split=split,
        data_sha256=data_sha256,
        n_good=len(called),
        n_defect=n_defect,
        recall=caught / n_defect if n_defect else None,
        recall_lower=lower_bound_frac(caught, n_defect, confidence) if n_defect else None,
        false_call_ppm=PPM * float(called.mean(dtype=np.float64)),
        false_call_ppm_upper=PPM * upper_bound_frac(int(called.sum()), len(called), confidence),
        confidence=confidence,
    )


def calls_of(lot: Lot, threshold: Threshold) -> Lot:
    """The same rows with 1 for a score that is called and 0 for one that is not. A place of it is a defect caught when
    every picture is called, and a false call when any is."""
    limits = np.array([threshold.of_part(str(part)) for part in lot.part], np.float64)
    return replace(lot, score=(lot.score.astype(np.float64) > limits).astype(np.float32))


def _threshold(limits: list[Limit], ask: Ask) -> tuple[float, dict[str, float]]:
    """The lowest limit overall, and by part number where asked; infinite where recall is not asked for."""
    by_part: dict[str, float] = {}
    for limit in limits:
        if limit.threshold is not None:
            by_part[limit.group.part] = min(limit.threshold, by_part.get(limit.group.part, np.inf))
    return min(by_part.values(), default=np.inf), by_part if ask.per_part else {}


def _promise(group: Group, limit: Limit | None, threshold: float) -> Promise:
    """A limit's promise; without one (the threshold came from good places alone) the exact bound of what is caught."""
    sample = group.sample
    n, caught = len(sample), int((sample.score > threshold).sum())
    misses = n - caught if limit is None else limit.misses
    lower = lower_bound_frac(n - misses, n, group.confidence) if n else None
    return Promise(
        label=group.label,
        part_number=group.part,
        n_rows=sample.n_rows,
        n_units=n,
        n_boards=sample.n_boards,
        caught_units=caught,
        misses_units=misses,
        confidence=group.confidence,
        recall_lower=lower if limit is None else limit.recall_lower,
        needs_units=None if limit is None else limit.needed,
    )
