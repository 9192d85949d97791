"""A file is a claim: one test, told of several boards, is forged for all but one. Programs in public use write the same
"passed" file for every serial that they are given."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from edge.axi.board import AxiFault

KEPT = 256  # files: a shift at half a minute a board is some 900, and forged files come in runs

Test = tuple[str, str, str, str]  # tester, place in the panel, start and end as written


@dataclass(slots=True)
class SeenTests:
    """Whose the last KEPT tests were. Boards of one panel may share their times: their place in it tells them apart."""

    _whose: OrderedDict[Test, str] = field(default_factory=OrderedDict)

    def check(self, test: Test, whose: str, file: str) -> None:
        """Raises AxiFault when another board came with this very test."""
        known = self._whose.get(test)
        if known is not None and known != whose:
            tester, image_id, start, end = test
            told = f"the test of {tester} from {start} to {end}, board {image_id} of its panel"
            raise AxiFault(f"{file}: {told}, was already told of board {known}: one of the two is not what it says")

    def remember(self, test: Test, whose: str) -> None:
        """Once the whole board was read: a file that was refused is no witness."""
        self._whose[test] = whose
        self._whose.move_to_end(test)
        while len(self._whose) > KEPT:
            self._whose.popitem(last=False)

    def __len__(self) -> int:
        return len(self._whose)
