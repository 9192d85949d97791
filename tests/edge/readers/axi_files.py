"""X-ray boards as a V810 and its integrator write them: an export, slices, and the index over both, small and whole.
Each test spoils one thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.axi.board import AxiBoard, AxiFault
from edge.capture.readers.axi import read_board
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.v810 import V810Export, read_export
from edge.capture.readers.v810_seen import SeenTests

SERIAL, BOARD_TYPE = "20481120000000000417", "F20-MB"
XML, INDEX = f"{SERIAL}_#{BOARD_TYPE}#AXI#line#1.xml", f"{SERIAL}.json"
SETTINGS = AxiFileSettings(pictures="pictures", export="v810_xml")

START, END = "2024-04-20T00:02:01.000+08:00", "2024-04-20T00:02:14.000+08:00"
REVISION = "1713542534000"  # END in milliseconds since 1970
Attributes = dict[str, str]


@dataclass(frozen=True)
class Called:
    """One TestXML with its indictment."""

    designator: str = "1:J2"
    pin: str = "3"
    words: str = "Insufficient, Open"
    review: str | None = None


def export(
    calls: Sequence[Called] = (),
    prefix: str = "ns1",
    declaration: str = '<?xml version="1.0" encoding="UTF-8"?>',
    review: Attributes | None = None,
    **changes: str | None,
) -> bytes:
    """An export with these calls; a change of None takes an attribute away. Elements' attributes do not share names."""
    root = {
        "testTime": START,
        "testerTestStartTime": START,
        "testerTestEndTime": END,
        "numberOfComponentsTested": "4",
        "numberOfJointsTested": "58",
        "numberOfIndictedComponents": str(len({call.designator for call in calls})),
        "numberOfIndictedPins": str(len({(call.designator, call.pin) for call in calls if call.pin})),
        "numberOfDefects": str(sum(len(call.words.split(",")) for call in calls)),
        "testStatus": "Failed" if calls else "Passed",
        "repairStatus": "Repair None",
        "repairStationId": "3328-VVTS",
    }
    board = {"serialNumber": SERIAL, "imageId": "1", "boardType": BOARD_TYPE, "boardRevision": REVISION}
    station = {"testerName": "V810-8086S2", "stage": "v810"}
    for attributes in (root, board, station):
        for key in set(attributes) & set(changes):
            value = changes[key]
            attributes.pop(key) if value is None else attributes.update({key: value})
    mark = f"{prefix}:" if prefix else ""
    space = f"xmlns:{prefix}" if prefix else "xmlns"
    lines = [declaration] if declaration else []
    lines += [f'<{mark}BoardTestXMLExport {space}="http://tempuri.org/BoardTestXMLExport.xsd" {_written(root)}>']
    lines += [f"    <{mark}BoardXML {_written(board)}/>", f"    <{mark}StationXML {_written(station)}/>"]
    lines += [f"    <{mark}RepairEventXML {_written(review)}/>"] if review is not None else []
    lines += [_test(mark, call) for call in calls]
    return "\r\n".join([*lines, f"</{mark}BoardTestXMLExport>", ""]).encode()


def _test(mark: str, call: Called) -> str:
    action = f'<{mark}RepairActionXML repairStatus="{call.review}"/>' if call.review is not None else ""
    component = f'<{mark}ComponentXML designator="{call.designator}" pin="{call.pin}"/>'
    indicted = f'<{mark}IndictmentXML indictmentType="{call.words}">{action}{component}</{mark}IndictmentXML>'
    return f'    <{mark}TestXML name="top:{call.designator}:{call.pin}">{indicted}</{mark}TestXML>'


def _written(attributes: Attributes) -> str:
    return " ".join(f'{key}="{value}"' for key, value in attributes.items())


def changed(**changes: object) -> AxiFileSettings:
    """The settings with another declaration."""
    return AxiFileSettings.model_validate({**SETTINGS.model_dump(), **changes})


def read(data: bytes, name: str = XML, settings: AxiFileSettings = SETTINGS) -> V810Export:
    """The export."""
    return read_export(data, name, settings)


def refused(data: bytes, *told: str, name: str = XML, settings: AxiFileSettings = SETTINGS) -> None:
    """The export is refused, and the fault says the file's name and all of `told`."""
    with pytest.raises(AxiFault) as fault:
        read_export(data, name, settings)
    assert name in str(fault.value)
    for part in told:
        assert part in str(fault.value)


def slice_of(seed: int, height_px: int = 48, width_px: int = 64) -> NDArray[np.uint8]:
    """(h, w) uint8, no two alike."""
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px), np.uint8)


def encoded(picture: NDArray[Any], ending: str = ".png") -> bytes:
    """The picture's file."""
    done, data = cv2.imencode(ending, picture)
    assert done
    return data.tobytes()


@dataclass
class Bench:
    """A board's files in a folder: `index` is changed by a test before `read` writes and reads it."""

    folder: Path
    index: dict[str, Any] = field(default_factory=dict)
    seen: SeenTests = field(default_factory=SeenTests)
    settings: AxiFileSettings = SETTINGS

    @property
    def root(self) -> Path:
        """Of the pictures."""
        return self.folder / "pictures"

    def put(self, path: str, data: bytes) -> dict[str, str]:
        """Write a file below the root; gives what an index says of it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)
        return {"path": path, "sha256": hashlib.sha256(data).hexdigest()}

    def read(self, name: str = INDEX) -> AxiBoard:
        """As the station would."""
        return read_board(json.dumps(self.index).encode(), name, self.settings, self.root, self.seen)

    def refused(self, *told: str, name: str = INDEX) -> None:
        """The board is refused, and the fault says all of `told`."""
        with pytest.raises(AxiFault) as fault:
            self.read(name)
        for part in told:
            assert part in str(fault.value)


def bench(folder: Path, xml: bytes | None = None) -> Bench:
    """Two views of three and of one slice, four joints; with an export where one is given."""
    made = Bench(folder)
    made.root.mkdir(parents=True)
    made.index = {
        "schema_version": 1,
        "serial": SERIAL,
        "board_type": BOARD_TYPE,
        "export": None if xml is None else made.put(f"b/{XML}", xml),
        "views": [
            {
                "name": "V1",
                "slices": [made.put(f"b/V1_{n:02d}.png", encoded(slice_of(n))) for n in range(3)],
                "joints": [
                    {"refdes": "J1", "pin": "1", "box_px": [2, 3, 20, 21]},
                    {"refdes": "J2", "pin": "3", "box_px": [30.5, 3, 48.5, 21]},
                ],
            },
            {
                "name": "V2",
                "slices": [made.put("b/V2_00.png", encoded(slice_of(9)))],
                "joints": [
                    {"refdes": "J2", "pin": "4", "box_px": [2, 3, 20, 21]},
                    {"refdes": "U7", "pin": "A1", "box_px": [30, 3, 48, 21]},
                ],
            },
        ],
        "complete": True,
    }
    return made
