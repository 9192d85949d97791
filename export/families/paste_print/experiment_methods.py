"""The rows of the experiments on paste: comparators by name, fitted on good boards, and networks from checkpoints.

All become a `Method`, so that one code judges them all.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import get_args

import numpy as np

from edge.board import Floats
from edge.scorers.paste_rules import PLANES_OF, Comparator, PasteRulesFile, comparator_map
from export.families.paste_print.experiment_runs import Line, Method, days, ends_of, planes_of
from export.paste_rules import ChartKind, fit_paste_rules
from export.simulator.paste.prints import starts_of
from export.simulator.paste.windows import gathered

COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
# as the protocol has them, 3.6; those with + are ours
LETTERS = dict(
    zip(COMPARATORS, ("a", "b", "c", "d", "e", "f", "f+", "g+"), strict=True)
)  # protocol 3.6; those with + are ours
FIT_SEED, FIT_DAYS, FIT_STEP = 102, 4, 3
BOARDS = 10


def comparator_methods(line: Line, names: Sequence[Comparator], *, counted: bool = True) -> list[Method]:
    """The comparators, their charts fitted on good boards of the line's training seeds."""
    return [comparator_method(line, name, None, counted=counted) for name in names]


def comparator_method(
    line: Line, name: Comparator, charts: Sequence[ChartKind] | None, *, counted: bool = True
) -> Method:
    """One comparator; `charts` None are those it has in a bundle."""
    planes = PLANES_OF[name]
    rules = fit_paste_rules(name, clean_pads(line, planes, counted), planes, charts)
    return Method(name=name, planes=planes, map=functools.partial(_map, rules, planes), each_pad_alone=True)


def clean_pads(line: Line, planes: tuple[str, ...], counted: bool = True) -> Floats:
    """Windows (N, T, planes, P, 1) of good boards to fit by."""
    parts = []
    for day in days(line, FIT_SEED, FIT_DAYS):
        stack = planes_of(line, day, planes, counted=counted)[:, :, line.table.row, line.table.col, None]
        parts.append(gathered(stack, starts_of(day), BOARDS, ends_of(day, BOARDS, FIT_STEP)))
    return np.concatenate(parts)


def _map(rules: PasteRulesFile, planes: tuple[str, ...], windows: Floats) -> Floats:
    return comparator_map(rules, windows, planes)
