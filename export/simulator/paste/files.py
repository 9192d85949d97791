"""One printed board as its inspection machine gives it: a PastePanel, or the Koh Young CSV file it would have written.

The file has the layout of the real ones: two fixed-width lines, a comma header, a line a pad with a comma at its end,
CRLF, and an empty last line. Positions are the columns other export profiles add.
"""

from __future__ import annotations

import datetime

import numpy as np

from edge.capture.readers.paste_settings import PasteFileSettings
from edge.paste.panel import Names, PastePanel
from export.simulator.paste.prints import PrintRun
from export.simulator.paste.product import PasteProduct

# The machine's own limits on the real boards: wide, it stops hardly anything (protocol 2).
VOLUME_LIMITS_PCT = (45.0, 200.0)
HEIGHT_LIMITS_UM = (60.0, 270.0)
AREA_LIMITS_PCT = (50.0, 170.0)
OFFSET_LIMIT_MM = 0.18
GOOD = "GOOD"
FILE_SETTINGS = PasteFileSettings(format="koh_young_csv", date_order="mdy")  # how these files are to be read
YEAR = 2020
CYCLE_S = 8
_TITLE = (
    "             BARCODE  INDEX     DATE     S.TIME    E.TIME   CYCLE             JOB        RESULT       USER"
    "          LOTINFO        MACHINE        "
)
_HEADER = (
    "Component ID,Volume(%),Height(um),Area(%),OffsetX(%),OffsetY(%),Volume(um3),Area(um2),Result,PinNumber,"
    "Pad Verification,Shape,Library_Name,Vol_Min(%),Vol_Max(%),Height_Low(um),Height_High(um),Area_Min(%),Area_Max(%),"
    "OffsetX_Error(mm),OffsetY_Error(mm),PosX(mm),PosY(mm),"
)


def panel_of(product: PasteProduct, run: PrintRun, k: int) -> PastePanel:
    """Board `k` of a run as a reader gives it. Raises IndexError outside the run, ValueError for another product's."""
    _check_product(product, run)
    results = pad_results(run, k)
    return PastePanel(
        barcode=barcode_of(run, k),
        job=job_of(product),
        side="top",
        counter=int(run.counter[k]),
        printed=printed_at(run, k).isoformat(),
        machine_result=_board_result(results),
        pad=product.pad,
        volume_pct=run.volume_pct[k],
        area_pct=run.area_pct[k],
        height_um=run.height_um[k],
        aperture_mm2=product.aperture_mm2,
        stencil_um=product.stencil_um,
        x_mm=product.x_mm,
        y_mm=product.y_mm,
        pad_result=results,
    )


def write_koh_young(product: PasteProduct, run: PrintRun, k: int) -> bytes:
    """Board `k` of a run as the machine's file; its name is `koh_young_name`. Numbers are rounded as the machine does,
    to 0.001. Raises as `panel_of`."""
    _check_product(product, run)
    results = pad_results(run, k)
    start = printed_at(run, k)
    end = start + datetime.timedelta(seconds=CYCLE_S)
    values = _value_line(
        (barcode_of(run, k), 24),
        (str(run.counter[k]), 30),
        (start.strftime("%m/%d/%Y"), 41),
        (start.strftime("%H:%M:%S"), 52),
        (end.strftime("%H:%M:%S"), 62),
        (str(CYCLE_S), 69),
        (job_of(product), 90),
        (_board_result(results), 99),
        ("SV", 112),
        ("KOHYOUNG", 134),
    )
    area_um2 = run.area_pct[k] / 100 * product.aperture_mm2 * 1e6
    volume_um3 = run.volume_pct[k] / 100 * product.aperture_mm2 * 1e6 * product.stencil_um
    limits = (*VOLUME_LIMITS_PCT, *HEIGHT_LIMITS_UM, *AREA_LIMITS_PCT, OFFSET_LIMIT_MM, OFFSET_LIMIT_MM)
    limits_text = ",".join(f"{limit:g}" for limit in limits)
    lines = [
        f"1:{refdes},{volume:.3f},{height:.3f},{area:.3f},0.000,0.000,{um3:.0f},{um2:.0f},{result},{pin},,0.0um,,"
        f"{limits_text},{x:.3f},{y:.3f},"
        for (refdes, pin), volume, height, area, um3, um2, result, x, y in zip(
            (pad.split("/", 1) for pad in product.pad.tolist()),
            run.volume_pct[k].tolist(),
            run.height_um[k].tolist(),
            run.area_pct[k].tolist(),
            volume_um3.tolist(),
            area_um2.tolist(),
            results.tolist(),
            product.x_mm.tolist(),
            product.y_mm.tolist(),
            strict=True,
        )
    ]
    return "".join(f"{line}\r\n" for line in (_TITLE, values, _HEADER, *lines, "")).encode("ascii")


def koh_young_name(run: PrintRun, k: int) -> str:
    """File name as the machine gives it: barcode and the time it wrote the file."""
    written = printed_at(run, k) + datetime.timedelta(seconds=CYCLE_S + 4)
    return f"{barcode_of(run, k)}{written:%Y%m%d%H%M%S}.csv"


def barcode_of(run: PrintRun, k: int) -> str:
    """`BG` and six digits: one panel of the line, by its counter."""
    return f"BG{int(run.counter[k]) % 1_000_000:06d}"


def job_of(product: PasteProduct) -> str:
    """The machine's program for this product."""
    return f"{product.name}-TOP"


def printed_at(run: PrintRun, k: int) -> datetime.datetime:
    """When board `k` came, by the machine's clock."""
    since_s = int(run.since_midnight_s[k])
    return datetime.datetime(YEAR, 1, 1) + datetime.timedelta(days=int(run.day[k]) - 1, seconds=since_s)


def pad_results(run: PrintRun, k: int) -> Names:
    """(P,) the machine's call of each pad of board `k` by its wide limits."""
    volume, area, height = run.volume_pct[k], run.area_pct[k], run.height_um[k]
    calls = [
        (volume < VOLUME_LIMITS_PCT[0], "E.Insuffi."),
        (volume > VOLUME_LIMITS_PCT[1], "E.Excess"),
        (area < AREA_LIMITS_PCT[0], "E.AreaL"),
        (area > AREA_LIMITS_PCT[1], "E.AreaH"),
        (height < HEIGHT_LIMITS_UM[0], "E.HeightL"),
        (height > HEIGHT_LIMITS_UM[1], "E.HeightH"),
    ]
    return np.select([wrong for wrong, _ in calls], [name for _, name in calls], GOOD)


def _board_result(results: Names) -> str:
    return GOOD if bool((results == GOOD).all()) else "FAIL"


def _value_line(*cells: tuple[str, int]) -> str:
    """Cells right-aligned so that each ends at its column, at least one blank between them; LOTINFO stays empty."""
    line = ""
    for text, ends_at in cells:
        line += text.rjust(max(ends_at - len(line), len(text) + 1))
    return line


def _check_product(product: PasteProduct, run: PrintRun) -> None:
    if run.product != product.name:
        raise ValueError(f"run is of {run.product}, product is {product.name}")
