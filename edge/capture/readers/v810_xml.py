"""XML of one namespace as a short list of elements with their attributes. Nothing is fetched or expanded: a document
type, an entity or too much of anything is refused before it is looked at further."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from edge.axi.board import AxiFault

MAX_XML_BYTES = 16 * 1024 * 1024  # 20,000 indictments of 600 bytes
MAX_DEPTH = 8  # exports have four levels
MAX_ELEMENTS = 100_000
MAX_ATTRIBUTES = 64  # RepairEventXML has 18
MAX_VALUE_CHARS = 4096

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_UNFINISHED = frozenset({"no element found", "unclosed token", "unclosed CDATA section", "partial character"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: its name without the namespace, the line it stands in, the place of its parent in the list."""

    name: str
    line: int
    parent: int  # -1 of the first
    attributes: Mapping[str, str]


def elements_of(data: bytes, file: str, namespace: str, root: str, encoding: str) -> tuple[Element, ...]:
    """The elements of a namespace in the order of the file, the first being `root`. Elements and attributes of other
    namespaces, text and comments are left out. `encoding` is the station's, for files that do not say their own. Raises
    AxiFault with the line."""
    if not data:
        raise AxiFault(f"{file}: an empty file")
    if len(data) > MAX_XML_BYTES:
        raise AxiFault(f"{file}: {len(data)} bytes, at most {MAX_XML_BYTES}")
    text = _text_of(data, file, encoding)
    reader = _Reader(file, namespace, root)
    reader.parse(text.encode("utf-8", "surrogatepass"))
    return tuple(reader.elements)


def _text_of(data: bytes, file: str, encoding: str) -> str:
    """By byte order mark, else by the XML declaration where the station allows that one, else the station's, else
    UTF-8, which is XML's own rule: never by trying."""
    marked = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    declared = _DECLARED.match(data)
    name = marked or (declared[1].decode("ascii") if declared else "") or encoding or "utf-8"
    if not marked and _canonical(name) not in {"ascii", "utf-8", _canonical(encoding or "utf-8")}:
        allowed = encoding or "utf-8"
        raise AxiFault(f"{file} line 1: it declares {name}, the station declares {allowed}; set encoding to what it is")
    try:
        text = data.decode(name)
    except UnicodeError as err:
        advice = "" if marked or encoding else "; declare the station's code page (encoding)"
        at = err.start if isinstance(err, UnicodeDecodeError) else 0  # a few code pages do not say where
        line = data.count(b"\n", 0, at) + 1
        raise AxiFault(f"{file} line {line}: byte 0x{data[at]:02X} is not {name}{advice}") from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise AxiFault(f"{file} line {line}: zero bytes, as in a half-written file")
    return text


def _canonical(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return ""


class _Reader:
    """Expat with handlers that refuse. One use each."""

    def __init__(self, file: str, namespace: str, root: str) -> None:
        self.elements: list[Element] = []
        self._file, self._namespace, self._root = file, namespace, root
        self._open: list[int] = []  # of each open element its place in the list, or its parent's where it is not kept
        self._names: list[str] = []
        self._count = 0
        self._parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.ExternalEntityRefHandler = self._refuse_entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def parse(self, data: bytes) -> None:
        """Raises AxiFault."""
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as err:
            what = expat.ErrorString(err.code) or "not XML"
            if what in _UNFINISHED and (self._names or not self.elements):
                inside = f"inside {self._names[-1]}" if self._names else "before its first element"
                raise AxiFault(f"{self._file} line {err.lineno}: half a file: it ends {inside} ({what})") from None
            raise AxiFault(f"{self._file} line {err.lineno}: not XML: {what}") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self._count += 1
        self._check(local, attributes)
        if not self._names and (namespace, local) != (self._namespace, self._root):
            raise self._refused(f"{local!r} of namespace {namespace!r}, expected {self._root} of {self._namespace}")
        parent = self._open[-1] if self._open else -1
        if namespace == self._namespace:
            kept = {key: value.strip() for key, value in attributes.items() if " " not in key}
            line = self._parser.CurrentLineNumber
            self.elements.append(Element(name=local, line=line, parent=parent, attributes=kept))
            parent = len(self.elements) - 1
        self._open.append(parent)
        self._names.append(local)

    def _end(self, name: str) -> None:
        self._open.pop()
        self._names.pop()

    def _check(self, name: str, attributes: dict[str, str]) -> None:
        for what, count, most in (
            ("elements", self._count, MAX_ELEMENTS),
            ("elements inside each other", len(self._names) + 1, MAX_DEPTH),
            ("attributes", len(attributes), MAX_ATTRIBUTES),
            ("characters in an attribute", max(map(len, attributes.values()), default=0), MAX_VALUE_CHARS),
        ):
            if count > most:
                raise self._refused(f"{name[:64]}: more than {most} {what}")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._refused("a document type (DTD), which no machine's export has")

    def _refuse_entity(self, *_: object) -> int:
        raise self._refused("an entity, which no machine's export has")

    def _refused(self, what: str) -> AxiFault:
        return AxiFault(f"{self._file} line {self._parser.CurrentLineNumber}: {what}")
