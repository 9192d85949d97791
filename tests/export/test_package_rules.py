"""Limits of package rules fitted on drawn packages: what they keep, what they call, and what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.board import Image
from edge.scorers.package_rules import limits_of, score_pictures
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.package_rules_kinds import KINDS, MEASURES
from export.datasets import Row
from export.package_rules import VARIANTS, embed, fitted, rules_contract, score
from export.package_rules_limits import (
    MAX_ABSENT_LIMIT,
    ROOM,
    Measured,
    fitted_limits,
    tuned_limits,
    with_outline,
)
from export.package_rules_looks import LOOKS, REFLECTED
from export.rules import RulesFault
from tests.edge.drawn_packages import REFLECTED as DRAWN_REFLECTED
from tests.edge.drawn_packages import TRANSMITTED, Package

pytestmark = pytest.mark.unit
N_GOOD = 50


def rows_of(labels: list[str]) -> list[Row]:
    return [
        Row(path=f"{k}.png", label=label, split="train", place=None, unit=str(k), line="")
        for k, label in enumerate(labels)
    ]


def package(seed: int, dark: bool) -> Package:
    rng = np.random.default_rng(seed)
    drawn = Package(80.0, 48.0, 3, 26.0) if dark else Package(38.0, 32.0, 6, 11.0)
    drawn.places += rng.normal(0, 0.01 * drawn.pitch_px, drawn.places.shape)
    drawn.radii *= rng.normal(1, 0.015, len(drawn.radii))
    return drawn


@functools.cache
def good_pictures(dark: bool = False) -> Image:
    look = TRANSMITTED if dark else DRAWN_REFLECTED
    return np.stack([package(seed, dark).picture(look, seed) for seed in range(N_GOOD)])


@functools.cache
def shifted_pictures() -> Image:
    pictures = []
    for seed in range(100, 106):
        drawn = package(seed, dark=False)
        drawn.places[7] += 0.18 * drawn.pitch_px
        pictures.append(drawn.picture(DRAWN_REFLECTED, seed))
    return np.stack(pictures)


@functools.cache
def fit(variant: str = "good_only", dark: bool = False) -> PackageRulesFile:
    contract = rules_contract(places=False, variant=variant)
    good, bad = good_pictures(dark), shifted_pictures()
    return fitted(rows_of(["good"] * len(good)), good, rows_of(["shifted"] * len(bad)), bad, contract, variant)


def test_the_contract_names_kinds_and_where() -> None:
    contract = rules_contract(places=True, variant="good_only")
    assert contract.kinds == KINDS
    assert [spec.name for spec in contract.outputs] == ["score", "map", "kind"]
    assert contract.crop_px == 256


@pytest.mark.parametrize("variant", VARIANTS)
def test_fitted_rules_keep_good_packages_and_call_shifted_balls(variant: str) -> None:
    rules = fit(variant)
    good, bad = score(rules, good_pictures()), score(rules, shifted_pictures())
    assert np.mean(good > 1) <= 0.06
    assert bad.min() > good.max()


def test_the_look_is_found_by_trying_both() -> None:
    assert fit().ball_polarity == "bright"
    assert fit(dark=True).ball_polarity == "dark"


def test_scores_are_those_of_the_station() -> None:
    rules = fit()
    pictures = np.concatenate([good_pictures()[:3], shifted_pictures()[:2]])
    at_station = score_pictures(pictures, PackageRulesFile.model_validate_json(rules.model_dump_json()))
    assert score(rules, pictures).tobytes() == at_station.score.tobytes()


def test_limits_leave_room_and_keep_a_missing_grid_over_them() -> None:
    values = np.zeros((100, len(MEASURES)), np.float32)
    assert fitted_limits(values).tolist() == pytest.approx([ROOM[measure.limit] for measure in MEASURES])
    values[:, 0] = 0.98
    assert fitted_limits(values)[0] == pytest.approx(MAX_ABSENT_LIMIT)
    values[0] = 1.0  # a package without a grid sets no limit
    assert fitted_limits(values)[1] == pytest.approx(ROOM[MEASURES[1].limit])


def test_tuning_loosens_the_limit_that_good_packages_break() -> None:
    rng = np.random.default_rng(4)
    values = np.zeros((400, len(MEASURES)), np.float32)
    values[:, 5] = rng.uniform(0, 0.05, 400)
    values[:, 6] = np.where(rng.random(400) < 0.1, 0.06, 0.01)  # out of round as dirt on the lens makes it
    labels = np.array(["good"] * 360 + ["shifted"] * 40)
    values[labels == "shifted", 5] = 0.12
    limits = np.array([ROOM[measure.limit] for measure in MEASURES], np.float32)
    tuned = tuned_limits(Measured(values=values, labels=labels), limits)
    assert recall(values, labels, limits) < recall(values, labels, tuned) == 1.0


def recall(values: NDArray[np.float32], labels: NDArray[np.str_], limits: NDArray[np.float32]) -> float:
    over = (values / limits).max(1)
    return float(np.mean(over[labels != "good"] > np.quantile(over[labels == "good"], 0.99)))


def test_tuning_without_defects_is_refused() -> None:
    known = Measured(values=np.zeros((5, len(MEASURES)), np.float32), labels=np.array(["good"] * 5))
    with pytest.raises(RulesFault, match="no package with a defect"):
        tuned_limits(known, limits_of(REFLECTED))


def test_an_outline_is_looked_for_only_where_good_packages_show_one() -> None:
    good = good_pictures()[:10]
    assert with_outline(REFLECTED, good).outline_step_grey == 0
    framed = good.copy()
    for rim in (framed[:, :9], framed[:, -9:], framed[:, :, :9], framed[:, :, -9:]):
        rim[:] = 240
    assert with_outline(REFLECTED, framed).outline_step_grey == 60


@pytest.mark.parametrize(("n", "picture", "said"), [(20, "good", "at least 50"), (N_GOOD, "blank", "grid")])
def test_what_cannot_be_fitted_is_refused(n: int, picture: str, said: str) -> None:
    good = good_pictures()[:n] if picture == "good" else np.full((n, 256, 256, 3), 90, np.uint8)
    contract = rules_contract(places=False, variant="good_only")
    with pytest.raises(RulesFault, match=said):
        fitted(rows_of(["good"] * n), good, rows_of([]), good[:1], contract, "good_only")


def test_rules_of_packages_embed_nothing() -> None:
    with pytest.raises(RulesFault, match="compare nothing"):
        embed(good_pictures()[:1])


def test_both_looks_hold_all_parameters() -> None:
    assert {rules.ball_polarity for rules in LOOKS.values()} == {"bright", "dark"}
