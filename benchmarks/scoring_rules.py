"""Each family's classical inspector as its station runs it, fitted to the benchmark's own good places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.scoring_boards import FAMILIES
from edge.board import Image
from edge.bundle import Contract
from edge.references import Compared, Scorable, crops_of
from edge.scorers import component_rules, paste_rules
from edge.scorers.batch import ScoreBatch
from edge.scorers.package_rules import score_pictures
from edge.scorers.package_rules_file import PackageRulesFile
from edge.scorers.paste_rules import PasteRulesFile
from edge.scorers.rules import Gauge, RulesFile, exceedance
from edge.scorers.slice_features import measured
from edge.scorers.slice_rules import SliceJudge, SliceRulesFile
from export.datasets import TRAIN_SPLIT, Row
from export.rules_bundle import RULES, RulesFamily

Score = Callable[[Scorable], ScoreBatch]

FITTED_PLACES = 64  # good ones: every family's rules ask for 50 at most


def fitted_rules(family: str) -> tuple[Contract, Score]:
    """What a family's default rules take, and their score. Raises KeyError for a family without rules."""
    kind: RulesFamily = RULES[family]
    variant = kind.VARIANTS[0]
    contract = kind.rules_contract(places=True, variant=variant)
    row = Row(path="bench", label="good", split=TRAIN_SPLIT, place=None, unit="bench", line="")
    rows, inputs = (row,) * FITTED_PLACES, FAMILIES[family].places().cut(contract, FITTED_PLACES)
    return contract, STATION[family](kind.fitted(rows, inputs, rows, inputs, contract, variant), contract)


def _joints(rules: RulesFile, contract: Contract) -> Score:
    gauge = Gauge(rules.pitch_frac, contract.crop_px, rules.template_pixels())
    return lambda crops: ScoreBatch(score=exceedance(gauge.measure(_pixels(crops)), rules.limits))


def _components(rules: component_rules.ComponentRulesFile, _contract: Contract) -> Score:
    def score(inputs: Scorable) -> ScoreBatch:
        assert isinstance(inputs, Compared)
        features = component_rules.measured(component_rules.reduced(inputs.crops), inputs.references)
        return ScoreBatch(score=component_rules.exceedance(features, rules.limits))

    return score


def _paste(rules: PasteRulesFile, contract: Contract) -> Score:
    planes = () if contract.window is None else contract.window.planes

    def score(windows: Scorable) -> ScoreBatch:
        maps = paste_rules.comparator_map(rules, np.asarray(crops_of(windows), np.float32), planes)
        return ScoreBatch(score=np.abs(maps).max(axis=(1, 2)), map=maps)

    return score


def _slices(rules: SliceRulesFile, _contract: Contract) -> Score:
    judge = SliceJudge(rules)
    return lambda crops: judge.judged(*measured(_pixels(crops)))


def _packages(rules: PackageRulesFile, _contract: Contract) -> Score:
    return lambda pictures: score_pictures(_pixels(pictures), rules)


def _pixels(inputs: Scorable) -> Image:
    return np.asarray(crops_of(inputs), np.uint8)


# family -> its fitted rules file and contract to what the station's scorer of them does
STATION: dict[str, Callable[..., Score]] = {
    "solder_joint": _joints,
    "pth_component": _components,
    "paste_print": _paste,
    "axi_joint": _slices,
    "bga_package": _packages,
}
