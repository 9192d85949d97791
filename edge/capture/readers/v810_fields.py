"""Elements of an export by name, and their attributes as text or as counts: one that is missing or does not parse is a
fault with its place, never 0."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from edge.axi.board import AxiFault
from edge.capture.readers.v810_xml import Element

_COUNT = re.compile(r"\d{1,9}", re.ASCII)


class Fields:
    """The elements of one file. Children are found by one look at all of them."""

    def __init__(self, elements: Sequence[Element], file: str) -> None:
        self.elements, self.file = elements, file
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._children: dict[tuple[int, str], list[Element]] = defaultdict(list)
        for at, element in enumerate(elements):
            self._by_name[element.name].append(at)
            self._children[element.parent, element.name].append(element)

    def places_of(self, name: str) -> Sequence[int]:
        """Places in `elements` of all with this name, in the file's order."""
        return self._by_name.get(name, ())

    def children(self, at: int, name: str) -> Sequence[Element]:
        """Those with this name right inside the element at a place."""
        return self._children.get((at, name), ())

    def only(self, name: str) -> Element:
        """The one right inside the root. Raises AxiFault for none and for several."""
        found = self.children(0, name)
        if len(found) != 1:
            raise AxiFault(f"{self.place(self.elements[0])}: {len(found)} elements {name}, expected one")
        return found[0]

    def text(self, element: Element, key: str) -> str:
        """May be empty, may not be missing. Raises AxiFault."""
        if key not in element.attributes:
            raise AxiFault(f"{self.place(element)}: no attribute {key}")
        return element.attributes[key]

    def count(self, element: Element, key: str) -> int:
        """A whole number from 0. Raises AxiFault."""
        text = self.text(element, key)
        if not _COUNT.fullmatch(text):
            raise AxiFault(f"{self.place(element, key)}: {text!r} is not a whole number of digits alone")
        return int(text)

    def place(self, element: Element, key: str = "") -> str:
        """`X.xml line 3, BoardXML serialNumber`."""
        return f"{self.file} line {element.line}, {element.name} {key}".rstrip()
