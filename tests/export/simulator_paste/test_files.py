"""Koh Young files of simulated boards: the layout of real files, and back through the station's own reader."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edge.capture.readers.paste import read_panel, whole
from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.learn import groups_of
from export.simulator.paste import (
    PrintRun,
    injected,
    koh_young_name,
    panel_of,
    paste_product,
    print_run,
    printer_fault,
    product_table,
    write_koh_young,
)
from tests.conftest import DATA

pytestmark = pytest.mark.unit

PRODUCT = paste_product("PP-1")
SAMPLES = DATA.parent / "samples" / "kohyoung-spi-csv"
SETTINGS = PasteFileSettings(format="koh_young_csv", date_order="mdy", words={}, columns={}, pads=1000)


@pytest.fixture(scope="module")
def run() -> PrintRun:
    return print_run(PRODUCT, 60, 21)


@pytest.fixture(scope="module")
def smeared(run: PrintRun) -> PrintRun:
    table = product_table(PRODUCT, run)
    fault = printer_fault(np.random.default_rng(2), PRODUCT, "smear", 60, 1.0, table, run)
    return injected(table, run, fault.delta_z)


def test_layout_is_the_machines(run: PrintRun) -> None:
    data = write_koh_young(PRODUCT, run, 5)
    assert data.endswith(b",\r\n\r\n")
    assert data.count(b"\r\n") == data.count(b"\n") == 1000 + 4
    title, values, header, *pads = data.decode("ascii").split("\r\n")
    assert "," not in title
    assert values.split() == [
        f"BG{run.counter[5]:06d}",
        str(run.counter[5]),
        "09/20/2020",
        "06:03:00",
        "06:03:08",
        "8",
        "PP-1-TOP",
        values.split()[7],
        "SV",
        "KOHYOUNG",
    ]
    assert header.startswith("Component ID,Volume(%),Height(um),Area(%),")
    assert header.endswith(",PosX(mm),PosY(mm),")
    assert pads[-2:] == ["", ""]
    assert {line.count(",") for line in pads[:-2]} == {header.count(",")}
    assert re.fullmatch(r"1:U1_01,\d+\.\d{3},\d+\.\d{3},.*,GOOD,A1,,0\.0um,,45,200,.*,0\.300,0\.300,", pads[0])
    assert re.fullmatch(r"BG\d{6}20200920060312\.csv", koh_young_name(run, 5))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the real samples of machine files")
def test_title_and_columns_are_those_of_a_real_file(run: PrintRun) -> None:
    ours = write_koh_young(PRODUCT, run, 0).split(b"\r\n")
    for path in sorted(SAMPLES.glob("*.csv")):
        real = path.read_bytes().split(b"\r\n")
        assert ours[0] == real[0]
        assert ours[2].removesuffix(b"PosX(mm),PosY(mm),") == real[2]
        for value, real_value in ((b"BG0", b"MN63"), (b"KOHYOUNG", b"KOHYOUNG"), (b"SV", b"SV")):
            assert ours[1].index(value) == real[1].index(real_value)
        assert real[-2:] == ours[-2:] == [b"", b""]


@pytest.mark.parametrize("k", [0, 30, 59])
def test_station_reads_the_file_back(smeared: PrintRun, k: int) -> None:
    data = write_koh_young(PRODUCT, smeared, k)
    read, ours = read_panel(data, koh_young_name(smeared, k), SETTINGS), panel_of(PRODUCT, smeared, k)
    assert whole(data[:64], data[-4096:], SETTINGS)
    for name in ("barcode", "job", "side", "counter", "printed", "machine_result", "faults"):
        assert getattr(read, name) == getattr(ours, name)
    assert np.array_equal(read.pad, ours.pad)
    assert np.array_equal(read.pad_result, ours.pad_result)
    for name in ("volume_pct", "area_pct", "height_um", "x_mm", "y_mm"):
        assert np.allclose(getattr(read, name), getattr(ours, name), rtol=0, atol=0.0006)


def test_a_clean_file_shows_the_products_own_aperture_groups(run: PrintRun) -> None:
    read = read_panel(write_koh_young(PRODUCT, run, 0), koh_young_name(run, 0), SETTINGS)
    assert np.array_equal(groups_of(read), groups_of(panel_of(PRODUCT, run, 0)))
    assert len(np.unique(groups_of(read))) == len(np.unique(PRODUCT.group)) == 11


def test_machine_calls_by_its_wide_limits(run: PrintRun, smeared: PrintRun) -> None:
    before, after = panel_of(PRODUCT, run, 59), panel_of(PRODUCT, smeared, 59)
    wiped = after.volume_pct < 4
    assert wiped.any()
    assert (after.pad_result[wiped] == "E.Insuffi.").all()
    assert after.machine_result == "FAIL"
    assert ((before.pad_result == "GOOD") | (before.volume_pct < 45) | (before.area_pct < 50)).all()
    unmoved = after.volume_pct == before.volume_pct
    assert (after.pad_result[unmoved & (after.area_pct < 50)] == "E.AreaL").all()


def test_boards_of_a_part_keep_their_time_and_name(run: PrintRun) -> None:
    assert koh_young_name(run.part(slice(30, 40)), 2) == koh_young_name(run, 32)
    with pytest.raises(ValueError, match="run is of PP-1"):
        write_koh_young(paste_product("PP-100K"), run, 0)
