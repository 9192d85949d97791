"""A difficulty by name, the same way for every twin that has named ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Setting = TypeVar("Setting")


def named_difficulty(difficulty: Setting | str, known: Mapping[str, Setting]) -> Setting:
    """A difficulty as it is, or the one of that name. Raises ValueError for a name nobody gave."""
    if not isinstance(difficulty, str):
        return difficulty
    if difficulty not in known:
        raise ValueError(f"difficulty is {difficulty!r}, expected one of {', '.join(known)}")
    return known[difficulty]
