"""Thresholds that carry a promise: every class at once, places counted once, and a clear no where the data is too
small."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from calibration.choice import choose, measure
from calibration.limits import Ask, PromiseFault
from calibration.lot import Lot, LotFault, lot_of
from edge.thresholds import Threshold, bound_holds

pytestmark = pytest.mark.unit

SHA, OTHER_SHA = "a" * 64, "b" * 64
RECALL = Ask(recall_frac=0.99)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _lot(n_good: int = 500, **n_defects: int) -> Lot:
    rng = _rng()
    return lot_of(rng.normal(0, 1, n_good), {name: rng.normal(6, 1, n) for name, n in n_defects.items()})


def _choose(lot: Lot, ask: Ask = RECALL, **more: object) -> Threshold:
    return choose(lot, ask, split="val", data_sha256=SHA, **more)  # type: ignore[arg-type]


def test_299_caught_defects_carry_99_percent_and_298_do_not() -> None:
    made = _choose(_lot(bridge=299))
    (promise,) = made.choice.promises
    assert promise.recall_lower == pytest.approx(0.05 ** (1 / 299), abs=1e-12)
    assert made.choice.kept
    with pytest.raises(PromiseFault, match=r"bridge: needs ≥ 299 caught defects for 0.99; has 298"):
        _choose(_lot(bridge=298))


def test_what_can_be_promised_is_said_and_made_when_accepted() -> None:
    lot = _lot(bridge=96)
    with pytest.raises(PromiseFault, match=r"has 96, can promise 0.9693"):
        _choose(lot)
    made = _choose(lot, accept_weaker=True)
    assert not made.choice.kept
    assert "needs ≥ 299" in made.choice.shortfall
    assert made.choice.promises[0].recall_lower == pytest.approx(0.05 ** (1 / 96), abs=1e-12)
    assert made.value < lot.defects().score.min()


def test_every_class_at_once_takes_more_of_each() -> None:
    with pytest.raises(PromiseFault, match=r"bridge: needs ≥ 368 .* has 367"):
        _choose(_lot(bridge=367, missing=400))
    made = _choose(_lot(bridge=368, missing=400))
    assert {p.confidence for p in made.choice.promises} == {0.975}
    assert made.choice.correction == "Bonferroni over 2 promises, 0.975 each"


def test_the_lowest_limit_of_all_classes_is_the_threshold() -> None:
    rng = _rng()
    classes = {"gross": rng.normal(9, 1, 1000), "subtle": rng.normal(3, 1, 1000)}
    both = _choose(lot_of(rng.normal(0, 1, 100), classes)).value
    alone = _choose(
        lot_of(rng.normal(0, 1, 100), {"subtle": classes["subtle"]}), Ask(recall_frac=0.99, confidence=0.975)
    )
    assert both == alone.value


def test_a_class_without_defects_does_not_drop_out_in_silence() -> None:
    with pytest.raises(PromiseFault, match=r"missing: needs ≥ 299 .* has 0, nothing can be promised"):
        _choose(_lot(bridge=400), labels=("bridge", "missing"))
    made = _choose(_lot(bridge=400), labels=("bridge", "missing"), accept_weaker=True)
    assert [(p.label, p.recall_lower is None) for p in made.choice.promises] == [("bridge", False), ("missing", True)]


def test_no_defects_at_all_cannot_be_accepted_away() -> None:
    with pytest.raises(PromiseFault, match="no defect"):
        _choose(_lot(), accept_weaker=True)


def test_pictures_of_one_place_count_once_by_the_worst() -> None:
    scores = np.array([5.0, 2.0, 7.0, 1.0, 3.0], np.float32)
    lot = Lot(
        score=scores,
        label=np.array(["bridge", "bridge", "bridge", "good", "good"]),
        unit=np.array(["p", "p", "q", "p", "p"]),
        board=np.array(["A"] * 5),
        part=np.array([""] * 5),
    )
    assert sorted(lot.defects().score) == [2.0, 7.0]
    assert lot.good().score.tolist() == [3.0]
    promise = _choose(lot, accept_weaker=True).choice.promises[0]
    assert (promise.n_rows, promise.n_units, promise.n_boards) == (3, 2, 1)


def test_every_part_number_gets_its_own_threshold_and_promise() -> None:
    rng = _rng()
    means = {"P1": 4, "P2": 8}
    lots = [lot_of(rng.normal(0, 1, 200), {"bridge": rng.normal(m, 1, 400)}, part=p) for p, m in means.items()]
    lot = Lot(
        score=np.concatenate([one.score for one in lots]),
        label=np.concatenate([one.label for one in lots]),
        unit=np.concatenate([np.char.add(one.part, one.unit) for one in lots]),
        board=np.concatenate([one.board for one in lots]),
        part=np.concatenate([one.part for one in lots]),
    )
    made = _choose(lot, dataclasses.replace(RECALL, per_part=True))
    assert made.by_part["P1"] < made.by_part["P2"]
    assert made.value == made.by_part["P1"]  # a part number nobody has seen gets the strictest
    assert [p.part_number for p in made.choice.promises] == ["P1", "P2"]
    common = Threshold.model_construct(value=made.value, by_part={}, choice=made.choice)
    strict, own = (measure(one, lot, split="later", data_sha256=OTHER_SHA) for one in (common, made))
    assert own.false_call_ppm < strict.false_call_ppm
    assert own.recall == strict.recall


def test_good_boards_alone_carry_a_false_call_promise_from_2995_places() -> None:
    ask = Ask(false_call_ppm=1_000)
    made = _choose(_lot(2_995), ask)
    assert made.choice.false_call_ppm_upper <= 1_000
    assert made.value >= _lot(2_995).good().score.max()
    with pytest.raises(PromiseFault, match=r"needs ≥ 2995 good places .* has 2994, can promise 1,000 ppm"):
        _choose(_lot(2_994), ask)


def test_both_promises_or_what_is_in_the_way() -> None:
    ask = Ask(recall_frac=0.99, false_call_ppm=10_000)
    rng = _rng()
    apart = lot_of(rng.normal(0, 1, 1_000), {"bridge": rng.normal(20, 1, 400)})
    made = _choose(apart, ask)
    assert made.choice.kept
    assert made.choice.false_call_ppm_upper <= 10_000
    assert made.value < _choose(apart).value  # what false calls leave free goes to recall
    mixed = lot_of(rng.normal(0, 1, 1_000), {"bridge": rng.normal(2, 1, 400)})
    with pytest.raises(PromiseFault, match=r"recall 0.99 takes a threshold of .* at most"):
        _choose(mixed, ask)
    weaker = _choose(mixed, ask, accept_weaker=True)
    assert weaker.value == _choose(mixed).value  # recall goes first
    assert weaker.choice.false_call_ppm_upper > 10_000


@settings(max_examples=60)
@given(
    good=arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([0.0, 1.0, 2.0])),
    defect=arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0])),
    recall=st.floats(0.5, 0.99),
)
def test_any_small_lot_gives_a_promise_that_loads(good: np.ndarray, defect: np.ndarray, recall: float) -> None:
    made = _choose(lot_of(good, {"bridge": defect}), Ask(recall_frac=recall), accept_weaker=True)
    assert Threshold.model_validate_json(made.model_dump_json()) == made
    promise = made.choice.promises[0]
    assert promise.caught_units >= promise.n_units - promise.misses_units
    assert (promise.recall_lower or 0.0) <= promise.caught_units / promise.n_units


def test_measured_figures_count_places_and_refuse_the_data_of_the_choice() -> None:
    made = _choose(_lot(bridge=400))
    figures = measure(made, _lot(300, bridge=10, missing=10), split="later", data_sha256=OTHER_SHA)
    assert (figures.n_good, figures.n_defect, figures.recall) == (300, 20, 1.0)
    assert Threshold(value=made.value, choice=made.choice, measured=figures)
    with pytest.raises(ValidationError, match="the very data"):
        Threshold(value=made.value, choice=made.choice, measured=figures.model_copy(update={"data_sha256": SHA}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recall_lower": 0.995}, "does not follow from"),
        ({"confidence": 0.999}, "does not follow from"),
        ({"caught_units": 300, "misses_units": 100}, "does not follow from"),
        ({"recall_lower": None}, "cannot be"),
        ({"caught_units": 398}, "cannot be"),
        ({"n_units": 401}, "cannot be"),
    ],
)
def test_a_promise_its_counts_cannot_carry_does_not_load(changed: dict[str, object], said: str) -> None:
    plain = _choose(_lot(bridge=400)).model_dump(mode="json")
    plain["choice"]["promises"][0] |= changed
    with pytest.raises(ValidationError, match=said):
        Threshold.model_validate(plain, strict=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"false_call_ppm_upper": 1.0}, "does not follow from"),
        ({"false_call_units": 501}, "cannot be"),
        ({"promises": []}, "not promised for any class"),
        ({"target_recall_frac": 0.999}, "not promised for"),
        ({"confidence": 0.99, "false_call_ppm_upper": 20_000.0}, "not held together"),
        ({"target_recall_frac": None}, "target_recall_frac is missing"),
    ],
)
def test_a_choice_that_contradicts_itself_does_not_load(changed: dict[str, object], said: str) -> None:
    plain = _choose(_lot(bridge=400)).model_dump(mode="json")
    plain["choice"] |= changed
    with pytest.raises(ValidationError, match=said):
        Threshold.model_validate(plain, strict=False)


def test_own_thresholds_need_evidence_of_their_own() -> None:
    made = _choose(_lot(bridge=400))
    with pytest.raises(ValidationError, match="by_part"):
        Threshold(value=made.value, by_part={"P9": 99.0}, choice=made.choice)


@given(n=st.integers(1, 2_000), data=st.data(), confidence=st.sampled_from([0.9, 0.95, 0.99]))
def test_what_the_station_works_out_again_is_the_exact_bound(n: int, data: st.DataObject, confidence: float) -> None:
    from calibration.bounds import upper_bound_frac  # noqa: PLC0415

    count = data.draw(st.integers(0, n))
    upper = upper_bound_frac(count, n, confidence)
    assert bound_holds(count, n, upper, confidence)
    assert not bound_holds(count, n, upper * 0.99, confidence)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        ({}, "nothing is asked for"),
        ({"recall_frac": 1.0}, "recall 1.0: allowed"),
        ({"false_call_ppm": 0.0}, "false calls 0.0 ppm: allowed"),
        ({"recall_frac": 0.9, "confidence": 0.3}, "confidence 0.3: allowed"),
        ({"false_call_ppm": 10.0, "per_part": True}, "by part number come from a recall"),
    ],
)
def test_what_cannot_be_asked(ask: dict[str, float], said: str) -> None:
    with pytest.raises(PromiseFault, match=said):
        Ask(**ask)  # type: ignore[arg-type]


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(LotFault, match="1 of them not finite"):
        lot_of(np.array([1.0, np.nan]), {})
