"""What the machine's own export calls, tied to the joints of an index: every indictment meets a joint, and no joint is
taken for good that the machine does not say it tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.axi.board import AxiFault
from edge.capture.readers.axi_files import read_named
from edge.capture.readers.axi_index import AxiIndex
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.v810 import V810Export, read_export
from edge.capture.readers.v810_calls import Indictment
from edge.capture.readers.v810_xml import MAX_XML_BYTES

JointKey = tuple[str, str]  # refdes and pin as the index has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """An export, and what it says of the joints of the index."""

    export: V810Export
    sha256: str
    joints: Mapping[JointKey, Indictment]


def called_of(index: AxiIndex, file: str, settings: AxiFileSettings, root: Path) -> Called | None:
    """The export that the index names; None where it names none. Raises AxiFault."""
    if index.export is None:
        if settings.export_required:
            raise AxiFault(f"{file} export: none named, and the station requires one (export_required)")
        return None
    if settings.export == "none":
        raise AxiFault(f"{file} export: {index.export.path} is named, the station declares no export; say which it is")
    content = read_named(root, index.export, MAX_XML_BYTES, f"{file} export")
    name = PurePosixPath(index.export.path).name
    export = read_export(content.data, name, settings, content.written_utc)
    if export.board_type != index.board_type:
        raise AxiFault(f"{file} board_type: {index.board_type!r}, {name} says {export.board_type!r}")
    return Called(export=export, sha256=index.export.sha256, joints=_indicted(index, export, name))


def _indicted(index: AxiIndex, export: V810Export, name: str) -> Mapping[JointKey, Indictment]:
    """Each indicted joint of the index. Raises AxiFault for an indictment that meets none of them, and for an index
    with more joints or components than the machine says it tested: of those it said nothing."""
    keys = [(joint.refdes, joint.pin) for view in index.views for joint in view.joints]
    pins: dict[str, list[str]] = defaultdict(list)
    for refdes, pin in keys:
        pins[refdes].append(pin)
    for what, listed, tested in (
        ("joints", len(keys), export.calls.joints_tested),
        ("components", len(pins), export.calls.components_tested),
    ):
        if listed > tested:
            raise AxiFault(f"{name}: {tested} {what} tested, the index lists {listed}: nothing is said of the others")
    found: dict[JointKey, Indictment] = {}
    for one in export.calls.indictments:
        refdes = _refdes(one, pins, export, name)
        if one.pin and one.pin not in pins[refdes]:
            raise AxiFault(f"{name} line {one.line}: {one.designator} pin {one.pin} is indicted and not in the index")
        for pin in [one.pin] if one.pin else pins[refdes]:
            found[refdes, pin] = _worse(found.get((refdes, pin)), one)
    return found


def _refdes(one: Indictment, pins: Mapping[str, object], export: V810Export, name: str) -> str:
    """The index's word for an indicted component: the designator as written, or what follows its array where that is
    this board's place in the panel."""
    array, colon, bare = one.designator.partition(":")
    if one.designator in pins:
        return one.designator
    if colon and array == export.image_id and bare in pins:
        return bare
    where = f"{name} line {one.line}"
    raise AxiFault(f"{where}: {one.designator} of board {export.image_id} is indicted and not in the index")


def _worse(known: Indictment | None, one: Indictment) -> Indictment:
    """Of two indictments of a joint the one that weighs more on review; what the machine said of both."""
    if known is None:
        return one
    order = ("defect", "open", "", "false_call")
    first, second = sorted((known, one), key=lambda each: order.index(each.review))
    return Indictment(
        designator=first.designator,
        pin=first.pin,
        words=first.words if second.words in first.words else f"{first.words}; {second.words}",
        review=first.review,
        line=first.line,
    )
