"""What a reader has to survive, rule by rule, each with bad files that have a name."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from edge.capture.readers.paste import HEAD_BYTES, TAIL_BYTES, read_panel, whole
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.learn import values_of
from edge.paste.panel import PasteFault
from tests.edge.readers.files import (
    COLUMNS,
    KOH_YOUNG,
    NAME,
    PADS,
    PLACES,
    SPI_TABLE,
    Pad,
    koh_young,
    line_changed,
    nan_pads,
    refused,
    spi_table,
    swapped,
    title_values,
)

pytestmark = pytest.mark.unit

WHOLE = koh_young()
N_LINES = 3 + len(PADS)


def declared(**changes: object) -> PasteFileSettings:
    return PasteFileSettings.model_validate({**KOH_YOUNG.model_dump(), **changes})


# 1 half a file


def test_half_a_line() -> None:
    cut = WHOLE[: WHOLE.rindex(b"65.8um") + 2]
    refused(cut, KOH_YOUNG, "half-line.csv", N_LINES, "Shape", "half a file")


def test_half_a_line_with_a_break() -> None:
    cut = WHOLE[: WHOLE.rindex(b"65.8um") + 2] + b"\r\n\r\n"
    refused(cut, KOH_YOUNG, "half-line-ended.csv", N_LINES, "Shape", "12 cells, expected 16")


def test_cut_between_two_lines() -> None:
    cut = WHOLE[: WHOLE.rindex(b"1:R7_02")]
    refused(cut, KOH_YOUNG, "cut-between-lines.csv", N_LINES, "Component ID", "blank line")


def test_fewer_pads_than_declared() -> None:
    told = "5 pads, expected 6"
    refused(koh_young(PADS[:5]), declared(pads=6), "five-pads.csv", N_LINES - 1, "Component ID", told)


def test_a_file_without_its_blank_line_needs_a_number_of_pads() -> None:
    with pytest.raises(ValidationError, match="declare pads"):
        declared(ends_with_blank_line=False)
    settings = declared(ends_with_blank_line=False, pads=6)
    assert len(read_panel(WHOLE[:-2], NAME, settings)) == 6
    cut = WHOLE[: WHOLE.rindex(b"1:R7_02")]
    refused(cut, settings, "cut-between-lines.csv", N_LINES - 1, "Component ID", "5 pads, expected 6")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("n_pads", [6, 120])
def test_only_the_whole_file_is_whole(encoding: str, n_pads: int) -> None:
    data = koh_young([Pad(pin=str(k)) for k in range(n_pads)]).decode().encode(encoding)
    assert whole(data[:HEAD_BYTES], data[-TAIL_BYTES:], KOH_YOUNG)
    for end in range(max(0, len(data) - 1000), len(data) - 1):
        assert not whole(data[:HEAD_BYTES], data[:end][-TAIL_BYTES:], KOH_YOUNG), data[:end][-20:]


def test_a_last_line_of_fewer_cells_is_not_whole() -> None:
    for end in (WHOLE.rindex(b",200,") + 1, WHOLE.rindex(b"65.8um") + 2):
        assert not whole(WHOLE[:HEAD_BYTES], WHOLE[:end] + b"\r\n\r\n", KOH_YOUNG)


def test_zeros_of_a_file_still_being_written() -> None:
    zeros = WHOLE[:-40] + bytes(40)
    refused(zeros, KOH_YOUNG, "zeros.csv", N_LINES, "7", "zero bytes")


# 2 encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    text = WHOLE.decode().replace("Height(um)", "Height(µm)").replace("65.8um", "65.8µm")
    assert len(read_panel(text.encode(encoding), NAME, KOH_YOUNG)) == len(PADS)


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "big5", "gbk", "utf-8"])
def test_a_code_page_is_declared_and_never_guessed(encoding: str) -> None:
    text = WHOLE.decode().replace("SV", "µ" if encoding in ("cp1252", "utf-8") else "王")
    assert len(read_panel(text.encode(encoding), NAME, declared(encoding=encoding))) == len(PADS)
    refused(text.encode(encoding), KOH_YOUNG, "code-page.csv", 2, "1", "declare the station's code page")


def test_the_wrong_code_page() -> None:
    cp1252 = WHOLE.replace(b"65.8um", b"65.8\xb5m")
    refused(cp1252, declared(encoding="utf-8"), "cp1252-as-utf8.csv", 4, "12", "0xB5 is not utf-8")


def test_an_encoding_that_is_none() -> None:
    for name in ("klingon", "base64"):
        with pytest.raises(ValidationError, match="not a text encoding"):
            declared(encoding=name)


# 3 numbers


def test_decimal_commas_and_semicolons() -> None:
    lines = WHOLE.decode().split("\r\n")
    rewritten = "\r\n".join(lines[:2] + [line.replace(",", ";").replace(".", ",") for line in lines[2:]])
    german = read_panel(rewritten.encode(), NAME, declared(decimal=","))
    english = read_panel(WHOLE, NAME, KOH_YOUNG)
    np.testing.assert_array_equal(german.volume_pct, english.volume_pct)
    assert german.faults == ()
    refused(rewritten.encode(), KOH_YOUNG, "german.csv", 3, "componentid", "missing")


@pytest.mark.parametrize(
    ("written", "read"),
    [("96.500%", 96.5), (" 96.500 ", 96.5), ("9.65E+01", 96.5), ("+96.5", 96.5), ("-0", 0.0), ("0.0965e3", 96.5)],
)
def test_numbers_that_are_one(written: str, read: float) -> None:
    panel = read_panel(line_changed(WHOLE, 5, "96.500", written), NAME, KOH_YOUNG)
    assert panel.area_pct[1] == read
    assert not np.signbit(panel.area_pct[1])
    assert panel.faults == ()


def test_a_glued_unit_in_every_cell() -> None:
    data = WHOLE
    for line, pad in enumerate(PADS, start=4):
        data = line_changed(data, line, f",{pad.height_um:.3f},", f",{pad.height_um:.3f}um,")
    panel = read_panel(data, NAME, KOH_YOUNG)
    np.testing.assert_array_equal(panel.height_um, [pad.height_um for pad in PADS])


@pytest.mark.parametrize("written", ["", "abc", "NaN", "inf", "1_000", "96.5um", "--1", "1e999", "-3", "٩٦", "1'096.5"])
def test_a_number_that_does_not_parse_is_a_doubt_about_that_pad(written: str) -> None:
    data = line_changed(WHOLE, 5, "96.500", written)
    panel = read_panel(data, NAME, declared(encoding="utf-8"))
    assert nan_pads(panel.area_pct) == [1]
    assert panel.faults == (f"line 5, Area(%): {written!r}",)
    assert len(panel) == len(PADS)


def test_thousands_are_declared() -> None:
    data = line_changed(WHOLE, 5, "45644500", "45'644'500")
    assert read_panel(data, NAME, declared(thousands="'")).faults == ()
    undeclared = read_panel(data, NAME, KOH_YOUNG)
    assert len(undeclared.faults) == 1
    assert "line 5, Volume(um3)" in undeclared.faults[0]
    with pytest.raises(ValidationError, match="thousands"):
        declared(thousands=".")


def test_many_doubts_are_counted() -> None:
    data = koh_young([Pad(pin=str(k)) for k in range(30)]).replace(b"96.500", b"?")
    panel = read_panel(data, NAME, KOH_YOUNG)
    assert len(panel.faults) == 21
    assert panel.faults[-1] == "and 10 more"


# 4 dates


def test_ten_eleven_is_not_eleven_ten() -> None:
    data, name = koh_young(title=title_values(date="11/10/2020")), "QB00001720201110074512.csv"
    assert read_panel(data, name, KOH_YOUNG).printed == "2020-11-10T07:45:00"
    refused(data, declared(date_order="dmy"), name, 2, "DATE", "the file's name says 2020-11-10")


@pytest.mark.parametrize(
    ("date", "order"), [("2021/3/9", "ymd"), ("2021-03-09", "ymd"), ("9.3.2021", "dmy"), ("3/9/2021", "mdy")]
)
def test_dates_as_declared(date: str, order: str) -> None:
    panel = read_panel(koh_young(title=title_values(date=date)), NAME, declared(date_order=order))
    assert panel.printed == "2021-03-09T07:45:00"


@pytest.mark.parametrize("date", ["2021-03-09", "13/01/2021", "02/30/2021", "3/9/21"])
def test_dates_that_are_not(date: str) -> None:
    refused(koh_young(title=title_values(date=date)), KOH_YOUNG, "board7.csv", 2, "DATE", "month/day/year")


def test_fractions_and_zones_of_a_time() -> None:
    for time in ("07:45:00.123", "07:45:00.1230000", "07:45:00.123+02:00", "07:45:00.123Z"):
        data = spi_table().replace(b"07:45:00", time.encode())
        assert read_panel(data, "table.csv", SPI_TABLE).printed == "2021-03-09T07:45:00.123000"


def test_two_clocks() -> None:
    settings = SPI_TABLE.model_copy(update={"serial_pattern": r"(?P<yday>\d{3})\d\d(?P<counter>\d{4})\d+"})
    assert read_panel(spi_table(), "table.csv", settings).counter == 17
    refused(spi_table(date="1/6/2021"), settings, "two-clocks.csv", 2, "Date", "-62 days off the day 68")


# 5 identity


def test_the_barcode_inside_and_in_the_name() -> None:
    data, name = koh_young(title=title_values(barcode="M4634596")), "MN63459620210309074512.csv"
    refused(data, KOH_YOUNG, name, 2, "BARCODE", "'M4634596' inside, 'MN634596' in the file's name")


@pytest.mark.parametrize("word", ["", "Fail", "FAIL", "N/A", "NOREAD"])
def test_words_for_a_barcode_not_read(word: str) -> None:
    data = koh_young(title=title_values(barcode=word))
    assert read_panel(data, NAME, KOH_YOUNG).barcode == "QB000017"
    assert read_panel(data, "export.csv", KOH_YOUNG).barcode == ""
    assert read_panel(data, "export.csv", KOH_YOUNG).counter == 24857


def test_an_id_of_twenty_digits_stays_text() -> None:
    barcode = "06821001700520102844"
    assert read_panel(koh_young(title=title_values(barcode=barcode)), "export.csv", KOH_YOUNG).barcode == barcode
    assert read_panel(spi_table(), "table.csv", SPI_TABLE).barcode == barcode


# 6 headers


def test_columns_are_found_by_name() -> None:
    lines = WHOLE.decode().split("\r\n")
    turned = [",".join(reversed(line.removesuffix(",").split(","))) + "," for line in lines[2:-2]]
    panel = read_panel("\r\n".join([*lines[:2], *turned, "", ""]).encode(), NAME, KOH_YOUNG)
    np.testing.assert_array_equal(panel.volume_pct, read_panel(WHOLE, NAME, KOH_YOUNG).volume_pct)


def test_padded_and_differently_written_headers() -> None:
    data = swapped(swapped(WHOLE, "Component ID", " ComponentID "), "Volume(%)", "  VOLUME [%]")
    assert read_panel(data, NAME, KOH_YOUNG).faults == ()


def test_translated_headers_are_declared() -> None:
    data = swapped(WHOLE, "Volume(%)", "Volumen(%)")
    refused(data, KOH_YOUNG, "volumen.csv", 3, "volume(%)", "missing")
    assert read_panel(data, NAME, declared(columns={"Volumen(%)": "Volume(%)"})).faults == ()


@pytest.mark.parametrize(
    ("old", "new", "column", "why"),
    [
        ("Area(%)", "Volume(%)", "Volume(%)", "comes twice, in cells 2 and 4"),
        ("Height(um)", "Height(mil)", "Height(mil)", "unit 'mil'"),
        ("Height(um)", "Height", "Height", "unit ''"),
        ("Result", "Verdict", "result", "missing"),
        ("PosY(mm)", "Y(mm)", "PosY(mm)", "missing beside"),
    ],
)
def test_headers_that_are_refused(old: str, new: str, column: str, why: str) -> None:
    data = swapped(koh_young(columns=COLUMNS + PLACES), old, new)
    refused(data, KOH_YOUNG, "header.csv", 3, column, why)


def test_titles_that_are_refused() -> None:
    refused(swapped(WHOLE, "RESULT", "VERDIC"), KOH_YOUNG, "titles.csv", 1, "RESULT", "missing")
    refused(swapped(WHOLE, "  JOB", " LINE  JOB"), KOH_YOUNG, "titles.csv", 1, "LINE", "unknown title")
    refused(swapped(WHOLE, "07:45:08", "        "), KOH_YOUNG, "titles.csv", 2, "E.TIME", "not to be read")


def test_a_title_of_the_side() -> None:
    data = swapped(swapped(WHOLE, "  JOB", " SIDE  JOB"), " QB-17-TOP", "BOT   QB-17-TOP")
    assert read_panel(data, NAME, KOH_YOUNG).side == "bottom"


# 7 spreadsheets


@pytest.mark.parametrize(
    ("line", "old", "new", "column", "why"),
    [
        (4, "1:,", "1:00,", "Component ID", "'1:00' is a time of day"),
        (5, "1:R7_02", "3-Mar", "Component ID", "'3-Mar' is a date"),
        (5, "GOOD,1,", "GOOD,1.00E+05,", "PinNumber", "rounded to a number"),
        (5, "45,200,", "45,200", "Vol_Max(%)", "its last separator is gone"),
        (3, "Vol_Max(%),", "Vol_Max(%)", "Vol_Max(%)", "saving in a spreadsheet program"),
        (1, "MACHINE", "MACHINE,,,,", "1", "saved by a spreadsheet program"),
        (5, "R7_02", '"R7_02"', "1", "a quoted cell"),
    ],
)
def test_spreadsheet_damage(line: int, old: str, new: str, column: str, why: str) -> None:
    refused(line_changed(WHOLE, line, old, new), KOH_YOUNG, "spreadsheet.csv", line, column, why)


@pytest.mark.parametrize("panel", ["6.82E+19", "6,82E+19", "06821001700520100000"])
def test_a_rounded_id(panel: str) -> None:
    settings = SPI_TABLE if "," not in panel else SPI_TABLE.model_copy(update={"decimal": ","})
    data = spi_table().replace(b",", settings.separator.encode())
    damaged = data.replace(b"06821001700520102844", panel.encode())
    refused(damaged, settings, "rounded-id.csv", 2, "PanelID", "rounded to a number")


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook(start: bytes) -> None:
    refused(start + b"\x14\x00", KOH_YOUNG, "book.csv", 1, "1", "workbook")
    assert not whole(start, start, KOH_YOUNG)


# 8 only defects listed


def test_a_list_of_defects_is_no_panel() -> None:
    recipe = read_panel(WHOLE, NAME, KOH_YOUNG).pad
    defects = koh_young([Pad(result="E.AreaL")], title=title_values(result="FAIL"))
    with pytest.raises(PasteFault, match="1 pads where the recipe has 6; missing LIB4#1"):
        values_of(read_panel(defects, NAME, KOH_YOUNG), recipe)
    refused(defects, declared(pads=6), "only-defects.csv", 4, "Component ID", "1 pads, expected 6")
    refused(koh_young([]), KOH_YOUNG, "no-pads.csv", 4, "Component ID", "no pads")


# 9 vocabulary


@pytest.mark.parametrize("word", ["", "OK", "good", "Pszeudohiba", "E.", "X.AreaL", "E.Area L"])
def test_unknown_words(word: str) -> None:
    data = line_changed(WHOLE, 5, ",GOOD,", f",{word},")
    refused(data, KOH_YOUNG, "words.csv", 5, "Result", f"{word!r} is not one of")


def test_words_are_declared_and_kept_as_written() -> None:
    data = line_changed(WHOLE, 5, ",GOOD,", ",Jo,")
    assert read_panel(data, NAME, declared(words={"Jo": "good"})).pad_result[1] == "Jo"
    bad = line_changed(WHOLE, 5, ",GOOD,", ",Rossz,")
    refused(bad, declared(words={"Rossz": "error"}), "words.csv", 5, "Result", "on a panel that line 2 calls GOOD")


# 10 before or after review


def test_a_reviewed_file_is_said_to_be_one() -> None:
    pads = [Pad(), Pad(pin="2", result="E.Bridging")]
    data = koh_young(pads, title=title_values(result="PASS"))
    refused(data, KOH_YOUNG, "reviewed.csv", 2, "RESULT", "after review")
    panel = read_panel(data, NAME, declared(words={"PASS": "reviewed"}))
    assert panel.machine_result == "PASS"
    assert panel.pad_result[1] == "E.Bridging"  # the machine's own call is still there


# 11 a file is a claim


def test_a_good_panel_has_no_errors() -> None:
    data = koh_young([Pad(), Pad(pin="2", result="E.Insuffi.")])
    refused(data, KOH_YOUNG, "forged-good.csv", 5, "Result", "on a panel that line 2 calls GOOD")


def test_a_failed_panel_has_some() -> None:
    data = koh_young([Pad(), Pad(pin="2", result="W.Insuffi.")], title=title_values(result="FAIL"))
    refused(data, KOH_YOUNG, "fail-without-error.csv", 2, "RESULT", "not in the file")


def test_a_volume_that_is_not_area_times_height() -> None:
    panel = read_panel(line_changed(WHOLE, 5, "118.250", "81.250"), NAME, KOH_YOUNG)
    assert nan_pads(panel.volume_pct) == nan_pads(panel.area_pct) == nan_pads(panel.height_um) == [1]
    assert len(panel.faults) == 1
    assert "line 5, Volume(um3)" in panel.faults[0]


def test_a_test_time_that_is_not_the_cycle() -> None:
    data = line_changed(WHOLE, 2, "     8 ", "    80 ")
    refused(data, KOH_YOUNG, "cycle.csv", 2, "CYCLE", "80 s, but 07:45:00 to 07:45:08 is 8 s")


def test_a_file_name_with_a_time_that_is_none() -> None:
    refused(WHOLE, KOH_YOUNG, "QB00001720219909074512.csv", 2, "DATE", "no time yyyymmddhhmmss")


# 12 no XML


@pytest.mark.parametrize("start", [b"<?xml version='1.0'?>", b"\xef\xbb\xbf<Panel>", b"\r\n <html>"])
def test_a_file_of_tags_is_refused_by_name(start: bytes) -> None:
    for settings in (KOH_YOUNG, SPI_TABLE):
        refused(start + WHOLE, settings, "tags.xml", 1, "1", "XML or HTML")
        assert not whole(start, WHOLE, settings)
