"""The index of an X-rayed board, and the slices and export it names: what is read, and each fault by its name."""

from __future__ import annotations

import copy
import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge.capture.readers.axi as axi_module
from edge.axi.board import AxiFault
from edge.capture.board_file import HEAD_BYTES, TAIL_BYTES
from edge.capture.readers.axi_index import MAX_INDEX_BYTES, index_of, whole
from edge.capture.readers.axi_settings import AxiFileSettings
from edge.capture.readers.axi_slices import decode_slice, slice_size
from edge.settings import read_toml
from tests.edge.readers.axi_files import (
    BOARD_TYPE,
    INDEX,
    SERIAL,
    SETTINGS,
    Bench,
    Called,
    bench,
    changed,
    encoded,
    export,
    slice_of,
)

pytestmark = pytest.mark.unit

MINIMAL: dict[str, Any] = {
    "schema_version": 1,
    "serial": SERIAL,
    "board_type": BOARD_TYPE,
    "export": None,
    "views": [
        {
            "name": "V1",
            "slices": [{"path": "a.png", "sha256": "0" * 64}],
            "joints": [{"refdes": "J1", "pin": "1", "box_px": [0, 0, 9.5, 9]}],
        }
    ],
    "complete": True,
}
WHOLE = json.dumps(MINIMAL, indent=1).encode() + b"\n"


@pytest.fixture
def board(tmp_path: Path) -> Bench:
    """Without an export."""
    return bench(tmp_path)


def refused(data: bytes, *told: str) -> None:
    """The index is refused, and the fault says all of `told`."""
    with pytest.raises(AxiFault) as fault:
        index_of(data, INDEX)
    for part in (INDEX, *told):
        assert part in str(fault.value)


def with_change(where: str, value: object) -> bytes:
    """The minimal index with another value at `views.0.joints.0.pin`, or with none for `...`."""
    index = copy.deepcopy(MINIMAL)
    *path, last = [int(part) if part.isdigit() else part for part in where.split(".")]
    place: Any = index
    for part in path:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(index).encode()


def test_a_board_without_an_export(board: Bench) -> None:
    read = board.read()
    assert (read.serial, read.board_type, read.reviewed, read.joints_tested) == (SERIAL, BOARD_TYPE, None, None)
    assert [(joint.name, joint.view, joint.called) for joint in read.joints] == [
        ("J1-1", 0, None),
        ("J2-3", 0, None),
        ("J2-4", 1, None),
        ("U7-A1", 1, None),
    ]
    assert read.joints[1].box_px == (30.5, 3.0, 48.5, 21.0)
    assert [view.slices.shape for view in read.views] == [(48, 64, 3), (48, 64, 1)]
    for n in range(3):
        np.testing.assert_array_equal(read.views[0].slices[..., n], slice_of(n))


def test_a_board_with_an_export(tmp_path: Path) -> None:
    calls = [Called(review="False Call"), Called("J2", "4", "Short", "Repaired")]
    status = {"testStatus": "Repaired", "repairStatus": "Repaired", "numberOfIndictedComponents": "0"}
    made = bench(tmp_path, export(calls, **status))
    read = made.read()
    assert [(one.name, one.called, one.machine_words, one.review) for one in read.joints] == [
        ("J1-1", False, "", ""),
        ("J2-3", True, "Insufficient, Open", "false_call"),
        ("J2-4", True, "Short", "defect"),
        ("U7-A1", False, "", ""),
    ]
    assert (read.tester, read.machine_status, read.reviewed, read.joints_tested) == (
        "V810-8086S2",
        "Repaired",
        True,
        58,
    )
    assert (read.test_start, read.export_sha256) == ("2024-04-20T00:02:01.000+08:00", made.index["export"]["sha256"])


# 1 half a file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_only_the_whole_file_is_whole(encoding: str) -> None:
    data = WHOLE.decode().encode(encoding)
    assert whole(data[:HEAD_BYTES], data[-TAIL_BYTES:])
    assert index_of(data, INDEX).serial == SERIAL
    last = data.rindex("}".encode("utf-16-le")) if encoding == "utf-16" else data.rindex(b"}")
    for end in range(last + 1):
        assert not whole(data[:end][:HEAD_BYTES], data[:end][-TAIL_BYTES:]), data[:end][-20:]
        with pytest.raises(AxiFault):
            index_of(data[:end], INDEX)


def test_a_closing_brace_alone_ends_no_file() -> None:
    cut = WHOLE[: WHOLE.index(b"}") + 1]
    assert not whole(cut[:HEAD_BYTES], cut)
    assert not whole(WHOLE[:HEAD_BYTES], WHOLE[:-20] + bytes(20))
    refused(cut, "file: Invalid JSON: EOF")


def test_half_a_slice_is_never_judged(board: Bench) -> None:
    path = board.root / "b/V1_02.png"
    data = path.read_bytes()
    for end in (0, 1, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        board.refused("view V1 slice 2 b/V1_02.png", f"{end} bytes with SHA-256", "half a file, or another board's")
    path.unlink()
    board.refused("view V1 slice 2 b/V1_02.png: not below", "No such file", "the index must be written last")


def test_half_an_export(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    path = made.root / made.index["export"]["path"]
    path.write_bytes(path.read_bytes()[:-9])
    made.refused(f"{INDEX} export", "half a file, or another board's")


# 2 encodings


def test_an_index_in_a_code_page() -> None:
    refused(WHOLE.replace(b"J1", b"J\xb5"), "line 17: byte 0xB5 is not utf-8")
    refused(b"", "an empty file")
    refused(bytes(40), "Invalid JSON")


# 3 numbers


@pytest.mark.parametrize("number", ["1", None, True, [1]])
def test_a_box_of_no_numbers(number: object) -> None:
    refused(with_change("views.0.joints.0.box_px.2", number), "views.0.joints.0.box_px.2: ")


def test_a_box_of_other_numbers() -> None:
    for number in ("NaN", "Infinity", "1e9", "-1e9", "9,5", "٩"):
        refused(WHOLE.replace(b"9.5", number.encode()), "box_px" if number[0] != "٩" else "Invalid JSON")
    refused(with_change("views.0.joints.0.box_px.3", ...), "views.0.joints.0.box_px")


@pytest.mark.parametrize("box", [[20, 3, 2, 21], [2, 21, 20, 3], [2, 3, 2, 21]])
def test_a_box_the_wrong_way_round(board: Bench, box: list[int]) -> None:
    board.index["views"][0]["joints"][0]["box_px"] = box
    board.refused(f"{INDEX}: joint J1-1: box", "x0 must be below x1")


@pytest.mark.parametrize("box", [[60, 3, 80, 21], [-30, 3, 10, 21], [2, -1, 9, 49.5], [2, 60, 9, 66]])
def test_a_box_beside_its_view(board: Bench, box: list[float]) -> None:
    board.index["views"][0]["joints"][0]["box_px"] = box
    board.refused("joint J1-1: box", "does not lie in its view of 64 x 48 px")


def test_a_box_over_the_rim(board: Bench) -> None:
    board.index["views"][0]["joints"][0]["box_px"] = [-3, -3, 12, 12]
    assert board.read().joints[0].box_px == (-3.0, -3.0, 12.0, 12.0)


# 5 identity


def test_another_serial_in_the_name_or_in_the_export(tmp_path: Path) -> None:
    made = bench(tmp_path, export(serialNumber="OTHER"))
    made.refused(f"serial '{SERIAL}' and 'B2': whose joints these are is not known", name="B2.json")
    (made.root / "b/plain.xml").write_bytes((made.root / made.index["export"]["path"]).read_bytes())
    made.index["export"]["path"] = "b/plain.xml"
    made.refused(f"serial '{SERIAL}' and 'OTHER'")


def test_a_serial_that_nobody_read(board: Bench) -> None:
    board.index["serial"] = "N/A"
    assert board.read(INDEX).serial == SERIAL
    assert board.read("Fail.json").serial == ""
    board.settings = changed(name_pattern=r"AXI_(?P<board>.+)")
    assert board.read("upload-17.json").serial == ""
    assert board.read("AXI_B7.json").serial == "B7"


def test_a_serial_from_the_export(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    made.index["serial"] = ""
    assert made.read("Fail.json").serial == SERIAL


def test_another_product_in_the_export(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    made.index["board_type"] = "F21-MB"
    made.refused(f"{INDEX} board_type: 'F21-MB'", f"says '{BOARD_TYPE}'")


def test_a_serial_of_digits_must_be_text() -> None:
    refused(with_change("serial", 20481120000000000417), "serial: Input should be a valid string")
    refused(with_change("views.0.joints.0.pin", 1), "views.0.joints.0.pin: Input should be a valid string")


def test_a_serial_that_a_spreadsheet_rewrote(board: Bench) -> None:
    board.index["serial"] = "2.63E+19"
    board.refused(f"{INDEX} serial: '2.63E+19' is a long number as a spreadsheet")


# 6 keys


@pytest.mark.parametrize(
    "where",
    [
        "serial",
        "export",
        "complete",
        "schema_version",
        "views.0.name",
        "views.0.slices.0.sha256",
        "views.0.joints.0.pin",
    ],
)
def test_a_missing_key(where: str) -> None:
    refused(with_change(where, ...), f"{where}: Field required")


def test_an_unknown_key_and_one_that_comes_twice() -> None:
    refused(with_change("views.0.joints.0.threshold", 0.5), "views.0.joints.0.threshold: unknown key")
    refused(WHOLE.replace(b'"pin": "1"', b'"pin": "1", "pin": "2"'), "key 'pin' comes twice")


def test_another_version_of_the_format() -> None:
    refused(with_change("schema_version", 2), "schema_version: Input should be 1 (got 2)")
    refused(with_change("complete", False), "complete: Input should be True")


@pytest.mark.parametrize("text", ["", " J1", "J1\n", "J\x001", "J" * 129])
def test_names_that_are_none(text: str) -> None:
    refused(with_change("views.0.joints.0.refdes", text), "views.0.joints.0.refdes")


def test_many_faults_are_told_together() -> None:
    index = copy.deepcopy(MINIMAL)
    index["views"][0]["joints"] = [{"refdes": "", "pin": 1, "box_px": [0, 0, 9, "9"]}] * 3
    refused(json.dumps(index).encode(), "views.0.joints.0.refdes", "views.0.joints.1.pin", "; and 4 more")


# 8 absence means good only where the machine says it looked


@pytest.mark.parametrize(
    ("key", "what"), [("numberOfJointsTested", "joints"), ("numberOfComponentsTested", "components")]
)
def test_joints_that_the_machine_did_not_test(tmp_path: Path, key: str, what: str) -> None:
    listed = {"joints": 4, "components": 3}[what]
    assert bench(tmp_path / "enough", export(**{key: str(listed)})).read().serial == SERIAL
    made = bench(tmp_path / "few", export(**{key: str(listed - 1)}))
    made.refused(f"{listed - 1} {what} tested, the index lists {listed}: nothing is said of the others")


@pytest.mark.parametrize(
    ("designator", "pin", "told"),
    [
        ("1:J9", "1", "1:J9 of board 1 is indicted and not in the index"),
        ("1:J2", "9", "1:J2 pin 9 is indicted and not in the index"),
        ("2:J2", "3", "2:J2 of board 1 is indicted and not in the index"),
    ],
)
def test_an_indicted_pin_that_is_not_in_the_index(tmp_path: Path, designator: str, pin: str, told: str) -> None:
    bench(tmp_path, export([Called(designator, pin)])).refused("line 5: ", told)


def test_an_array_in_the_index(tmp_path: Path) -> None:
    made = bench(tmp_path, export([Called("2:J2", "3")]))
    made.index["views"][0]["joints"][1]["refdes"] = "2:J2"
    assert [joint.name for joint in made.read().joints if joint.called] == ["2:J2-3"]


def test_a_whole_component_is_called(tmp_path: Path) -> None:
    made = bench(tmp_path, export([Called("1:J2", "", "Missing"), Called("1:J2", "3", "Short", "Repaired")]))
    called = {joint.name: (joint.machine_words, joint.review) for joint in made.read().joints if joint.called}
    assert called == {"J2-3": ("Short; Missing", "defect"), "J2-4": ("Missing", "")}


def test_a_station_that_requires_an_export(board: Bench) -> None:
    board.settings = changed(export_required=True)
    board.refused(f"{INDEX} export: none named, and the station requires one")


def test_a_station_without_exports_is_sent_one(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    made.settings = changed(export="none")
    made.refused("the station declares no export")


# 11 a file is a claim


def test_one_test_told_of_two_boards(tmp_path: Path) -> None:
    made = bench(tmp_path / "a", export(serialNumber="N/A"))
    made.index["export"] = made.put("b/plain.xml", export(serialNumber="N/A"))
    made.read()
    made.read()  # the same board again, as after a restart
    made.index["serial"] = "B2"
    made.refused(f"was already told of board {SERIAL}", name="B2.json")


def test_a_refused_board_is_no_witness(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    (made.root / "b/V2_00.png").write_bytes(b"")
    made.refused("V2_00.png")
    assert len(made.seen) == 0


def test_a_test_that_ends_after_its_export_was_written(tmp_path: Path) -> None:
    made = bench(tmp_path, export())
    os.utime(made.root / made.index["export"]["path"], (1.7e9, 1.7e9))
    made.refused("after the file was written (2023-11-14T22:13:20Z)")


def test_one_picture_for_two_slices(board: Bench) -> None:
    first = board.index["views"][0]["slices"][0]
    board.index["views"][1]["slices"] = [board.put("b/copy.png", (board.root / first["path"]).read_bytes())]
    board.refused("view V2 slice 0 is the same picture as view V1 slice 0: b/copy.png")
    board.index["views"][1]["slices"] = [{"path": first["path"], "sha256": "1" * 64}]
    board.refused("view V2 slice 0 is the same picture as view V1 slice 0")


def test_a_joint_or_view_that_comes_twice(board: Bench) -> None:
    board.index["views"][1]["joints"][0]["pin"] = "3"
    board.refused(f"{INDEX}: joint J2-3: listed twice")
    board.index["views"][1]["name"] = "V1"
    board.refused(f"{INDEX}: view V1: listed twice")


# paths


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../b/V1.png", "b/../../x.png", "b//x.png", "./x.png", "b\\x.png", "C:/x.png", "", "b/", "b/\x00"],
)
def test_paths_that_may_lead_elsewhere(path: str) -> None:
    refused(with_change("views.0.slices.0.path", path), "views.0.slices.0.path")


def test_a_link_out_of_the_root(board: Bench) -> None:
    inside, outside = board.root / "b/V2_00.png", board.folder / "outside.png"
    inside.rename(outside)
    inside.symlink_to(outside)
    board.refused("view V2 slice 0 b/V2_00.png: a link leads out of")
    inside.unlink()
    outside.rename(board.root / "moved.png")
    inside.symlink_to(board.root / "moved.png")
    assert board.read().serial == SERIAL
    inside.unlink()
    inside.symlink_to(inside)
    board.refused("view V2 slice 0 b/V2_00.png: not below")


def test_a_link_in_the_place_of_a_folder(board: Bench) -> None:
    (board.root / "b").rename(board.folder / "elsewhere")
    (board.root / "b").symlink_to(board.folder / "elsewhere")
    board.refused("a link leads out of")


def test_what_is_no_plain_file(board: Bench) -> None:
    place = board.root / "b/V2_00.png"
    place.unlink()
    os.mkfifo(place)
    board.refused("view V2 slice 0 b/V2_00.png: not a plain file")
    place.unlink()
    place.mkdir()
    board.refused("view V2 slice 0 b/V2_00.png: ")


# slices


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_slices_are_read_as_stored(board: Bench, ending: str) -> None:
    board.index["views"][1]["slices"] = [board.put(f"b/x{ending}", encoded(slice_of(7), ending))]
    np.testing.assert_array_equal(board.read().views[1].slices[..., 0], slice_of(7))


def test_a_jpeg_slice(board: Bench) -> None:
    smooth = np.tile(np.arange(64, dtype=np.uint8), (48, 1)) * 2
    board.index["views"][1]["slices"] = [board.put("b/x.jpg", encoded(smooth, ".jpg"))]
    np.testing.assert_allclose(board.read().views[1].slices[..., 0], smooth, atol=3)


def colour(seed: int) -> np.ndarray[Any, Any]:
    """(48, 64, 3) uint8."""
    return np.stack([slice_of(seed + k) for k in range(3)], axis=-1)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (encoded(colour(30)), "PNG of 8 bits, colour type 2: expected 8 bits of grey"),
        (encoded(slice_of(30).astype(np.uint16) * 257), "PNG of 16 bits, colour type 0"),
        (encoded(colour(30), ".jpg"), "(48, 64, 3), expected one grey channel of 8 bits"),
        (encoded(colour(30), ".tif"), "TIFF of 3 x "),
        (encoded(slice_of(30).astype(np.uint16) * 257, ".tif"), "TIFF of 1 x 16 bits"),
        (encoded(slice_of(30), ".bmp"), "neither JPEG nor PNG"),
        (encoded(slice_of(30))[:60], "the decoder refuses it"),
        (encoded(slice_of(30), ".tif")[:60], "a TIFF of 60 bytes without its list of tags"),
        (b"", "neither JPEG nor PNG: starts with nothing"),
        (encoded(slice_of(30, 47)), "64 x 47 pixels, slice 0 has 64 x 48"),
    ],
)
def test_pictures_that_are_no_slice(board: Bench, data: bytes, told: str) -> None:
    board.index["views"][0]["slices"][2] = board.put("b/x.bin", data)
    board.refused(f"{INDEX} view V1 slice 2 b/x.bin: ", told)


def tiff(data: bytes, tag: int, value: int) -> bytes:
    """A TIFF with another value of a tag."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    places = [at + 2 + 12 * k for k in range(count)]
    place = next(place for place in places if struct.unpack_from("<H", data, place) == (tag,))
    return data[: place + 8] + struct.pack("<I", value) + data[place + 12 :]


def test_a_tiff_whose_white_is_zero() -> None:
    data = encoded(slice_of(3), ".tif")
    assert (slice_size(data, "x").width_px, slice_size(data, "x").height_px) == (64, 48)
    with pytest.raises(AxiFault, match=r"photometric 0: expected .* black as zero"):
        slice_size(tiff(data, 262, 0), "x")


def test_a_tiff_of_several_pictures(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "x.tif"), [slice_of(1), slice_of(2)])
    with pytest.raises(AxiFault, match="TIFF with several pictures"):
        slice_size((tmp_path / "x.tif").read_bytes(), "x")


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4), st.sampled_from([".png", ".tif", ".jpg"]))
def test_a_damaged_picture_gives_a_fault_or_a_slice(at: int, damage: bytes, ending: str) -> None:
    data = encoded(slice_of(1, 12, 16), ending)
    data = data[:at] + damage + data[at + len(damage) :]
    try:
        size = slice_size(data, "x")
        plane = decode_slice(data, size, "x")
    except AxiFault:
        return
    assert plane.shape == (size.height_px, size.width_px)


# bounds


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    data = bytearray(encoded(slice_of(1)))
    data[16:24] = struct.pack(">II", 65_535, 65_535)
    with pytest.raises(AxiFault, match="65535 x 65535 pixels, expected 1 to 64000000"):
        slice_size(bytes(data), "x")
    data[16:24] = struct.pack(">II", 0, 5)
    with pytest.raises(AxiFault, match="0 x 5 pixels"):
        slice_size(bytes(data), "x")


def test_a_board_of_too_many_pixels(board: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axi_module, "MAX_BOARD_PX", 4 * 48 * 64 - 1)
    board.refused("view V2 slice 0: more than 12287 pixels in all slices")


def test_too_much_of_anything(board: Bench) -> None:
    seven = [{"path": f"{n}.png", "sha256": f"{n}" * 64} for n in range(7)]
    refused(with_change("views.0.slices", seven), "views.0.slices: Tuple should have at most 6 items")
    refused(with_change("views.0.slices", []), "views.0.slices: Tuple should have at least 1 item")
    refused(with_change("views", []), "views: Tuple should have at least 1 item")
    refused(WHOLE + b" " * MAX_INDEX_BYTES, f"at most {MAX_INDEX_BYTES}")
    refused(b"[" * 100_000, "Invalid JSON")


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4))
def test_damage_gives_a_fault_or_an_index(at: int, damage: bytes) -> None:
    try:
        index = index_of(WHOLE[:at] + damage + WHOLE[at + len(damage) :], INDEX)
    except AxiFault:
        return
    assert len(index.views[0].joints) == 1


def test_settings_that_do_not_hold_together() -> None:
    for changes, told in (
        ({"export": "none", "export_required": True}, "export_required without an export"),
        ({"name_pattern": "("}, "not a regular expression"),
        ({"export_name_pattern": "(.+)"}, "must hold a group"),
        ({"max_test_min": 0.0}, "greater than 0"),
        ({"pictures": ""}, "at least 1 character"),
    ):
        with pytest.raises(ValueError, match=told):
            changed(**changes)
    assert changed() == SETTINGS


DOC = Path(__file__).resolve().parents[3] / "docs" / "axi-files.md"


def blocks(language: str) -> list[str]:
    """The page's examples in a language."""
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(), re.DOTALL)


def test_the_documented_example() -> None:
    (example,) = blocks("json")
    index = index_of(example.encode(), "A1043.json")
    assert whole(b"{", example.encode())
    assert (index.serial, [len(view.slices) for view in index.views]) == ("A1043", [2, 1])


def test_the_documented_settings(tmp_path: Path) -> None:
    (example,) = blocks("toml")
    (tmp_path / "machine.toml").write_text(example)
    assert read_toml(tmp_path / "machine.toml", AxiFileSettings).export_required
    (tmp_path / "all.toml").write_text(re.sub(r"^# ", "", example, flags=re.MULTILINE))
    read = read_toml(tmp_path / "all.toml", AxiFileSettings)
    assert (read.utc_offset_min, read.encoding, read.joint_words) == (480, "big5", {"Pszeudohiba": "false_call"})
