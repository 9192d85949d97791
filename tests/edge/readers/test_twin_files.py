"""The line twin writes files as the machine does: read back, they are the boards it printed."""

from __future__ import annotations

import numpy as np
import pytest

from edge.capture.readers.paste import HEAD_BYTES, TAIL_BYTES, read_panel, whole
from export.simulator.paste import panel_of, paste_product, print_run, write_koh_young
from export.simulator.paste.files import koh_young_name
from tests.edge.readers.files import KOH_YOUNG

pytestmark = pytest.mark.unit


def test_a_board_of_the_twin_through_its_file() -> None:
    product = paste_product("PP-1")
    run = print_run(product, n_boards=3, seed=11, difficulty="line")
    data, name = write_koh_young(product, run, 2), koh_young_name(run, 2)
    assert whole(data[:HEAD_BYTES], data[-TAIL_BYTES:], KOH_YOUNG)
    read, printed = read_panel(data, name, KOH_YOUNG), panel_of(product, run, 2)
    assert read.pad.tolist() == printed.pad.tolist()
    assert (read.barcode, read.job, read.counter) == (printed.barcode, printed.job, printed.counter)
    assert (read.printed, read.faults) == (printed.printed, ())
    np.testing.assert_allclose(read.volume_pct, printed.volume_pct, atol=5.1e-4)
    np.testing.assert_allclose(read.height_um, printed.height_um, atol=5.1e-4)
    np.testing.assert_allclose(read.stencil_um, printed.stencil_um, rtol=1e-4)
