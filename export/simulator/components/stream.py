"""Component boards as they come down a line: one part number, errors drawn by lot.

Nothing is kept between boards, so board 17 is the same whether or not the first sixteen were drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from export.simulator.components.board import ComponentPicture, render_component_board
from export.simulator.components.errors import COMPONENT_ERRORS, ComponentError, ErrorKind, Severity
from export.simulator.components.layout import ComponentLayout, component_board
from export.simulator.datasets import check_fraction, imaging_named
from export.simulator.imaging import Imaging

COMPONENT_BOARD = "CB-101"


def draw_component_boards(
    seed: int,
    n: int,
    difficulty: str = "line",
    defects: Sequence[str] = COMPONENT_ERRORS,
    *,
    defect_rate: float = 0.1,
    defective_boards_frac: float = 1.0,
    part_number: str = COMPONENT_BOARD,
) -> Iterator[tuple[str, ComponentPicture]]:
    """`n` boards of one part number as (board id, picture with its truth), drawn as they are asked for.

    `defective_boards_frac` of the boards, drawn by lot, carry errors; on those `defect_rate` of the components are
    wrong (rounded up or down by lot), of the kinds in `defects` (labels), in all three strengths. Raises ValueError
    for an unknown name or a fraction outside 0..1.
    """
    imaging = imaging_named(difficulty)
    kinds = checked_kinds(defects)
    check_fraction("defect_rate", defect_rate)
    check_fraction("defective_boards_frac", defective_boards_frac)
    layout = component_board(part_number)

    def board(number: int) -> tuple[str, ComponentPicture]:
        defective = np.random.default_rng([seed, number, 1]).random() < defective_boards_frac
        rate = defect_rate if defective else 0.0
        return board_id(seed, number), draw_board(layout, seed, number, imaging, kinds, rate)

    return (board(number) for number in range(n))


def draw_board(
    layout: ComponentLayout, seed: int, number: int, imaging: Imaging, kinds: Sequence[str], defect_rate: float
) -> ComponentPicture:
    """Board `number` of a stream or a set."""
    rng = np.random.default_rng([seed, number])
    errors = draw_errors(layout, kinds, defect_rate, rng)
    return render_component_board(layout, errors, imaging, seed=int(rng.integers(2**31)))


def draw_errors(
    layout: ComponentLayout, kinds: Sequence[str], defect_rate: float, rng: np.random.Generator
) -> dict[str, ComponentError]:
    """Errors of one board by refdes: `defect_rate` of its components (rounded by lot), kinds and strengths evenly."""
    wanted = int(np.floor(defect_rate * len(layout.sites) + rng.random()))
    severities = list(Severity)
    return {
        layout.sites[index].refdes: ComponentError(
            kind=ErrorKind(kinds[rng.integers(len(kinds))]), severity=severities[rng.integers(len(severities))]
        )
        for index in rng.permutation(len(layout.sites))[:wanted]
    }


def board_id(seed: int, number: int) -> str:
    """The name of a board of a stream or set."""
    return f"C{seed:04d}-{number:04d}"


def checked_kinds(defects: Sequence[str]) -> tuple[str, ...]:
    """The labels as given. Raises ValueError for an unknown one, or for none at all."""
    unknown = [kind for kind in defects if kind not in COMPONENT_ERRORS]
    if unknown or not defects:
        raise ValueError(f"defects {list(defects)}: choose at least one of {', '.join(COMPONENT_ERRORS)}")
    return tuple(defects)
