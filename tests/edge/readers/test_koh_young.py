"""Koh Young files: what a whole one says, and that a damaged one never says less in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capture.readers.paste import READERS, TAIL_BYTES, read_panel, whole
from edge.capture.readers.paste_settings import FormatName
from edge.paste.panel import PasteFault
from tests.edge.readers.files import (
    COLUMNS,
    KOH_YOUNG,
    NAME,
    PADS,
    PLACES,
    Pad,
    koh_young,
    outcome,
    refused,
    title_values,
)

pytestmark = pytest.mark.unit

WHOLE = koh_young()


def test_a_whole_file() -> None:
    panel = read_panel(WHOLE, NAME, KOH_YOUNG)
    assert panel.pad.tolist() == ["LIB4#1", "R7_02/1", "R7_02/2", "LIB4#2", "2:U3_01/A", "R7_02/1#2"]
    assert (panel.barcode, panel.job, panel.side, panel.counter) == ("QB000017", "QB-17-TOP", "top", 24857)
    assert (panel.printed, panel.machine_result, panel.faults) == ("2021-03-09T07:45:00", "GOOD", ())
    np.testing.assert_allclose(panel.height_um, [pad.height_um for pad in PADS])
    np.testing.assert_allclose(panel.area_pct, [pad.area_pct for pad in PADS])
    np.testing.assert_allclose(panel.aperture_mm2, 0.4, rtol=1e-5)
    np.testing.assert_allclose(panel.stencil_um, 120.0, rtol=1e-4)
    assert panel.x_mm is None
    assert panel.y_mm is None


def test_places_where_the_profile_has_them() -> None:
    panel = read_panel(koh_young(columns=COLUMNS + PLACES), NAME, KOH_YOUNG)
    assert panel.x_mm is not None
    assert panel.y_mm is not None
    np.testing.assert_array_equal(panel.x_mm, np.arange(6) * 1.25)
    np.testing.assert_array_equal(panel.y_mm, np.arange(6) * 2.5)


def test_an_empty_pad_has_no_nominal_values_and_is_no_fault() -> None:
    panel = read_panel(koh_young([Pad(), Pad(pin="2", height_um=0.0, area_pct=0.0)]), NAME, KOH_YOUNG)
    assert panel.volume_pct[1] == 0.0
    assert np.isnan(panel.aperture_mm2[1])
    assert panel.faults == ()


@pytest.mark.parametrize(
    ("job", "side"), [("X-BOT", "bottom"), ("X_Kenobi_MB_TOP", "top"), ("STOP", ""), ("two words TOP", "top")]
)
def test_the_side_is_the_jobs_last_word(job: str, side: str) -> None:
    panel = read_panel(koh_young(title=title_values(job=job)), NAME, KOH_YOUNG)
    assert (panel.job, panel.side) == (job, side)


def test_a_job_wider_than_its_column() -> None:
    job = "309000124208B3_Kenobi_MB_BOT"
    assert read_panel(koh_young(title=title_values(job=job)), NAME, KOH_YOUNG).job == job


def test_two_pads_with_one_name() -> None:
    pads = [Pad(), Pad(), Pad(component="1:R7_02/1#2", pin="")]
    refused(koh_young(pads), KOH_YOUNG, "names.csv", 5, "Component ID", "two pads would be called 'R7_02/1#2'")


@pytest.mark.parametrize("name", list(READERS))
def test_every_format_of_the_table_refuses_nothing_at_all(name: FormatName) -> None:
    declared = KOH_YOUNG.model_copy(update={"format": name})
    with pytest.raises(PasteFault, match=r"nothing\.csv line 1"):
        read_panel(b"", "nothing.csv", declared)
    assert not whole(b"", b"", declared)


@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
@settings(max_examples=400)
def test_no_flipped_byte_loses_a_pad_in_silence(at: int, byte: int) -> None:
    _same_pads_or_refused(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])


@given(at=st.integers(0, len(WHOLE) - 1), byte=st.one_of(st.none(), st.integers(0, 255)))
@settings(max_examples=400)
def test_no_lost_or_added_byte_loses_a_pad_in_silence(at: int, byte: int | None) -> None:
    _same_pads_or_refused(WHOLE[:at] + (WHOLE[at + 1 :] if byte is None else bytes([byte]) + WHOLE[at:]))


def test_no_cut_loses_a_pad_in_silence() -> None:
    for end in range(len(WHOLE)):
        _same_pads_or_refused(WHOLE[:end])


@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_panel_or_a_fault(data: bytes) -> None:
    with pytest.raises(PasteFault):
        read_panel(data, NAME, KOH_YOUNG)
    assert isinstance(whole(data[:8], data[-TAIL_BYTES:], KOH_YOUNG), bool)


def _same_pads_or_refused(data: bytes) -> None:
    got = outcome(data, KOH_YOUNG, NAME)
    assert got == len(PADS) or NAME in str(got)
