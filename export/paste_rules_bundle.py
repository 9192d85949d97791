"""Rules of paste as a family of rules has it (`export.rules_bundle`): contract, fitting and scoring by comparator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.board import Floats, Image
from edge.bundle import Contract
from edge.references import Compared, Scorable
from edge.scorers.paste_rules import PLANES_OF, Comparator, PasteRulesFile, comparator_map
from export.datasets import Row
from export.families import one_of
from export.families.paste_print.contract import BOARDS, window_contract
from export.paste_rules import LAST_BOARD, charts_of, fit_paste_rules
from export.rules import RulesFault

VARIANTS: tuple[Comparator, ...] = (
    *("ewma", "ewma_group", "pad_level", "pad", "group_median", "group", "refit"),
    "own_board",
)


def rules_contract(*, places: bool, variant: str) -> Contract:
    """What a comparator takes: windows of its planes, of one board where it smooths nothing."""
    comparator = _comparator(variant)
    boards = BOARDS if any(kind != LAST_BOARD[0] for kind in charts_of(comparator)) else 1
    return window_contract(
        PLANES_OF[comparator],
        boards,
        score="greatest |map|, in sigmas",
        signed_map="signed sigmas of each pad of the last board",
    )


def embed(crops: Image) -> Floats:
    """Rules of paste compare nothing."""
    raise RulesFault(f"rules of paste compare nothing; {len(crops)} pictures were given to compare with")


def fitted(
    train_rows: Sequence[Row],
    train: Scorable,
    val_rows: Sequence[Row],
    val: Scorable,
    contract: Contract,
    variant: str,
) -> PasteRulesFile:
    """The charts of a comparator, from the good windows of `train`. Raises RulesFault."""
    comparator, good = _comparator(variant), np.array([row.is_good for row in train_rows])
    return fit_paste_rules(comparator, _windows(train)[good], PLANES_OF[comparator])


def score(rules: PasteRulesFile, inputs: Scorable) -> Floats:
    """Scores (N,) as the station's scorer gives them."""
    maps = comparator_map(rules, _windows(inputs), PLANES_OF[rules.comparator])
    return np.asarray(np.abs(maps).max(axis=(1, 2)), np.float32)


def _comparator(variant: str) -> Comparator:
    return one_of({name: name for name in VARIANTS}, variant, "variant of paste rules")


def _windows(inputs: Scorable) -> Floats:
    if isinstance(inputs, Compared) or inputs.ndim != 5:
        raise RulesFault("rules of paste take windows (N, T, C, S, S)")
    return np.asarray(inputs, np.float32)
