"""One drawn board as an X-ray machine's integrator would hand it over: slices as PNGs, the machine's own XML export
with what it calls, and the index that ties joints to boxes and slices, written last (docs/axi-files.md).

The machine of the twin calls every joint that the specialist labelled as anything but normal, and by lot some of the
good ones. Everything follows from the arguments, byte for byte with the same OpenCV.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np

from edge.capture.readers.axi_index import AxiIndex, JointEntry, NamedFile, ViewEntry
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.v810 import NAMESPACE, ROOT
from edge.durable import replace_file
from export.simulator.xray.board import JointKind
from export.simulator.xray.joints import DEFECT_MIX, NORMAL
from export.simulator.xray.sets import DrawnView
from export.simulator.xray.view import JointView

FALSE_CALL_RATE = 0.02  # of the good joints; a judgement: machines are set from 0.1 % to several per cent
TEST_S = 13  # as in the real export: a board every quarter of a minute
TESTER, STATION, REVIEWER = "V810-TWIN", "TWIN-VVTS", "twin"
FIRST_TEST = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)  # boards of the twin were all tested in that January
_ZONE = dt.timezone(dt.timedelta(hours=8))
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_WORDS = {"insufficient": "Insufficient", "missing": "Missing", "short": "Short", "void": "Voiding"}
_ALGORITHMS = {JointKind.PTH: "throughhole", JointKind.BGA: "gridArray", JointKind.GULLWING: "gullwing"}

Call = tuple[JointView, str, bool]  # a joint, the machine's word for it, whether the specialist agrees


def twin_file_settings(pictures: str) -> AxiFileSettings:
    """How the twin's files are to be read; `pictures` is their root, as a recipe has it."""
    return AxiFileSettings(pictures=pictures, export="v810_xml", export_required=True)


def write_axi_board(
    inbox: Path,
    pictures: Path,
    serial: str,
    views: Sequence[DrawnView],
    *,
    false_call_rate: float = FALSE_CALL_RATE,
    seed: int = 0,
    reviewed: bool = False,
) -> Path:
    """Write all views of one board: slices and export into `pictures`/SERIAL/, then `inbox`/SERIAL.json, which appears
    whole. With `reviewed` the specialist's word stands beside each call. Gives the index's path. Raises ValueError for
    views of several boards, none at all, or a serial that is no file name."""
    kinds = {drawn.board_type.name for drawn in views}
    if len(kinds) != 1 or len({drawn.board for drawn in views}) != 1:
        raise ValueError(f"views of board types {sorted(kinds)}: expected one board's")
    if not _SERIAL.fullmatch(serial) or not 0.0 <= false_call_rate <= 1.0:
        raise ValueError(f"serial {serial!r}, false_call_rate {false_call_rate}: expected {_SERIAL.pattern}, 0 to 1")
    (board_type,) = kinds
    (pictures / serial).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([zlib.crc32(serial.encode()), seed])
    calls = [call for drawn in views for call in _calls(drawn, false_call_rate, rng)]
    index = AxiIndex(
        schema_version=1,
        serial=serial,
        board_type=board_type,
        export=_write(
            pictures,
            f"{serial}/{serial}_#{board_type}#AXI#twin#1.xml",
            _export(serial, views, calls, reviewed).encode("utf-8"),
        ),
        views=tuple(_write_view(pictures, serial, drawn) for drawn in views if drawn.view.joints),
        complete=True,
    )
    inbox.mkdir(parents=True, exist_ok=True)
    content = json.dumps(index.model_dump(mode="json"), indent=1).encode("utf-8") + b"\n"
    replace_file(inbox / f".{serial}.json", inbox / f"{serial}.json", content)
    return inbox / f"{serial}.json"


def _calls(drawn: DrawnView, false_call_rate: float, rng: np.random.Generator) -> list[Call]:
    """What the machine calls in one view."""
    kinds = list(DEFECT_MIX[drawn.board_type.kind])
    found = []
    for joint in drawn.view.joints:
        lot, guess = rng.random(), kinds[int(rng.integers(len(kinds)))]
        good = joint.label == NORMAL
        if not good or lot < false_call_rate:
            found.append((joint, _WORDS.get(guess if good else joint.label, "Insufficient"), not good))
    return found


def _write_view(pictures: Path, serial: str, drawn: DrawnView) -> ViewEntry:
    name = f"V{drawn.number + 1}"
    slices = []
    for n, plane in enumerate(drawn.view.slices):
        done, data = cv2.imencode(".png", plane)
        if not done:
            raise OSError(f"view {name}, slice {n}: the picture could not be encoded")
        slices.append(_write(pictures, f"{serial}/{name}_{n:02d}.png", data.tobytes()))
    joints = tuple(
        JointEntry(
            refdes=joint.site.refdes,
            pin=joint.site.pin,
            box_px=(float(joint.roi.x0), float(joint.roi.y0), float(joint.roi.x1), float(joint.roi.y1)),
        )
        for joint in drawn.view.joints
    )
    return ViewEntry(name=name, slices=tuple(slices), joints=joints)


def _write(pictures: Path, path: str, data: bytes) -> NamedFile:
    (pictures / path).write_bytes(data)
    return NamedFile(path=path, sha256=hashlib.sha256(data).hexdigest())


def _export(serial: str, views: Sequence[DrawnView], calls: Sequence[Call], reviewed: bool) -> str:
    """The XML as a V810's repair station lays it out, with CRLF."""
    start = FIRST_TEST + dt.timedelta(milliseconds=zlib.crc32(serial.encode()) % (30 * 86_400_000))
    end = start + dt.timedelta(seconds=TEST_S)
    joints = [joint for drawn in views for joint in drawn.view.joints]
    components = {joint.site.refdes for joint in joints}
    status, repair = _status(calls, reviewed)
    kind = views[0].board_type
    head = _tag(
        ROOT,
        {
            "xmlns:ns1": NAMESPACE,
            "testTime": _clock(start),
            "testerTestStartTime": _clock(start),
            "testerTestEndTime": _clock(end),
            "numberOfComponentsTested": len(components),
            "numberOfJointsTested": len(joints),
            "numberOfIndictedComponents": len({joint.site.refdes for joint, _, _ in calls}),
            "numberOfIndictedPins": len(calls),
            "numberOfDefects": len(calls),
            "testStatus": status,
            "repairStatus": repair,
            "repairStationId": STATION,
        },
    )
    board = {
        "serialNumber": serial,
        "imageId": 1,
        "boardType": kind.name,
        "boardRevision": int(end.timestamp() * 1000),
        "assemblyRevision": kind.name,
    }
    lines = [
        f"{head}>",
        _tag("BoardXML", board) + "/>",
        _tag("StationXML", {"testerName": TESTER, "stage": "v810"}) + "/>",
    ]
    if reviewed:
        lines.append(_review_event(calls, end))
    algorithm = _ALGORITHMS[kind.kind]
    lines += [_indictment(call, algorithm, kind.name, end, reviewed) for call in calls]
    return "\r\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *lines, f"</ns1:{ROOT}>", ""])


def _status(calls: Sequence[Call], reviewed: bool) -> tuple[str, str]:
    """testStatus and repairStatus."""
    if not calls:
        return "Passed", "Repair None"
    if not reviewed:
        return "Failed", "Repair None"
    word = "Repaired" if any(agreed for _, _, agreed in calls) else "Reviewed Passed"
    return word, word


def _review_event(calls: Sequence[Call], end: dt.datetime) -> str:
    confirmed = sum(agreed for _, _, agreed in calls)
    counts = {
        "Active": 0,
        "FalseCalled": len(calls) - confirmed,
        "Repaired": confirmed,
        "RepairLater": 0,
        "VariationOk": 0,
    }
    times = {
        "repairStartTime": _clock(end + dt.timedelta(seconds=2)),
        "repairEndTime": _clock(end + dt.timedelta(seconds=60)),
    }
    numbers = {f"numberOf{what}Defects": count for what, count in counts.items()}
    return _tag("RepairEventXML", {**times, "repairOperator": REVIEWER, **numbers}) + "/>"


def _indictment(call: Call, algorithm: str, package: str, end: dt.datetime, reviewed: bool) -> str:
    joint, word, agreed = call
    place = {"designator": f"1:{joint.site.refdes}", "packageId": package, "pin": joint.site.pin, "partId": package}
    action = {
        "repairOperator": REVIEWER,
        "repairTime": _clock(end + dt.timedelta(seconds=30)),
        "repairStatus": "Repaired" if agreed else "False Call",
        "repairActionType": "-",
        "comment": "-",
    }
    kind = {"algorithm": algorithm, "indictmentType": word, "subType": package, "jointType": algorithm}
    return "\r\n".join(
        [
            _tag("TestXML", {"name": f"top:1:{joint.site.refdes}:{joint.site.pin}"}) + ">",
            _tag("IndictmentXML", kind) + ">",
            *([_tag("RepairActionXML", action) + "/>"] if reviewed else []),
            _tag("ComponentXML", place) + "/>",
            "</ns1:IndictmentXML>",
            "</ns1:TestXML>",
        ]
    )


def _tag(name: str, attributes: Mapping[str, object]) -> str:
    return f"<ns1:{name} " + " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items())


def _clock(moment: dt.datetime) -> str:
    return moment.astimezone(_ZONE).isoformat(timespec="milliseconds")
