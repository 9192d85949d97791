"""Tables of many panels: each is whole or refused by its own lines, and one that is cut takes no other with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capture.readers.paste import read_panel, whole
from edge.capture.readers.spi_table import RefusedPanel, read_panels
from edge.paste.panel import PasteFault, PastePanel
from export.paste_files.summary import summarise, summary_of
from export.paste_files.tables import to_json, write_tables
from tests.edge.readers.files import SPI_TABLE, outcome, refused, spi_table

pytestmark = pytest.mark.unit

IDS = ("06821001700520102844", "06821001800520102844", "06821001900520102844", "06821002000520102844")
ONE = spi_table()
DECLARED = SPI_TABLE.model_copy(update={"pads": 6})


def panels_of(data: bytes) -> list[PastePanel | RefusedPanel]:
    return list(read_panels(data.decode().splitlines(keepends=True), "table.csv", SPI_TABLE))


def test_panel_after_panel() -> None:
    found = panels_of(spi_table(IDS))
    assert all(isinstance(panel, PastePanel) for panel in found)
    assert [panel.barcode for panel in found if isinstance(panel, PastePanel)] == list(IDS)
    assert isinstance(found[0], PastePanel)
    assert found[0].pad.tolist() == ["BC1_1/1", "BC1_1/2", "TR2_1/K", "BC1_2/1", "BC1_2/2", "TR2_2/K"]
    assert found[0].machine_result == ""


def test_ids_printed_as_decimals_are_the_same_sub_boards() -> None:
    other = read_panel(ONE.replace(b",1,3/9", b",1.0,3/9").replace(b",2,3/9", b",2.0,3/9"), "table.csv", SPI_TABLE)
    assert other.pad.tolist() == read_panel(ONE, "table.csv", SPI_TABLE).pad.tolist()


def test_a_cut_sub_board_refuses_its_panel_alone() -> None:
    lines = spi_table(IDS).splitlines(keepends=True)
    del lines[11:13]  # the end of the second panel
    first, second, *rest = panels_of(b"".join(lines))
    assert isinstance(second, RefusedPanel)
    assert (second.panel, second.first_line, second.n_pads) == (IDS[1], 8, 4)
    assert second.fault == "table.csv line 11, column FigureID: sub-board 2 has 1 of 3 pads; 4 pads in all"
    assert all(isinstance(panel, PastePanel) for panel in (first, *rest))


def test_a_cut_line_inside_the_table() -> None:
    lines = spi_table(IDS).splitlines(keepends=True)
    lines[12] = lines[12][:40] + b"\n"
    found = panels_of(b"".join(lines))
    assert isinstance(found[1], RefusedPanel)
    assert "line 13, column Time: 4 cells, expected 12" in found[1].fault
    assert sum(isinstance(panel, PastePanel) for panel in found) == 3


def test_a_cut_last_line() -> None:
    found = panels_of(spi_table(IDS)[:-4])
    assert isinstance(found[-1], RefusedPanel)
    assert "line 25, column Result: half a file" in found[-1].fault


def test_a_panel_that_comes_again() -> None:
    found = panels_of(spi_table((IDS[0], IDS[1], IDS[0])))
    assert isinstance(found[2], RefusedPanel)
    assert "line 14, column PanelID" in found[2].fault


def test_a_station_takes_one_panel_a_file() -> None:
    refused(spi_table(IDS[:2]), SPI_TABLE, "two.csv", 8, "PanelID", "a second panel")
    refused(spi_table(sub_boards=1), DECLARED, "one-sub-board.csv", 4, "FigureID", "3 pads, expected 6")


def test_two_columns_that_are_swapped_are_not_a_panel() -> None:
    refused(ONE.replace(b",1,3/9/2021", b",A,3/9/2021"), SPI_TABLE, "figure.csv", 2, "FigureID", "'A' is no number")


def test_only_the_whole_table_is_whole() -> None:
    assert whole(ONE[:64], ONE, SPI_TABLE)
    ends = [end for end in range(len(ONE)) if whole(ONE[:64], ONE[:end], SPI_TABLE)]
    assert all(ONE[end - 1] == ord("\n") for end in ends)  # the rest is for the number of pads to say


@given(at=st.integers(0, len(ONE) - 1), byte=st.one_of(st.none(), st.integers(0, 255)), cut=st.booleans())
@settings(max_examples=300)
def test_no_damage_loses_a_pad_in_silence(at: int, byte: int | None, cut: bool) -> None:
    data = ONE[:at] if cut else ONE[:at] + (b"" if byte is None else bytes([byte])) + ONE[at + 1 :]
    got = outcome(data, DECLARED, "table.csv")
    assert got == 6 or "table.csv" in str(got)


def test_a_summary_says_what_numpy_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = spi_table(IDS).decode().splitlines()
    heights = np.round(rng.uniform(90, 130, (4, 6)), 3)
    for row, height in enumerate(heights.ravel().tolist()):
        cells = lines[row + 1].split(",")
        cells[7], cells[9] = f"{height}", f"{height * float(cells[10]):.0f}"
        lines[row + 1] = ",".join(cells)
    lines[3] = lines[3].replace(f"{heights[0, 2]}", "")  # a pad of the first panel was not measured
    table = tmp_path / "table.csv"
    table.write_text("\n".join([*lines, ""]), "ascii", newline="\n")
    summary = summarise(table, SPI_TABLE)
    assert summary.n_rows == 24
    assert summary.results == {"GOOD": 24}
    heights[0, 2] = np.nan
    assert summary.pads.n[:, 2].tolist() == [4, 4, 3, 4, 4, 4]
    np.testing.assert_allclose(summary.pads.mean[:, 2], np.nanmean(heights, axis=0))
    np.testing.assert_allclose(summary.pads.sigma[:, 2], np.nanstd(heights, axis=0, ddof=1))
    np.testing.assert_allclose(summary.pads.lowest[:, 2], np.nanmin(heights, axis=0))
    np.testing.assert_allclose(summary.pads.highest[:, 2], np.nanmax(heights, axis=0))
    np.testing.assert_allclose([p.mean[2] for p in summary.panels], np.nanmean(heights, axis=1))
    np.testing.assert_allclose([p.sigma[2] for p in summary.panels], np.nanstd(heights, axis=1, ddof=1))
    assert [p.n_doubted for p in summary.panels] == [1, 0, 0, 0]


def test_a_summary_lists_what_is_not_whole(tmp_path: Path) -> None:
    lines = spi_table(IDS).splitlines(keepends=True)
    del lines[-2:]
    summary = summary_of("table.csv", panels_of(b"".join(lines)))
    assert summary.unexpected() == [(IDS[3], 4)]
    figures = to_json(summary, None)
    assert (figures["panels"], figures["panels_refused"], figures["pads_expected"]) == (3, 1, 6)
    assert [panel for panel, _ in summary.unexpected(pads=12)] == list(IDS)
    write_tables(summary, tmp_path, None)
    assert len((tmp_path / "pads.csv").read_text("utf-8").splitlines()) == 7
    assert len((tmp_path / "panels.csv").read_text("utf-8").splitlines()) == 4
    assert IDS[3] in (tmp_path / "refused.csv").read_text("utf-8")


def test_a_table_in_a_code_page_nobody_declared(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(ONE.replace(b"TR2", b"TR\xb5"))
    with pytest.raises(PasteFault, match=r"table\.csv line 4, column 5: byte 0xB5 is not ascii"):
        summarise(table, SPI_TABLE)
    declared = SPI_TABLE.model_copy(update={"encoding": "cp1252"})
    assert summarise(table, declared).n_rows == 6


def test_a_file_without_line_breaks_is_not_read_into_memory(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(ONE + b"7" * 100_000)
    with pytest.raises(PasteFault, match=r"line 8, .*at most 4096"):
        summarise(table, SPI_TABLE)
