"""A board of the demo: what comes down the line, and what is really on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoBoard:
    """A board on its way down the line: its file, and what is really on it."""

    board_id: str
    data: bytes
    defects: dict[str, str]  # place → label
    story: str = ""  # what is special about it
    suffix: str = ".jpg"  # of the file
    unsaid: frozenset[str] = (
        frozenset()
    )  # places neither good nor yet defective: a call there is no mistake, nor is none
