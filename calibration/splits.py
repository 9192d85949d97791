"""Cutting rows into those that choose a threshold and those that say how good it is: by board, and in time order.

Places on one board share its paste, its reflow and its light. A random cut through boards puts the same board on both
sides, and the check then repeats the choice instead of testing it. The choice gets the earlier boards and the check the
later ones, as it will be on the line. A board's time is its earliest `time` where the table has such a column, and its
first row in the table otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.faults import CalibrationFault

CutBy = Literal["board", "row"]
MAX_NAMED = 5


class SplitFault(CalibrationFault):
    """Rows that must not be cut like that: what is in the way."""


def choice_rows(
    boards: Sequence[str],
    *,
    choice_frac: float,
    times: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    by: CutBy = "board",
) -> NDArray[np.bool_]:
    """Which rows choose, (N,): those of the first boards in time that together hold at least `choice_frac` of the rows.
    The others check.

    Where no row names a board, `units` take the boards' place, so that pictures of one place stay together; `by="row"`
    is allowed only there. Raises SplitFault when boards are named for some rows only, when a cut by row would go
    through boards, or when nothing would be left for the check.
    """
    if not 0.0 < choice_frac < 1.0:
        raise SplitFault(f"choice_frac is {choice_frac}: allowed is above 0 and below 1")
    named = sum(bool(b) for b in boards)
    if 0 < named < len(boards):
        raise SplitFault(f"{len(boards) - named} of {len(boards)} rows name no board: all of them or none")
    if named and by == "row":
        raise SplitFault("a cut by row goes through boards, and this data names them: cut by board")
    rows = [str(k) for k in range(len(boards))]
    keys = list(boards) if named else rows if by == "row" or units is None else list(units)
    count, chosen, taken = Counter(keys), set[str](), 0
    for key in _in_time_order(keys, times):
        if taken >= choice_frac * len(keys):
            break
        chosen.add(key)
        taken += count[key]
    mask = np.array([key in chosen for key in keys], np.bool_)
    if mask.all():
        what = "board" if named else "place"
        raise SplitFault(f"{len(set(keys))} {what}s: none is left to check the choice on")
    return mask


def check_apart(choice_boards: Iterable[str], other_boards: Iterable[str], choice: str, other: str) -> None:
    """Raise SplitFault when the rows of `choice` and of `other` share a board."""
    if shared := sorted((set(choice_boards) & set(other_boards)) - {""}):
        named = ", ".join(shared[:MAX_NAMED]) + (" …" if len(shared) > MAX_NAMED else "")
        raise SplitFault(
            f"{choice} and {other} share {len(shared)} boards ({named}): a split must not go through a board"
        )


def _in_time_order(keys: list[str], times: Sequence[str] | None) -> list[str]:
    if times is None or not all(times):
        return list(dict.fromkeys(keys))
    first: dict[str, str] = {}
    for key, time in zip(keys, times, strict=True):
        first[key] = min(time, first.get(key, time))
    return sorted(first, key=lambda key: first[key])
