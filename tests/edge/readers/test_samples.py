"""Real files of two lines, kept beside the project and never in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge.capture.readers.paste import HEAD_BYTES, TAIL_BYTES, read_panel, whole
from edge.capture.readers.spi_table import RefusedPanel, read_panels
from edge.paste.panel import PasteFault, PastePanel
from tests.edge.readers.files import KOH_YOUNG, SPI_TABLE

pytestmark = [pytest.mark.unit, pytest.mark.needs_data]

TOP, BOTTOM = "MN63485020201110164344.csv", "MN63558220201110115418.csv"


@pytest.fixture
def samples(data_dir: Path) -> Path:
    """The folder of machine files beside the picture sets."""
    folder = data_dir.parent / "samples"
    if not folder.is_dir():
        pytest.skip("needs_data: samples")
    return folder


def koh_young(samples: Path, name: str) -> bytes:
    return (samples / "kohyoung-spi-csv" / name).read_bytes()


def rows(samples: Path, cell: str) -> list[str]:
    """The rows of one notebook cell, with the header, as lines of a table."""
    lines = (samples / "phme2022-spi-excerpt" / "spi_rows_printed_in_notebook.csv").read_text("ascii").splitlines()
    return [f"{line}\n" for line in lines if line.startswith((f"{cell},", "NotebookCell"))]


def test_the_top_side_with_its_defect(samples: Path) -> None:
    panel = read_panel(koh_young(samples, TOP), TOP, KOH_YOUNG)
    assert (len(panel), panel.faults) == (2584, ())
    assert (panel.barcode, panel.job, panel.side) == ("MN634850", "A5E41637164-04-TOP", "top")
    assert (panel.counter, panel.printed, panel.machine_result) == (24857, "2020-11-10T16:43:32", "FAIL")
    calls = Counter(panel.pad_result.tolist())
    assert calls == {"GOOD": 2563, "E.AreaL": 9, "E.Insuffi.": 9, "W.Insuffi.": 1, "E.Bridging": 1, "E.Shape": 1}
    failed = [pad for pad, call in zip(panel.pad, panel.pad_result, strict=True) if call != "GOOD"]
    assert sum(pad.startswith("PART22#") for pad in failed) == 17
    assert sum(pad.startswith("K240_01/") for pad in failed) == 3
    assert sum("#" in pad and pad.startswith("PART") for pad in panel.pad) == 752
    assert set(np.round(panel.stencil_um).tolist()) == {120.0, 150.0, 180.0}


def test_the_bottom_side(samples: Path) -> None:
    panel = read_panel(koh_young(samples, BOTTOM), BOTTOM, KOH_YOUNG)
    assert (len(panel), panel.faults, panel.side, panel.counter) == (1792, (), "bottom", 24566)
    assert Counter(panel.pad_result.tolist()) == {"GOOD": 1791, "E.AreaL": 1}
    assert set(np.round(panel.stencil_um).tolist()) == {120.0}


@pytest.mark.parametrize("name", [TOP, BOTTOM])
def test_only_the_whole_real_file_is_whole(samples: Path, name: str) -> None:
    data = koh_young(samples, name)
    assert whole(data[:HEAD_BYTES], data[-TAIL_BYTES:], KOH_YOUNG)
    for end in range(len(data) - 2000, len(data) - 1):
        assert not whole(data[:HEAD_BYTES], data[:end][-TAIL_BYTES:], KOH_YOUNG)
    for lost in (1, 2, 150):
        with pytest.raises(PasteFault, match=name):
            read_panel(data[: -2 - lost], name, KOH_YOUNG)


def test_day_and_month_of_a_real_file(samples: Path) -> None:
    with pytest.raises(PasteFault, match=r"line 2, column DATE.* it is 2020-10-11, the file's name says 2020-11-10"):
        read_panel(koh_young(samples, TOP), TOP, KOH_YOUNG.model_copy(update={"date_order": "dmy"}))


def test_a_real_file_opened_in_a_spreadsheet(samples: Path) -> None:
    damaged = koh_young(samples, TOP).replace(b"\n1:,", b"\n1:00,")
    with pytest.raises(PasteFault, match="line 4, column Component ID: '1:00' is a time of day"):
        read_panel(damaged, TOP, KOH_YOUNG)


def test_a_real_file_with_decimal_commas(samples: Path) -> None:
    lines = koh_young(samples, TOP).decode().split("\r\n")
    # the machine's own comma stays inside no cell, so each one parts two
    table = [line.replace(",", ";").replace(".", ",") for line in lines[3:]]
    words = [line.replace("W,", "W.").replace("E,", "E.").replace("Insuffi,", "Insuffi.") for line in table]
    data = "\r\n".join([*lines[:2], lines[2].replace(",", ";"), *words]).encode()
    german = read_panel(data, TOP, KOH_YOUNG.model_copy(update={"decimal": ","}))
    np.testing.assert_array_equal(german.volume_pct, read_panel(koh_young(samples, TOP), TOP, KOH_YOUNG).volume_pct)


def test_rows_of_another_line(samples: Path) -> None:
    first, last = read_panels(rows(samples, "48"), "spi.csv", SPI_TABLE)
    assert isinstance(first, PastePanel)
    assert isinstance(last, PastePanel)
    assert (first.barcode, first.printed) == ("26319044800520102844", "2019-09-20T11:16:02")
    assert first.pad.tolist() == ["BC1_1/1", "BC1_1/2", "BC2_1/1", "BC2_1/2", "BC3_1/1"]
    assert (last.barcode, last.faults, last.pad[-1]) == ("27219034900520102844", (), "Z1_8/2")
    np.testing.assert_allclose(first.aperture_mm2, 26.01, rtol=1e-3)
    assert last.x_mm is not None


def test_the_truncated_line_is_refused(samples: Path) -> None:
    (panel,) = read_panels(rows(samples, "35"), "spi.csv", SPI_TABLE)
    assert isinstance(panel, RefusedPanel)
    assert (panel.panel, panel.n_pads) == ("26919053400520102844", 10)
    assert "spi.csv line 11, column FigureID: ''" in panel.fault


def test_the_panel_that_stops_in_its_eighth_board_is_refused(samples: Path) -> None:
    kept = rows(samples, "43")
    (panel,) = read_panels([*kept[:6], *kept[7:]], "spi.csv", SPI_TABLE)
    assert isinstance(panel, RefusedPanel)
    assert "sub-board 8 has 4 of 5 pads" in panel.fault


def test_numbers_that_were_not_printed_are_doubts(samples: Path) -> None:
    (panel,) = read_panels(rows(samples, "43"), "spi.csv", SPI_TABLE)
    assert isinstance(panel, PastePanel)
    assert np.isnan(panel.area_pct).all()
    assert panel.faults[0] == "line 2, Area(%): ''"


def test_two_clocks_62_days_apart(samples: Path) -> None:
    settings = SPI_TABLE.model_copy(update={"serial_pattern": r"(?P<yday>\d{3})\d\d(?P<counter>\d{4})\d+"})
    first, last = read_panels(rows(samples, "48"), "spi.csv", settings)
    assert isinstance(first, PastePanel)
    assert first.counter == 448
    assert isinstance(last, RefusedPanel)
    assert "line 7, column Date: '7/29/2019' is -62 days off the day 272" in last.fault
