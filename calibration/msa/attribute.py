"""Attribute agreement: who calls parts right, the same way twice, and the same way as others.

Figures and denominators follow the AIAG manual (MSA, 4th edition, chapter III section C): effectiveness counts parts
called right in *every* trial, miss and false-alarm rates count single judgements. Trials of one part are not
independent, so beside each of those two rates stands the share of parts it ever happened to, whose exact interval holds
however alike the trials are; a figure counts as shown only when that interval keeps the rule.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.msa import rates
from calibration.msa.agreement import Kappa, cohen, fleiss
from calibration.msa.rates import DEFAULT_CONFIDENCE, Rate, Rating, rate, rate_of, worst
from calibration.msa.study import AttributeStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReference:
    """One appraiser against the reference. `None` where the study has no part of the kind that a figure needs."""

    effectiveness: Rate  # parts judged as the reference in every trial; parts
    miss: Rate | None  # bad parts passed; judgements
    false_alarm: Rate | None  # good parts rejected; judgements
    ever_missed: Rate | None  # bad parts passed at least once; parts
    ever_false_alarm: Rate | None  # good parts rejected at least once; parts
    kappa: Kappa  # Cohen's, judgement by judgement
    rating: Rating  # the worst of the three, at the figures themselves
    shown: bool  # the intervals over parts keep the acceptable limits too


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraiser:
    """`within`: parts judged alike in every trial, None for a single trial; `repeat_kappa` is Fleiss' over trials."""

    name: str
    within: Rate | None
    repeat_kappa: Kappa | None
    reference: AgainstReference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two appraisers, trial by trial."""

    first: str
    second: str
    kappa: Kappa


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeResult:
    """What an attribute study says. `between` and `all_right` count parts over all appraisers and trials."""

    n_parts: int
    n_trials: int
    n_good_parts: int | None
    n_bad_parts: int | None
    confidence: float
    appraisers: tuple[Appraiser, ...]
    pairs: tuple[Pair, ...]
    between: Rate | None
    between_kappa: Kappa | None  # Fleiss', every appraiser's every trial a rater
    all_right: Rate | None


def analyse_attribute(study: AttributeStudy, confidence: float = DEFAULT_CONFIDENCE) -> AttributeResult:
    """Agreement of each appraiser with himself, with the reference and with the others."""
    decisions, k = study.decisions, len(study.categories)
    n_parts, n_appraisers, n_trials = decisions.shape
    flat = decisions.reshape(n_parts, -1)
    bad = None if study.reference is None else ~study.passes[study.reference]
    several = n_appraisers > 1
    return AttributeResult(
        n_parts=n_parts,
        n_trials=n_trials,
        n_good_parts=None if bad is None else int((~bad).sum()),
        n_bad_parts=None if bad is None else int(bad.sum()),
        confidence=confidence,
        appraisers=tuple(_appraiser(study, i, confidence) for i in range(n_appraisers)),
        pairs=tuple(
            Pair(
                first=study.appraisers[i],
                second=study.appraisers[j],
                kappa=cohen(decisions[:, i], decisions[:, j], k, confidence),
            )
            for i, j in itertools.combinations(range(n_appraisers), 2)
        ),
        between=rate(int(_alike(flat).sum()), n_parts, confidence) if several else None,
        between_kappa=fleiss(flat, k, confidence) if several else None,
        all_right=rate(_n_right(flat, study.reference), n_parts, confidence) if study.reference is not None else None,
    )


def _appraiser(study: AttributeStudy, i: int, confidence: float) -> Appraiser:
    judged = study.decisions[:, i]
    repeated = judged.shape[1] > 1
    return Appraiser(
        name=study.appraisers[i],
        within=rate(int(_alike(judged).sum()), len(judged), confidence) if repeated else None,
        repeat_kappa=fleiss(judged, len(study.categories), confidence) if repeated else None,
        reference=None if study.reference is None else _against(study, judged, study.reference, confidence),
    )


def _against(
    study: AttributeStudy, judged: NDArray[np.int64], reference: NDArray[np.int64], confidence: float
) -> AgainstReference:
    passed, good = study.passes[judged], study.passes[reference]
    missed, alarmed = passed[~good], ~passed[good]
    effectiveness = rate(_n_right(judged, reference), len(judged), confidence)
    miss, false_alarm = rate_of(missed, confidence), rate_of(alarmed, confidence)
    ever_missed, ever_alarmed = (rate_of(np.asarray(x.any(axis=1)), confidence) for x in (missed, alarmed))
    ratings = [rates.EFFECTIVENESS.rating(effectiveness.frac)]
    ratings += [rates.MISS.rating(miss.frac)] if miss else []
    ratings += [rates.FALSE_ALARM.rating(false_alarm.frac)] if false_alarm else []
    return AgainstReference(
        effectiveness=effectiveness,
        miss=miss,
        false_alarm=false_alarm,
        ever_missed=ever_missed,
        ever_false_alarm=ever_alarmed,
        kappa=cohen(judged, np.broadcast_to(reference[:, None], judged.shape), len(study.categories), confidence),
        rating=worst(ratings),
        shown=_shown(effectiveness, ever_missed, ever_alarmed),
    )


def _shown(effectiveness: Rate, ever_missed: Rate | None, ever_alarmed: Rate | None) -> bool:
    if ever_missed is None or ever_alarmed is None:
        return False
    limits = (
        rates.EFFECTIVENESS.rating(effectiveness.lower),
        rates.MISS.rating(ever_missed.upper),
        rates.FALSE_ALARM.rating(ever_alarmed.upper),
    )
    return worst(list(limits)) is Rating.ACCEPTABLE


def _alike(judged: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((judged == judged[:, :1]).all(axis=1))


def _n_right(judged: NDArray[np.int64], reference: NDArray[np.int64]) -> int:
    return int((judged == reference[:, None]).all(axis=1).sum())
