"""Texts of settings that must mean something: the name of an encoding, a regular expression."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field


def _is_known(encoding: str) -> str:
    try:
        if encoding:
            b"0".decode(encoding)
    except (LookupError, UnicodeError) as err:
        raise ValueError(f"not a text encoding: {err}") from None
    return encoding


def _is_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as err:
        raise ValueError(f"not a regular expression: {err}") from None
    return pattern


def _names_the_board(pattern: str) -> str:
    if "board" not in re.compile(pattern).groupindex:
        raise ValueError("must hold a group (?P<board>…)")
    return pattern


Encoding = Annotated[str, Field(max_length=32), AfterValidator(_is_known)]  # empty: none is declared
Pattern = Annotated[str, Field(max_length=200), AfterValidator(_is_pattern)]
BoardPattern = Annotated[Pattern, AfterValidator(_names_the_board)]
