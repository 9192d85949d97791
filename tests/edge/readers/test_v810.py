"""What a reader of V810 exports has to survive, rule by rule, each with bad files that have a name."""

from __future__ import annotations

import codecs
import datetime as dt
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.axi.board import AxiFault
from edge.capture.readers.v810 import read_export
from edge.capture.readers.v810_seen import KEPT, SeenTests
from edge.capture.readers.v810_xml import MAX_ATTRIBUTES, MAX_DEPTH, MAX_VALUE_CHARS, MAX_XML_BYTES
from tests.edge.readers.axi_files import (
    BOARD_TYPE,
    END,
    SERIAL,
    SETTINGS,
    START,
    XML,
    Called,
    changed,
    export,
    read,
    refused,
)

pytestmark = pytest.mark.unit

GOOD = export()
BAD = export([Called(), Called(pin="4", words="Short"), Called("1:U7", "A1", "Voiding")])
END_UTC = dt.datetime(2024, 4, 19, 16, 2, 14, tzinfo=dt.timezone.utc)


def test_a_good_board() -> None:
    board = read(GOOD)
    assert (board.serial, board.board_type, board.image_id, board.tester) == (SERIAL, BOARD_TYPE, "1", "V810-8086S2")
    assert (board.times.start, board.times.end, board.times.end_utc) == (START, END, END_UTC)
    assert (board.calls.indictments, board.calls.reviewed, board.calls.joints_tested) == ((), False, 58)


def test_a_bad_board() -> None:
    calls = read(BAD).calls
    assert [(one.designator, one.pin, one.words, one.review) for one in calls.indictments] == [
        ("1:J2", "3", "Insufficient, Open", ""),
        ("1:J2", "4", "Short", ""),
        ("1:U7", "A1", "Voiding", ""),
    ]
    assert (calls.status, calls.review_status, calls.reviewed) == ("Failed", "Repair None", False)


# 1 half a file


def test_half_a_file_is_told_wherever_it_ends() -> None:
    body = BAD.rindex(b">")
    for end in range(1, body + 1):
        with pytest.raises(AxiFault, match=r"half a file|not XML"):
            read(BAD[:end])


def test_half_a_file_between_two_elements() -> None:
    refused(BAD[: BAD.index(b"<ns1:TestXML")], "half a file: it ends inside BoardTestXMLExport", "no element found")
    refused(BAD[: BAD.index(b"<ns1:StationXML")], "line 4: half a file")


def test_an_empty_file() -> None:
    refused(b"", "an empty file")
    refused(b"  \r\n", "half a file: it ends before its first element")


def test_zeros_of_a_file_still_being_written() -> None:
    refused(GOOD[:-40] + bytes(40), "zero bytes")


def test_two_files_in_one() -> None:
    refused(GOOD + GOOD[GOOD.index(b"<ns1:") :], "not XML: junk after document element")


# 2 encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    text = export(testerName="V810-東").decode()
    assert read(text.encode(encoding)).tester == "V810-東"
    big = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    assert read(big).tester == "V810-東"


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "big5", "gbk"])
def test_a_code_page_is_declared_and_never_guessed(encoding: str) -> None:
    sign = "µ" if encoding == "cp1252" else "王"
    bare = export(declaration="", testerName=sign).decode().encode(encoding)
    assert read(bare, settings=changed(encoding=encoding)).tester == sign
    refused(bare, "is not utf-8; declare the station's code page")


def test_a_file_declares_another_code_page_than_the_station() -> None:
    said = export(declaration='<?xml version="1.0" encoding="Big5"?>', testerName="王").decode().encode("big5")
    refused(said, "it declares Big5, the station declares utf-8")
    assert read(said, settings=changed(encoding="big5")).tester == "王"
    refused(export(declaration='<?xml version="1.0" encoding="klingon"?>'), "it declares klingon")


def test_a_file_that_lies_about_being_utf_8() -> None:
    refused(export(testerName="µ").decode().encode("cp1252"), "line 4: byte 0xB5 is not UTF-8")


def test_an_encoding_that_is_none() -> None:
    for name in ("klingon", "base64"):
        with pytest.raises(ValidationError, match="not a text encoding"):
            changed(encoding=name)


# 3 numbers


@pytest.mark.parametrize("number", ["", "-0", "1.5E+09", "58,0", "1 667", "NaN", "58um", "٥٨", "1'667", "9999999999"])
def test_a_number_that_does_not_parse_is_never_0(number: str) -> None:
    refused(export(numberOfJointsTested=number), "BoardTestXMLExport numberOfJointsTested", repr(number))
    refused(export(numberOfDefects=number), "BoardTestXMLExport numberOfDefects", repr(number))


def test_a_number_of_a_review_that_does_not_parse() -> None:
    refused(export(review={"numberOfActiveDefects": "none"}), "RepairEventXML numberOfActiveDefects: 'none'")


# 4 dates


@pytest.mark.parametrize(
    "end",
    [
        "2024-04-20T00:02:14.0000000+08:00",
        "2024-04-20 00:02:14+0800",
        "2024-04-19T16:02:14Z",
        "2024-04-19T11:02:14-05:00",
    ],
)
def test_a_zone_and_digits_of_a_second(end: str) -> None:
    times = read(export(testerTestEndTime=end)).times
    assert (times.end, times.end_utc) == (end, END_UTC)


def test_a_zone_is_declared_and_never_guessed() -> None:
    bare = export(testTime=START[:19], testerTestStartTime=START[:19], testerTestEndTime=END[:19])
    refused(bare, "line 2, BoardTestXMLExport testTime: ", "no zone; declare the machine's (utc_offset_min)")
    assert read(bare, settings=changed(utc_offset_min=480)).times.end_utc == END_UTC
    refused(bare, "boardRevision", settings=changed(utc_offset_min=0))


@pytest.mark.parametrize(
    "date",
    ["04/20/2024 00:02:14", "20.04.2024 00:02", "2024-13-01T00:00:00Z", "", "2024-04-20", "2024-04-20T00:02:14+25:00"],
)
def test_a_date_of_another_profile(date: str) -> None:
    refused(export(testerTestEndTime=date), "testerTestEndTime", repr(date))


def test_a_revision_that_is_the_test_end_contradicts_it() -> None:
    refused(export(boardRevision="1587312134000"), "boardRevision 1587312134000 says 2020-04-19T16:02:14Z", "made up")
    assert read(export(boardRevision="1587312134000"), settings=changed(revision_is_test_end=False)).serial == SERIAL
    for revision in ("", "A3", None):
        assert read(export(boardRevision=revision)).serial == SERIAL


# 5 identity


@pytest.mark.parametrize(
    "serial", ["", "N/A", "Fail", "noread", "0000000000", "???", "SERIAL-PLACEHOLDER", "null", "--"]
)
def test_a_serial_that_was_not_read(serial: str) -> None:
    assert read(export(serialNumber=serial), name="any.xml").serial == ""


def test_a_serial_of_twenty_digits_stays_text() -> None:
    assert read(GOOD).serial == "20481120000000000417"


def test_another_serial_in_the_name() -> None:
    name = f"B2_#{BOARD_TYPE}#AXI#line#1.xml"
    refused(GOOD, f"serialNumber '{SERIAL}' inside, 'B2' in the file's name", name=name)
    assert read(GOOD, name="f3b1.xml").serial == SERIAL
    assert read(export(serialNumber="Fail")).serial == SERIAL
    assert read(GOOD, name=f"Fail_#{BOARD_TYPE}#AXI#line#1.xml").serial == SERIAL


def test_the_forged_name_of_another_product() -> None:
    name = f"{SERIAL}_#F08-MB-00B0-F3J-DD-01#AXI#system-764#1_012524.xml"
    refused(GOOD, f"boardType '{BOARD_TYPE}' inside, 'F08-MB-00B0-F3J-DD-01' in the file's name", name=name)


def test_a_product_that_is_not_said() -> None:
    refused(export(boardType=""), "line 3, BoardXML boardType: empty")


# 6 headers: here, names of elements and attributes


@pytest.mark.parametrize("prefix", ["", "ns1", "a"])
def test_a_namespace_is_known_by_its_uri(prefix: str) -> None:
    assert read(export([Called()], prefix=prefix)).calls.indictments[0].pin == "3"


def test_another_namespace() -> None:
    other = GOOD.replace(b"BoardTestXMLExport.xsd", b"BoardTestXMLExport2.xsd")
    refused(other, "'BoardTestXMLExport' of namespace 'http://tempuri.org/BoardTestXMLExport2.xsd', expected")
    refused(b"<html/>", "'html' of namespace '', expected BoardTestXMLExport")


def test_elements_of_other_namespaces_say_nothing() -> None:
    stranger = (
        b'<o:TestXML xmlns:o="urn:o"><o:IndictmentXML indictmentType="Short"/></o:TestXML></ns1:BoardTestXMLExport>'
    )
    assert read(GOOD.replace(b"</ns1:BoardTestXMLExport>", stranger)).calls.indictments == ()


@pytest.mark.parametrize("key", ["serialNumber", "boardType", "imageId", "testerName", "numberOfDefects", "testStatus"])
def test_a_missing_attribute(key: str) -> None:
    refused(export(**{key: None}), f"no attribute {key}")


def test_a_repeated_attribute_or_element() -> None:
    refused(GOOD.replace(b'imageId="1"', b'imageId="1" imageId="2"'), "line 3", "duplicate attribute")
    board = GOOD[GOOD.index(b"<ns1:BoardXML") : GOOD.index(b"<ns1:StationXML")]
    refused(GOOD.replace(b"<ns1:StationXML", board + b"<ns1:StationXML"), "2 elements BoardXML, expected one")
    refused(GOOD.replace(board, b""), "0 elements BoardXML, expected one")


# 7 spreadsheet damage


def test_a_serial_that_a_spreadsheet_rewrote() -> None:
    refused(
        export(serialNumber="2.04811E+19"), "BoardXML serialNumber: '2.04811E+19' is a long number as a spreadsheet"
    )


# 8 only what was called is listed


@pytest.mark.parametrize("key", ["numberOfDefects", "numberOfIndictedPins", "numberOfIndictedComponents"])
def test_counts_that_are_not_listed(key: str) -> None:
    refused(export([Called()], **{key: "7"}), f"BoardTestXMLExport {key}: 7, but the file lists")
    refused(export(**{key: "1"}), f"{key}: 1, but the file lists 0")


def test_an_indictment_that_was_lost() -> None:
    lost = BAD[: BAD.index(b"    <ns1:TestXML")] + b"</ns1:BoardTestXMLExport>\r\n"
    refused(lost, "'Failed' but nothing is indicted: what it failed on is not in the file")
    fewer = re.sub(rb"    <ns1:TestXML name=.top:1:U7.*?</ns1:TestXML>\r\n", b"", BAD)
    refused(fewer, "numberOfDefects: 4, but the file lists 2 or 3")


def test_how_the_machine_counts() -> None:
    """Pins as in the one defective export known: two of five defects, no component."""
    calls = [Called("J2", "7", "Voiding, Individual Voiding"), Called("J3", "7", "Insufficient, Insufficient, Open")]
    assert len(read(export(calls, numberOfIndictedComponents="0", numberOfDefects="5")).calls.indictments) == 2
    assert len(read(export(calls, numberOfDefects="2")).calls.indictments) == 2


def test_a_whole_component_is_indicted() -> None:
    for pin in ("", "-"):
        (one,) = read(export([Called("1:U7", pin, "Missing")], numberOfIndictedPins="0")).calls.indictments
        assert (one.designator, one.pin) == ("1:U7", "")


def test_an_indictment_of_nothing() -> None:
    refused(re.sub(rb"<ns1:ComponentXML[^>]*>", b"", BAD), "line 5, IndictmentXML: an indictment of no component")


def test_fewer_joints_tested_than_indicted() -> None:
    refused(export([Called(), Called(pin="4")], numberOfJointsTested="1"), "fewer joints tested than indicted")


# 9 vocabulary


def test_an_unknown_word_of_a_board() -> None:
    refused(export(testStatus="Bestanden"), "'Bestanden' is no word of a board's status", "board_words")
    refused(export(repairStatus="Pszeudohiba"), "'Pszeudohiba' is no word of a board's status")
    german = changed(board_words={"Bestanden": "passed"})
    assert read(export(testStatus="Bestanden"), settings=german).calls.status == "Bestanden"
    with pytest.raises(ValidationError):
        changed(board_words={"Bestanden": "fine"})


def test_an_unknown_word_of_a_review() -> None:
    called = [Called(review="Pszeudohiba")]
    refused(export(called), "RepairActionXML repairStatus: 'Pszeudohiba' is no word of a review", "joint_words")
    hungarian = changed(joint_words={"Pszeudohiba": "false_call"})
    assert read(export(called), settings=hungarian).calls.indictments[0].review == "false_call"


# 10 before or after review


@pytest.mark.parametrize(
    ("word", "review", "status"),
    [
        ("False Call", "false_call", "Reviewed Passed"),
        ("Repaired", "defect", "Repaired"),
        ("Variation OK", "false_call", "Reviewed Passed"),
    ],
)
def test_the_machine_s_call_stays_whatever_the_review_says(word: str, review: str, status: str) -> None:
    calls = read(export([Called(review=word)], testStatus=status, repairStatus=status)).calls
    assert [(one.words, one.review) for one in calls.indictments] == [("Insufficient, Open", review)]
    assert calls.reviewed


def test_a_place_that_a_reviewer_left_for_later() -> None:
    calls = read(export([Called(review="Repair Later")])).calls
    assert (calls.indictments[0].review, calls.reviewed) == ("open", False)


@pytest.mark.parametrize(
    ("calls", "changes", "told"),
    [
        ([Called()], {"testStatus": "Passed"}, "'Passed' but 1 places are indicted"),
        ([], {"testStatus": "Reviewed Passed"}, "'Reviewed Passed' but nothing is indicted"),
        ([], {"testStatus": "Repair None"}, "is a word of repairStatus"),
        ([], {"repairStatus": "Repaired"}, "'Passed' but repairStatus says that a person decided"),
        ([Called(review="Repaired")], {"testStatus": "Reviewed Passed"}, "the review confirms a defect"),
        ([Called(review="False Call")], {"testStatus": "Repaired"}, "the review calls everything good"),
    ],
)
def test_a_status_that_is_not_borne_out(calls: list[Called], changes: dict[str, str], told: str) -> None:
    refused(export(calls, **changes), "line 2, BoardTestXMLExport testStatus", told)


def test_a_review_of_other_defects() -> None:
    review = {"numberOfFalseCalledDefects": "2", "numberOfRepairedDefects": "0"}
    status = {"testStatus": "Reviewed Passed", "repairStatus": "Reviewed Passed"}
    called = [Called(review="False Call")]
    assert read(export(called, review=review, **status)).calls.reviewed
    refused(export(called, review={**review, "numberOfRepairedDefects": "1"}, **status), "a review of 3 defects")
    refused(export(called, review={**review, "numberOfFalseCalledDefects": "1"}, **status), "a review of 1 defects")


# 11 a file is a claim


def test_a_test_that_ends_before_it_starts() -> None:
    refused(export(testerTestStartTime=END, testerTestEndTime=START, boardRevision=""), "ends before it starts")


def test_a_test_of_no_time() -> None:
    refused(export(testerTestStartTime=END), "takes no time at all")


def test_a_test_longer_than_any_takt() -> None:
    refused(GOOD, "a test of 0:00:13, at most 0.2 min", settings=changed(max_test_min=0.2))


def test_a_test_that_ends_after_its_own_file() -> None:
    early = END_UTC - dt.timedelta(seconds=121)
    with pytest.raises(AxiFault, match="0:02:01 after the file was written"):
        read_export(GOOD, XML, SETTINGS, early)
    assert read_export(GOOD, XML, SETTINGS, END_UTC - dt.timedelta(seconds=119)).serial == SERIAL


def test_a_test_much_older_than_its_file() -> None:
    late, settings = END_UTC + dt.timedelta(hours=9), changed(max_hours_to_export=8.0)
    with pytest.raises(AxiFault, match=r"the file was written 9:00:00 later .* at most 8 h"):
        read_export(GOOD, XML, settings, late)
    assert read_export(GOOD, XML, SETTINGS, late).serial == SERIAL


def test_one_test_told_of_two_boards() -> None:
    seen = SeenTests()
    test = ("V810-8086S2", "1", START, END)
    seen.remember(test, "A1")
    seen.check(test, "A1", "again.json")
    seen.check(("V810-8086S2", "2", START, END), "A2", "beside-it-in-the-panel.json")
    with pytest.raises(AxiFault, match=r"forged.json: the test of V810-8086S2 .* already told of board A1"):
        seen.check(test, "A2", "forged.json")


def test_the_memory_is_bounded() -> None:
    seen = SeenTests()
    for k in range(KEPT + 10):
        seen.remember(("V810", "1", START, str(k)), str(k))
    assert len(seen) == KEPT
    seen.check(("V810", "1", START, "9"), "forgotten", "x.json")
    with pytest.raises(AxiFault):
        seen.check(("V810", "1", START, "10"), "other", "x.json")


# 12 XML safety


def entity(*lines: str) -> bytes:
    """An export with a document type of these lines, its serial the entity."""
    return GOOD.replace(b"<ns1:Board", "\n".join(lines).encode() + b"<ns1:Board", 1).replace(SERIAL.encode(), b"&a;")


def test_no_document_type(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("B2")
    refused(entity("<!DOCTYPE x>"), "a document type (DTD)")
    refused(entity('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'), "a document type (DTD)")
    refused(entity(f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{tmp_path}/secret">]>'), "a document type (DTD)")
    laughs = [f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12)]
    refused(entity('<!DOCTYPE x [<!ENTITY a0 "ha">', *laughs, "]>"), "a document type (DTD)")


def test_an_entity_of_no_document_type() -> None:
    refused(entity(), "line 3: not XML: undefined entity")


def test_limits() -> None:
    deep = b"<ns1:A>" * MAX_DEPTH + b"</ns1:A>" * MAX_DEPTH + b"</ns1:BoardTestXMLExport>"
    refused(GOOD.replace(b"</ns1:BoardTestXMLExport>", deep), f"more than {MAX_DEPTH} elements inside each other")
    many = " ".join(f'a{k}="1"' for k in range(MAX_ATTRIBUTES)).encode()
    refused(GOOD.replace(b"<ns1:BoardXML ", b"<ns1:BoardXML " + many + b" "), f"more than {MAX_ATTRIBUTES} attributes")
    refused(export(testerName="x" * (MAX_VALUE_CHARS + 1)), f"more than {MAX_VALUE_CHARS} characters")
    refused(GOOD + b" " * MAX_XML_BYTES, f"at most {MAX_XML_BYTES}")


@given(st.integers(0, len(BAD) - 1), st.binary(min_size=1, max_size=4))
def test_damage_gives_a_fault_or_a_board_never_anything_else(at: int, damage: bytes) -> None:
    try:
        board = read_export(BAD[:at] + damage + BAD[at + len(damage) :], "damaged.xml", SETTINGS, END_UTC)
    except AxiFault:
        return
    assert len(board.calls.indictments) == 3


@given(st.binary(max_size=400))
def test_any_bytes_give_a_fault(data: bytes) -> None:
    with pytest.raises(AxiFault):
        read_export(data, "any.xml", SETTINGS)


# the real file, kept beside the project and never in it


@pytest.mark.needs_data
def test_the_real_export(data_dir: Path) -> None:
    path = data_dir.parent / "samples" / "vitrox-v810-axi-xml" / "board_test_export_passed.xml"
    if not path.is_file():
        pytest.skip("needs_data: samples")
    written = dt.datetime.fromtimestamp(os.stat(path).st_mtime, dt.timezone.utc)
    board = read_export(path.read_bytes(), path.name, SETTINGS, written)
    assert (board.serial, board.board_type, board.tester) == ("", "F20-MB-00Y0-E3N-DD-02", "V810-8086S2")
    assert (board.calls.joints_tested, board.calls.status, board.calls.reviewed) == (1667, "Passed", False)
    assert board.times.end_utc == dt.datetime(2020, 4, 19, 16, 2, 14, tzinfo=dt.timezone.utc)
    with pytest.raises(AxiFault, match="boardRevision 1587312134000"):
        read_export(path.read_bytes().replace(b"00:02:14.000", b"00:07:14.000"), path.name, SETTINGS, written)
    named = "X1_#F08-MB-00B0-F3J-DD-01#AXI#system-764#1_012524.xml"
    with pytest.raises(AxiFault, match="in the file's name"):
        read_export(path.read_bytes(), named, SETTINGS, written)
